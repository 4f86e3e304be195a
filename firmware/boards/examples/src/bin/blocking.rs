//! A loop that measures, runs the model and acts on its answer.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use semihosting::{println, process};
use static_cell::ConstStaticCell;
use thimble_examples::MEASUREMENTS;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The memory that the engine computes in.
static SCRATCH: ConstStaticCell<[u32; model::SCRATCH_LEN]> =
    ConstStaticCell::new([0; model::SCRATCH_LEN]);

#[entry]
fn main() -> ! {
    let mut engine = Engine::new(model::MODEL, SCRATCH.take()).expect("a model that fits");
    for _ in 0..3 {
        let answer = engine.run_reals(&MEASUREMENTS).expect("as many numbers as the model takes");
        if let Some(class) = answer.class() {
            println!("{} = {}", model::LABELS[class.index()], class.index());
        }
        if answer.saturated() > 0 {
            println!("{} readings are beyond the range of training", answer.saturated());
        }
    }
    process::exit(0)
}
