//! Weight compression of quantized models: int4, int2 and ternary weights, and block-sparse int8
//! weights.
//!
//! Weights of fewer bits are made from int8 weights. The error of rounding to int8 is small compared
//! with that of rounding to int4.

use model_format::build::{DenseSpec, LayerSpec, ModelSpec, SelfTestSpec};
use model_format::{Dense, Error, Layer, Model, Multiplier, WeightLayout, WeightType, padded};
use thimble_network::grid::nearest;
use thimble_nn::Engine;

use super::QuantizeError;
use crate::evaluate::Int8Error;

/// Largest bias of a row of zeros, a power of two that leaves the rest of the accumulator to the
/// products.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;
/// Scale of a row of zeros in steps of its int8 weights: 8192 products of 255 make two of them.
const LEAST_SCALE: f64 = 1.0 / (1_u32 << 20) as f64;
/// Candidate scales of a row, in percent of the one at which its largest weight just fits. Clipping
/// a few large weights leaves finer steps to all others.
const TRIED: [u32; 99] = {
    let mut percents = [0; 99];
    let mut index = 0;
    while index < percents.len() {
        percents[index] = 2 + index as u32;
        index += 1;
    }
    percents
};

/// Compresses the weights of dense layers to these types; int8 to the smaller of dense and block-sparse
/// int8. Weights that have fewer than 8 bits already stay as they are. The outputs of self-tests are
/// computed again.
///
/// # Shapes
/// `weight_types` has one entry per dense layer.
///
/// # Errors
/// [`QuantizeError`] for a multiplier that the format cannot represent.
pub fn with_weights(
    model: &Model<'_>,
    weight_types: &[WeightType],
) -> Result<Vec<u8>, QuantizeError> {
    let mut spec = ModelSpec::from(model);
    let dense = spec.layers.iter_mut().filter_map(|layer| match layer {
        LayerSpec::Dense(dense) => Some(dense),
        LayerSpec::Table(_) | LayerSpec::Softmax(_) => None,
    });
    for (dense, weight_type) in dense.zip(weight_types) {
        // Undoes the packing for a core.
        dense.layout = WeightLayout::row_major(dense.layout.weight_type());
        let (sparse, narrow) = (sparse_len(dense), WeightLayout::row_major(*weight_type));
        let is_int8 = dense.layout == WeightLayout::RowMajor;
        // Sparse int8 that is no larger than fewer bits is better, because it is lossless.
        if is_int8 && narrow != WeightLayout::RowMajor && len(dense, narrow) < sparse {
            narrow_to(dense, *weight_type)?;
        } else if is_int8 && sparse < len(dense, dense.layout) {
            dense.layout = WeightLayout::Sparse;
        }
    }
    let bytes = spec.to_bytes()?;
    if spec.self_tests.is_empty() {
        return Ok(bytes);
    }
    answer(&bytes, &mut spec.self_tests)?;
    // A model may be larger than half of the memory.
    drop(bytes);
    Ok(spec.to_bytes()?)
}

/// Stores each dense layer of an int8 model block-sparse where that is smaller, but for those of fewer bits. Outputs do not change.
///
/// # Errors
/// [`QuantizeError`] for bytes that are no model.
pub fn with_sparse_weights(bytes: &[u8]) -> Result<Vec<u8>, QuantizeError> {
    let model = Model::parse(bytes)?;
    let layers = dense_layers(&model).count();
    with_weights(&model, &vec![WeightType::Int8; layers])
}

/// Sets the outputs of self-tests to those of the model.
fn answer(bytes: &[u8], self_tests: &mut [SelfTestSpec]) -> Result<(), QuantizeError> {
    let model = Model::parse(bytes)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model, &mut scratch).map_err(Int8Error::Engine)?;
    for test in self_tests {
        test.output = engine.run_bytes(&test.input).map_err(Int8Error::Input)?.to_vec();
    }
    Ok(())
}

fn len(dense: &DenseSpec, layout: WeightLayout) -> usize {
    layout.weights_len(dense.inputs, dense.outputs)
}

/// Returns the size of the layer's weights in bytes as block-sparse int8.
fn sparse_len(dense: &DenseSpec) -> usize {
    let rows = dense.weights.chunks(dense.inputs.max(1));
    let blocks = rows
        .flat_map(|row| row.chunks(4))
        .filter(|block| block.iter().any(|weight| *weight != 0))
        .count();
    len(dense, WeightLayout::Sparse) + padded(2 * blocks) + 4 * blocks
}

