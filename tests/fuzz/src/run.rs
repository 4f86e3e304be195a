//! A model that was parsed runs on any input, and gives the same in every layout that it fits in.
#![no_main]

mod file;

use firmware::Engine;
use libfuzzer_sys::fuzz_target;
use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Model, WeightLayout};

/// More multiply-accumulates than these only make the fuzzer slow.
const MOST_MACS: u64 = 200_000;

fuzz_target!(|data: &[u8]| {
    // The last byte chooses the input.
    let Some((seed, payload)) = data.split_last() else { return };
    let file = file::with_header(payload);
    let Ok(model) = Model::parse(&file) else { return };
    if model.macs() > MOST_MACS {
        return;
    }
    let byte = |k: usize| seed.wrapping_mul(k as u8 | 1).wrapping_add(*seed);
    let input: Vec<u8> = (0..model.input_bytes()).map(byte).collect();
    let output = run(&model, &input);
    assert_eq!(output.len(), model.output_bytes());
    for layout in WeightLayout::ALL {
        let mut spec = ModelSpec::from(&model);
        for layer in &mut spec.layers {
            if let LayerSpec::Dense(dense) = layer {
                dense.layout = layout;
            }
        }
        // Some layouts have bounds of their own.
        let Ok(bytes) = spec.to_bytes() else { continue };
        let other = Model::parse(&bytes).expect("what to_bytes has checked");
        assert_eq!(run(&other, &input), output, "{layout:?}");
    }
});

fn run(model: &Model<'_>, input: &[u8]) -> Vec<u8> {
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all layouts");
    engine.run_bytes(input).expect("the input has the right length").to_vec()
}
