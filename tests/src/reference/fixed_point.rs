//! Fixed-point numbers with a chosen count of integer bits, and the functions that TensorFlow
//! Lite Micro builds tanh, sigmoid and softmax from.
//!
//! Source: gemmlowp `fixedpoint/fixedpoint.h`, for 32-bit scalars. A number with *m* integer bits
//! is `raw / 2^(31 − m)`, in [−2^m, 2^m).

use super::rounding::{rounding_divide_by_pot, saturate, saturating_rounding_doubling_high_mul};
use std::ops::{Add, Mul, Neg, Sub};

/// `raw / 2^(31 − integer_bits)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The number times `2^(31 − integer_bits)`.
    pub raw: i32,
    /// Bits before the point, without the sign.
    pub integer_bits: u32,
}

impl Fixed {
    /// The number that `raw` stands for with `integer_bits` bits before the point.
    pub fn new(raw: i32, integer_bits: u32) -> Fixed {
        Fixed { raw, integer_bits }
    }

    /// One, or what comes nearest to it: with no integer bits, 1 − 2⁻³¹.
    pub fn one(integer_bits: u32) -> Fixed {
        Fixed::new(saturate(1i128 << (31 - integer_bits)), integer_bits)
    }

    /// `2^exponent`.
    fn power_of_two(exponent: i32, integer_bits: u32) -> Fixed {
        Fixed::new(1 << (31 - integer_bits as i32 + exponent), integer_bits)
    }

    /// The same number with another count of integer bits: rounded where bits are lost,
    /// saturated where it does not fit.
    pub fn rescale(self, integer_bits: u32) -> Fixed {
        let raw = if integer_bits >= self.integer_bits {
            rounding_divide_by_pot(self.raw, integer_bits - self.integer_bits)
        } else {
            saturate((self.raw as i128) << (self.integer_bits - integer_bits))
        };
        Fixed::new(raw, integer_bits)
    }

    /// The number times `2^exponent`, exactly: the point moves, the bits stay.
    fn move_point(self, exponent: i32) -> Fixed {
        Fixed::new(self.raw, (self.integer_bits as i32 + exponent) as u32)
    }

    /// The number divided by `2^exponent`, rounded, with the same integer bits.
    fn divide_by_pot(self, exponent: u32) -> Fixed {
        Fixed::new(
            rounding_divide_by_pot(self.raw, exponent),
            self.integer_bits,
        )
    }
}

impl Mul for Fixed {
    type Output = Fixed;
    #[allow(clippy::suspicious_arithmetic_impl)] // the integer bits of a product add up
    fn mul(self, other: Fixed) -> Fixed {
        Fixed::new(
            saturating_rounding_doubling_high_mul(self.raw, other.raw),
            self.integer_bits + other.integer_bits,
        )
    }
}

impl Add for Fixed {
    type Output = Fixed;
    fn add(self, other: Fixed) -> Fixed {
        assert_eq!(
            self.integer_bits, other.integer_bits,
            "adds numbers of one format"
        );
        Fixed::new(self.raw + other.raw, self.integer_bits)
    }
}

impl Sub for Fixed {
    type Output = Fixed;
    fn sub(self, other: Fixed) -> Fixed {
        assert_eq!(
            self.integer_bits, other.integer_bits,
            "subtracts numbers of one format"
        );
        Fixed::new(self.raw - other.raw, self.integer_bits)
    }
}

impl Neg for Fixed {
    type Output = Fixed;
    fn neg(self) -> Fixed {
        Fixed::new(-self.raw, self.integer_bits)
    }
}

/// e^a for a in [−1/4, 0), without integer bits: Taylor's polynomial of degree 4 around −1/8.
fn exp_on_last_quarter(a: Fixed) -> Fixed {
    let exp_of_minus_an_eighth = Fixed::new(1_895_147_668, 0);
    let a_third = Fixed::new(715_827_883, 0);
    let x = a + Fixed::power_of_two(-3, 0);
    let x2 = x * x;
    let x3 = x2 * x;
    let x4 = x2 * x2;
    // x⁴/24 + x³/6 + x²/2, by Horner's halves.
    let higher = ((x4.divide_by_pot(2) + x3) * a_third + x2).divide_by_pot(1);
    exp_of_minus_an_eighth + exp_of_minus_an_eighth * (x + higher)
}

