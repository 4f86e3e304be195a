//! Element-wise functions between layers.

use serde::{Deserialize, Serialize};

use super::Real;

/// What is applied to each output of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// y = x.
    #[default]
    Linear,
    /// y = max(x, 0).
    Relu,
}

impl Activation {
    /// The name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
        }
    }

    /// Adds a row's biases and applies the function, in one pass.
    ///
    /// # Shapes
    /// `values` and `biases` have one element an output.
    #[inline(always)]
    pub(super) fn apply_with_bias<T: Real>(self, values: &mut [T], biases: &[T]) {
        match self {
            Activation::Linear => {
                values.iter_mut().zip(biases).for_each(|(value, &bias)| *value += bias);
            }
            Activation::Relu => {
                for (value, &bias) in values.iter_mut().zip(biases) {
                    let sum = *value + bias;
                    // Written so that NaN stays NaN: divergence must not look like silence.
                    *value = if sum < T::zero() { T::zero() } else { sum };
                }
            }
        }
    }

    /// Turns a row's gradient by the outputs into the gradient by the sums before the function,
    /// and adds it to the gradient by the biases, in one pass.
    ///
    /// # Shapes
    /// All have one element an output.
    #[inline(always)]
    pub(super) fn pull_back<T: Real>(self, outputs: &[T], gradient: &mut [T], biases: &mut [T]) {
        match self {
            Activation::Linear => {
                biases.iter_mut().zip(gradient).for_each(|(bias, &mut g)| *bias += g);
            }
            Activation::Relu => {
                for ((bias, g), &output) in biases.iter_mut().zip(gradient).zip(outputs) {
                    // The derivative at 0 is taken as 0, as everyone does.
                    let pulled = if output > T::zero() { *g } else { T::zero() };
                    *g = pulled;
                    *bias += pulled;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relu_cuts_below_zero_and_keeps_nan() {
        let mut values = [-2.0, -1.0, 0.5, f64::NAN];
        Activation::Relu.apply_with_bias(&mut values, &[1.0, 1.0, 1.0, 1.0]);
        assert_eq!(values[..3], [0.0, 0.0, 1.5]);
        assert!(values[3].is_nan());
    }

    #[test]
    fn gradients_pass_where_the_output_is_positive() {
        let (mut gradient, mut biases) = ([3.0, 4.0], [10.0, 20.0]);
        Activation::Relu.pull_back(&[0.0, 0.5], &mut gradient, &mut biases);
        assert_eq!((gradient, biases), ([0.0, 4.0], [10.0, 24.0]));
        Activation::Linear.pull_back(&[0.0, 0.5], &mut gradient, &mut biases);
        assert_eq!((gradient, biases), ([0.0, 4.0], [10.0, 28.0]));
    }
}
