//! Thimble on the BBC micro:bit v1: what the board takes, and QEMU's model of it.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use microbit::{MEMORY, MODEL, start};
use thimble_board_hardware as _;

#[entry]
fn main() -> ! {
    let (parts, uart) = start();
    thimble_board::run(parts, MODEL, MEMORY.take(), uart)
}
