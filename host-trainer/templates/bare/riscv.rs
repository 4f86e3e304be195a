//! Runs the model `{{model}}` on the {{chip}}.
#![no_std]
#![no_main]

mod example;

use defmt_rtt as _;
use riscv::register::mcycle;
use riscv_rt::entry;
use static_cell::ConstStaticCell;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The memory that the engine computes in.
static SCRATCH: ConstStaticCell<[u32; model::SCRATCH_LEN]> =
    ConstStaticCell::new([0; model::SCRATCH_LEN]);

/// Frequency of the core after a reset, in hertz.
const CLOCK_HZ: usize = {{clock_hz}};

#[entry]
fn main() -> ! {
    let mut engine = defmt::unwrap!(Engine::new(model::MODEL, SCRATCH.take()));
    let passed = defmt::unwrap!(engine.self_test());
    let name = engine.model().name();
    defmt::info!("{=str}: {=usize} self-tests passed", name, passed);

    loop {
        // Replace the example by what your sensors measure.
        let answer = defmt::unwrap!(engine.{{run}}(&example::INPUT));
        {{report_defmt}}
        wait(CLOCK_HZ);
    }
}

/// Waits for this number of cycles of the core.
fn wait(cycles: usize) {
    let start = mcycle::read();
    while mcycle::read().wrapping_sub(start) < cycles {}
}

/// Logs where the program panicked, and stops.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    loop {
        riscv::asm::wfi();
    }
}
