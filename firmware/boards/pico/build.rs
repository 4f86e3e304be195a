//! Links for the memory of this board, and builds a model into each of its programs.

fn main() {
    thimble_board_build::runtime();
    thimble_board_build::link(&["-Tlink-rp.x"]);
    thimble_board_build::memory(include_str!("memory.x"));
    // The core reads flash through a cache of 16 KB, over QSPI.
    thimble_board_build::model_in_ram_and_updates("../../models/digits.thimble", 128 * 1024);
    for (module, file) in [("dial", "eggcrate-adc"), ("activity", "activity")] {
        let path = format!("../../models/{file}.thimble");
        thimble_build::model(path).variable("THIMBLE_MODEL").module(module).generate();
    }
}
