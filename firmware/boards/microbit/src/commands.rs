//! Thimble on QEMU's model of the micro:bit, with commands by semihosting.
#![no_std]
#![no_main]

use common::ConstStaticCell;
use cortex_m_rt::entry;
use microbit::{MEMORY, MODEL, start};

/// Words for inputs and outputs that come by semihosting: 6 of the 16 KB.
static WORK: ConstStaticCell<[u32; 1536]> = ConstStaticCell::new([0; 1536]);

#[entry]
fn main() -> ! {
    let (parts, uart) = start();
    emulated::run(parts, MODEL, MEMORY.take(), WORK.take(), uart)
}
