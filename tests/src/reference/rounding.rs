//! Requantization and its two roundings.
//!
//! All operations are written as divisions by their definition, in `i128`, where nothing overflows:
//! slow, but easy to check by hand. Source: gemmlowp `fixedpoint.h` and TensorFlow Lite Micro's
//! `MultiplyByQuantizedMultiplier` with its default double rounding.

/// A requantization factor: `mantissa · 2^(shift − 31)`, the mantissa in Q31.
///
/// A positive shift multiplies before the product, a negative one divides after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Q31 mantissa: 0, or in [2³⁰, 2³¹).
    pub mantissa: i32,
    /// Power of two, from −31 to 30.
    pub shift: i32,
}

impl Factor {
    /// A factor from a real number, by TFLM's `QuantizeMultiplier`: split into fraction and
    /// exponent, round the fraction to 31 bits (ties away from zero), halve it if it reached 2³¹;
    /// below 2⁻³² (a shift under −31) the factor is 0.
    ///
    /// # Panics
    /// When `real` is negative or not finite.
    pub fn from_real(real: f64) -> Factor {
        assert!(real.is_finite() && real >= 0.0, "a factor is finite and not negative: {real}");
        if real == 0.0 {
            return Factor { mantissa: 0, shift: 0 };
        }
        // Multiplying and dividing a double by two is exact, so this is frexp, spelled out.
        let (mut fraction, mut shift) = (real, 0);
        while fraction >= 1.0 {
            fraction /= 2.0;
            shift += 1;
        }
        while fraction < 0.5 {
            fraction *= 2.0;
            shift -= 1;
        }
        // f64::round takes ties away from zero, as TfLiteRound does.
        let mut mantissa = (fraction * 2f64.powi(31)).round() as i64;
        if mantissa == 1 << 31 {
            mantissa /= 2;
            shift += 1;
        }
        if shift < -31 {
            return Factor { mantissa: 0, shift: 0 };
        }
        Factor { mantissa: mantissa as i32, shift }
    }
}

/// The nearest `i32`, for a value that may lie outside.
pub fn saturate(value: i128) -> i32 {
    value.clamp(i32::MIN as i128, i32::MAX as i128) as i32
}

/// The rounded high half of 2ab: the integer nearest to `a · b / 2³¹`, ties upwards; the one
/// product that does not fit, −2³¹ · −2³¹, gives 2³¹ − 1.
pub fn saturating_rounding_doubling_high_mul(a: i32, b: i32) -> i32 {
    let product = a as i128 * b as i128;
    // The nearest integer with ties upwards is the floor of the value plus one half.
    saturate((product + (1 << 30)).div_euclid(1 << 31))
}

/// The integer nearest to `x / 2^exponent`, ties away from zero; `exponent` from 0 to 31.
pub fn rounding_divide_by_pot(x: i32, exponent: u32) -> i32 {
    assert!(exponent <= 31, "divides by at most 2^31, not 2^{exponent}");
    let divisor = 1i128 << exponent;
    let magnitude = (x as i128).abs();
    // Away from zero is upwards for a magnitude: the floor of the value plus one half.
    let rounded = (2 * magnitude + divisor) / (2 * divisor);
    saturate(if x < 0 { -rounded } else { rounded })
}

