//! Layer-wise weight refitting after quantization, with GPTQ rounding. Each layer compensates for
//! the quantization error of earlier layers and of its own weights.
//!
//! 1. Least squares: quantized layers compute other inputs for the next layer than float ones.
//!    Weights and biases are fitted so that the layer computes from the quantized inputs, with the
//!    least squared error over training rows, the float layer's outputs.
//! 2. GPTQ: columns of weights are rounded one by one, and the remaining columns compensate for the
//!    rounding error of each (Frantar et al., *GPTQ: accurate post-training quantization for
//!    generative pre-trained transformers*, 2022).
//! 3. Bias correction: the mean of each output is that of the float network.
//!
//! Blocks of four weights that are zero in the float network, such as pruned ones, stay zero: a
//! column's weight that would leave zero there counts as a rounding error, for which the remaining
//! columns compensate (Frantar and Alistarh, *SparseGPT*, 2023).

use model_format::build::{LayerSpec, ModelSpec};
use thimble_data::Subset;
use thimble_network::{Layer, Network};

use super::bias::{float_inputs, quantized_inputs};
use super::dense_specs::dense_specs;
use super::{QuantizeError, quantize_dense};

/// Number of training rows for the fit.
const ROWS: usize = 4096;

/// Damping that is added to the diagonal of the covariance, relative to its mean. It keeps the
/// weights of constant inputs unchanged.
const DAMPING: f64 = 1e-5;

/// Largest bias. It leaves the rest of the i32 accumulator to the products.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;

/// Refits the dense layers of a model to the float network.
///
/// # Errors
/// [`QuantizeError`] if the model cannot be run or a multiplier cannot be represented.
pub(super) fn refit(
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
        let moments = Moments::of(&inputs, layer.inputs);
        let (weights, biases) = layer.view(view.parameters);
        let (mut fitted, mut means) = (Vec::new(), Vec::new());
        for (weights, &bias) in weights.rows().into_iter().zip(biases) {
            let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let target = |x: &[f64]| f64::from(bias) + dot(&weights, x);
            let targets: Vec<f64> = floats[index].chunks_exact(layer.inputs).map(target).collect();
            fitted.extend(moments.fit(&inputs, &weights, &targets));
            means.push(targets.iter().sum::<f64>() / count as f64);
        }
        let parameters: Vec<f32> = fitted.iter().chain(&means).map(|value| *value as f32).collect();
        let mut quantized = quantize_dense(layer, &parameters, quantization, dense.output, None)?;
        let scale = f64::from(quantization.scale);
        let most = f64::from(dense.layout.weight_type().max_weight());
        let rows =
            quantized.spec.weights.chunks_exact_mut(layer.inputs).zip(&mut quantized.spec.biases);
        let fitted = fitted.chunks_exact(layer.inputs).zip(&quantized.weight_scales);
        let floats = weights.rows().into_iter();
        for ((((rounded, bias), (fitted, step)), mean), floats) in
            rows.zip(fitted).zip(&means).zip(floats)
        {
            moments.round(fitted, *step, most, &zero_blocks(&floats.to_vec()), rounded);
            let sum: f64 =
                rounded.iter().zip(&moments.means).map(|(w, x)| f64::from(*w) * step * x).sum();
            let corrected = ((mean - sum) / (scale * step)).round();
            *bias = corrected.clamp(-MOST_BIAS, MOST_BIAS) as i32;
        }
        dense.weights = quantized.spec.weights;
        dense.biases = quantized.spec.biases;
        dense.multipliers = quantized.spec.multipliers;
    }
    Ok(())
}

