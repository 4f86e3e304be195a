//! Batch normalization: Ioffe and Szegedy, *Batch normalization*, 2015, algorithms 1 and 2.

use super::Real;

/// A layer that normalizes each of its inputs: y = γ · (x − μ) / √(σ² + ε) + β.
///
/// In training, μ and σ² are the mean and the (biased) variance of the mini-batch. In inference,
/// they are the running averages, as in Keras. The layer's parameters are γ, then β. Its state is
/// the running mean, then the running variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormalization {
    /// Number of inputs, and of outputs.
    pub width: usize,
    /// Momentum of the running averages: average ← momentum · average + (1 − momentum) · batch.
    pub momentum: f64,
    /// ε, added to the variance to keep the division finite.
    pub epsilon: f64,
}

impl BatchNormalization {
    /// Returns the number of trainable parameters, γ and β.
    pub fn parameter_count(&self) -> usize {
        2 * self.width
    }

    /// Returns factor and offset of each input in inference: y = factor · x + offset.
    ///
    /// # Shapes
    /// `parameters` and `state` each have 2 · width elements.
    pub fn as_affine<T: Real>(&self, parameters: &[T], state: &[T]) -> Vec<(f64, f64)> {
        let (gamma, beta) = parameters.split_at(self.width);
        let (mean, variance) = state.split_at(self.width);
        let affine = |index: usize| {
            let deviation = (variance[index].to_f64() + self.epsilon).sqrt();
            let factor = gamma[index].to_f64() / deviation;
            (factor, beta[index].to_f64() - factor * mean[index].to_f64())
        };
        (0..self.width).map(affine).collect()
    }

    /// Computes the layer in inference, with the running averages.
    pub(super) fn forward<T: Real>(
        &self,
        parameters: &[T],
        state: &[T],
        input: &[T],
        output: &mut [T],
    ) {
        let affine: Vec<(T, T)> = self
            .as_affine(parameters, state)
            .into_iter()
            .map(|(factor, offset)| (T::from_f64(factor), T::from_f64(offset)))
            .collect();
        let rows = input.chunks_exact(self.width).zip(output.chunks_exact_mut(self.width));
        for (input, output) in rows {
            for ((y, &x), &(factor, offset)) in output.iter_mut().zip(input).zip(&affine) {
                *y = factor * x + offset;
            }
        }
    }

    /// Computes the layer in training, with the mean and variance of the mini-batch. They are
    /// written to `statistics` in the layout of the state.
    pub(super) fn forward_training<T: Real>(
        &self,
        parameters: &[T],
        statistics: &mut [T],
        input: &[T],
        output: &mut [T],
    ) {
        let count = T::from_f64((input.len() / self.width) as f64);
        let (mean, variance) = statistics.split_at_mut(self.width);
        mean.fill(T::zero());
        variance.fill(T::zero());
        for row in input.chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += x);
        }
        mean.iter_mut().for_each(|mean| *mean = *mean / count);
        for row in input.chunks_exact(self.width) {
            for ((variance, &mean), &x) in variance.iter_mut().zip(&*mean).zip(row) {
                *variance += (x - mean) * (x - mean);
            }
        }
        variance.iter_mut().for_each(|variance| *variance = *variance / count);
        self.forward(parameters, statistics, input, output);
    }

    /// Computes the gradients of a mini-batch after [`forward_training`](Self::forward_training).
    ///
    /// With x̂ the normalized inputs, and means over the mini-batch: ∂x = γ / σ · (∂y − mean(∂y) −
    /// x̂ · mean(∂y · x̂)).
    pub(super) fn backward<T: Real>(
        &self,
        parameters: &[T],
        statistics: &[T],
        input: &[T],
        output_gradient: &[T],
        gradients: &mut [T],
        input_gradient: Option<&mut [T]>,
    ) {
        let width = self.width;
        let count = T::from_f64((input.len() / width) as f64);
        let (mean, variance) = statistics.split_at(width);
        let (gamma_gradient, beta_gradient) = gradients.split_at_mut(width);
        gamma_gradient.fill(T::zero());
        beta_gradient.fill(T::zero());
        let inverse =
            |column: usize| T::one() / (variance[column] + T::from_f64(self.epsilon)).sqrt();
        let rows = || input.chunks_exact(width).zip(output_gradient.chunks_exact(width));
        for (x, dy) in rows() {
            for column in 0..width {
                gamma_gradient[column] += dy[column] * (x[column] - mean[column]);
                beta_gradient[column] += dy[column];
            }
        }
        for (column, gradient) in gamma_gradient.iter_mut().enumerate() {
            *gradient *= inverse(column);
        }
        let Some(input_gradient) = input_gradient else { return };
        for ((x, dy), dx) in rows().zip(input_gradient.chunks_exact_mut(width)) {
            for column in 0..width {
                let normalized = (x[column] - mean[column]) * inverse(column);
                let centered = dy[column]
                    - (beta_gradient[column] + normalized * gamma_gradient[column]) / count;
                dx[column] = parameters[column] * inverse(column) * centered;
            }
        }
    }

    /// Updates the running averages with the statistics of a mini-batch.
    pub fn follow<T: Real>(&self, state: &mut [T], statistics: &[T]) {
        let keep = T::from_f64(self.momentum);
        for (average, &seen) in state.iter_mut().zip(statistics) {
            *average = keep * *average + (T::one() - keep) * seen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: BatchNormalization = BatchNormalization { width: 1, momentum: 0.75, epsilon: 1.0 };

    #[test]
    fn a_batch_by_hand() {
        // Mean 3, variance 3: with ε = 1 the deviation is 2.
        let (mut statistics, mut output) = ([0.0; 2], [0.0; 2]);
        let input = [3.0 - 3_f64.sqrt(), 3.0 + 3_f64.sqrt()];
        LAYER.forward_training(&[4.0, 1.0], &mut statistics, &input, &mut output);
        assert!((statistics[0] - 3.0).abs() < 1e-15 && (statistics[1] - 3.0).abs() < 1e-15);
        assert!((output[0] - (1.0 - 2.0 * 3_f64.sqrt())).abs() < 1e-14);
        let mut state = [1.0, 1.0];
        LAYER.follow(&mut state, &[3.0, 5.0]);
        assert_eq!(state, [1.5, 2.0]);
    }

    #[test]
    fn once_trained_it_is_a_factor_and_an_offset() {
        let (parameters, state) = ([4.0, 1.0], [5.0, 3.0]);
        let affine = LAYER.as_affine(&parameters, &state);
        assert_eq!(affine, [(2.0, -9.0)]);
        let mut output = [0.0; 2];
        LAYER.forward(&parameters, &state, &[1.0, 5.0], &mut output);
        assert_eq!(output, [-7.0, 1.0]);
    }
}