/// `accumulator · factor`, rounded twice: saturating rounding doubling high multiply, then
/// rounding right shift.
///
/// # Panics
/// When a left shift carries the accumulator out of 32 bits: the contract proves at load that no
/// accumulator does, so a model that gets here is one that the loader should have refused.
pub fn requantize(accumulator: i64, factor: Factor) -> i32 {
    let left = factor.shift.max(0);
    let right = (-factor.shift).max(0);
    let shifted = (accumulator as i128) << left;
    let shifted = i32::try_from(shifted)
        .unwrap_or_else(|_| panic!("{accumulator} << {left} does not fit 32 bits"));
    rounding_divide_by_pot(
        saturating_rounding_doubling_high_mul(shifted, factor.mantissa),
        right as u32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: i32 = 1 << 30;

    #[test]
    fn a_high_multiply_of_a_half_halves_and_takes_ties_upwards() {
        for (a, expected) in [(4, 2), (3, 2), (2, 1), (1, 1), (0, 0), (-1, 0), (-2, -1), (-3, -1)] {
            assert_eq!(saturating_rounding_doubling_high_mul(a, HALF), expected, "{a} / 2");
        }
    }

    #[test]
    fn a_high_multiply_saturates_at_its_one_overflow_only() {
        let mul = saturating_rounding_doubling_high_mul;
        assert_eq!(mul(i32::MIN, i32::MIN), i32::MAX);
        assert_eq!(mul(i32::MIN, i32::MAX), -i32::MAX);
        // (2^31 - 1)^2 / 2^31 = 2^31 - 2 + 2^-31.
        assert_eq!(mul(i32::MAX, i32::MAX), i32::MAX - 1);
        assert_eq!(mul(i32::MIN, HALF), -HALF);
        // (2^31 - 1) / 2 = 2^30 - 1/2: a tie, upwards.
        assert_eq!(mul(i32::MAX, HALF), HALF);
        // -(2^31 - 1) / 2 = -2^30 + 1/2: a tie, upwards.
        assert_eq!(mul(-i32::MAX, HALF), -HALF + 1);
    }

    #[test]
    fn a_division_takes_ties_away_from_zero() {
        for (x, exponent, expected) in [
            (5, 1, 3),
            (-5, 1, -3),
            (6, 2, 2),
            (-6, 2, -2),
            (5, 2, 1),
            (-5, 2, -1),
            (7, 2, 2),
            (-7, 2, -2),
            (9, 0, 9),
            (-9, 0, -9),
        ] {
            assert_eq!(rounding_divide_by_pot(x, exponent), expected, "{x} / 2^{exponent}");
        }
    }

    #[test]
    fn a_division_is_right_at_the_largest_shift() {
        assert_eq!(rounding_divide_by_pot(i32::MAX, 31), 1);
        assert_eq!(rounding_divide_by_pot(HALF, 31), 1);
        assert_eq!(rounding_divide_by_pot(HALF - 1, 31), 0);
        assert_eq!(rounding_divide_by_pot(-HALF, 31), -1);
        assert_eq!(rounding_divide_by_pot(-HALF + 1, 31), 0);
        assert_eq!(rounding_divide_by_pot(i32::MIN, 31), -1);
        assert_eq!(rounding_divide_by_pot(i32::MIN, 0), i32::MIN);
    }

    /// The definitions above against gemmlowp's own formulation with masks and nudges, on every
    /// pair of values around those where something happens.
    #[test]
    fn the_definitions_equal_gemmlowp_formulation() {
        let corners = [i32::MIN, -HALF - (1 << 29), -HALF, -(1 << 15), 0, 1 << 15, HALF, i32::MAX];
        let values: Vec<i32> = corners
            .iter()
            .flat_map(|&c| (-3..=3).map(move |d| (c as i64 + d).clamp(-(1 << 31), (1 << 31) - 1)))
            .map(|v| v as i32)
            .collect();
        for &a in &values {
            for &b in &values {
                let product = a as i64 * b as i64;
                let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
                let expected = if a == i32::MIN && b == i32::MIN {
                    i32::MAX
                } else {
                    ((product + nudge) / (1i64 << 31)) as i32
                };
                assert_eq!(saturating_rounding_doubling_high_mul(a, b), expected, "{a} * {b}");
            }
            for exponent in 0..=31 {
                let mask = ((1i64 << exponent) - 1) as i32;
                let threshold = (mask >> 1) + i32::from(a < 0);
                let quotient = if exponent == 31 { a >> 31 } else { a >> exponent };
                let expected = quotient + i32::from(a & mask > threshold);
                assert_eq!(rounding_divide_by_pot(a, exponent), expected, "{a} / 2^{exponent}");
            }
        }
    }

    #[test]
    fn a_factor_splits_into_mantissa_and_shift() {
        let of = |real| {
            let Factor { mantissa, shift } = Factor::from_real(real);
            (mantissa, shift)
        };
        assert_eq!(of(0.0), (0, 0));
        assert_eq!(of(0.5), (HALF, 0));
        assert_eq!(of(1.0), (HALF, 1));
        assert_eq!(of(0.75), (3 << 29, 0));
        assert_eq!(of(0.3), (1_288_490_189, -1));
        assert_eq!(of(3.0), (3 << 29, 2));
        // The smallest factor that is kept, and the first that is not.
        assert_eq!(of(2f64.powi(-32)), (HALF, -31));
        assert_eq!(of(2f64.powi(-33)), (0, 0));
        // A fraction that rounds up to 1 is halved, and its shift grows.
        assert_eq!(of(1.0 - 2f64.powi(-40)), (HALF, 1));
        assert_eq!(of(2f64.powi(-32) * (1.0 - 2f64.powi(-40))), (HALF, -31));
        // A tie of the last bit goes away from zero.
        assert_eq!(of(0.5 + 2f64.powi(-32)), (HALF + 1, 0));
    }

    #[test]
    fn requantizing_rounds_twice() {
        let half = Factor { mantissa: HALF, shift: 0 };
        assert_eq!(requantize(3, half), 2);
        assert_eq!(requantize(-3, half), -1);
        // 5 / 2 = 2.5 rounds to 3, then 3 / 2 = 1.5 rounds to 2; one rounding of 5 / 4 gives 1.
        assert_eq!(requantize(5, Factor { mantissa: HALF, shift: -1 }), 2);
        assert_eq!(requantize(-5, Factor { mantissa: HALF, shift: -1 }), -1);
        // Both ends of the shift.
        assert_eq!(requantize(1, Factor { mantissa: HALF, shift: 30 }), 1 << 29);
        assert_eq!(requantize(i64::from(i32::MAX), Factor { mantissa: i32::MAX, shift: -31 }), 1);
        assert_eq!(requantize(i64::from(i32::MIN), Factor { mantissa: i32::MAX, shift: -31 }), -1);
        assert_eq!(requantize(1 << 29, Factor { mantissa: i32::MAX, shift: -31 }), 0);
    }

    #[test]
    #[should_panic(expected = "does not fit 32 bits")]
    fn requantizing_refuses_a_shift_that_overflows() {
        requantize(2, Factor { mantissa: HALF, shift: 30 });
    }
}