/// Rounds the weights of each row to a type of fewer bits, at the scale with the least squared error.
fn narrow_to(dense: &mut DenseSpec, weight_type: WeightType) -> Result<(), Error> {
    dense.layout = WeightLayout::row_major(weight_type);
    let mut chooser = ScaleChooser::new(weight_type);
    let rows = dense.weights.chunks_mut(dense.inputs.max(1));
    for ((row, bias), multiplier) in rows.zip(&mut dense.biases).zip(&mut dense.multipliers) {
        let scale = match chooser.scale_of(row) {
            Some(scale) => scale,
            // int2 has no zero: steps so small that they add nothing, as far as the bias has room.
            None if weight_type == WeightType::Int2 => {
                (f64::from(*bias).abs() / MOST_BIAS).max(LEAST_SCALE)
            }
            None => 1.0,
        };
        for weight in row {
            *weight = nearest(weight_type, f64::from(*weight) / scale);
        }
        *bias = (f64::from(*bias) / scale).round() as i32;
        *multiplier = compact(multiplier.to_real() * scale)?;
    }
    Ok(())
}

/// Returns the multiplier for a row of fewer than 8 bits: one whose row is compact, if there is one.
/// It is off by at most one in 4096, which is as much as another scale of its weights would be.
pub(super) fn compact(real: f64) -> Result<Multiplier, Error> {
    let multiplier = Multiplier::from_real(real)?;
    Ok(multiplier.to_compact().unwrap_or(multiplier))
}

/// Choice of a row's scale. A row has far more weights than distinct magnitudes, so the error of
/// each magnitude is computed once per row.
struct ScaleChooser {
    weight_type: WeightType,
    /// Squared errors at all candidate scales, by the magnitude of the int8 weight.
    errors: Vec<[f64; TRIED.len()]>,
}

impl ScaleChooser {
    fn new(weight_type: WeightType) -> Self {
        ScaleChooser { weight_type, errors: vec![[0.0; TRIED.len()]; 129] }
    }

    /// Returns the candidate scale with the least squared error, in steps of the int8 weights; none
    /// for a row of zeros.
    fn scale_of(&mut self, row: &[i8]) -> Option<f64> {
        let most = row.iter().map(|weight| weight.unsigned_abs()).max().unwrap_or(0);
        if most == 0 {
            return None;
        }
        let largest = f64::from(self.weight_type.max_weight());
        let scales = TRIED.map(|percent| f64::from(most) / largest * f64::from(percent) / 100.0);
        let (mut is_known, mut sums) = ([false; 129], [0.0; TRIED.len()]);
        for &weight in row {
            let magnitude = usize::from(weight.unsigned_abs());
            let errors = &mut self.errors[magnitude];
            if !is_known[magnitude] {
                is_known[magnitude] = true;
                // The same for both signs: rounding is symmetric.
                let rounded = |steps| f64::from(nearest(self.weight_type, steps));
                let real = f64::from(weight);
                let error = |scale: f64| (real - scale * rounded(real / scale)).powi(2);
                *errors = scales.map(error);
            }
            sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += *error);
        }
        let tried = scales.into_iter().zip(sums);
        tried.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(scale, _)| scale)
    }
}

/// Iterates over the dense layers of a model, first to last.
pub fn dense_layers<'m>(model: &Model<'m>) -> impl Iterator<Item = Dense<'m>> {
    model.layers().filter_map(|layer| match layer {
        Layer::Dense(dense) => Some(dense),
        Layer::Table(_) | Layer::Softmax(_) => None,
    })
}

/// Iterates over the rows of a dense layer's weights, dequantized.
pub fn real_weights<'m>(
    dense: &Dense<'m>,
) -> impl Iterator<Item = impl Iterator<Item = f64> + use<'m>> + use<'m> {
    let dense = *dense;
    dense.rows().map(move |row| {
        let scale = dense.weight_scale(&row);
        row.weights().map(move |weight| f64::from(weight) * scale)
    })
}

/// Returns the signal-to-quantization-noise ratio (SQNR) in decibels: the power of `reference` over
/// that of the difference. Infinite if there is no difference.
///
/// # Shapes
/// Both have the same rows, of the same length.
pub fn signal_to_noise(
    reference: impl Iterator<Item = impl Iterator<Item = f64>>,
    quantized: impl Iterator<Item = impl Iterator<Item = f64>>,
) -> f64 {
    let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
    for (reference, quantized) in reference.zip(quantized) {
        for (a, b) in reference.zip(quantized) {
            signal += a * a;
            noise += (a - b) * (a - b);
        }
    }
    10.0 * (signal / noise).log10()
}

