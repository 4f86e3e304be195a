//! Sleeping until a byte comes, over the UARTs that the boards have.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// A UART that is read without interrupt handlers: the core sleeps until the UART's interrupt is
/// pending, which wakes it up although interrupts are masked.
///
/// Bytes that arrive while the core computes are kept by the UART's own FIFO.
pub struct Sleeping<U, A> {
    uart: U,
    acknowledge: A,
}

impl<U, A: FnMut()> Sleeping<U, A> {
    /// Reads from and writes to `uart`, whose receive interrupt is enabled, while all interrupts
    /// are masked. `acknowledge` makes that interrupt no longer pending, until the next byte; it
    /// is called at every wake-up.
    pub fn new(uart: U, acknowledge: A) -> Self {
        Sleeping { uart, acknowledge }
    }
}

impl<U: ErrorType, A> ErrorType for Sleeping<U, A> {
    type Error = U::Error;
}

impl<U: Read + ReadReady, A: FnMut()> Read for Sleeping<U, A> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, U::Error> {
        loop {
            // In this order no byte is missed: one that comes after the acknowledgement ends the
            // sleep, one that came before it is seen by the look at the UART.
            (self.acknowledge)();
            if self.uart.read_ready()? {
                return self.uart.read(buffer);
            }
            wait_for_interrupt();
        }
    }
}

impl<U: Write, A> Write for Sleeping<U, A> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, U::Error> {
        self.uart.write(bytes)
    }

    fn flush(&mut self) -> Result<(), U::Error> {
        self.uart.flush()
    }
}

/// A UART of embassy's, driven by interrupts, for code that waits; the function is called whenever
/// an interrupt has ended the sleep.
pub struct Waiting<U>(pub U, pub fn());

impl<U: ErrorType> ErrorType for Waiting<U> {
    type Error = U::Error;
}

impl<U: embedded_io_async::Read> Read for Waiting<U> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, U::Error> {
        wait(self.0.read(buffer), self.1)
    }
}

impl<U: embedded_io_async::Write> Write for Waiting<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, U::Error> {
        wait(self.0.write(bytes), self.1)
    }

    fn flush(&mut self) -> Result<(), U::Error> {
        wait(self.0.flush(), self.1)
    }
}

/// Sleeps until the future is ready. Whatever makes progress is an interrupt, and every interrupt
/// ends the sleep.
fn wait<T>(future: impl Future<Output = T>, awake: fn()) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        awake();
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        wait_for_event();
    }
}

fn wait_for_interrupt() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::wfi();
    #[cfg(target_arch = "riscv32")]
    riscv::asm::wfi();
}

/// On Arm an interrupt that came before the sleep ends it at once: the event is remembered.
fn wait_for_event() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::wfe();
    #[cfg(not(target_arch = "arm"))]
    core::hint::spin_loop();
}
