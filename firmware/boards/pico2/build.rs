//! Links for the memory of this board, and builds the model in.

fn main() {
    thimble_board_build::processor("cortex-m33");
    thimble_board_build::runtime();
    thimble_board_build::memory(include_str!("memory.x"));
    // The core reads flash through a cache of 16 KB, over QSPI.
    thimble_board_build::model_in_ram_and_updates("../../models/digits.thimble", 256 * 1024);
}
