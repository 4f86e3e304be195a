//! Links for the memory of this board, and builds the model in.

fn main() {
    thimble_board_build::runtime();
    thimble_board_build::memory(include_str!("memory.x"));
    thimble_board_build::model("../../models/mnist-16k-packed.thimble");
}
