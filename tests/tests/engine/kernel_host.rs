//! Comparison of the host's engine with the reference, layer by layer and byte by byte, over random
//! models with many extreme values.

use std::thread;

use model_format::WeightLayout;
use thimble_tests::cases::{self, Case};
use thimble_tests::parity::assert_engine_equals_reference;
use thimble_tests::random_model::MAX_WIDTH;

fn check(cases: impl IntoIterator<Item = Case>) {
    for Case { what, model, inputs } in cases {
        assert_engine_equals_reference(&what, &model, inputs.iter().map(Vec::as_slice));
    }
}

#[test]
fn random_models_of_all_shapes() {
    const MODELS: u64 = 2500;
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        for first in 0..threads {
            let seeds = (first..MODELS).step_by(threads as usize);
            scope.spawn(move || check(seeds.map(|seed| cases::random(seed, MAX_WIDTH))));
        }
    });
}

/// The host's engine reads all layouts, to check files for any core.
#[test]
fn random_models_in_every_layout() {
    check((30_000..30_600).map(|seed| cases::packed(seed, 300, &WeightLayout::ALL)));
}

#[test]
fn every_small_shape() {
    for layout in WeightLayout::ALL {
        check(cases::every_small_shape(layout));
    }
}

#[test]
fn every_shift_on_every_input() {
    check(cases::every_shift());
}

#[test]
fn accumulators_at_both_ends_of_32_bits() {
    check(cases::ends_of_32_bits());
}
