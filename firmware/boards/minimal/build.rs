//! Links for memory that several chips have, and builds the model in.

use std::env;

fn main() {
    if env::var("TARGET").is_ok_and(|target| target.starts_with("riscv")) {
        thimble_board_build::link(&["--nmagic", "-Triscv.x"]);
        thimble_board_build::linker_script("riscv.x", include_str!("riscv.x"));
        thimble_board_build::fixed_memory(include_str!("memory-riscv.x"));
    } else {
        thimble_board_build::link(&["--nmagic", "-Tlink.x"]);
        thimble_board_build::fixed_memory(include_str!("memory.x"));
        // cortex-m-rt asks for it: a chip's interrupts by name.
        thimble_board_build::linker_script("device.x", "");
    }
    thimble_build::model("../../models/digits.thimble").variable("THIMBLE_MODEL").generate();
}
