//! Thimble on QEMU's model of the HiFive1, with commands by semihosting.
#![no_std]
#![no_main]

use hifive1::{MEMORY, MODEL, start};
use riscv_rt::entry;
use thimble_board::ConstStaticCell;

/// Words for inputs and outputs that come by semihosting: 6 of the 16 KB.
static WORK: ConstStaticCell<[u32; 1536]> = ConstStaticCell::new([0; 1536]);

/// Called by the start-up code.
#[entry]
fn main() -> ! {
    let (board, uart) = start();
    thimble_board_emulated::run(board, MODEL, MEMORY.take(), WORK.take(), uart)
}
