//! Smaller weights for a model that has been quantized: int4, and sparse where that is smaller.
//!
//! A model with int8 weights is where int4 ones are made from: what the first rounding did to a
//! weight is a fortieth of what the second does.

use model_format::build::{DenseSpec, LayerSpec, ModelSpec};
use model_format::{Dense, Error, Layer, Model, Multiplier, WeightLayout, padded};
use thimble_nn::Engine;

use super::QuantizeError;
use crate::evaluate::Int8Error;

/// The largest magnitude of an int4 weight.
const MOST: f64 = 7.0;
/// Scales that are tried for a row, as parts of the one at which its largest weight just fits:
/// clipping few large weights lets all others have finer steps.
const TRIED: std::ops::RangeInclusive<u32> = 50..=100;

/// Gives the dense layers for which `int4` says so weights of 4 bits, all others the smaller of
/// dense and block-sparse int8, and makes the self-tests' outputs anew.
///
/// # Shapes
/// `int4` has an entry a dense layer.
///
/// # Errors
/// [`QuantizeError`], for a multiplier that the format cannot express.
pub fn with_weights(model: &Model<'_>, int4: &[bool]) -> Result<Vec<u8>, QuantizeError> {
    let mut spec = ModelSpec::from(model);
    let dense = spec.layers.iter_mut().filter_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        LayerSpec::Table(_) | LayerSpec::Softmax(_) => None,
    });
    for (dense, int4) in dense.zip(int4) {
        // Packed for no core.
        dense.layout = match dense.layout.is_int4() {
            true => WeightLayout::Int4,
            false => WeightLayout::RowMajor,
        };
        let (sparse, int4_len) = (sparse_len(dense), len(dense, WeightLayout::Int4));
        // Where sparse int8 is no larger than int4 it is better: it loses nothing.
        if *int4 && dense.layout == WeightLayout::RowMajor && int4_len < sparse {
            to_int4(dense)?;
        } else if sparse < len(dense, dense.layout) {
            dense.layout = WeightLayout::Sparse;
        }
    }
    // A file with self-tests that fail is none, so they are made from one without.
    let inputs: Vec<Vec<u8>> = spec.self_tests.iter().map(|test| test.input.clone()).collect();
    let bytes = spec.to_bytes()?;
    let other = Model::parse(&bytes)?;
    let mut scratch = vec![0; other.scratch_len()];
    let mut engine = Engine::new(other, &mut scratch).map_err(Int8Error::Engine)?;
    for (test, input) in spec.self_tests.iter_mut().zip(inputs) {
        test.output = engine.run_bytes(&input).map_err(Int8Error::Input)?.to_vec();
    }
    Ok(spec.to_bytes()?)
}

fn len(dense: &DenseSpec, layout: WeightLayout) -> usize {
    layout.weights_len(dense.inputs, dense.outputs)
}

/// Bytes of the layer's weights if they were block-sparse.
fn sparse_len(dense: &DenseSpec) -> usize {
    let rows = dense.weights.chunks(dense.inputs.max(1));
    let blocks = rows
        .flat_map(|row| row.chunks(4))
        .filter(|block| block.iter().any(|weight| *weight != 0))
        .count();
    len(dense, WeightLayout::Sparse) + padded(2 * blocks) + 4 * blocks
}

/// Rounds the weights of each row to int4, at the scale that loses least.
fn to_int4(dense: &mut DenseSpec) -> Result<(), Error> {
    dense.layout = WeightLayout::Int4;
    let rows = dense.weights.chunks_mut(dense.inputs.max(1));
    for ((row, bias), multiplier) in rows.zip(&mut dense.biases).zip(&mut dense.multipliers) {
        let scale = scale_of(row);
        for weight in row {
            *weight = rounded(*weight, scale) as i8;
        }
        *bias = (f64::from(*bias) / scale).round() as i32;
        *multiplier = Multiplier::from_real(multiplier.to_real() * scale)?;
    }
    Ok(())
}

/// Which of the scales that are tried gives the least squared error, in steps of the int8 weights.
fn scale_of(row: &[i8]) -> f64 {
    let most = row.iter().map(|weight| f64::from(*weight).abs()).fold(0.0, f64::max);
    if most == 0.0 {
        return 1.0;
    }
    let error = |scale: f64| -> f64 {
        row.iter().map(|w| (f64::from(*w) - scale * rounded(*w, scale)).powi(2)).sum()
    };
    let tried = TRIED.map(|percent| most / MOST * f64::from(percent) / 100.0);
    let tried = tried.map(|scale| (scale, error(scale)));
    tried.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1.0, |(scale, _)| scale)
}