/// Returns, for each weight of a row, whether all of its block of four are zero.
fn zero_blocks(row: &[f32]) -> Vec<bool> {
    let block = |block: &[f32]| vec![block.iter().all(|weight| *weight == 0.0); block.len()];
    row.chunks(4).flat_map(block).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Means and covariance of a layer's inputs.
struct Moments {
    width: usize,
    means: Vec<f64>,
    /// Inverse of the damped covariance.
    inverse: Vec<f64>,
    /// Upper triangular U with Uᵀ · U = inverse.
    factor: Vec<f64>,
}

impl Moments {
    /// # Shapes
    /// `inputs` is rows × `width`.
    fn of(inputs: &[f64], width: usize) -> Self {
        let rows = inputs.len() / width;
        let mut means = vec![0.0; width];
        for row in inputs.chunks_exact(width) {
            means.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / rows as f64);
        }
        let mut covariance = vec![0.0; width * width];
        for row in inputs.chunks_exact(width) {
            let centered: Vec<f64> = row.iter().zip(&means).map(|(x, mean)| x - mean).collect();
            for (sums, x) in covariance.chunks_exact_mut(width).zip(&centered) {
                // Most outputs of ReLU, and most pixels, are zero.
                if *x != 0.0 {
                    sums.iter_mut().zip(&centered).for_each(|(sum, y)| *sum += x * y / rows as f64);
                }
            }
        }
        let trace: f64 = (0..width).map(|k| covariance[k * width + k]).sum();
        let damping = DAMPING * (trace / width as f64).max(f64::MIN_POSITIVE);
        (0..width).for_each(|k| covariance[k * width + k] += damping);
        let inverse = inverse(&covariance, width);
        // The transpose of the lower factor is the upper one.
        let lower = cholesky(&inverse, width);
        let mut factor = vec![0.0; width * width];
        for row in 0..width {
            for column in 0..=row {
                factor[column * width + row] = lower[row * width + column];
            }
        }
        Moments { width, means, inverse, factor }
    }

    /// Returns the weights near `weights` that fit `targets` to the inputs by least squares, up to
    /// a constant.
    fn fit(&self, inputs: &[f64], weights: &[f64], targets: &[f64]) -> Vec<f64> {
        let mut errors = vec![0.0; self.width];
        let rows = inputs.chunks_exact(self.width);
        let count = rows.len() as f64;
        for (x, target) in rows.zip(targets) {
            let error = (target - dot(weights, x)) / count;
            let products = errors.iter_mut().zip(x.iter().zip(&self.means));
            products.for_each(|(sum, (x, mean))| *sum += (x - mean) * error);
        }
        let change = |row: &[f64]| dot(row, &errors);
        let changes = self.inverse.chunks_exact(self.width).map(change);
        weights.iter().zip(changes).map(|(weight, change)| weight + change).collect()
    }

    /// Rounds the weights of a row to multiples of `step` by GPTQ, those of `zero` to zero.
    fn round(&self, weights: &[f64], step: f64, most: f64, zero: &[bool], rounded: &mut [i8]) {
        let mut weights = weights.to_vec();
        for column in 0..self.width {
            let nearest = (weights[column] / step).round().clamp(-most, most);
            let quantized = if zero[column] { 0.0 } else { nearest };
            rounded[column] = quantized as i8;
            let factors = &self.factor[column * self.width..][..self.width];
            let error = (weights[column] - quantized * step) / factors[column];
            for (weight, factor) in weights.iter_mut().zip(factors).skip(column + 1) {
                *weight -= error * factor;
            }
        }
    }
}

/// Cholesky decomposition: returns the lower triangular L with L · Lᵀ = `matrix`, which is positive
/// definite.
fn cholesky(matrix: &[f64], width: usize) -> Vec<f64> {
    let mut lower = vec![0.0; width * width];
    for row in 0..width {
        for column in 0..=row {
            let (a, b) = (&lower[row * width..], &lower[column * width..]);
            let rest = matrix[row * width + column] - dot(&a[..column], &b[..column]);
            lower[row * width + column] = match row == column {
                // A pivot must stay positive despite rounding.
                true => rest.max(f64::MIN_POSITIVE).sqrt(),
                false => rest / lower[column * width + column],
            };
        }
    }
    lower
}

