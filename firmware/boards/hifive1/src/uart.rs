//! The FE310's UARTs (SiFive FE310-G002 manual, chapter 18).

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use volatile_register::RW;

use crate::CLOCK_HZ;

const BAUD: u32 = 115_200;

/// Registers of one UART.
#[repr(C)]
struct Registers {
    transmit_data: RW<u32>,
    receive_data: RW<u32>,
    transmit_control: RW<u32>,
    receive_control: RW<u32>,
    interrupt_enable: RW<u32>,
    interrupt_pending: RW<u32>,
    divisor: RW<u32>,
}

const TRANSMIT_FULL: u32 = 1 << 31;
const ENABLE: u32 = 1;
/// Of the interrupts: there is something to receive.
const RECEIVED: u32 = 1 << 1;

/// A UART with FIFOs of eight bytes, by its address.
pub struct Uart(usize);

impl Uart {
    /// UART 0, which the USB socket shows as a serial port, with its receive interrupt.
    pub fn link() -> Self {
        let uart = Uart::start(0x1001_3000);
        // SAFETY: plain register values; interrupts are masked.
        unsafe {
            uart.registers().receive_control.write(ENABLE);
            uart.registers().interrupt_enable.write(RECEIVED);
        }
        uart
    }

    /// UART 1, for the log.
    pub fn log() -> Self {
        Uart::start(0x1002_3000)
    }

    fn start(address: usize) -> Self {
        let uart = Uart(address);
        // SAFETY: plain register values.
        unsafe {
            uart.registers().divisor.write(CLOCK_HZ / BAUD);
            uart.registers().transmit_control.write(ENABLE);
        }
        uart
    }

    fn registers(&self) -> &'static Registers {
        // SAFETY: the chip's UARTs lie at the two addresses above for ever, and every register is
        // volatile.
        unsafe { &*(self.0 as *const Registers) }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.registers().interrupt_pending.read() & RECEIVED != 0)
    }
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        while !self.read_ready()? {}
        *first = self.registers().receive_data.read() as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while self.registers().transmit_data.read() & TRANSMIT_FULL != 0 {}
            // SAFETY: the data register takes any byte.
            unsafe { self.registers().transmit_data.write(u32::from(*byte)) };
        }
        Ok(bytes.len())
    }

    /// Does nothing: the FIFO sends by itself.
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
