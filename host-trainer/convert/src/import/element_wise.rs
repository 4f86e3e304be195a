//! Lookup tables for element-wise operators (RELU, RELU6, LEAKY_RELU, PRELU, MUL, HARD_SWISH,
//! GELU, QUANTIZE), with
//! TensorFlow Lite Micro's arithmetic.
//!
//! Sources: `micro/kernels/activations{.h,_common.cc}` for RELU and RELU6,
//! `micro/kernels/quantize_common.cc` and `internal/reference/requantize.h` for QUANTIZE,
//! `micro/kernels/prelu_common.cc` and `internal/reference/prelu.h` for PRELU,
//! `internal/reference/mul.h` for MUL, `internal/common.cc` for `MultiplyByQuantizedMultiplier` with double rounding.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use model_format::build::TableSpec;
use model_format::{Clamp, Multiplier, Quantization};

use crate::tables;

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

/// Returns the table of LEAKY_RELU: two multipliers, one for each sign.
pub(super) fn leaky_relu(x: Quantization, y: Quantization, slope: f32) -> Option<TableSpec> {
    // Multiplied and divided in f32, as in `CalculateOpData`.
    let above = Multiplier::from_real(f64::from(x.scale / y.scale)).ok()?;
    let below = Multiplier::from_real(f64::from(x.scale * slope / y.scale)).ok()?;
    let entry = |q: i32| {
        let steps = q - x.zero_point;
        let multiplier = if steps >= 0 { above } else { below };
        let value = multiply(steps, multiplier) + i64::from(y.zero_point);
        value.clamp(-128, 127) as i16
    };
    Some(TableSpec { output: y, entries: (-128..128).map(entry).collect() })
}

/// Returns the multipliers of PRELU, of the steps above zero and of products of steps below and
/// slopes. They are divided in f64.
pub(super) fn prelu_multipliers(
    x: Quantization,
    y: Quantization,
    slope_scale: f32,
) -> Option<[Multiplier; 2]> {
    let [scale, slope_scale, to] = [x.scale, slope_scale, y.scale].map(f64::from);
    let above = Multiplier::from_real(scale / to).ok()?;
    Some([above, Multiplier::from_real(scale * slope_scale / to).ok()?])
}

/// Returns the table of PRELU with this quantized slope, less its zero point.
pub(super) fn prelu(
    x: Quantization,
    y: Quantization,
    slope: i32,
    [above, below]: [Multiplier; 2],
) -> TableSpec {
    let entry = |q: i32| {
        let steps = q - x.zero_point;
        let value = match steps >= 0 {
            true => multiply(steps, above),
            false => multiply(steps * slope, below),
        };
        (value + i64::from(y.zero_point)).clamp(-128, 127) as i16
    };
    TableSpec { output: y, entries: (-128..128).map(entry).collect() }
}

/// Returns the table of MUL of a value and a function of it, with a multiplier of this real number.
pub(super) fn product(
    function: &TableSpec,
    x: Quantization,
    y: Quantization,
    real: f64,
) -> Option<TableSpec> {
    let multiplier = Multiplier::from_real(real).ok()?;
    let entry = |(q, value): (i32, &i16)| {
        let product = (q - x.zero_point) * (i32::from(*value) - function.output.zero_point);
        let value = multiply(product, multiplier) + i64::from(y.zero_point);
        value.clamp(-128, 127) as i16
    };
    Some(TableSpec { output: y, entries: (-128..).zip(&function.entries).map(entry).collect() })
}

/// Returns the table of HARD_SWISH, whose arithmetic has 16 bits
/// (`reference/hard_swish.h`), or `None` for scales that it does not take.
pub(super) fn hard_swish(x: Quantization, y: Quantization) -> Option<TableSpec> {
    /// Step of x + 3, so that −3..3 is the range of int16.
    const RELUISH_SCALE: f32 = 3.0 / 32768.0;
    let fine = x.scale / 128.0;
    let to_output = Multiplier::from_real(f64::from(fine / y.scale)).ok()?;
    let to_reluish = Multiplier::from_real(f64::from(fine / RELUISH_SCALE)).ok()?;
    if to_output.shift > 0 {
        return None;
    }
    let short = |multiplier: Multiplier| -> i32 {
        // `DownScaleInt32ToInt16Multiplier`: rounded, saturated.
        let rounded = (i64::from(multiplier.mantissa) + (1 << 15)) >> 16;
        (rounded as i32).min(i16::MAX.into())
    };
    let saturated = |value: i32| value.clamp(i16::MIN.into(), i16::MAX.into());
    let high = |a: i32, b: i32| saturated((a * b + (1 << 14)) >> 15);
    let entry = |q: i32| {
        let steps = (q - x.zero_point) * 128;
        let preshift = high(steps, short(to_output));
        let mut reluish = steps;
        let shift = to_reluish.shift;
        if shift > 0 {
            reluish = saturated(reluish << (shift - 1).min(15));
        }
        reluish = high(reluish, short(to_reluish));
        if shift > 0 {
            reluish = saturated(reluish << 1);
        }
        if shift < 0 {
            reluish = divide(reluish, -i32::from(shift));
        }
        // From −3..3 to 0..1.
        let share = (reluish + (1 << 15)) >> 1;
        let product = (share * preshift) / (1 << 15);
        let value = divide(product, -i32::from(to_output.shift)) + y.zero_point;
        value.clamp(-128, 127) as i16
    };
    Some(TableSpec { output: y, entries: (-128..128).map(entry).collect() })
}

/// Divides by a power of two, rounded to nearest, ties away from zero.
fn divide(value: i32, power: i32) -> i32 {
    let half = 1i64 << power >> 1;
    (((i64::from(value).abs() + half) >> power) * i64::from(value.signum())) as i32
}

/// Returns the table of GELU, exact or approximated by tanh.
pub(super) fn gelu(x: Quantization, y: Quantization, approximate: bool) -> TableSpec {
    let function = |x: f64| match approximate {
        true => 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()),
        false => 0.5 * x * libm::erfc(-x * FRAC_1_SQRT_2),
    };
    tables::of_function(x, y, function)
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

    /// Values of TensorFlow 2.21 where the approximation by tanh differs.
    #[test]
    fn gelu_is_exact_or_approximate_as_asked() {
        let x = Quantization::int8(0.033_605_445, -5);
        let y = Quantization::int8(0.018_062_863, -119);
        let (exact, approximate) = (gelu(x, y, false), gelu(x, y, true));
        assert_eq!((at(&exact, 73), at(&exact, 91)), (25, 59));
        assert_eq!((at(&approximate, 73), at(&approximate, 91)), (26, 60));
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
