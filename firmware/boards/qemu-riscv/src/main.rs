//! Thimble on a 32-bit RISC-V core, RV32IMAC: QEMU's machine `virt`.
#![no_std]
#![no_main]

use common::ConstStaticCell;
use emulated::virt;
use riscv_rt::entry;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

common::stack_guard!();

/// Words for whole models, inputs and outputs that come by semihosting: 3 of the 12 MB.
static WORK: ConstStaticCell<[u32; 768 * 1024]> = ConstStaticCell::new([0; 768 * 1024]);

/// Called by the start-up code.
#[entry]
fn main() -> ! {
    virt::run(MODEL, MEMORY.take(), WORK.take())
}
