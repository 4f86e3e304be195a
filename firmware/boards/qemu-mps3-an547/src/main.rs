//! Thimble on a Cortex-M55: Arm's MPS3 board with the AN547 image, in QEMU.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use thimble_board::ConstStaticCell;
use thimble_board_emulated::mps::{self, Image};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// Words for whole models, inputs and outputs that come by semihosting: 3 of the 4 MB.
static WORK: ConstStaticCell<[u32; 768 * 1024]> = ConstStaticCell::new([0; 768 * 1024]);

struct An547;

// SAFETY: the addresses are those of the image's documentation (Arm DAI 0547).
unsafe impl Image for An547 {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const CLOCK_HZ: u32 = 32_000_000;
    const UART: usize = 0x5930_3000;
    const UART_INTERRUPT: u16 = 43;
    const LIGHTS: usize = 0x5930_2000;
}

#[entry]
fn main() -> ! {
    mps::run::<An547, _, _, _, _>(MODEL, MEMORY.take(), WORK.take())
}
