//! Lookup tables for element-wise operators (RELU, RELU6, QUANTIZE), with TensorFlow Lite Micro's
//! arithmetic.
//!
//! Sources: `micro/kernels/activations{.h,_common.cc}` for RELU and RELU6,
//! `micro/kernels/quantize_common.cc` and `internal/reference/requantize.h` for QUANTIZE,
//! `internal/common.cc` for `MultiplyByQuantizedMultiplier` with double rounding.

use model_format::build::TableSpec;
use model_format::{Clamp, Multiplier, Quantization};

/// Returns the table of RELU: rescaled as by QUANTIZE, but with a multiplier that is divided in
/// f32.
pub(super) fn relu(x: Quantization, y: Quantization) -> Option<TableSpec> {
    let low = y.zero_point as i16;
    rescaled(x, y, f64::from(x.scale / y.scale), Clamp { low, high: 127 })
}

/// Returns the table of RELU6: clamped to 0 and 6 in the *input's* quantization, never rescaled.
pub(super) fn relu6(x: Quantization, y: Quantization) -> TableSpec {
    let Clamp { low, high } = relu6_bounds(x);
    TableSpec { output: y, entries: (-128..128).map(|q: i16| q.clamp(low, high)).collect() }
}

/// Returns 0 and 6 in this quantization.
pub(super) fn relu6_bounds(x: Quantization) -> Clamp {
    Clamp { low: x.zero_point as i16, high: quantize(6.0, x) }
}

/// Returns the table of QUANTIZE from int8 to int8.
pub(super) fn requantize(x: Quantization, y: Quantization) -> Option<TableSpec> {
    rescaled(x, y, f64::from(x.scale) / f64::from(y.scale), Clamp::INT8)
}

/// Quantizes a real number, saturated, as TensorFlow Lite Micro's `Quantize` and
/// `FloatToQuantizedType`. They divide in f32 and round ties away from zero.
pub(super) fn quantize(real: f32, quantization: Quantization) -> i16 {
    let steps = (real / quantization.scale).round() as i32;
    let Clamp { low, high } = Clamp::all(quantization.data_type);
    steps.saturating_add(quantization.zero_point).clamp(low.into(), high.into()) as i16
}

/// Returns `None` for a multiplier without a fixed-point form.
fn rescaled(x: Quantization, y: Quantization, real: f64, clamp: Clamp) -> Option<TableSpec> {
    let multiplier = Multiplier::from_real(real).ok()?;
    let entry = |q: i32| {
        let rescaled = multiply(q - x.zero_point, multiplier) + i64::from(y.zero_point);
        rescaled.clamp(clamp.low.into(), clamp.high.into()) as i16
    };
    Some(TableSpec { output: y, entries: (-128..128).map(entry).collect() })
}

/// Computes `MultiplyByQuantizedMultiplier` with double rounding, saturated where that would
/// overflow.
fn multiply(value: i32, multiplier: Multiplier) -> i64 {
    let shifted = i64::from(value) << multiplier.shift.max(0);
    let shifted = shifted.clamp(i32::MIN.into(), i32::MAX.into());
    let high = (shifted * i64::from(multiplier.mantissa) + (1 << 30)) >> 31;
    let right = (-multiplier.shift).max(0);
    let half = 1i64 << right >> 1;
    ((high.abs() + half) >> right) * high.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(table: &TableSpec, q: i16) -> i16 {
        table.entries[(q + 128) as usize]
    }

    #[test]
    fn the_same_scale_only_moves_and_clamps() {
        let (x, y) = (Quantization::int8(0.1, -3), Quantization::int8(0.1, 10));
        let table = requantize(x, y).unwrap();
        assert_eq!((at(&table, -3), at(&table, 0), at(&table, 127)), (10, 13, 127));
        let relu = relu(x, y).unwrap();
        assert_eq!((at(&relu, -128), at(&relu, -3), at(&relu, -2)), (10, 10, 11));
    }

    #[test]
    fn another_scale_rounds_as_gemmlowp_does() {
        let (x, y) = (Quantization::int8(0.25, 0), Quantization::int8(0.5, 0));
        let table = requantize(x, y).unwrap();
        // The multiplier is one half with a shift of 0: 2.5 and −2.5 are ties, both go up.
        assert_eq!((at(&table, 5), at(&table, -5)), (3, -2));
        let quarter = requantize(x, Quantization::int8(1.0, 0)).unwrap();
        // One half with a right shift of 1: first 5, a tie up to 6 / 2 = 3 for 10; −10: −5 / 2,
        // a tie away from zero.
        assert_eq!((at(&quarter, 10), at(&quarter, -10)), (3, -3));
    }

    #[test]
    fn relu6_looks_at_its_input_alone() {
        let x = Quantization::int8(0.1, -28);
        let table = relu6(x, Quantization::int8(6.0 / 255.0, -128));
        assert_eq!((at(&table, -100), at(&table, 0), at(&table, 100)), (-28, 0, 32));
        assert_eq!(quantize(6.0, Quantization::int8(0.001, 0)), 127);
    }

    #[test]
    fn a_scale_that_cannot_be_is_refused() {
        let (x, y) = (Quantization::int8(1e10, 0), Quantization::int8(1e-10, 0));
        assert_eq!(requantize(x, y), None);
        assert_eq!(relu(x, y), None);
    }
}
