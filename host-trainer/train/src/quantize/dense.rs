//! Quantization of dense layers: int8 weights with per-row scales, i32 biases.

use model_format::build::DenseSpec;
use model_format::{Clamp, DataType, Error, Multiplier, Quantization, WeightLayout, WeightType};
use thimble_network::grid::{WeightGrid, nearest};
use thimble_network::{Activation, Dense};

use super::weights::compact;

/// Largest bias in i32, a power of two. It leaves the rest of the accumulator to the products,
/// whose sum is at most 8192 · 127 · 255 < 2^28.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;

/// Largest sum of a row's magnitudes, including the bias, that stays below 2³¹ after rounding each
/// weight by half a step. With int16 inputs, a row may need a larger scale for it.
const MOST_SUM: f64 = 0.93 * (1_u32 << 31) as f64;

/// A quantized dense layer and its weight scales.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedDense {
    /// The layer in the form of the model file.
    pub spec: DenseSpec,
    /// Per-row scales of the weights.
    pub weight_scales: Vec<f64>,
}

/// Quantizes a dense layer.
///
/// Row *n* has the scale s_w\[n\] = max |w| / 127, the bias round(b / (s_x · s_w\[n\])), and the
/// multiplier s_x · s_w\[n\] / s_y. With a grid, its scales and its type are taken instead, and
/// weights that lie on it are those of the model exactly. A row has a larger scale if its bias would not fit into i32 or
/// its accumulator could overflow. ReLU becomes the lower clamp bound, which is the zero point of
/// y.
///
/// # Errors
/// The format's error for a multiplier that it cannot represent.
pub fn quantize_dense(
    dense: &Dense,
    parameters: &[f32],
    input: Quantization,
    output: Quantization,
    grid: Option<&WeightGrid>,
) -> Result<QuantizedDense, Error> {
    let weight_type = grid.map_or(WeightType::Int8, |grid| grid.weight_type);
    let (weights, biases) = dense.view(parameters);
    let input_scale = f64::from(input.scale);
    // Largest magnitude of an input minus its zero point.
    let reach = match input.data_type {
        DataType::Int8 => 255.0,
        DataType::Int16 => 32768.0,
    };
    let mut quantized = QuantizedDense {
        spec: DenseSpec {
            inputs: dense.inputs,
            outputs: dense.outputs,
            weights: Vec::with_capacity(dense.inputs * dense.outputs),
            biases: Vec::with_capacity(dense.outputs),
            multipliers: Vec::with_capacity(dense.outputs),
            output,
            clamp: clamp(dense.activation, output),
            layout: WeightLayout::row_major(weight_type),
        },
        weight_scales: Vec::with_capacity(dense.outputs),
    };
    for (index, (row, &bias)) in weights.rows().into_iter().zip(biases).enumerate() {
        let bias = f64::from(bias);
        let most = row.iter().fold(0.0_f64, |most, &weight| most.max(f64::from(weight).abs()));
        let sum: f64 = row.iter().map(|&weight| f64::from(weight).abs()).sum();
        let given = grid.and_then(|grid| grid.scales.get(index).copied());
        let scale = given
            .unwrap_or(most / f64::from(weight_type.max_weight()))
            .max(bias.abs() / (input_scale * MOST_BIAS))
            .max((sum * reach + bias.abs() / input_scale) / MOST_SUM);
        // A row of zeros computes zero at any scale.
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let spec = &mut quantized.spec;
        let weights = row.iter().map(|&weight| nearest(weight_type, f64::from(weight) / scale));
        spec.weights.extend(weights);
        spec.biases.push((bias / (input_scale * scale)).round() as i32);
        let real = input_scale * scale / f64::from(output.scale);
        spec.multipliers.push(match weight_type {
            WeightType::Int8 => Multiplier::from_real(real)?,
            _ => compact(real)?,
        });
        quantized.weight_scales.push(scale);
    }
    Ok(quantized)
}

