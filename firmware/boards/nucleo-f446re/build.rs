//! Links for the memory of this board, and builds the model in.

fn main() {
    board_build::runtime();
    board_build::memory(include_str!("memory.x"));
    board_build::model_and_updates("../../models/digits.thimble");
}
