//! Thimble on the Espressif ESP32-C3: RV32IMC at 160 MHz.
#![no_std]
#![no_main]

use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::main;
use esp_hal::time::Instant;
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use firmware::link::Counter;
use firmware::slots::NoFlash;
use thimble_board::clock::Clock;
use thimble_board::{Entropy, NO_SENSOR, Parts, Watchdog};
use thimble_board_hardware as _;

esp_bootloader_esp_idf::esp_app_desc!();

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The chip's timer, in microseconds: it has no cycle counter of RISC-V's.
struct Microseconds;

impl Clock for Microseconds {
    fn counter(&self) -> (Counter, u32) {
        (Counter::Timer, 1_000_000)
    }

    fn ticks_of(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        let before = Instant::now();
        work();
        before.elapsed().as_micros().try_into().ok()
    }
}

/// Restarts the chip after a panic: a fault, or a write to the guard below the stack, which esp-hal
/// has the processor watch.
#[unsafe(no_mangle)]
extern "C" fn thimble_restart() -> ! {
    esp_hal::system::software_reset()
}

#[main]
fn main() -> ! {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let parts: Parts<_, _, NoFlash> = Parts {
        name: env!("CARGO_PKG_NAME"),
        // The light of the ESP32-C3-DevKit-RUST-1.
        led: Output::new(chip.GPIO7, Level::Low, OutputConfig::default()),
        clock: Microseconds,
        // The core reads its flash through a cache, which an update would have to be mapped into.
        slots: None,
        // Without slots there is nothing to sign. The chip's generator is none without radio or ADC.
        entropy: Entropy::NONE,
        restart: || esp_hal::system::software_reset(),
        watchdog: Watchdog::NONE,
        sensor: NO_SENSOR,
    };
    thimble_board::run(parts, MODEL, MEMORY.take(), UsbSerialJtag::new(chip.USB_DEVICE))
}
