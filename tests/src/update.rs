//! Models that boards refuse.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};

/// Returns a model with this number of inputs, for large frames and scratch memory.
///
/// # Panics
/// With more inputs than the format takes.
pub fn wide(inputs: usize) -> Vec<u8> {
    let one = Quantization::int8(1.0, 0);
    ModelSpec {
        name: "wide".into(),
        input: InputSpec { shape: vec![inputs], quantization: one, encoding: Encoding::Quantized },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs,
            outputs: 1,
            weights: vec![0; inputs],
            biases: vec![0],
            multipliers: vec![Multiplier::from_real(1.0).expect("a multiplier")],
            output: one,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })],
        self_tests: vec![],
        details: Default::default(),
    }
    .to_bytes()
    .expect("a valid model")
}
