//! The BBC micro:bit v1: its light, its UART, and a timer to count with.
#![no_std]

mod flash;

use cortex_m::peripheral::NVIC;
use firmware::app::NONCE_LEN;
use firmware::link::Counter;
use nrf51_hal::Clocks;
use nrf51_hal::gpio::{Level, Output, Pin, PushPull, p0};
use nrf51_hal::pac::{Interrupt, POWER, Peripherals, TIMER0, UART0, WDT};
use nrf51_hal::rng::Rng;
use nrf51_hal::uart::{Baudrate, Parity, Pins, Uart};
use thimble_board::clock::Clock;
use thimble_board::flash::Partition;
use thimble_board::parts::reset;
use thimble_board::uart::Sleeping;
use thimble_board::{Entropy, NO_SENSOR, Parts, Watchdog};

pub use crate::flash::Nvmc;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The light at the top left.
pub type Light = Pin<Output<PushPull>>;

/// The board for the application, and the UART that the USB socket shows as a serial port, at
/// 115,200 baud.
pub type Microbit<U> = (Parts<Light, Timer, Partition<Nvmc>>, U);

/// Starts clock, pins and UART.
pub fn start() -> Microbit<impl embedded_io::Read + embedded_io::Write> {
    // Masked for ever: they only end the core's sleep.
    cortex_m::interrupt::disable();
    // SAFETY: nobody else takes them, this being the first that the program does.
    let chip = unsafe { Peripherals::steal() };
    let watchdog = start_watchdog(&chip.WDT, &chip.POWER);
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
    let uart = Sleeping::new(uart, move || {
        NVIC::unpend(Interrupt::UART0);
        (watchdog.feed)();
    });
    let parts = Parts {
        name: env!("CARGO_PKG_NAME"),
        led,
        clock: Timer::start(chip.TIMER0),
        // SAFETY: only this driver writes the flash.
        slots: unsafe { Partition::of_linker_script(Nvmc::new(chip.NVMC), 0).slots() },
        entropy: Entropy::new(entropy),
        restart: reset,
        watchdog,
        sensor: NO_SENSOR,
    };
    (parts, uart)
}

/// Random bytes of the chip's generator, which takes a millisecond for each at the most.
fn entropy() -> Option<[u8; NONCE_LEN]> {
    // SAFETY: nobody else uses the generator.
    let generator = unsafe { Peripherals::steal() }.RNG;
    let mut bytes = [0; NONCE_LEN];
    Rng::new(generator).random(&mut bytes);
    Some(bytes)
}

/// The value that feeds the watchdog (nRF51 Series Reference Manual, chapter 21).
const FOOD: u32 = 0x6e52_4635;
/// Eight seconds of its 32,768 Hz.
const WATCHDOG_TICKS: u32 = 8 * 32_768;

/// Starts the watchdog, which stands still while the core sleeps or a debugger has halted it.
fn start_watchdog(timer: &WDT, power: &POWER) -> Watchdog {
    let reasons = power.resetreas.read();
    let hung = reasons.dog().bit_is_set() || reasons.lockup().bit_is_set();
    // SAFETY: ones clear the reasons; the others are plain values.
    unsafe {
        power.resetreas.write(|w| w.bits(u32::MAX));
        timer.config.write(|w| w.bits(0));
        timer.crv.write(|w| w.bits(WATCHDOG_TICKS));
        timer.tasks_start.write(|w| w.bits(1));
    }
    let feed = || {
        // SAFETY: the register takes the word, and nobody else writes it.
        unsafe { (*WDT::ptr()).rr[0].write(|w| w.bits(FOOD)) };
    };
    Watchdog { hung, feed }
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
    fn counter(&self) -> (Counter, u32) {
        (Counter::Timer, 16_000_000)
    }

    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        let before = self.ticks();
        work();
        // Four minutes of them are no inference.
        Some(self.ticks().wrapping_sub(before))
    }
}
