//! L1 and L2 regularization.

use std::ops::Range;

use thimble_numeric::vectorized::{Loop, vectorized};

use super::{Real, Scalar};

/// Regularization term of a layer's weights, l1 · Σ |w| + l2 · Σ w², as in Keras. Biases have none.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// Range of the weights among all parameters.
    pub weights: Range<usize>,
    /// L1 factor.
    pub l1: f64,
    /// L2 factor.
    pub l2: f64,
}

impl Penalty {
    /// Returns the term that is added to the loss.
    pub fn value<T: Real>(&self, parameters: &[T]) -> f64 {
        vectorized::<Sum, _>((self, &parameters[self.weights.clone()]))
    }

    /// Adds the gradient of [`value`](Self::value) for a range of the parameters.
    ///
    /// # Shapes
    /// `parameters` and `gradients` have the same length. Their first element has the index
    /// `offset` among all parameters.
    #[inline(always)]
    pub fn add_gradient<T: Real>(&self, offset: usize, parameters: &[T], gradients: &mut [T]) {
        let start = self.weights.start.max(offset);
        let end = self.weights.end.min(offset + parameters.len());
        if start >= end {
            return;
        }
        let (l1, twice_l2) = (T::from_f64(self.l1), T::from_f64(2.0 * self.l2));
        let range = start - offset..end - offset;
        for (g, &w) in gradients[range.clone()].iter_mut().zip(&parameters[range]) {
            let sign = if w > T::zero() {
                l1
            } else if w < T::zero() {
                -l1
            } else {
                T::zero()
            };
            *g += twice_l2 * w + sign;
        }
    }
}

/// Sums in a fixed order of lanes, so that the loop vectorizes and no processor adds differently.
struct Sum;

impl<T: Real> Loop<(&Penalty, &[T])> for Sum {
    type Output = f64;

    #[inline(always)]
    fn run((penalty, weights): (&Penalty, &[T])) -> f64 {
        const LANES: usize = 8;
        let term = |&w: &T| {
            let w = Scalar::to_f64(w);
            penalty.l1 * w.abs() + penalty.l2 * w * w
        };
        let (lines, rest) = weights.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for line in lines {
            sums.iter_mut().zip(line).for_each(|(sum, w)| *sum += term(w));
        }
        sums.iter().sum::<f64>() + rest.iter().map(term).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_equals_central_differences_in_any_pieces() {
        let parameters = [0.5, -1.5, 2.0, 0.25, -3.0, 0.125];
        let penalty = Penalty { weights: 1..5, l1: 0.3, l2: 0.7 };
        let mut whole = [10.0; 6];
        penalty.add_gradient(0, &parameters, &mut whole);
        let step = f64::EPSILON.cbrt();
        for (index, gradient) in whole.iter().enumerate() {
            let at = |offset: f64| {
                let mut moved = parameters;
                moved[index] += offset;
                penalty.value(&moved)
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            assert!((gradient - 10.0 - difference).abs() < 1e-9, "{index}: {gradient}");
        }
        let mut pieces = [10.0; 6];
        for start in [0, 2, 4] {
            let (parameters, gradients) = (&parameters[start..], &mut pieces[start..]);
            penalty.add_gradient(start, &parameters[..2], &mut gradients[..2]);
        }
        assert_eq!(whole, pieces);
    }
}
