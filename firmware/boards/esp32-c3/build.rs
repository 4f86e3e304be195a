//! Links as esp-hal and defmt need it, and builds the model in.

fn main() {
    board_build::link(&["-Tlinkall.x", "-Tdefmt.x"]);
    // esp-hal's name for what riscv-rt calls the end of the stack.
    board_build::link(&["--defsym=__estack=_stack_end"]);
    board_build::model("../../models/digits.thimble");
}
