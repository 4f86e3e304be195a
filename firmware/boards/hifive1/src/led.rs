//! The FE310's pins, as far as the board needs them (SiFive FE310-G002 manual, chapter 17).

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin, StatefulOutputPin};
use volatile_register::RW;

/// Registers of the pins, a bit for each of 32.
#[repr(C)]
struct Registers {
    input_value: RW<u32>,
    input_enable: RW<u32>,
    output_enable: RW<u32>,
    output_value: RW<u32>,
    _pull_up_to_low_pending: [RW<u32>; 10],
    function_enable: RW<u32>,
    function_select: RW<u32>,
}

/// The green light, which is on while its pin is low.
const GREEN: u32 = 1 << 19;
/// Receive and transmit of UART 0 and UART 1.
const UARTS: u32 = 1 << 16 | 1 << 17 | 1 << 18 | 1 << 23;

/// The green light.
pub struct Led(&'static Registers);

impl Led {
    /// Gives the pins of the UARTs to these, and makes the light's an output, switched off.
    pub fn start() -> Self {
        // SAFETY: the registers lie there for ever, are volatile, and take any value.
        unsafe {
            let registers = &*(0x1001_2000 as *const Registers);
            registers.function_select.modify(|pins| pins & !UARTS);
            registers.function_enable.modify(|pins| (pins | UARTS) & !GREEN);
            registers.output_value.modify(|pins| pins | GREEN);
            registers.output_enable.modify(|pins| pins | GREEN);
            Led(registers)
        }
    }
}

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        // SAFETY: the register takes any value.
        unsafe { self.0.output_value.modify(|pins| pins & !GREEN) };
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        // SAFETY: the register takes any value.
        unsafe { self.0.output_value.modify(|pins| pins | GREEN) };
        Ok(())
    }
}

impl StatefulOutputPin for Led {
    fn is_set_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.output_value.read() & GREEN != 0)
    }

    fn is_set_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.output_value.read() & GREEN == 0)
    }
}
