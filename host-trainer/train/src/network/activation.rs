//! Activation functions and their derivatives: ReLU, ReLU6, leaky ReLU, tanh, sigmoid, softmax.

use serde::{Deserialize, Serialize};

use super::{Head, Real};
use crate::validators::fraction;
use crate::vectorized::{Loop, vectorized};

/// Activation function of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// y = x.
    #[default]
    Linear,
    /// y = max(x, 0).
    Relu,
    /// y = min(max(x, 0), 6).
    Relu6,
    /// y = x for x > 0, and this slope (0 to 1) times x below.
    LeakyRelu(#[serde(deserialize_with = "fraction")] f64),
    /// y = tanh x.
    Tanh,
    /// y = 1 / (1 + e^−x).
    Sigmoid,
    /// y_k = e^x_k / Σ e^x, over the outputs of one row.
    Softmax,
}

impl Activation {
    /// Returns the name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Softmax => "softmax",
        }
    }

    /// Computes the activation of one value. Softmax needs a whole row, so it returns `x`
    /// unchanged.
    #[inline(always)]
    pub fn value<T: Real>(self, x: T) -> T {
        match self {
            Activation::Linear | Activation::Softmax => x,
            // NaN stays NaN: `max` would return 0, and divergence would go unnoticed.
            Activation::Relu => {
                if x < T::zero() {
                    T::zero()
                } else {
                    x
                }
            }
            Activation::Relu6 => {
                let six = T::from_u8(6);
                let y = if x < T::zero() { T::zero() } else { x };
                if y > six { six } else { y }
            }
            Activation::LeakyRelu(slope) => {
                if x < T::zero() {
                    x * T::from_f64(slope)
                } else {
                    x
                }
            }
            Activation::Tanh => x.vector_tanh(),
            Activation::Sigmoid => sigmoid(x),
        }
    }

    /// Computes the derivative from the activation's output `y`. At the corners of ReLU and its
    /// variants it is the left derivative, as in TensorFlow and PyTorch (0 for ReLU).
    #[inline(always)]
    pub fn derivative<T: Real>(self, y: T) -> T {
        match self {
            Activation::Linear | Activation::Softmax => T::one(),
            Activation::Relu => {
                if y > T::zero() {
                    T::one()
                } else {
                    T::zero()
                }
            }
            Activation::Relu6 => {
                if y > T::zero() && y < T::from_u8(6) {
                    T::one()
                } else {
                    T::zero()
                }
            }
            Activation::LeakyRelu(slope) => {
                if y > T::zero() {
                    T::one()
                } else {
                    T::from_f64(slope)
                }
            }
            Activation::Tanh => T::one() - y * y,
            Activation::Sigmoid => y * (T::one() - y),
        }
    }

    /// Adds the biases to each row and applies the activation, in one pass.
    ///
    /// # Shapes
    /// `values` is rows × width, `biases` has width elements.
    pub(super) fn apply_with_bias<T: Real>(self, values: &mut [T], biases: &[T]) {
        vectorized::<ApplyWithBias, _>((self, values, biases));
        if self == Activation::Softmax {
            softmax_rows(biases.len(), values);
        }
    }

    /// Applies the activation to each input.
    ///
    /// # Shapes
    /// `input` and `output` are rows × `width`.
    pub(super) fn apply<T: Real>(self, width: usize, input: &[T], output: &mut [T]) {
        output.copy_from_slice(input);
        match self {
            Activation::Softmax => softmax_rows(width, output),
            _ => vectorized::<ApplyWithBias, _>((self, output, [T::zero()].as_slice())),
        }
    }

    /// Backpropagates through the activation, in place: turns ∂L/∂output into ∂L/∂pre-activation.
    ///
    /// # Shapes
    /// `outputs` and `gradient` are rows × `width`.
    pub(super) fn backward<T: Real>(self, width: usize, outputs: &[T], gradient: &mut [T]) {
        match self {
            Activation::Softmax => pull_back_softmax(width, outputs, gradient),
            _ => vectorized::<PullBack, _>((self, outputs, gradient)),
        }
    }
}

fn softmax_rows<T: Real>(width: usize, values: &mut [T]) {
    values.chunks_exact_mut(width).for_each(|row| Head::Softmax.apply(row));
}

/// Backpropagates through softmax: ∂x_k = y_k · (∂y_k − Σ ∂y · y).
fn pull_back_softmax<T: Real>(width: usize, outputs: &[T], gradient: &mut [T]) {
    let rows = gradient.chunks_exact_mut(width).zip(outputs.chunks_exact(width));
    for (gradient, outputs) in rows {
        let along: T = gradient.iter().zip(outputs).map(|(&g, &y)| g * y).sum();
        gradient.iter_mut().zip(outputs).for_each(|(g, &y)| *g = y * (*g - along));
    }
}

struct ApplyWithBias;

impl<T: Real> Loop<(Activation, &mut [T], &[T])> for ApplyWithBias {
    type Output = ();

    #[inline(always)]
    fn run((activation, values, biases): (Activation, &mut [T], &[T])) {
        /// One loop per activation, so that none has a branch inside.
        #[inline(always)]
        fn rows<T: Real>(values: &mut [T], biases: &[T], function: impl Fn(T) -> T) {
            if let [bias] = biases {
                values.iter_mut().for_each(|v| *v = function(*v + *bias));
                return;
            }
            for row in values.chunks_exact_mut(biases.len()) {
                row.iter_mut().zip(biases).for_each(|(v, &bias)| *v = function(*v + bias));
            }
        }
        match activation {
            Activation::Linear | Activation::Softmax => rows(values, biases, |x| x),
            Activation::Relu => rows(values, biases, |x| Activation::Relu.value(x)),
            Activation::Relu6 => rows(values, biases, |x| Activation::Relu6.value(x)),
            Activation::LeakyRelu(_) => rows(values, biases, |x| activation.value(x)),
            Activation::Tanh => rows(values, biases, |x| Activation::Tanh.value(x)),
            Activation::Sigmoid => rows(values, biases, |x| Activation::Sigmoid.value(x)),
        }
    }
}

