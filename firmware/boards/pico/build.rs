//! Links for the memory of this board, and builds a model into each of its programs.

fn main() {
    board_build::runtime();
    board_build::link(&["-Tlink-rp.x"]);
    board_build::memory(include_str!("memory.x"));
    board_build::model_and_updates("../../models/digits.thimble");
    board_build::fixed_model("dial.rs", "../../models/eggcrate-adc.thimble");
    board_build::fixed_model("motion.rs", "../../models/motion.thimble");
}
