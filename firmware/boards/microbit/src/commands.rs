//! Thimble on QEMU's model of the micro:bit, with commands by semihosting.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microbit::{MEMORY, MODEL, start};
use thimble_board::ConstStaticCell;

/// Words for inputs and outputs that come by semihosting: 6 of the 16 KB, or 1 beside the stack
/// that signatures need.
const WORDS: usize = if cfg!(feature = "signed") { 256 } else { 1536 };
static WORK: ConstStaticCell<[u32; WORDS]> = ConstStaticCell::new([0; WORDS]);

#[entry]
fn main() -> ! {
    let (parts, uart) = start();
    thimble_board_emulated::run(parts, MODEL, MEMORY.take(), WORK.take(), uart)
}
