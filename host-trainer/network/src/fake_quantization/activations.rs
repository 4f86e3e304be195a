//! Fake quantization of activations: values rounded to the steps of a quantization.

use model_format::{Clamp, Quantization};
use thimble_numeric::vectorized::{Loop, vectorized};

use crate::Real;

/// Rounding of values to the steps of a quantization, in real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding<T> {
    step: T,
    inverse: T,
    /// Lowest and highest multiple of the step.
    ends: [T; 2],
}

impl<T: Real> Rounding<T> {
    /// Returns the rounding of a quantization.
    pub fn new(quantization: Quantization) -> Self {
        let Quantization { data_type, scale, zero_point } = quantization;
        let all = Clamp::all(data_type);
        let end = |code: i16| T::from_f64(f64::from(i32::from(code) - zero_point));
        let step = T::from_f32(scale);
        Rounding { step, inverse: T::one() / step, ends: [end(all.low), end(all.high)] }
    }

    /// Rounds values in place.
    pub fn apply(self, values: &mut [T]) {
        vectorized::<Round, _>((self, values));
    }

    /// Backpropagates through the rounding, in place, by the straight-through estimator: gradients
    /// of values within the range are unchanged, those of values that are clipped are 0 (Bengio et
    /// al., *Estimating or propagating gradients through stochastic neurons for conditional
    /// computation*, 2013).
    ///
    /// # Shapes
    /// `values`, before rounding, and `gradient` have the same length.
    pub fn backward(self, values: &[T], gradient: &mut [T]) {
        vectorized::<Backward, _>((self, values, gradient));
    }
}

struct Round;

impl<T: Real> Loop<(Rounding<T>, &mut [T])> for Round {
    type Output = ();

    #[inline(always)]
    fn run((rounding, values): (Rounding<T>, &mut [T])) {
        let Rounding { step, inverse, ends: [low, high] } = rounding;
        for value in values {
            let level = (*value * inverse).round();
            // NaN stays NaN.
            let level = if level < low { low } else { level };
            let level = if level > high { high } else { level };
            *value = level * step;
        }
    }
}

struct Backward;

impl<T: Real> Loop<(Rounding<T>, &[T], &mut [T])> for Backward {
    type Output = ();

    #[inline(always)]
    fn run((rounding, values, gradient): (Rounding<T>, &[T], &mut [T])) {
        // Values up to half a step beyond the ends are rounded, not clipped.
        let half = T::from_f64(0.5);
        let low = (rounding.ends[0] - half) * rounding.step;
        let high = (rounding.ends[1] + half) * rounding.step;
        for (gradient, &value) in gradient.iter_mut().zip(values) {
            let inside = value >= low && value <= high;
            *gradient = if inside { *gradient } else { T::zero() };
        }
    }
}

/// Returns the smallest and the largest value.
pub fn ends<T: Real>(values: &[T]) -> [T; 2] {
    vectorized::<Ends, _>(values)
}

struct Ends;

impl<T: Real> Loop<&[T]> for Ends {
    type Output = [T; 2];

    #[inline(always)]
    fn run(values: &[T]) -> [T; 2] {
        const LANES: usize = 16;
        let (mut low, mut high) = ([T::infinity(); LANES], [T::neg_infinity(); LANES]);
        let (lines, rest) = values.as_chunks::<LANES>();
        for line in lines {
            for lane in 0..LANES {
                low[lane] = if line[lane] < low[lane] { line[lane] } else { low[lane] };
                high[lane] = if line[lane] > high[lane] { line[lane] } else { high[lane] };
            }
        }
        let least = low.iter().chain(rest).fold(T::infinity(), |a, &b| a.min(b));
        let most = high.iter().chain(rest).fold(T::neg_infinity(), |a, &b| a.max(b));
        [least, most]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of 0.5 from −1 to 126.5.
    fn rounding() -> Rounding<f64> {
        Rounding::new(Quantization::int8(0.5, -126))
    }

    #[test]
    fn values_and_gradients_by_hand() {
        let values = [0.2, 0.3, -0.8, -1.2, -1.3, 126.7, 126.8];
        let mut out = values;
        rounding().apply(&mut out);
        assert_eq!(out, [0.0, 0.5, -1.0, -1.0, -1.0, 126.5, 126.5]);
        let mut gradient = [1.0, -2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        rounding().backward(&values, &mut gradient);
        assert_eq!(gradient, [1.0, -2.0, 3.0, 4.0, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn sixteen_bits_are_symmetric() {
        let wide = Rounding::<f32>::new(Quantization::int16(0.25));
        let mut out = [0.3, 1e6, -1e6];
        wide.apply(&mut out);
        assert_eq!(out, [0.25, 8191.75, -8192.0]);
    }

    #[test]
    fn rounding_agrees_with_the_format() {
        let quantization = Quantization::int8(0.037, 17);
        let rounding = Rounding::<f32>::new(quantization);
        for step in -2000..2000 {
            let value = step as f32 * 0.0031;
            let mut out = [value];
            rounding.apply(&mut out);
            let code = (out[0] / quantization.scale).round() as i32 + quantization.zero_point;
            assert_eq!(quantization.dequantize(code as i16), out[0], "{value}");
        }
    }

    #[test]
    fn ends_are_those_of_all_values() {
        let values: Vec<f32> = (0..37).map(|k| (k * 17 % 37) as f32 - 9.0).collect();
        assert_eq!(ends(&values), [-9.0, 27.0]);
    }
}
