//! Wider ranges for layers that hardly vary, so that their multipliers fit the format.

use model_format::{DataType, Quantization};
use thimble_network::grid::Range;
use thimble_network::{Dense, Layer, Network};

use super::Calibration;

/// Largest magnitude that a pre-activation may have, in steps of the layer's outputs. The format
/// keeps the accumulator, times its multiplier's power of two, below 2³¹: FORMAT.md. The multiplier
/// is below that power, and at least half of it, so 2³⁰ steps fit; the rest is for rounding.
const MOST_STEPS: f64 = (1_u32 << 28) as f64;

/// Widens the range of a dense layer's outputs where the weights could reach far more steps than it
/// has, as for a unit that is dead on all calibration rows. Such a layer loses no accuracy, because
/// its outputs hardly vary.
pub(super) fn widen_ranges(
    calibration: &mut Calibration,
    network: &Network<f32>,
    types: &[DataType],
    input: DataType,
) {
    let mut before = (calibration.input, input);
    for ((view, range), &data_type) in network.layers().zip(&mut calibration.layers).zip(types) {
        if let Layer::Dense(dense) = view.layer {
            let reach = reach(before.0.quantization_as(before.1));
            let least = largest_sum(dense, view.parameters, reach) / MOST_STEPS;
            if f64::from(range.quantization_as(data_type).scale) < least {
                let half = (least * steps(data_type)) as f32;
                *range = range.union(Range::new(-half, half));
            }
        }
        let outputs = match view.layer {
            // The tables of tanh and sigmoid have a fixed range, whatever was calibrated.
            Layer::Activation { .. } => range.union(Range::new(-1.0, 1.0)),
            _ => *range,
        };
        before = (outputs, data_type);
    }
}

/// Returns the steps on each side of a symmetric range.
fn steps(data_type: DataType) -> f64 {
    match data_type {
        DataType::Int8 => 128.0,
        DataType::Int16 => f64::from(i16::MAX),
    }
}

/// Returns the largest magnitude of a quantized value.
fn reach(quantization: Quantization) -> f64 {
    let Quantization { data_type, scale, zero_point } = quantization;
    let (low, high) = match data_type {
        DataType::Int8 => (-128, 127),
        DataType::Int16 => (-32768, 32767),
    };
    let most = (low - zero_point).abs().max((high - zero_point).abs());
    f64::from(scale) * f64::from(most)
}

/// Returns the largest pre-activation of a layer for inputs of at most this magnitude.
fn largest_sum(dense: &Dense, parameters: &[f32], reach: f64) -> f64 {
    let (weights, biases) = dense.view(parameters);
    let sum = |(row, &bias): (ndarray::ArrayView1<'_, f32>, &f32)| {
        let weights: f64 = row.iter().map(|&weight| f64::from(weight).abs()).sum();
        weights * reach + f64::from(bias).abs()
    };
    weights.rows().into_iter().zip(biases).map(sum).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;
    use crate::quantize::quantize_dense;

    #[test]
    fn a_dead_layer_fits_the_format() {
        let layers = [LayerSpec::Dense(DenseSpec::new(1, Activation::Linear))];
        let mut network = Network::<f32>::new(2, &layers, 1).unwrap();
        network.parameters_mut().copy_from_slice(&[3.0, -0.5, 1e-6]);
        for data_type in [DataType::Int8, DataType::Int16] {
            let narrow = Range::new(0.0, 1e-6);
            let mut calibration =
                Calibration { input: Range::new(-2.0, 2.0), layers: vec![narrow] };
            widen_ranges(&mut calibration, &network, &[data_type], data_type);
            let input = calibration.input.quantization_as(data_type);
            let output = calibration.layers[0].quantization_as(data_type);
            let (dense, parameters) = network.dense_layers().next().unwrap();
            let layer = quantize_dense(dense, parameters, input, output, None).unwrap().spec;
            let sum: f64 = layer.weights.iter().map(|&w| f64::from(w).abs()).sum();
            let bound = sum * 65536.0 + f64::from(layer.biases[0]).abs();
            let limit = 2_f64.powi(31 - i32::from(layer.multipliers[0].shift.max(0)));
            let bound = if data_type == DataType::Int8 { bound / 256.0 } else { bound };
            assert!(bound < limit, "{bound} {limit}");
            // A range that the format represents is left alone.
            calibration.layers[0] = Range::new(0.0, 0.5);
            widen_ranges(&mut calibration, &network, &[data_type], data_type);
            assert_eq!(calibration.layers[0], Range::new(0.0, 0.5));
        }
    }
}
