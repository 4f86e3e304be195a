//! Activation functions over the rows of a mini-batch, forward and backward.

use thimble_numeric::vectorized::{Loop, vectorized};

use super::Activation;
use crate::{Head, Real};

impl Activation {
    /// Adds the biases to each row and applies the activation, in one pass.
    ///
    /// # Shapes
    /// `values` is rows × width, `biases` has width elements.
    pub(crate) fn apply_with_bias<T: Real>(self, values: &mut [T], biases: &[T]) {
        vectorized::<ApplyWithBias, _>((self, values, biases));
        if self == Activation::Softmax {
            softmax_rows(biases.len(), values);
        }
    }

    /// Applies the activation to each input.
    ///
    /// # Shapes
    /// `input` and `output` are rows × `width`.
    pub(crate) fn apply<T: Real>(self, width: usize, input: &[T], output: &mut [T]) {
        output.copy_from_slice(input);
        match self {
            Activation::Softmax => softmax_rows(width, output),
            _ => vectorized::<ApplyWithBias, _>((self, output, [T::zero()].as_slice())),
        }
    }

    /// Backpropagates through the activation, in place: turns ∂L/∂output into ∂L/∂pre-activation.
    ///
    /// # Shapes
    /// `inputs`, `outputs` and `gradient` are rows × `width`. `inputs`, the pre-activations, may be
    /// empty unless the function [`needs_input`](Self::needs_input).
    pub(crate) fn backward<T: Real>(
        self,
        width: usize,
        inputs: &[T],
        outputs: &[T],
        gradient: &mut [T],
    ) {
        match self {
            Activation::Softmax => backward_softmax(width, outputs, gradient),
            _ if self.needs_input() => {
                vectorized::<BackwardFromInput, _>((self, inputs, gradient));
            }
            _ => vectorized::<Backward, _>((self, outputs, gradient)),
        }
    }
}

fn softmax_rows<T: Real>(width: usize, values: &mut [T]) {
    values.chunks_exact_mut(width).for_each(|row| Head::Softmax.apply(row));
}

/// Backpropagates through softmax: ∂x_k = y_k · (∂y_k − Σ ∂y · y).
fn backward_softmax<T: Real>(width: usize, outputs: &[T], gradient: &mut [T]) {
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
            Activation::Tanh => rows(values, biases, |x| Activation::Tanh.value(x)),
            Activation::Sigmoid => rows(values, biases, |x| Activation::Sigmoid.value(x)),
            _ => rows(values, biases, |x| activation.value(x)),
        }
    }
}

struct Backward;

impl<T: Real> Loop<(Activation, &[T], &mut [T])> for Backward {
    type Output = ();

    #[inline(always)]
    fn run((activation, outputs, gradient): (Activation, &[T], &mut [T])) {
        #[inline(always)]
        fn all<T: Real>(outputs: &[T], gradient: &mut [T], pull: impl Fn(T, T) -> T) {
            gradient.iter_mut().zip(outputs).for_each(|(g, &y)| *g = pull(*g, y));
        }
        let unread = T::zero();
        match activation {
            Activation::Linear | Activation::Softmax => {}
            // A selection, not a product: ∞ · 0 would turn an overflowed gradient into NaN.
            Activation::Relu => {
                all(outputs, gradient, |g, y| if y > T::zero() { g } else { T::zero() });
            }
            Activation::Tanh => {
                all(outputs, gradient, |g, y| g * Activation::Tanh.derivative(unread, y));
            }
            Activation::Sigmoid => {
                all(outputs, gradient, |g, y| g * Activation::Sigmoid.derivative(unread, y));
            }
            _ => all(outputs, gradient, |g, y| g * activation.derivative(unread, y)),
        }
    }
}

/// [`Backward`] for functions whose derivative is computed from the input.
struct BackwardFromInput;

impl<T: Real> Loop<(Activation, &[T], &mut [T])> for BackwardFromInput {
    type Output = ();

    #[inline(always)]
    fn run((activation, inputs, gradient): (Activation, &[T], &mut [T])) {
        for (gradient, &x) in gradient.iter_mut().zip(inputs) {
            *gradient *= activation.derivative(x, activation.value(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn gradients_are_pulled_back() {
        let mut gradient = [3.0, f64::INFINITY, 1.0, 1.0];
        Activation::Relu.backward(2, &[], &[0.5, 0.0, 0.1, 0.0], &mut gradient);
        assert_eq!(gradient, [3.0, 0.0, 1.0, 0.0]);
        Activation::Tanh.backward(2, &[], &[0.5; 4], &mut gradient);
        assert_eq!(gradient, [2.25, 0.0, 0.75, 0.0]);
        // Softmax of a row: 0.25 · (4 − 2.5) and 0.75 · (2 − 2.5); the other row has its own sum.
        let mut gradient = [4.0, 2.0, 1.0, 1.0];
        Activation::Softmax.backward(2, &[], &[0.25, 0.75, 0.5, 0.5], &mut gradient);
        assert_eq!(gradient, [0.375, -0.375, 0.0, 0.0]);
    }
}
