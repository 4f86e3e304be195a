//! A plugin for QEMU that estimates the cycles of a core from the instructions that it executes.
//!
//! A region begins and ends with an instruction that does nothing, which is not counted itself:
//!
//! | | begins | ends |
//! |---|---|---|
//! | Thumb | `mov r10, r10` | `mov r11, r11` |
//! | RV32 | `slti x0, x0, 1` | `slti x0, x0, 2` |
//!
//! For each region the plugin writes a line to the file `out`: for each core the executed
//! instructions, which are the same for all, and the cycles.
//! `-plugin libthimble_cycles.so,cores=m3+m4,out=FILE`.
//!
//! Memory has no wait states: flash waits, caches, contention between fetches and data, and
//! interrupts are not part of the model. An instruction whose condition fails costs what it would
//! cost if executed. [`timing`] has the rules of each core with their sources.
//!
//! The plugin uses version 1 of QEMU's interface, which QEMU 4.2 to 8.2 have.

mod instruction;
mod plugin;
mod riscv;
mod thumb;
pub mod timing;

pub use timing::{Core, Count};
