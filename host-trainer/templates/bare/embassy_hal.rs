//! Runs the model `{{model}}` on the {{chip}}.
#![no_std]
#![no_main]

mod example;

use cortex_m_rt::entry;
use defmt_rtt as _;
use panic_probe as _;
use static_cell::ConstStaticCell;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The memory that the engine computes in.
static SCRATCH: ConstStaticCell<[u32; model::SCRATCH_LEN]> =
    ConstStaticCell::new([0; model::SCRATCH_LEN]);

/// Frequency of the core after `init`, in hertz.
const CLOCK_HZ: u32 = {{clock_hz}};

#[entry]
fn main() -> ! {
    let _peripherals = {{hal}}::init(Default::default());

    let mut engine = defmt::unwrap!(Engine::new(model::MODEL, SCRATCH.take()));
    let passed = defmt::unwrap!(engine.self_test());
    let name = engine.model().name();
    defmt::info!("{=str}: {=usize} self-tests passed", name, passed);

    loop {
        // Replace the example by what your sensors measure.
        let answer = defmt::unwrap!(engine.{{run}}(&example::INPUT));
        {{report_defmt}}
        cortex_m::asm::delay(CLOCK_HZ);
    }
}
