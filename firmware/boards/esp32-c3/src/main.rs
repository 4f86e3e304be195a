//! Thimble on the Espressif ESP32-C3: RV32IMC at 160 MHz.
#![no_std]
#![no_main]

use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::main;
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use firmware::app::Board;
use real as _;

esp_bootloader_esp_idf::esp_app_desc!();

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The board for the application.
struct Esp32C3 {
    /// The light of the ESP32-C3-DevKit-RUST-1.
    led: Output<'static>,
}

impl Board for Esp32C3 {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    type Led = Output<'static>;

    fn led(&mut self) -> &mut Self::Led {
        &mut self.led
    }
}

#[main]
fn main() -> ! {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let led = Output::new(chip.GPIO7, Level::Low, OutputConfig::default());
    let usb = UsbSerialJtag::new(chip.USB_DEVICE);
    common::run(Esp32C3 { led }, MODEL, MEMORY.take(), usb)
}
