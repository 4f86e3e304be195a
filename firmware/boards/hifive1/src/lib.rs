//! The SiFive HiFive1 Rev B: its clock, its green light, its UARTs.
#![no_std]

mod led;
mod uart;
mod watchdog;

use thimble_board::clock::Cycles;
use thimble_board::plic::Plic;
use thimble_board::uart::Sleeping;
use thimble_board::{Entropy, NO_SENSOR, Parts, Watchdog, stack};
use volatile_register::RW;

pub use crate::led::Led;
pub use crate::uart::Uart;
pub use crate::watchdog::restart;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

thimble_board::stack_guard!();

/// Frequency of the crystal, which the board runs at.
const CLOCK_HZ: u32 = 16_000_000;
/// The interrupt of UART 0.
const UART_INTERRUPT: usize = 3;

/// The board for the application. It has no slots: its flash is behind SPI, and whoever writes it
/// cannot run from it.
pub type Hifive1 = Parts<Led, Cycles>;

/// Starts clock, pins and UART. The UART sleeps until a byte comes.
pub fn start() -> (Hifive1, impl embedded_io::Read + embedded_io::Write) {
    stack::paint();
    run_at_the_crystal();
    let led = Led::start();
    // SAFETY: the chip's controller lies there, and interrupts stay masked.
    let plic = unsafe { Plic::start(0x0c00_0000, UART_INTERRUPT) };
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        led,
        clock: Cycles { clock_hz: CLOCK_HZ },
        slots: None,
        // The chip has no random number generator.
        entropy: Entropy::NONE,
        restart,
        watchdog: Watchdog::NONE,
        sensor: NO_SENSOR,
    };
    (parts, Sleeping::new(Uart::link(), move || plic.acknowledge()))
}

/// Registers of the clocks (SiFive FE310-G002 manual, chapter 6).
#[repr(C)]
struct Clocks {
    ring: RW<u32>,
    crystal: RW<u32>,
    pll: RW<u32>,
}

const ENABLE: u32 = 1 << 30;
const READY: u32 = 1 << 31;
const PLL_SELECT: u32 = 1 << 16;
const PLL_FROM_CRYSTAL: u32 = 1 << 17;
const PLL_BYPASS: u32 = 1 << 18;

/// Runs at the crystal's 16 MHz: the ring oscillator that the chip starts with is too inexact for a
/// UART, and what the PLL makes is too fast for the flash as the boot loader leaves it.
fn run_at_the_crystal() {
    // SAFETY: the registers lie there for ever, are volatile, and the values are the manual's.
    unsafe {
        let clocks = &*(0x1000_8000 as *const Clocks);
        clocks.crystal.modify(|bits| bits | ENABLE);
        while clocks.crystal.read() & READY == 0 {}
        clocks.pll.modify(|bits| bits | PLL_BYPASS | PLL_FROM_CRYSTAL);
        clocks.pll.modify(|bits| bits | PLL_SELECT);
    }
}
