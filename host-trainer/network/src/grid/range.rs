//! Ranges of real numbers, and their scale and zero point.

use model_format::{DataType, Quantization};

/// A range of real numbers that contains zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f32,
    high: f32,
}

impl Range {
    /// The range of zero only.
    pub const ZERO: Range = Range { low: 0.0, high: 0.0 };

    /// Returns the range from `low` to `high`, widened if necessary to contain zero. A bound that
    /// is not finite counts as zero.
    pub fn new(low: f32, high: f32) -> Self {
        let finite = |value: f32| if value.is_finite() { value } else { 0.0 };
        Range { low: finite(low).min(0.0), high: finite(high).max(0.0) }
    }

    /// Returns the lower bound, at most zero.
    pub fn low(&self) -> f32 {
        self.low
    }

    /// Returns the upper bound, at least zero.
    pub fn high(&self) -> f32 {
        self.high
    }

    /// Returns the smallest range that contains both.
    pub fn union(self, other: Range) -> Range {
        Range { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Widens the range to contain the value.
    #[inline(always)]
    pub fn include(&mut self, value: f32) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    /// Returns the intersection of both ranges.
    pub fn intersection(self, other: Range) -> Range {
        Range { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// Returns the quantization of this data type that covers the range. int16 is symmetric, with
    /// scale = largest magnitude / 32767.
    pub fn quantization_as(&self, data_type: DataType) -> Quantization {
        let most = f64::from(self.high.max(-self.low)) / f64::from(i16::MAX);
        match data_type {
            DataType::Int8 => self.quantization(),
            DataType::Int16 if most < f64::from(f32::MIN_POSITIVE) => Quantization::int16(1.0),
            DataType::Int16 => Quantization::int16(most as f32),
        }
    }

    /// Returns the int8 quantization that covers the range: scale = width / 255, and a zero point
    /// that is rounded, so that zero is exact.
    ///
    /// This is TensorFlow Lite's `ChooseQuantizationParams`
    /// (`tensorflow/lite/kernels/internal/quantization_util.h`). It computes the zero point from
    /// the end with the smaller rounding error. A range of width zero has scale 1.
    pub fn quantization(&self) -> Quantization {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        let scale = (high - low) / 255.0;
        // A scale below the normal numbers of f32: a layer whose outputs are all zero.
        if scale < f64::from(f32::MIN_POSITIVE) {
            return Quantization::int8(1.0, -128);
        }
        let (from_low, from_high) = (-128.0 - low / scale, 127.0 - high / scale);
        let (error_low, error_high) = (128.0 + (low / scale).abs(), 127.0 + (high / scale).abs());
        let zero_point = if error_low < error_high { from_low } else { from_high };
        let zero_point = zero_point.round().clamp(-128.0, 127.0) as i32;
        Quantization::int8(scale as f32, zero_point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relu_range_begins_at_the_lowest_value() {
        let q = Range::new(0.0, 25.5).quantization();
        assert_eq!((q.scale, q.zero_point), (0.1, -128));
        // All positive: zero is included all the same.
        assert_eq!(Range::new(10.0, 25.5).quantization(), q);
    }

    #[test]
    fn zero_is_exact_and_the_ends_are_reached_within_half_a_step() {
        for (low, high) in [(-1.0, 1.0), (-0.3, 7.9), (-100.0, 0.001), (-5.0, 0.0), (-1e-6, 3e5)] {
            let range = Range::new(low, high);
            let q = range.quantization();
            assert!((-128..=127).contains(&q.zero_point));
            assert_eq!(q.dequantize(q.zero_point as i16), 0.0);
            // The zero point is rounded by at most half a step, and so both ends move by as much.
            for (end, code) in [(low, -128), (high, 127)] {
                let reached = q.dequantize(code);
                assert!((reached - end).abs() <= 0.5001 * q.scale, "{low} {high}: {reached}");
            }
        }
    }

    #[test]
    fn sixteen_bits_are_symmetric() {
        let q = Range::new(-32.767, 16.0).quantization_as(DataType::Int16);
        assert!((q.scale / 0.001 - 1.0).abs() < 1e-6 && q.zero_point == 0, "{q:?}");
        assert_eq!(Range::ZERO.quantization_as(DataType::Int16), Quantization::int16(1.0));
    }

    #[test]
    fn nothing_and_nonsense_have_a_quantization_too() {
        for range in [Range::ZERO, Range::new(f32::NAN, f32::INFINITY), Range::new(0.0, 1e-42)] {
            assert_eq!(range.quantization(), Quantization::int8(1.0, -128));
        }
        let huge = Range::new(f32::MIN, f32::MAX).quantization();
        assert!(huge.scale.is_finite());
    }
}
