//! The BBC micro:bit v1: its light, its UART, and a timer to count with.
#![no_std]

use common::clock::Clock;
use common::stack;
use common::uart::Sleeping;
use cortex_m::peripheral::NVIC;
use firmware::app::Board;
use nrf51_hal::Clocks;
use nrf51_hal::gpio::{Level, Output, Pin, PushPull, p0};
use nrf51_hal::pac::{Interrupt, Peripherals, TIMER0, UART0};
use nrf51_hal::uart::{Baudrate, Parity, Pins, Uart};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The board for the application.
pub struct Microbit {
    /// The light at the top left.
    led: Pin<Output<PushPull>>,
}

impl Board for Microbit {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    type Led = Pin<Output<PushPull>>;

    fn led(&mut self) -> &mut Self::Led {
        &mut self.led
    }

    fn stack_bytes(&self) -> Option<u32> {
        Some(stack::high_water() as u32)
    }
}

/// The board's parts.
pub struct Parts<U> {
    /// For the application.
    pub board: Microbit,
    /// The UART that the USB socket shows as a serial port, at 115,200 baud.
    pub uart: U,
    /// Counts instructions, in QEMU.
    pub timer: Timer,
}

/// Starts clock, pins and UART.
pub fn start() -> Parts<impl embedded_io::Read + embedded_io::Write> {
    // Masked for ever: they only end the core's sleep.
    cortex_m::interrupt::disable();
    // SAFETY: nobody else takes them, this being the first that the program does.
    let chip = unsafe { Peripherals::steal() };
    // The crystal: what the chip starts with is too inexact for a UART.
    Clocks::new(chip.CLOCK).enable_ext_hfosc();
    let pins = p0::Parts::new(chip.GPIO);
    // The light lies between its row, which is high, and its column, which is low.
    pins.p0_04.into_push_pull_output(Level::Low);
    let led = pins.p0_13.into_push_pull_output(Level::High).degrade();
    let uart_pins = Pins {
        txd: pins.p0_24.into_push_pull_output(Level::High).degrade(),
        rxd: pins.p0_25.into_floating_input().degrade(),
        cts: None,
        rts: None,
    };
    let uart = Uart::new(chip.UART0, uart_pins, Parity::EXCLUDED, Baudrate::BAUD115200);
    // What follows has to wait until the UART is on: QEMU ignores what is written before.
    // SAFETY: the driver is not in use at the moment, and knows nothing of interrupts.
    let registers = unsafe { &*UART0::ptr() };
    registers.intenset.write(|w| w.rxdrdy().set());
    // The driver sends a byte once the one before it has gone out, so there must have been one. A
    // zero separates frames: one more means nothing.
    // SAFETY: the register takes any byte.
    registers.txd.write(|w| unsafe { w.bits(0) });
    // SAFETY: interrupts are masked, so that none needs a handler.
    unsafe { NVIC::unmask(Interrupt::UART0) };
    let uart = Sleeping::new(uart, || NVIC::unpend(Interrupt::UART0));
    Parts { board: Microbit { led }, uart, timer: Timer::start(chip.TIMER0) }
}

/// The 32-bit timer, at the processor's 16 MHz.
pub struct Timer(TIMER0);

impl Timer {
    fn start(timer: TIMER0) -> Self {
        timer.bitmode.write(|w| w.bitmode()._32bit());
        // SAFETY: 0 divides by 1.
        timer.prescaler.write(|w| unsafe { w.bits(0) });
        // SAFETY: writing a one starts it.
        timer.tasks_start.write(|w| unsafe { w.bits(1) });
        Timer(timer)
    }

    fn ticks(&self) -> u32 {
        // SAFETY: writing a one copies the count into the first capture register.
        self.0.tasks_capture[0].write(|w| unsafe { w.bits(1) });
        self.0.cc[0].read().bits()
    }
}

impl Clock for Timer {
    fn instructions_of(&mut self, work: impl FnOnce() -> bool) -> Option<u64> {
        let before = self.ticks();
        let done = core::hint::black_box(work());
        // A tick is 62.5 ns; four minutes of them are no inference.
        done.then(|| u64::from(self.ticks().wrapping_sub(before)) * 125 / 2)
    }
}