fn rounded(weight: i8, scale: f64) -> f64 {
    (f64::from(weight) / scale).round().clamp(-MOST, MOST)
}

/// The weights of each dense layer as the real numbers that they stand for.
pub fn real_weights(model: &Model<'_>) -> Vec<Vec<f64>> {
    let dense = model.layers().filter_map(|layer| match layer {
        Layer::Dense(dense) => Some(dense),
        Layer::Table(_) | Layer::Softmax(_) => None,
    });
    dense.map(|dense| layer_weights(&dense)).collect()
}

fn layer_weights(dense: &Dense<'_>) -> Vec<f64> {
    let row = |row: model_format::Row<'_>| {
        let scale = dense.weight_scale(&row);
        row.weights().map(move |weight| f64::from(weight) * scale).collect::<Vec<f64>>()
    };
    dense.rows().flat_map(row).collect()
}

/// The ratio of the power of `reference` to that of what `quantized` differs from it, in decibels;
/// infinite where it does not.
///
/// # Shapes
/// Both have the same length.
pub fn signal_to_noise(reference: &[f64], quantized: &[f64]) -> f64 {
    let signal: f64 = reference.iter().map(|weight| weight * weight).sum();
    let noise: f64 = reference.iter().zip(quantized).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (signal / noise).log10()
}

#[cfg(test)]
mod tests {
    use model_format::build::{InputSpec, OutputSpec, SelfTestSpec};
    use model_format::{Clamp, Encoding, Quantization};

    use super::*;

    fn model(weights: Vec<i8>, outputs: usize) -> Vec<u8> {
        let inputs = weights.len() / outputs;
        ModelSpec {
            name: "weights".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: Quantization::int8(0.1, 0),
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs,
                outputs,
                weights,
                biases: vec![1000; outputs],
                multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -8 }; outputs],
                output: Quantization::int8(0.1, 0),
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![SelfTestSpec { input: vec![9; inputs], output: vec![0; outputs] }],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap()
    }

    fn first(bytes: &[u8]) -> DenseSpec {
        let mut spec = ModelSpec::from(&Model::parse(bytes).unwrap());
        let LayerSpec::Dense(dense) = spec.layers.remove(0) else { panic!("not dense") };
        dense
    }

    #[test]
    fn int4_keeps_what_the_numbers_stand_for() {
        let file = model((0..64).map(|k| (k * 37 % 255 - 127) as i8).collect(), 4);
        let int8 = Model::parse(&file).unwrap();
        let int4 = with_weights(&int8, &[true]).unwrap();
        let dense = first(&int4);
        assert_eq!(dense.layout, WeightLayout::Int4);
        assert!(dense.weights.iter().all(|weight| (-7..=7).contains(weight)));
        let int4 = Model::parse(&int4).unwrap();
        let found = signal_to_noise(&real_weights(&int8)[0], &real_weights(&int4)[0]);
        assert!((18.0..35.0).contains(&found), "{found} dB");
        assert!(signal_to_noise(&real_weights(&int8)[0], &real_weights(&int8)[0]).is_infinite());
        // Its bias is as large in what it stands for, to half a step.
        let real = f64::from(dense.biases[0]) * dense.multipliers[0].to_real();
        let step = dense.multipliers[0].to_real();
        assert!((real - 1000.0 / 512.0).abs() <= step, "{real}");
        assert!(int4.file_len() < int8.file_len());
    }

    #[test]
    fn self_tests_are_those_of_the_new_weights() {
        let file = model(vec![100, 3, -50, 7], 1);
        let int4 = with_weights(&Model::parse(&file).unwrap(), &[true]).unwrap();
        let model = Model::parse(&int4).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
        for test in model.self_tests() {
            assert_eq!(engine.run_bytes(test.input), Ok(test.output));
        }
    }

    #[test]
    fn sparse_where_it_is_smaller_and_never_at_a_loss() {
        let mut weights = vec![0; 8 * 64];
        weights[5] = 3;
        let sparse = model(weights, 8);
        for int4 in [false, true] {
            let file = with_weights(&Model::parse(&sparse).unwrap(), &[int4]).unwrap();
            assert_eq!(first(&file).layout, WeightLayout::Sparse);
            assert_eq!(first(&file).weights, first(&sparse).weights);
        }
        let full = model(vec![5; 8 * 64], 8);
        let file = with_weights(&Model::parse(&full).unwrap(), &[false]).unwrap();
        assert_eq!(first(&file).layout, WeightLayout::RowMajor);
        // A row of zeros has a scale, too.
        let zeros = model(vec![0, 0], 1);
        assert!(with_weights(&Model::parse(&zeros).unwrap(), &[true]).is_ok());
    }
}
