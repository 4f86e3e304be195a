//! QEMU's own RISC-V machine, `virt`: a UART, an interrupt controller, and much memory.

use core::convert::Infallible;

use embedded_io::{Read, ReadReady, Write};
use firmware::app::NoLed;
use thimble_board::clock::Cycles;
use thimble_board::plic::Plic;
use thimble_board::uart::Sleeping;
use thimble_board::{Entropy, Memory, NO_SENSOR, Parts, Watchdog, stack};
use volatile_register::RW;

use crate::{files, ram};

/// Starts the machine, and does what the command line asks.
pub fn run<const SCRATCH: usize, const RECEIVE: usize, const SEND: usize, const COPY: usize>(
    model: &'static [u8],
    memory: &'static mut Memory<SCRATCH, RECEIVE, SEND, COPY>,
    work: &'static mut [u32],
) -> ! {
    stack::paint();
    guard_code();
    // SAFETY: the controller lies there, its input 10 is the UART, and interrupts stay masked.
    let plic = unsafe { Plic::start(0x0c00_0000, 10) };
    let uart = Sleeping::new(Uart::start(), move || plic.acknowledge());
    let parts = Parts {
        name: "qemu-riscv",
        led: NoLed,
        // What the machine says of its time; under `-icount` it counts instructions anyway.
        clock: Cycles { clock_hz: 10_000_000 },
        slots: ram::slots(),
        entropy: Entropy::new(files::random),
        restart,
        watchdog: Watchdog::NONE,
        sensor: NO_SENSOR,
    };
    crate::run(parts, model, memory, work, uart)
}

/// Start and length of what the program's code has, right below the stack.
const CODE: usize = 0x8000_0000;
const CODE_LEN: usize = 4 << 20;

/// Makes code memory that the core itself cannot write: here code lies below the stack, where other
/// machines have nothing, so that a stack that grows too deep would write over it without a fault.
fn guard_code() {
    use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};
    // A naturally aligned range of a power of two (RISC-V privileged architecture, section 3.7).
    // SAFETY: the program reads its code and runs it, and writes none of it.
    unsafe {
        pmpaddr0::write(CODE >> 2 | ((CODE_LEN >> 3) - 1));
        pmpcfg0::set_pmp(0, Range::NAPOT, Permission::RX, true);
    }
}

/// The machine's device that ends or resets it, and the word for a reset.
const TEST_DEVICE: usize = 0x10_0000;
const RESET: u32 = 0x7777;

/// Resets the machine.
pub(crate) fn restart() -> ! {
    defmt::flush();
    // SAFETY: the device lies there and takes the word.
    unsafe { (*(TEST_DEVICE as *const RW<u32>)).write(RESET) };
    loop {
        riscv::asm::wfi();
    }
}

/// Registers of a 16550 UART, as far as they are used here.
#[repr(C)]
struct Registers {
    data: RW<u8>,
    interrupts: RW<u8>,
    fifo_control: RW<u8>,
    line_control: RW<u8>,
    modem_control: RW<u8>,
    line_status: RW<u8>,
}

/// Address of the UART.
const UART: usize = 0x1000_0000;
const INTERRUPT_RECEIVED: u8 = 1;
const FIFO_ENABLE: u8 = 1;
const LINE_8_BITS: u8 = 3;
const STATUS_RECEIVED: u8 = 1;
const STATUS_TRANSMIT_EMPTY: u8 = 1 << 5;

/// The UART.
struct Uart(&'static Registers);

impl Uart {
    fn start() -> Self {
        // SAFETY: it lies there for ever, every register is volatile, and the values are plain.
        // QEMU needs no baud rate.
        unsafe {
            let registers = &*(UART as *const Registers);
            registers.line_control.write(LINE_8_BITS);
            registers.fifo_control.write(FIFO_ENABLE);
            registers.interrupts.write(INTERRUPT_RECEIVED);
            Uart(registers)
        }
    }
}

impl embedded_io::ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.line_status.read() & STATUS_RECEIVED != 0)
    }
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        while !self.read_ready()? {}
        *first = self.0.data.read();
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            self.flush()?;
            // SAFETY: the data register takes any byte.
            unsafe { self.0.data.write(*byte) };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.0.line_status.read() & STATUS_TRANSMIT_EMPTY == 0 {}
        Ok(())
    }
}