#[cfg(test)]
mod tests {
    use model_format::build::{InputSpec, OutputSpec};
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
        let int4 = with_weights(&int8, &[WeightType::Int4]).unwrap();
        let dense = first(&int4);
        assert_eq!(dense.layout, WeightLayout::Int4);
        assert!(dense.weights.iter().all(|weight| (-7..=7).contains(weight)));
        let int4 = Model::parse(&int4).unwrap();
        let first_of = |model| real_weights(&dense_layers(model).next().unwrap());
        let found = signal_to_noise(first_of(&int8), first_of(&int4));
        assert!((18.0..35.0).contains(&found), "{found} dB");
        assert!(signal_to_noise(first_of(&int8), first_of(&int8)).is_infinite());
        // Its bias is as large in what it stands for, to half a step.
        let real = f64::from(dense.biases[0]) * dense.multipliers[0].to_real();
        let step = dense.multipliers[0].to_real();
        assert!((real - 1000.0 / 512.0).abs() <= step, "{real}");
        assert!(int4.file_len() < int8.file_len());
    }

    #[test]
    fn self_tests_are_those_of_the_new_weights() {
        let file = model(vec![100, 3, -50, 7], 1);
        let int4 = with_weights(&Model::parse(&file).unwrap(), &[WeightType::Int4]).unwrap();
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
        for weight_type in WeightType::ALL {
            let file = with_weights(&Model::parse(&sparse).unwrap(), &[weight_type]).unwrap();
            assert_eq!(first(&file).layout, WeightLayout::Sparse);
            assert_eq!(first(&file).weights, first(&sparse).weights);
        }
        let full = model(vec![5; 8 * 64], 8);
        let file = with_weights(&Model::parse(&full).unwrap(), &[WeightType::Int8]).unwrap();
        assert_eq!(first(&file).layout, WeightLayout::RowMajor);
        // A row of zeros has a scale, too.
        let zeros = model(vec![0, 0], 1);
        assert!(with_weights(&Model::parse(&zeros).unwrap(), &[WeightType::Int4]).is_ok());
    }

    #[test]
    fn fewer_bits_keep_less() {
        let weights: Vec<i8> = (0..640).map(|k| (k * 37 % 255 - 127) as i8).collect();
        let file = model(weights, 4);
        let int8 = Model::parse(&file).unwrap();
        let mut last = (f64::INFINITY, file.len());
        for weight_type in WeightType::ALL.into_iter().skip(1) {
            let narrow = with_weights(&int8, &[weight_type]).unwrap();
            let dense = first(&narrow);
            assert_eq!(dense.layout, WeightLayout::row_major(weight_type));
            assert!(dense.weights.iter().all(|weight| weight_type.holds((*weight).into())));
            let narrow = Model::parse(&narrow).unwrap();
            let [before, after] = [&int8, &narrow].map(|model| dense_layers(model).next().unwrap());
            let decibels = signal_to_noise(real_weights(&before), real_weights(&after));
            // Of weights that are even in their range: 12 dB for four levels, 9.5 dB for three.
            assert!(decibels > 9.0 && decibels < last.0, "{weight_type:?}: {decibels} dB");
            assert!(narrow.file_len() < last.1);
            last = (decibels, narrow.file_len());
            // Once more, it stays as it is.
            let again = with_weights(&narrow, &[WeightType::Int4]).unwrap();
            assert_eq!(first(&again).weights, dense.weights);
        }
    }

    #[test]
    fn a_row_of_zeros_stays_its_bias_without_a_zero() {
        let file = model([vec![0; 200], vec![9; 200]].concat(), 2);
        let int8 = Model::parse(&file).unwrap();
        let int2 = with_weights(&int8, &[WeightType::Int2]).unwrap();
        let answer = |model: &Model<'_>, input| {
            let mut scratch = vec![0; model.scratch_len()];
            let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
            engine.run_bytes(&[input; 200]).unwrap()[0]
        };
        for input in [0, 127, 128] {
            assert_eq!(answer(&Model::parse(&int2).unwrap(), input), answer(&int8, input));
        }
    }
}
