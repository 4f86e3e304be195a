//! A model that was parsed runs on any input, equals the plain implementation, and gives the same in
//! every layout that it fits in. So does what it makes of any counts of sensors, if it takes them.
#![no_main]
#![allow(dead_code)] // what the tests' other modules use

mod file;
#[path = "../../src/reference/mod.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;
use model_format::build::{LayerSpec, ModelSpec};
use model_format::{DataType, Layer, Model, WeightLayout};
use reference::{Network, raw};
use thimble_nn::{Engine, InputError, encode_counts, encode_reals};

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
    let outputs = run(&model, &input);
    assert_eq!(outputs.last().map(Vec::len), Some(model.output_bytes()));
    check(&model, &input, &outputs);
    check_counts(&model, *seed);
    check_reals(&model, *seed);
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
        assert_eq!(run(&other, &input), outputs, "{layout:?}");
    }
});

/// The output of each layer.
fn run(model: &Model<'_>, input: &[u8]) -> Vec<Vec<u8>> {
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all layouts");
    let mut outputs = Vec::new();
    let last = engine.run_traced(input, |index, output| {
        assert_eq!(index, outputs.len());
        outputs.push(output.to_vec());
    });
    let last = last.expect("the input has the right length").to_vec();
    assert_eq!(outputs.last(), Some(&last));
    outputs
}

/// Holds the layers before the first softmax against the plain implementation: a file may have any
/// exponentials, and the reference has only those of the specification.
fn check(model: &Model<'_>, input: &[u8], outputs: &[Vec<u8>]) {
    let before = model.layers().take_while(|layer| !matches!(layer, Layer::Softmax(_)));
    let data_types = before.map(|layer| match layer {
        Layer::Dense(dense) => dense.output.data_type,
        Layer::Table(table) => table.output.data_type,
        Layer::Softmax(softmax) => softmax.input.data_type,
    });
    let input = values(input, model.input().quantization.data_type);
    let expected = Network::new(model).run_layers_wide(&input);
    for (index, data_type) in data_types.enumerate() {
        assert_eq!(values(&outputs[index], data_type), expected[index], "layer {index}");
    }
}

/// Holds what becomes of counts against the plain implementation.
fn check_counts(model: &Model<'_>, seed: u8) {
    let Some(channels) = model.channels() else { return };
    let count =
        |k: usize| i16::from(seed).wrapping_mul(257).wrapping_mul(k as i16).wrapping_sub(k as i16);
    let counts: Vec<i16> = (1..=model.input_len()).map(count).collect();
    let quantization = model.input_quantization();
    let (expected, beyond) = raw::encode(&counts, channels, quantization);
    let mut input = vec![0; model.input_bytes()];
    assert_eq!(encode_counts(model, counts.iter().copied(), &mut input), Ok(beyond));
    assert_eq!(values(&input, quantization.data_type), expected);
    let outputs = run(model, &input);
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all layouts");
    let answer = engine.run_counts(&counts).expect("as many counts as inputs");
    let last = outputs.last().map(Vec::as_slice);
    assert_eq!((Some(answer.bytes()), answer.saturated()), (last, beyond));
}

/// Holds what becomes of real numbers against the plain implementation.
fn check_reals(model: &Model<'_>, seed: u8) {
    let Some(channels) = model.real_channels() else { return };
    let channels: Vec<_> = channels.iter().collect();
    // From far below the offset to far above it, in steps of the input.
    let steps = |k: usize| f32::from((seed.wrapping_mul(k as u8 | 1)) as i8) * 1.5;
    let real = |k: usize| {
        let channel = channels[k % channels.len()];
        channel.offset + steps(k) / if channel.factor == 0.0 { 1.0 } else { channel.factor }
    };
    let reals: Vec<f32> = (0..model.input_len()).map(real).collect();
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("the host reads all layouts");
    if let Some(input) = reals.iter().position(|real| real.is_nan()) {
        assert_eq!(engine.run_reals(&reals).err(), Some(InputError::NotANumber { input }));
        return;
    }
    let quantization = model.input_quantization();
    let (expected, beyond) = raw::encode_reals(&reals, &channels, quantization);
    let mut input = vec![0; model.input_bytes()];
    assert_eq!(encode_reals(model, reals.iter().copied(), &mut input), Ok(beyond));
    assert_eq!(values(&input, quantization.data_type), expected);
    let outputs = run(model, &input);
    let answer = engine.run_reals(&reals).expect("as many numbers as inputs");
    let last = outputs.last().map(Vec::as_slice);
    assert_eq!((Some(answer.bytes()), answer.saturated()), (last, beyond));
}

fn values(bytes: &[u8], data_type: DataType) -> Vec<i64> {
    data_type.values(bytes).map(i64::from).collect()
}
