//! Thimble on a 32-bit RISC-V core, RV32IMAC: QEMU's machine `virt`.
#![no_std]
#![no_main]

use riscv_rt::entry;
use thimble_board::ConstStaticCell;
use thimble_board_emulated::virt;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

thimble_board::stack_guard!();

/// Words for whole models, inputs and outputs that come by semihosting: 3 of the 12 MB.
static WORK: ConstStaticCell<[u32; 768 * 1024]> = ConstStaticCell::new([0; 768 * 1024]);

/// Called by the start-up code.
#[entry]
fn main() -> ! {
    virt::run(MODEL, MEMORY.take(), WORK.take())
}