/// Returns the inverse of a positive definite matrix by Cholesky decomposition.
fn inverse(matrix: &[f64], width: usize) -> Vec<f64> {
    let lower = cholesky(matrix, width);
    // Rows of the transposed inverse of the factor, each by forward substitution.
    let mut columns = vec![0.0; width * width];
    for (unit, column) in columns.chunks_exact_mut(width).enumerate() {
        for row in unit..width {
            let known = dot(&lower[row * width + unit..row * width + row], &column[unit..row]);
            let one = if row == unit { 1.0 } else { 0.0 };
            column[row] = (one - known) / lower[row * width + row];
        }
    }
    let mut inverse = vec![0.0; width * width];
    for row in 0..width {
        for column in 0..=row {
            let (a, b) = (&columns[row * width + row..], &columns[column * width + row..]);
            let value = dot(&a[..width - row], &b[..width - row]);
            inverse[row * width + column] = value;
            inverse[column * width + row] = value;
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use thimble_support::random::{Stream, stream};

    use super::*;

    const WIDTH: usize = 6;

    /// Inputs that depend on each other.
    fn inputs() -> Vec<f64> {
        let mut random = stream(1, Stream::Packing);
        (0..500)
            .flat_map(|_| {
                let [a, b]: [f64; 2] = [random.random(), random.random()];
                let noise: f64 = random.random();
                [a, b, a + b + 0.1 * noise, a - b, 0.5 * noise + a, 0.0]
            })
            .collect()
    }

    #[test]
    fn an_inverse_is_one() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, 0.2, 0.5, 0.2, 2.0];
        let inverse = inverse(&matrix, 3);
        for row in 0..3 {
            for column in 0..3 {
                let sum: f64 = (0..3).map(|k| matrix[row * 3 + k] * inverse[k * 3 + column]).sum();
                assert!((sum - f64::from(row == column)).abs() < 1e-12, "{sum}");
            }
        }
    }

    #[test]
    fn weights_of_a_linear_function_are_found() {
        let (inputs, truth) = (inputs(), [1.0, -2.0, 0.5, 0.0, 1.5, 3.0]);
        let targets: Vec<f64> = inputs.chunks_exact(WIDTH).map(|x| 7.0 + dot(&truth, x)).collect();
        let moments = Moments::of(&inputs, WIDTH);
        let fitted = moments.fit(&inputs, &[0.0, 0.0, 0.0, 0.0, 0.0, 3.0], &targets);
        let error = |x: &[f64]| dot(&fitted, x) - dot(&truth, x);
        let errors: Vec<f64> = inputs.chunks_exact(WIDTH).map(error).collect();
        // Up to a constant, and to what damping holds back.
        assert!(errors.iter().all(|error| (error - errors[0]).abs() < 0.02), "{errors:?}");
        assert_eq!(fitted[5], 3.0, "an input that never varies tells nothing");
    }

    #[test]
    fn zero_blocks_stay_zero_and_the_rest_makes_up_for_them() {
        assert_eq!(
            zero_blocks(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            [true, true, true, true, false, false]
        );
        assert_eq!(zero_blocks(&[0.0, 0.0, 1.0, 0.0, 0.0]), [false, false, false, false, true]);
        let moments = Moments::of(&inputs(), WIDTH);
        let weights = [0.3, 0.2, 0.5, 0.4, 0.2, 0.0];
        let zero = [false, false, true, false, false, false];
        let mut rounded = [1; WIDTH];
        moments.round(&weights, 0.01, 127.0, &zero, &mut rounded);
        assert_eq!(rounded[2], 0);
        let error = |rounded: &[i8]| {
            let change: Vec<f64> =
                weights.iter().zip(rounded).map(|(w, r)| w - 0.01 * f64::from(*r)).collect();
            let outputs: Vec<f64> = inputs().chunks_exact(WIDTH).map(|x| dot(&change, x)).collect();
            let mean = outputs.iter().sum::<f64>() / outputs.len() as f64;
            outputs.iter().map(|y| (y - mean).powi(2)).sum::<f64>()
        };
        let mut nearest = weights.map(|weight| (weight * 100.0).round() as i8);
        nearest[2] = 0;
        // The third input is nearly the sum of the first two, of which the columns behind it make
        // up for a part.
        assert!(error(&rounded) < 0.9 * error(&nearest));
    }

    #[test]
    fn rounding_that_makes_up_for_itself_errs_less() {
        let inputs = inputs();
        let moments = Moments::of(&inputs, WIDTH);
        let mut random = stream(2, Stream::Packing);
        let (mut nearest, mut fitted) = (0.0, 0.0);
        for _ in 0..50 {
            let weights: Vec<f64> =
                (0..WIDTH).map(|_| random.random::<f64>() * 2.0 - 1.0).collect();
            let mut rounded = [0; WIDTH];
            moments.round(&weights, 0.1, 127.0, &[false; WIDTH], &mut rounded);
            let variance = |of: &dyn Fn(usize) -> f64| {
                let change: Vec<f64> = (0..WIDTH).map(|k| weights[k] - 0.1 * of(k)).collect();
                let errors: Vec<f64> =
                    inputs.chunks_exact(WIDTH).map(|x| dot(&change, x)).collect();
                let mean = errors.iter().sum::<f64>() / errors.len() as f64;
                errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>()
            };
            nearest += variance(&|k| (weights[k] / 0.1).round());
            fitted += variance(&|k| f64::from(rounded[k]));
        }
        assert!(fitted < 0.7 * nearest, "{fitted} and {nearest}");
    }
}
