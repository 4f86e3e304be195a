//! The least that runs a Thimble model: the format with all its checks, the engine with no more
//! than what the model uses, and the model's own tests. No link, no log, no interrupt.
//!
//! The outcome stands in [`THIMBLE_STATUS`], where a debugger or an emulator's monitor reads
//! it; a real program would go on and run the engine on what its sensors say.
#![no_std]
#![no_main]

mod start;

use core::sync::atomic::{AtomicU32, Ordering};

use thimble_nn::{Capabilities, Engine, StaticModel};

include!(concat!(env!("OUT_DIR"), "/model.rs"));

use model::Ops;

/// Outcome: 0, not done yet; 1, the engine gives what the model's tests expect; 2, the
/// model is refused; 3, the engine refuses it; 4, an output differs.
#[unsafe(no_mangle)]
static THIMBLE_STATUS: AtomicU32 = AtomicU32::new(0);

/// Scratch memory of the engine.
static mut SCRATCH: [u32; model::SCRATCH_LEN] = [0; model::SCRATCH_LEN];

/// Called by the start-up code, once.
#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", unsafe(no_mangle))]
fn main() -> ! {
    let scratch = &raw mut SCRATCH;
    // SAFETY: `main` runs once, and nothing else names it.
    let scratch = unsafe { &mut *scratch };
    // The compiler shall not know the model's bytes: what is linked must refuse any other.
    let status = match test(core::hint::black_box(model::MODEL), scratch) {
        Ok(()) => 1,
        Err(status) => status,
    };
    THIMBLE_STATUS.store(status, Ordering::Relaxed);
    loop {
        core::hint::spin_loop();
    }
}

/// Checks a model and runs its own tests; the error is a status.
fn test(model: StaticModel<Ops>, scratch: &mut [u32]) -> Result<(), u32> {
    let model = model.parse().map_err(|_| 2u32)?;
    let mut engine = Engine::new(model, scratch).map_err(|_| 3u32)?;
    for test in engine.model().self_tests() {
        let output = engine.run_bytes(test.input).map_err(|_| 4u32)?;
        // Not `==`, which brings C's `memcmp` along.
        if !output.iter().eq(test.output) {
            return Err(4);
        }
    }
    // The input stage, as a program with sensors calls it: what it takes of the flash is measured.
    let inputs = engine.model().input_len();
    if Ops::OPS.counts {
        engine.run_counts_iter(core::iter::repeat_n(0, inputs)).map_err(|_| 4u32)?;
    }
    if Ops::OPS.reals {
        engine.run_reals_iter(core::iter::repeat_n(0.0, inputs)).map_err(|_| 4u32)?;
    }
    Ok(())
}
