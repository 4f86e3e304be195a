//! Comparison of outputs, and inference with the host's engine.

use std::fmt;

use model_format::Model;
use thimble_nn::Engine;

use crate::reference::Network;

/// The first difference between two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The layer, counted from 0.
    pub layer: usize,
    /// The output of that layer.
    pub index: usize,
    /// Expected value.
    pub expected: i8,
    /// Actual value.
    pub actual: i8,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { layer, index, expected, actual } = self;
        write!(f, "layer {layer}, output {index}: expected {expected}, got {actual}")
    }
}

/// Compares the outputs of one layer.
///
/// # Errors
/// The first difference.
pub fn compare(layer: usize, expected: &[i8], actual: &[i8]) -> Result<(), Difference> {
    assert_eq!(expected.len(), actual.len(), "outputs of layer {layer}");
    match expected.iter().zip(actual).position(|(expected, actual)| expected != actual) {
        None => Ok(()),
        Some(index) => {
            Err(Difference { layer, index, expected: expected[index], actual: actual[index] })
        }
    }
}

/// Runs a model on the host's engine. Passes each output to `check`, with the input's index and the
/// outputs of earlier layers.
pub fn run_engine<'i>(
    model: &Model<'_>,
    inputs: impl IntoIterator<Item = &'i [i8]>,
    mut check: impl FnMut(usize, &[Vec<i8>]),
) {
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine =
        Engine::new(model.clone(), &mut scratch).unwrap_or_else(|error| panic!("{error}"));
    for (number, input) in inputs.into_iter().enumerate() {
        let mut layers = Vec::new();
        engine
            .run_traced(&unsigned(input), |_, output| layers.push(signed(output)))
            .unwrap_or_else(|error| panic!("input {number}: {error}"));
        let output = engine.run(input).unwrap_or_else(|error| panic!("input {number}: {error}"));
        let output = signed(output.bytes());
        assert_eq!(layers.last(), Some(&output), "with and without a trace");
        check(number, &layers);
    }
}

/// Compares every layer of the host's engine with the reference, for every input.
///
/// # Panics
/// With `what`, the input's number, layer, index, expected and actual value.
pub fn assert_engine_equals_reference<'i>(
    what: &str,
    model: &[u8],
    inputs: impl IntoIterator<Item = &'i [i8]> + Clone,
) {
    let model = Model::parse(model).unwrap_or_else(|error| panic!("{what}: {error}"));
    let network = Network::new(&model);
    let mut again = inputs.clone().into_iter();
    run_engine(&model, inputs, |number, actual| {
        let expected = network.run_layers(again.next().expect("as many inputs"));
        assert_eq!(expected.len(), actual.len(), "layers of {what}");
        for (layer, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            if let Err(difference) = compare(layer, expected, actual) {
                panic!("{what}, input {number}, {difference}");
            }
        }
    });
}

/// Returns the last layer's outputs of the host's engine.
pub fn engine_outputs<'i>(
    model: &[u8],
    inputs: impl IntoIterator<Item = &'i [i8]>,
) -> Vec<Vec<i8>> {
    let model = Model::parse(model).unwrap_or_else(|error| panic!("{error}"));
    let mut outputs = Vec::new();
    run_engine(&model, inputs, |_, layers| outputs.extend(layers.last().cloned()));
    outputs
}

/// Reinterprets bytes as int8.
pub fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| *byte as i8).collect()
}

/// Reinterprets int8 as bytes.
pub fn unsigned(values: &[i8]) -> Vec<u8> {
    values.iter().map(|value| *value as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_layer_index_expected_and_actual() {
        assert_eq!(compare(0, &[1, 2], &[1, 2]), Ok(()));
        let difference = compare(3, &[1, 2, 3], &[1, 5, 4]).expect_err("they differ");
        assert_eq!(difference.to_string(), "layer 3, output 1: expected 2, got 5");
    }
}
