//! Two interrupts of QEMU's machine `mps2-an386` that no peripheral raises here.
//!
//! It takes the place of the crate that a real chip has for its registers and interrupts: frameworks
//! run tasks of higher priority in interrupts that are free.
#![no_std]

use cortex_m::interrupt::InterruptNumber;
// Its start-up code, also for programs that do not name it.
use cortex_m_rt as _;

/// The chip, as RTIC asks for it.
pub mod device {
    pub use super::Interrupt;
    pub use super::Interrupt as interrupt;

    /// Bits of a priority.
    pub const NVIC_PRIO_BITS: u8 = 3;
}

/// The interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Interrupt {
    /// The first.
    SWI0,
    /// The second.
    SWI1,
}

// SAFETY: the numbers are those of interrupts, and do not change.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

// SAFETY: programs define them, or device.x does.
unsafe extern "C" {
    fn SWI0();
    fn SWI1();
}

/// Their handlers, in the vector table.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 2] = [SWI0, SWI1];

/// Measurements of a wine, as the model takes them: they stand for those of sensors.
pub const MEASUREMENTS: [f32; 13] =
    [13.2, 1.78, 2.14, 11.2, 100.0, 2.65, 2.76, 0.26, 1.28, 4.38, 1.05, 3.4, 1050.0];
