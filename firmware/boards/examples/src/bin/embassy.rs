//! Embassy: the inference in a task of the lowest priority, a link in one that never waits for it.
//!
//! An inference computes without a pause. The executor of `main` runs in thread mode, below every
//! interrupt, and has the inference; the executor of an interrupt has what must not wait.
#![no_std]
#![no_main]

use cortex_m::peripheral::NVIC;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use embassy_executor::{InterruptExecutor, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use semihosting::{println, process};
use thimble_examples::{Interrupt, MEASUREMENTS};
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// Measurements that wait for the model. One that finds it full is dropped.
static INPUTS: Channel<CriticalSectionRawMutex, [f32; model::INPUTS], 2> = Channel::new();

/// A byte of the link, for which the tick of a timer stands here.
static RECEIVED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Tasks that must not wait for an inference.
static URGENT: InterruptExecutor = InterruptExecutor::new();

/// The interrupt that runs them.
#[unsafe(no_mangle)]
extern "C" fn SWI0() {
    // SAFETY: this is the interrupt that the executor was started with.
    unsafe { URGENT.on_interrupt() }
}

#[exception]
fn SysTick() {
    RECEIVED.signal(());
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    if let Some(mut core) = cortex_m::Peripherals::take() {
        // SAFETY: no critical section depends on this priority.
        unsafe { core.NVIC.set_priority(Interrupt::SWI0, 1 << 6) };
        NVIC::unpend(Interrupt::SWI0);
        let urgent = URGENT.start(Interrupt::SWI0);
        urgent.spawn(link().expect("the only task of this kind"));
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(25_000_000 / 100);
        core.SYST.clear_current();
        core.SYST.enable_counter();
        core.SYST.enable_interrupt();
    }
    spawner.spawn(infer().expect("the only task of this kind"));
}

/// Serves the link, and hands on what came over it.
#[embassy_executor::task]
async fn link() {
    loop {
        RECEIVED.wait().await;
        if INPUTS.try_send(MEASUREMENTS).is_err() {
            println!("a measurement is dropped: the model is slower than the link");
        }
    }
}

/// Runs the model on each measurement.
#[embassy_executor::task]
async fn infer() {
    // It lives across an await, and thus in the task's static memory.
    let mut scratch = [0; model::SCRATCH_LEN];
    let mut engine = Engine::new(model::MODEL, &mut scratch).expect("a model that fits");
    for _ in 0..3 {
        let input = INPUTS.receive().await;
        let answer = engine.run_reals(&input).expect("as many numbers as the model takes");
        if let Some(class) = answer.class() {
            println!("{} = {}", class.label(), class.index());
        }
    }
    process::exit(0)
}