/// Returns the clamp bounds of an activation function.
fn clamp(activation: Activation, output: Quantization) -> Clamp {
    let all = Clamp::all(output.data_type);
    let zero = (output.zero_point as i16).max(all.low);
    match activation {
        Activation::Relu => Clamp { low: zero, ..all },
        Activation::Relu6 => {
            let six = (6.0 / f64::from(output.scale)).round() + f64::from(output.zero_point);
            // Saturates if 6 is beyond the range.
            Clamp { low: zero, high: all.high.min(six.min(f64::from(i16::MAX)) as i16) }
        }
        // All others are table layers after this one.
        _ => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Quantization = Quantization::int8(0.5, -128);
    const OUTPUT: Quantization = Quantization::int8(0.25, 3);

    fn quantize(activation: Activation, inputs: usize, parameters: &[f32]) -> QuantizedDense {
        let dense = Dense { inputs, outputs: parameters.len() / (inputs + 1), activation };
        quantize_dense(&dense, parameters, INPUT, OUTPUT, None).unwrap()
    }

    #[test]
    fn each_row_has_its_own_scale() {
        // Two rows, (−1.27, 0.635) and (12.7, 0.1), biases 1 and −2.
        let layer = quantize(Activation::Linear, 2, &[-1.27, 0.635, 12.7, 0.1, 1.0, -2.0]);
        assert_eq!(layer.spec.weights, [-127, 64, 127, 1]);
        // 1 / (0.5 · 0.01) and −2 / (0.5 · 0.1).
        assert_eq!(layer.spec.biases, [200, -40]);
        let reals: Vec<f64> = layer.spec.multipliers.iter().map(|m| m.to_real()).collect();
        for (real, expected) in reals.iter().zip([0.5 * 0.01 / 0.25, 0.5 * 0.1 / 0.25]) {
            // The weights themselves are f32.
            assert!((real / expected - 1.0).abs() < f64::from(f32::EPSILON), "{real}");
        }
        assert_eq!(layer.spec.clamp, Clamp::INT8);
    }

    #[test]
    fn weights_on_a_grid_stay_what_they_are() {
        let dense = Dense { inputs: 2, outputs: 2, activation: Activation::Linear };
        // The second row is off its grid.
        let parameters = [0.3, -0.1, 0.5, 0.02, 1.0, -2.0];
        let grid = WeightGrid { weight_type: WeightType::Int2, scales: vec![0.1, 0.25] };
        let layer = quantize_dense(&dense, &parameters, INPUT, OUTPUT, Some(&grid)).unwrap();
        assert_eq!(layer.spec.weights, [3, -1, 3, 1]);
        assert_eq!(layer.spec.layout, WeightLayout::Int2);
        assert_eq!(layer.weight_scales, [0.1, 0.25]);
        // 1 / (0.5 · 0.1) and −2 / (0.5 · 0.25).
        assert_eq!(layer.spec.biases, [20, -16]);
    }

    #[test]
    fn relu_is_a_bound() {
        let layer = quantize(Activation::Relu, 1, &[1.0, 0.0]);
        assert_eq!(layer.spec.clamp, Clamp { low: 3, high: 127 });
    }

    #[test]
    fn relu6_has_two_bounds() {
        // Zero is 3, six is 3 + 24.
        let layer = quantize(Activation::Relu6, 1, &[1.0, 0.0]);
        assert_eq!(layer.spec.clamp, Clamp { low: 3, high: 27 });
        let wide = Quantization::int8(0.01, -128);
        let dense = Dense { inputs: 1, outputs: 1, activation: Activation::Relu6 };
        let layer = quantize_dense(&dense, &[1.0, 0.0], INPUT, wide, None).unwrap();
        assert_eq!(layer.spec.clamp, Clamp { low: -128, high: 127 });
    }

    #[test]
    fn sums_of_wide_rows_fit_for_16_bits() {
        let dense = Dense { inputs: 1000, outputs: 1, activation: Activation::Linear };
        let parameters = vec![1.0; 1001];
        let input = Quantization::int16(0.001);
        let layer = quantize_dense(&dense, &parameters, input, input, None).unwrap();
        let sum: i64 = layer.spec.weights.iter().map(|&w| i64::from(w).abs() * 32768).sum();
        assert!(sum + i64::from(layer.spec.biases[0]) < 1 << 31);
        assert!(layer.spec.weights[0] > 50, "no more is given away than must be");
    }

    #[test]
    fn a_dead_row_and_one_that_is_nearly_all_bias_fit() {
        let layer = quantize(Activation::Linear, 1, &[0.0, 1e-12, 0.0, 100.0]);
        assert_eq!((layer.spec.weights[0], layer.spec.biases[0]), (0, 0));
        assert_eq!(layer.spec.weights[1], 0);
        assert_eq!(layer.spec.biases[1], 1 << 30);
        let real = f64::from(1 << 30) * layer.spec.multipliers[1].to_real() * 0.25;
        assert!((real - 100.0).abs() < 1e-6, "{real}");
    }
}
