//! RTIC: the inference in a task of the lowest priority, started by one of a higher priority.
#![no_std]
#![no_main]
// The code that RTIC generates.
#![allow(missing_docs)]

include!(concat!(env!("OUT_DIR"), "/model.rs"));

#[rtic::app(device = thimble_examples::device, peripherals = false, dispatchers = [SWI0])]
mod app {
    use cortex_m::peripheral::syst::SystClkSource;
    use semihosting::{println, process};
    use thimble_examples::MEASUREMENTS;
    use thimble_nn::Engine;

    use super::model;

    #[shared]
    struct Shared {}

    #[local]
    struct Local {
        engine: Engine<'static, 'static, model::Ops>,
    }

    #[init(local = [scratch: [u32; model::SCRATCH_LEN] = [0; model::SCRATCH_LEN]])]
    fn init(context: init::Context) -> (Shared, Local) {
        let engine = Engine::new(model::MODEL, context.local.scratch).expect("a model that fits");
        let mut timer = context.core.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(25_000_000 / 100);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        (Shared {}, Local { engine })
    }

    /// Measures at each tick of the timer, also while an inference runs.
    #[task(binds = SysTick, priority = 2)]
    fn measure(_: measure::Context) {
        if infer::spawn(MEASUREMENTS).is_err() {
            println!("a measurement is dropped: the model is slower than the timer");
        }
    }

    /// Runs the model on a measurement.
    #[task(priority = 1, local = [engine, answers: usize = 0])]
    async fn infer(context: infer::Context, input: [f32; model::INPUTS]) {
        let answer = context.local.engine.run_reals(&input).expect("as many numbers as it takes");
        if let Some(class) = answer.class() {
            println!("{} = {}", class.label(), class.index());
        }
        *context.local.answers += 1;
        if *context.local.answers == 3 {
            process::exit(0)
        }
    }
}
