//! What is applied to the last layer's outputs.

use super::{Activation, Real};

/// The function behind the last layer.
///
/// It is no layer of the float network: losses are stable only before it, and no class changes
/// by it. The model file gets it as a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Head {
    /// None: outputs are logits or values.
    #[default]
    None,
    /// Each output becomes a probability.
    Sigmoid,
    /// The outputs of a row become probabilities of sum 1.
    Softmax,
}

impl Head {
    /// The function of one output; softmax, which needs the whole row, passes it as it is.
    #[inline(always)]
    pub fn value<T: Real>(self, output: T) -> T {
        match self {
            Head::None | Head::Softmax => output,
            Head::Sigmoid => Activation::Sigmoid.value(output),
        }
    }

    /// The derivative where the function has this value.
    #[inline(always)]
    pub(super) fn derivative<T: Real>(self, value: T) -> T {
        match self {
            Head::None | Head::Softmax => T::one(),
            Head::Sigmoid => Activation::Sigmoid.derivative(value),
        }
    }

    /// Applies the function to one row of outputs.
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
