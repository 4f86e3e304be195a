//! Links for memory that several chips have, and builds the model in.

use std::env;

fn main() {
    if env::var("TARGET").is_ok_and(|target| target.starts_with("riscv")) {
        board_build::link(&["--nmagic", "-Triscv.x"]);
        board_build::linker_script("riscv.x", include_str!("riscv.x"));
    } else {
        board_build::link(&["--nmagic", "-Tlink.x"]);
        board_build::linker_script("memory.x", include_str!("memory.x"));
        // cortex-m-rt asks for it: a chip's interrupts by name.
        board_build::linker_script("device.x", "");
    }
    board_build::fixed_model("model.rs", "../../models/digits.thimble");
}
