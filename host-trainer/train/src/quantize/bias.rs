//! Bias correction: Nagel et al., *Data-free quantization through weight equalization and bias
//! correction*, 2019, section 4.2, with means measured on training rows.

use model_format::build::{LayerSpec, ModelSpec};
use model_format::{DataType, Model, Quantization};
use thimble_data::{Shift, Subset};
use thimble_network::{Layer, Network, Tape};
use thimble_nn::Engine;

use super::QuantizeError;
use super::dense_specs::dense_specs;
use crate::evaluate::{InputEncoder, Int8Error};

/// Number of training rows for means.
const ROWS: usize = 2048;

/// Largest bias after correction. It leaves the rest of the i32 accumulator to the products.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;

/// Corrects the biases of each dense layer, first to last, so that the mean of each output is that
/// of the float network. Rounded weights and quantized inputs shift these means.
pub(super) fn correct_biases(
    spec: &mut ModelSpec,
    folded: &Network<f32>,
    train: &Subset,
) -> Result<(), QuantizeError> {
    let count = ROWS.min(train.len());
    let positions: Vec<usize> = (0..count).map(|row| row * train.len() / count).collect();
    let floats = float_inputs(folded, train, &positions);
    let dense_indices: Vec<usize> = dense_specs(spec).map(|(index, _)| index).collect();
    for index in dense_indices {
        let (inputs, quantization) = quantized_inputs(spec, index, train, &positions)?;
        let (Some(LayerSpec::Dense(dense)), Some(view)) =
            (spec.layers.get_mut(index), folded.layers().nth(index))
        else {
            continue;
        };
        let Layer::Dense(layer) = view.layer else { continue };
        let (weights, biases) = layer.view(view.parameters);
        let scale = f64::from(quantization.scale);
        let (floats, inputs) = (means(&floats[index], layer.inputs), means(&inputs, layer.inputs));
        for (row, weights) in weights.rows().into_iter().enumerate() {
            let float: f64 = weights.iter().zip(&floats).map(|(&w, x)| f64::from(w) * x).sum();
            let quantized: f64 = dense.weights[row * layer.inputs..][..layer.inputs]
                .iter()
                .zip(&inputs)
                .map(|(&w, x)| f64::from(w) * x)
                .sum();
            // The multiplier is input scale · weight scale / output scale.
            let weight_scale =
                dense.multipliers[row].to_real() * f64::from(dense.output.scale) / scale;
            let step = scale * weight_scale;
            if !step.is_normal() {
                continue;
            }
            let corrected = (f64::from(biases[row]) + float - quantized * weight_scale) / step;
            let corrected = corrected.round().clamp(-MOST_BIAS, MOST_BIAS);
            dense.biases[row] = corrected as i32;
        }
    }
    Ok(())
}

/// Returns the inputs of each layer of the float network. Each is rows × inputs.
pub(super) fn float_inputs(
    folded: &Network<f32>,
    train: &Subset,
    positions: &[usize],
) -> Vec<Vec<f64>> {
    let rows = positions.len();
    let mut tape = Tape::forward_only(folded, rows);
    let width = folded.inputs();
    for (&position, out) in positions.iter().zip(tape.input_mut(rows).chunks_exact_mut(width)) {
        train.gather(position, Shift::NONE, out);
    }
    tape.forward(folded, rows);
    let values = |layer| tape.activation(layer, rows).iter().map(|x| f64::from(*x)).collect();
    (0..folded.layers().len()).map(values).collect()
}

/// Returns the dequantized inputs of a layer (rows × inputs), as the engine computes them, and
/// their quantization.
pub(super) fn quantized_inputs(
    spec: &ModelSpec,
    layer: usize,
    train: &Subset,
    positions: &[usize],
) -> Result<(Vec<f64>, Quantization), QuantizeError> {
    let bytes = spec.to_bytes()?;
    let model = Model::parse(&bytes)?;
    let encoder = InputEncoder::new(&model, train)?;
    let quantization = match layer.checked_sub(1).and_then(|before| model.layers().nth(before)) {
        Some(before) => before.output(),
        None => model.input().quantization,
    };
    let mut values = Vec::new();
    let mut add = |bytes: &[u8]| {
        let rows = bytes.chunks_exact(quantization.data_type.bytes());
        values.extend(rows.map(|bytes| {
            let q = f64::from(value(bytes, quantization)) - f64::from(quantization.zero_point);
            q * f64::from(quantization.scale)
        }));
    };
    let mut scratch = vec![0; model.scratch_len()];
    let mut input = vec![0; model.input_bytes()];
    let mut engine = Engine::new(model, &mut scratch).map_err(Int8Error::Engine)?;
    for &position in positions {
        encoder.encode(train, position, &mut input);
        if layer == 0 {
            add(&input);
            continue;
        }
        let trace = |index: usize, bytes: &[u8]| {
            if index + 1 == layer {
                add(bytes);
            }
        };
        engine.run_traced(&input, trace).map_err(Int8Error::Input)?;
    }
    Ok((values, quantization))
}

/// Returns the mean of each column.
fn means(values: &[f64], width: usize) -> Vec<f64> {
    let rows = values.len() / width;
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / rows as f64);
    }
    sums
}

fn value(bytes: &[u8], quantization: Quantization) -> i16 {
    match (bytes, quantization.data_type) {
        (&[low, high], DataType::Int16) => i16::from_le_bytes([low, high]),
        (&[byte, ..], _) => i16::from(byte as i8),
        ([], _) => 0,
    }
}
