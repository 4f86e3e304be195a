//! Output activation of a network: none, sigmoid or softmax.

use super::{Activation, Real};

/// Output activation, applied after the last layer.
///
/// It is not a layer of the float network, because losses are numerically stable only on logits.
/// The predicted class does not depend on it. The model file contains it as a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Head {
    /// None. Outputs are logits or values.
    #[default]
    None,
    /// Sigmoid: each output becomes a probability.
    Sigmoid,
    /// Softmax: the outputs of a row become probabilities with sum 1.
    Softmax,
}

impl Head {
    /// Computes the activation of one output. Softmax needs a whole row, so it returns `output`
    /// unchanged.
    #[inline(always)]
    pub fn value<T: Real>(self, output: T) -> T {
        match self {
            Head::None | Head::Softmax => output,
            Head::Sigmoid => Activation::Sigmoid.value(output),
        }
    }

    /// Computes the derivative from the activation's output.
    #[inline(always)]
    pub(super) fn derivative<T: Real>(self, value: T) -> T {
        match self {
            Head::None | Head::Softmax => T::one(),
            Head::Sigmoid => Activation::Sigmoid.derivative(T::zero(), value),
        }
    }

    /// Applies the activation to one row of outputs.
    pub fn apply<T: Real>(self, row: &mut [T]) {
        match self {
            Head::None => {}
            Head::Sigmoid => row.iter_mut().for_each(|y| *y = self.value(*y)),
            Head::Softmax => {
                let largest = super::first_largest(row).1;
                row.iter_mut().for_each(|y| *y = (*y - largest).exp());
                let sum: T = row.iter().copied().sum();
                row.iter_mut().for_each(|y| *y = *y / sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_by_hand() {
        let mut row = [1e4 + 1.0_f64.ln(), 1e4 + 2.0_f64.ln(), 1e4 + 5.0_f64.ln()];
        Head::Softmax.apply(&mut row);
        for (p, expected) in row.iter().zip([0.125, 0.25, 0.625]) {
            assert!((p - expected).abs() < 1e-12, "{row:?}");
        }
        let mut row = [3_f64.ln(), 0.0];
        Head::Sigmoid.apply(&mut row);
        assert!((row[0] - 0.75).abs() < 1e-15 && row[1] == 0.5);
    }
}
