//! Links as esp-hal and defmt need it, and builds the model in.

fn main() {
    board_build::link(&["-Tlinkall.x", "-Tdefmt.x"]);
    board_build::model("../../models/digits.thimble");
}
