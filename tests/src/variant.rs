//! Models for updates.

use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Model, WeightLayout};

use crate::emulated::default_model;
use crate::parity::engine_outputs;

/// Returns the default model with another name, and with other weights in its last layer.
///
/// # Panics
/// Never: the default model is a valid one.
pub fn variant(number: usize) -> Vec<u8> {
    let file = default_model();
    let mut spec = ModelSpec::from(&Model::parse(&file).expect("a valid model"));
    spec.name = format!("digits {number}");
    let Some(LayerSpec::Dense(dense)) = spec.layers.last_mut() else { panic!("a dense layer") };
    dense.biases[0] += number as i32;
    dense.layout = WeightLayout::RowMajor;
    let with_wrong_tests = spec.to_bytes().expect("a valid model");
    // Outputs of a correct engine.
    let inputs: Vec<Vec<i8>> = spec
        .self_tests
        .iter()
        .map(|test| test.input.iter().map(|byte| *byte as i8).collect())
        .collect();
    let outputs = engine_outputs(&with_wrong_tests, inputs.iter().map(Vec::as_slice));
    for (test, output) in spec.self_tests.iter_mut().zip(outputs) {
        test.output = output.iter().map(|value| *value as u8).collect();
    }
    spec.to_bytes().expect("a valid model")
}
