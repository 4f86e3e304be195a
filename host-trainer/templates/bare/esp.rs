//! Runs the model `{{model}}` on the {{chip}}.
#![no_std]
#![no_main]

mod example;

use defmt_rtt as _;
use esp_hal::delay::Delay;
use esp_hal::main;
use static_cell::ConstStaticCell;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

// The description of the program that the boot loader in the flash looks for.
esp_bootloader_esp_idf::esp_app_desc!();

/// The memory that the engine computes in.
static SCRATCH: ConstStaticCell<[u32; model::SCRATCH_LEN]> =
    ConstStaticCell::new([0; model::SCRATCH_LEN]);

#[main]
fn main() -> ! {
    let _peripherals = esp_hal::init(esp_hal::Config::default());

    let mut engine = defmt::unwrap!(Engine::new(model::MODEL, SCRATCH.take()));
    let passed = defmt::unwrap!(engine.self_test());
    let name = engine.model().name();
    defmt::info!("{=str}: {=usize} self-tests passed", name, passed);

    loop {
        // Replace the example by what your sensors measure.
        let answer = defmt::unwrap!(engine.{{run}}(&example::INPUT));
        {{report_defmt}}
        Delay::new().delay_millis(1000);
    }
}

/// Logs where the program panicked, and stops.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    loop {
        core::hint::spin_loop();
    }
}
