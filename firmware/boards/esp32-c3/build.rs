//! Links as esp-hal and defmt need it, and builds the model in.

fn main() {
    thimble_board_build::link(&["-Tlinkall.x", "-Tdefmt.x"]);
    thimble_board_build::model("../../models/digits.thimble");
}
