//! The self-tests of the model, on the target: `cargo test` runs them in QEMU, or on a board by its
//! runner. A panic is an exit code other than 0.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use semihosting::{println, process};
use thimble_examples as _;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

#[entry]
fn main() -> ! {
    let mut scratch = [0; model::SCRATCH_LEN];
    let mut engine = Engine::new(model::MODEL, &mut scratch).expect("a model that fits");
    let passed = engine.self_test().expect("the outputs of the model file");
    assert!(passed > 0, "the model file has no self-tests");
    println!("{passed} self-tests passed");
    process::exit(0)
}
