//! Thimble on the SiFive HiFive1: what the board takes, and QEMU's model of it.
#![no_std]
#![no_main]

mod log;

use hifive1::{MEMORY, MODEL, start};
use riscv_rt::entry;

/// Called by the start-up code.
#[entry]
fn main() -> ! {
    let (board, uart) = start();
    log::start();
    thimble_board::run(board, MODEL, MEMORY.take(), uart)
}