struct PullBack;

impl<T: Real> Loop<(Activation, &[T], &mut [T])> for PullBack {
    type Output = ();

    #[inline(always)]
    fn run((activation, outputs, gradient): (Activation, &[T], &mut [T])) {
        #[inline(always)]
        fn all<T: Real>(outputs: &[T], gradient: &mut [T], pull: impl Fn(T, T) -> T) {
            gradient.iter_mut().zip(outputs).for_each(|(g, &y)| *g = pull(*g, y));
        }
        match activation {
            Activation::Linear | Activation::Softmax => {}
            // A selection, not a product: ∞ · 0 would turn an overflowed gradient into NaN.
            Activation::Relu => {
                all(outputs, gradient, |g, y| if y > T::zero() { g } else { T::zero() });
            }
            Activation::Tanh => {
                all(outputs, gradient, |g, y| g * Activation::Tanh.derivative(y));
            }
            Activation::Sigmoid => {
                all(outputs, gradient, |g, y| g * Activation::Sigmoid.derivative(y));
            }
            Activation::Relu6 | Activation::LeakyRelu(_) => {
                all(outputs, gradient, |g, y| g * activation.derivative(y));
            }
        }
    }
}

/// Computes the logistic sigmoid 1 / (1 + e^−x) as (tanh(x / 2) + 1) / 2, which vectorizes.
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    half * (half * x).vector_tanh() + half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All functions of one value.
    const ALL: [Activation; 6] = [
        Activation::Linear,
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.1),
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    #[test]
    fn values_are_those_of_the_definitions_and_nan_stays() {
        for (activation, expected) in ALL.into_iter().zip([
            [-2.0, 0.5, 7.0],
            [0.0, 0.5, 7.0],
            [0.0, 0.5, 6.0],
            [-0.2, 0.5, 7.0],
            [(-2.0_f64).tanh(), 0.5_f64.tanh(), 7.0_f64.tanh()],
            [
                1.0 / (1.0 + 2_f64.exp()),
                1.0 / (1.0 + (-0.5_f64).exp()),
                1.0 / (1.0 + (-7_f64).exp()),
            ],
        ]) {
            let mut values = [-3.0, -0.5, 6.0, f64::NAN];
            activation.apply_with_bias(&mut values, &[1.0; 4]);
            for (value, expected) in values.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-15, "{activation:?}: {value} {expected}");
            }
            assert!(values[3].is_nan(), "{activation:?}");
        }
    }

    #[test]
    fn softmax_is_of_each_row_by_itself() {
        let mut values = [0.0, 3_f64.ln(), 5.0, 5.0 + 3_f64.ln(), f64::NAN, 0.0];
        Activation::Softmax.apply_with_bias(&mut values, &[1.0; 2]);
        for (value, expected) in values.iter().zip([0.25, 0.75, 0.25, 0.75]) {
            assert!((value - expected).abs() < 1e-15, "{values:?}");
        }
        assert!(values[4].is_nan() && values[5].is_nan());
        let mut again = [0.0; 2];
        Activation::Softmax.apply(2, &[0.0, 3_f64.ln()], &mut again);
        assert!((again[0] - 0.25).abs() < 1e-15, "{again:?}");
    }

    #[test]
    fn derivatives_equal_central_differences() {
        let step = f64::EPSILON.cbrt();
        for activation in ALL {
            for x in [-3.3, -1.0, -0.1, 0.1, 1.0, 3.3, 6.5] {
                let at = |x: f64| activation.value(x);
                let difference = (at(x + step) - at(x - step)) / (2.0 * step);
                let derivative = activation.derivative(at(x));
                assert!((difference - derivative).abs() < 1e-9, "{activation:?} at {x}");
            }
        }
    }

    #[test]
    fn gradients_are_pulled_back() {
        let mut gradient = [3.0, f64::INFINITY, 1.0, 1.0];
        Activation::Relu.backward(2, &[0.5, 0.0, 0.1, 0.0], &mut gradient);
        assert_eq!(gradient, [3.0, 0.0, 1.0, 0.0]);
        Activation::Tanh.backward(2, &[0.5; 4], &mut gradient);
        assert_eq!(gradient, [2.25, 0.0, 0.75, 0.0]);
        // Softmax of a row: 0.25 · (4 − 2.5) and 0.75 · (2 − 2.5); the other row has its own sum.
        let mut gradient = [4.0, 2.0, 1.0, 1.0];
        Activation::Softmax.backward(2, &[0.25, 0.75, 0.5, 0.5], &mut gradient);
        assert_eq!(gradient, [0.375, -0.375, 0.0, 0.0]);
    }

    #[test]
    fn the_vectorized_functions_are_within_rounding_of_the_real_ones() {
        for step in -2000..=2000 {
            let x = step as f32 / 100.0;
            let (tanh, exact) = (Activation::Tanh.value(x), f64::from(x).tanh());
            assert!((f64::from(tanh) - exact).abs() < 4e-7, "tanh {x}: {tanh} {exact}");
            let (y, exact) = (sigmoid(x), 1.0 / (1.0 + (-f64::from(x)).exp()));
            assert!((f64::from(y) - exact).abs() < 4e-7, "sigmoid {x}: {y} {exact}");
        }
        assert_eq!(Activation::Tanh.value(f32::INFINITY), Activation::Tanh.value(30.0_f32));
    }
}