/// e^a for a ≤ 0, without integer bits: the last quarter by polynomial, the rest of −a by one
/// constant factor for each of its bits.
///
/// # Panics
/// When `a` is positive or has more than five integer bits (TFLM uses five).
pub fn exp_on_negative(a: Fixed) -> Fixed {
    assert!(
        a.raw <= 0 && a.integer_bits <= 5,
        "takes zero and negatives in Q5: {a:?}"
    );
    if a.raw == 0 {
        return Fixed::one(0);
    }
    let quarter = Fixed::power_of_two(-2, a.integer_bits);
    // `a` modulo a quarter, in [−1/4, 0).
    let last = Fixed::new(a.raw & (quarter.raw - 1), a.integer_bits) - quarter;
    let rest = (last - a).raw;
    let mut result = exp_on_last_quarter(last.rescale(0));
    // exp(−2^exponent) in Q31.
    for (exponent, factor) in [
        (-2, 1_672_461_947),
        (-1, 1_302_514_674),
        (0, 790_015_084),
        (1, 290_630_308),
        (2, 39_332_535),
        (3, 720_401),
        (4, 242),
    ] {
        if (a.integer_bits as i32) > exponent
            && rest & (1 << (31 - a.integer_bits as i32 + exponent)) != 0
        {
            result = result * Fixed::new(factor, 0);
        }
    }
    result
}

/// 2/(1 + a), with two integer bits, for a in [0, 1]: three steps of Newton and Raphson towards
/// the reciprocal of d = (1 + a)/2, from 48/17 − 32/17 · d.
fn reciprocal_of_half_of_one_plus(a: Fixed) -> Fixed {
    let sum = a.raw as i64 + Fixed::one(0).raw as i64;
    let half_denominator = Fixed::new(((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32, 0);
    let of_48_over_17 = Fixed::new(1_515_870_810, 2);
    let of_minus_32_over_17 = Fixed::new(-1_010_580_540, 2);
    let mut x = of_48_over_17 + half_denominator * of_minus_32_over_17;
    for _ in 0..3 {
        let error = Fixed::one(2) - half_denominator * x;
        x = x + (x * error).rescale(2);
    }
    x
}

/// 1/(1 + a), without integer bits, for a in [0, 1].
pub fn one_over_one_plus(a: Fixed) -> Fixed {
    reciprocal_of_half_of_one_plus(a).move_point(-1).rescale(0)
}

/// (1 − a)/(1 + a), without integer bits, for a in [0, 1].
fn one_minus_over_one_plus(a: Fixed) -> Fixed {
    // 2/(1 + a) − 1 is the same.
    (reciprocal_of_half_of_one_plus(a) - Fixed::one(2)).rescale(0)
}

/// 1/(1 + e^−a), without integer bits.
pub fn logistic(a: Fixed) -> Fixed {
    if a.raw == 0 {
        return Fixed::new(1 << 30, 0);
    }
    let negative_magnitude = if a.raw > 0 { -a } else { a };
    let of_magnitude = one_over_one_plus(exp_on_negative(negative_magnitude));
    if a.raw > 0 {
        of_magnitude
    } else {
        Fixed::one(0) - of_magnitude
    }
}

/// tanh a, without integer bits.
pub fn tanh(a: Fixed) -> Fixed {
    if a.raw == 0 {
        return Fixed::new(0, 0);
    }
    let negative_magnitude = if a.raw > 0 { -a } else { a };
    let of_magnitude = one_minus_over_one_plus(exp_on_negative(negative_magnitude.move_point(1)));
    if a.raw > 0 {
        of_magnitude
    } else {
        -of_magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(x: Fixed) -> f64 {
        x.raw as f64 / 2f64.powi(31 - x.integer_bits as i32)
    }

    #[test]
    fn formats_hold_the_numbers_that_they_say() {
        assert_eq!(real(Fixed::one(4)), 1.0);
        assert_eq!(Fixed::one(0).raw, i32::MAX);
        assert_eq!(real(Fixed::new(-(1 << 26), 5)), -1.0);
        assert_eq!(
            Fixed::new(3, 4).rescale(5).raw,
            2,
            "a tie is rounded away from zero"
        );
        assert_eq!(Fixed::new(-3, 4).rescale(5).raw, -2);
        assert_eq!(
            Fixed::new(1 << 30, 1).rescale(0).raw,
            i32::MAX,
            "1 saturates in Q0"
        );
        assert_eq!(Fixed::new(i32::MIN, 1).rescale(0).raw, i32::MIN);
        let product = Fixed::new(1 << 30, 0) * Fixed::new(1 << 28, 3);
        assert_eq!((real(product), product.integer_bits), (0.5, 3));
    }

    #[test]
    fn the_functions_are_near_the_ones_of_floating_point() {
        for step in -1600..=1600 {
            let a = Fixed::new(step * 80_000, 4);
            let x = real(a);
            assert!(
                (real(logistic(a)) - 1.0 / (1.0 + (-x).exp())).abs() < 5e-7,
                "logistic {x}"
            );
            assert!((real(tanh(a)) - x.tanh()).abs() < 5e-7, "tanh {x}");
            if step <= 0 {
                let q5 = Fixed::new(step * 80_000, 5);
                assert!(
                    (real(exp_on_negative(q5)) - real(q5).exp()).abs() < 5e-7,
                    "exp {x}"
                );
            }
        }
        assert_eq!(real(logistic(Fixed::new(0, 4))), 0.5);
        assert_eq!(exp_on_negative(Fixed::new(0, 5)).raw, i32::MAX);
    }
}
