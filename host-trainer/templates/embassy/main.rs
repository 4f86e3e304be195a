//! Runs the model `{{model}}` on the {{chip}}, in a task of the lowest priority.
//!
//! An inference computes without a pause, for as long as it takes. It runs in thread mode, below
//! every interrupt. Tasks that must not wait for it run in an executor of their own, in an interrupt.
#![no_std]
#![no_main]

mod example;

use defmt_rtt as _;
use embassy_executor::{InterruptExecutor, Spawner};
use {{hal}}::interrupt;
use {{hal}}::interrupt::{InterruptExt, Priority};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Ticker};
use panic_probe as _;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

type Input = {{input_type}};

/// Inputs that wait for the model. One that finds it full is dropped.
static INPUTS: Channel<CriticalSectionRawMutex, Input, 2> = Channel::new();

/// Tasks that must not wait for an inference.
static URGENT: InterruptExecutor = InterruptExecutor::new();

/// An interrupt that no driver of this program uses: it runs the urgent tasks.
#[interrupt]
fn {{interrupt}}() {
    // SAFETY: this is the interrupt that the executor was started with.
    unsafe { URGENT.on_interrupt() }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let _peripherals = {{hal}}::init(Default::default());

    interrupt::{{interrupt}}.set_priority(Priority::P2);
    let urgent = URGENT.start(interrupt::{{interrupt}});
    urgent.spawn(defmt::unwrap!(measure()));
    spawner.spawn(defmt::unwrap!(infer()));
}

/// Measures once a second, also while an inference runs.
#[embassy_executor::task]
async fn measure() {
    let mut ticker = Ticker::every(Duration::from_secs(1));
    loop {
        // Replace the example by what your sensors measure.
        if INPUTS.try_send(example::INPUT).is_err() {
            defmt::warn!("the model is slower than the measurements: one is dropped");
        }
        ticker.next().await;
    }
}

/// Runs the model on each measurement.
#[embassy_executor::task]
async fn infer() {
    // It lives across an await, and thus in the task's static memory.
    let mut scratch = [0; model::SCRATCH_LEN];
    let mut engine = defmt::unwrap!(Engine::new(model::MODEL, &mut scratch));
    let passed = defmt::unwrap!(engine.self_test());
    let name = engine.model().name();
    defmt::info!("{=str}: {=usize} self-tests passed", name, passed);

    loop {
        let input = INPUTS.receive().await;
        let answer = defmt::unwrap!(engine.{{run}}(&input));
        {{report_defmt}}
    }
}
