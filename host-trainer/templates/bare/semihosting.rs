//! Runs the model `{{model}}` on an emulated {{core}}, QEMU's machine `{{machine}}`.
#![no_std]
#![no_main]

mod example;

use {{core_crate}} as _;
use {{runtime}}::entry;
use semihosting::{println, process};
use static_cell::ConstStaticCell;
use thimble_nn::Engine;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The memory that the engine computes in.
static SCRATCH: ConstStaticCell<[u32; model::SCRATCH_LEN]> =
    ConstStaticCell::new([0; model::SCRATCH_LEN]);

/// Inferences after which the program ends; firmware for a board would go on.
const INFERENCES: usize = 3;

#[entry]
fn main() -> ! {
    let mut engine = Engine::new(model::MODEL, SCRATCH.take()).expect("the engine");
    let passed = engine.self_test().expect("the self-tests");
    println!("{}: {passed} self-tests passed", engine.model().name());

    for _ in 0..INFERENCES {
        // Replace the example by what your sensors measure.
        let answer = engine.{{run}}(&example::INPUT).expect("the example");
        {{report_println}}
    }
    // Ends QEMU. A panic ends it with an error.
    process::exit(0)
}
