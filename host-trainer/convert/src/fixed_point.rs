//! Fixed-point exp, tanh and logistic functions of TensorFlow Lite Micro's int8 operators.
//!
//! These are gemmlowp's (`fixedpoint/fixedpoint.h`), on raw 32-bit numbers. "Qm" is a number with m
//! integer bits and 31 − m fractional bits. Tables of these functions give the same bytes as the
//! operators, which compute the functions for each value.

/// 1 in Q0, as the nearest representable number.
const ONE: i32 = i32::MAX;

/// Returns the high half of twice the product, with ties rounded up: gemmlowp's
/// `SaturatingRoundingDoublingHighMul`. Saturates for −2³¹ · −2³¹.
fn multiply(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((i64::from(a) * i64::from(b) + (1 << 30)) >> 31) as i32
}

/// Returns value / 2^exponent, rounded to nearest, ties away from zero: gemmlowp's
/// `RoundingDivideByPOT`.
fn divide_by_power_of_two(value: i32, exponent: u32) -> i32 {
    let half = 1i64 << exponent >> 1;
    let magnitude = (i64::from(value).abs() + half) >> exponent;
    (magnitude * i64::from(value.signum())) as i32
}

/// Returns value · 2^exponent, saturated.
fn multiply_by_power_of_two(value: i32, exponent: u32) -> i32 {
    (i64::from(value) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Returns e^a in Q0 for a in Q0 in −1/4..0, by a Taylor polynomial of degree 4 around −1/8.
fn exp_between_minus_one_quarter_and_0(a: i32) -> i32 {
    const EXP_OF_MINUS_ONE_EIGHTH: i32 = 1_895_147_668;
    const ONE_THIRD: i32 = 715_827_883;
    let x = a + (1 << 28);
    let x2 = multiply(x, x);
    let x3 = multiply(x2, x);
    let x4_over_4 = divide_by_power_of_two(multiply(x2, x2), 2);
    let higher = divide_by_power_of_two(multiply(x4_over_4 + x3, ONE_THIRD) + x2, 1);
    EXP_OF_MINUS_ONE_EIGHTH + multiply(EXP_OF_MINUS_ONE_EIGHTH, x + higher)
}

/// Returns e^a in Q0 for a ≤ 0 in Q`integer_bits`, with at most five integer bits.
pub(super) fn exp_of_negative(a: i32, integer_bits: u32) -> i32 {
    /// e^(−2^k) in Q0 for k from −2 on.
    const POWERS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if a == 0 {
        return ONE;
    }
    let fractional_bits = 31 - integer_bits;
    let quarter = 1 << (fractional_bits - 2);
    let in_quarter = (a & (quarter - 1)) - quarter;
    let remainder = in_quarter - a;
    let start =
        exp_between_minus_one_quarter_and_0(multiply_by_power_of_two(in_quarter, integer_bits));
    // One factor per bit of the remainder, from a quarter up.
    (0..integer_bits + 2).zip(POWERS).fold(start, |result, (k, power)| {
        if remainder & (quarter << k) != 0 { multiply(result, power) } else { result }
    })
}

/// Returns 1 / ((1 + a) / 2) in Q2 for a in Q0 in 0..=1, by Newton's method.
fn reciprocal_of_half_of_one_plus(a: i32) -> i32 {
    const FORTY_EIGHT_OVER_17: i32 = 1_515_870_810;
    const MINUS_32_OVER_17: i32 = -1_010_580_540;
    let half = ((i64::from(a) + i64::from(ONE) + 1) / 2) as i32;
    let start = FORTY_EIGHT_OVER_17 + multiply(half, MINUS_32_OVER_17);
    (0..3).fold(start, |x, _| {
        let error = (1 << 29) - multiply(half, x);
        x + multiply_by_power_of_two(multiply(x, error), 2)
    })
}

/// Returns tanh a in Q0 for a in Q`integer_bits`, with at most four integer bits.
pub(super) fn tanh(a: i32, integer_bits: u32) -> i32 {
    // (1 − e^−2|a|) / (1 + e^−2|a|): the same raw number with one more integer bit is twice as
    // large.
    let exp = exp_of_negative(-a.abs(), integer_bits + 1);
    let magnitude = multiply_by_power_of_two(reciprocal_of_half_of_one_plus(exp) - (1 << 29), 2);
    magnitude * a.signum()
}

/// Returns 1 / (1 + e^−a) in Q0 for a in Q`integer_bits`, with at most five integer bits.
pub(super) fn logistic(a: i32, integer_bits: u32) -> i32 {
    if a == 0 {
        return 1 << 30;
    }
    let exp = exp_of_negative(-a.abs(), integer_bits);
    // Half of the reciprocal, so one shift from Q2 to Q0 remains.
    let positive = multiply_by_power_of_two(reciprocal_of_half_of_one_plus(exp), 1);
    if a > 0 { positive } else { ONE - positive }
}

/// Decomposes a positive number (`frexp`) as mantissa / 2³¹ · 2^exponent, with the mantissa in
/// 2³⁰..2³¹.
fn mantissa_and_exponent(real: f64) -> (i32, i32) {
    let bits = real.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1022;
    let significand = bits & ((1 << 52) - 1) | 1 << 52;
    match (significand + (1 << 21)) >> 22 {
        0x8000_0000 => (1 << 30, exponent + 1),
        mantissa => (mantissa as i32, exponent),
    }
}

/// Conversion of steps of an int8 tensor to fixed-point numbers, as in the operators.
pub(super) struct Rescale {
    integer_bits: u32,
    mantissa: i32,
    exponent: i32,
}

impl Rescale {
    /// Creates the conversion of steps of `scale` to Q`integer_bits`.
    pub(super) fn new(scale: f64, integer_bits: u32) -> Self {
        let real = (scale * 2f64.powi(31 - integer_bits as i32)).min(2f64.powi(31) - 1.0);
        let (mantissa, exponent) = mantissa_and_exponent(real);
        Rescale { integer_bits, mantissa, exponent }
    }

    /// Returns the largest number of steps in range. Inputs beyond it saturate.
    pub(super) fn radius(&self) -> i64 {
        let most = ((1i64 << self.integer_bits) - 1) << (31 - self.integer_bits);
        // Rounded down, as in `CalculateInputRadius`.
        match self.exponent {
            exponent @ 0.. => most >> exponent.min(62),
            exponent => most << exponent.unsigned_abs().min(30),
        }
    }

    /// Converts steps, which must be within the radius, to a fixed-point number.
    pub(super) fn apply(&self, steps: i32) -> i32 {
        let shifted = i64::from(steps) << self.exponent.clamp(0, 31);
        let product =
            multiply(shifted.clamp(i32::MIN.into(), i32::MAX.into()) as i32, self.mantissa);
        divide_by_power_of_two(product, (-self.exponent).clamp(0, 31) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q0: f64 = 1.0 / (1u32 << 31) as f64;

    /// All functions hold to within 2⁻²⁷ or so of the real ones: the polynomial's remainder on
    /// −1/8..1/8 is at most (1/8)⁵ / 120, that is 2⁻²¹·⁹, and multiplies everything else.
    const REMAINDER: f64 = 2.6e-7;

    #[test]
    fn follow_the_real_functions() {
        for step in 0..1000 {
            let a = -(step << 21);
            let real = f64::from(a) / f64::from(1 << 26);
            let exp = f64::from(exp_of_negative(a, 5)) * Q0;
            assert!((exp - real.exp()).abs() < REMAINDER, "exp {real}: {exp}");
            for a in [step << 20, -(step << 20)] {
                let real = f64::from(a) / f64::from(1 << 27);
                let tanh = f64::from(tanh(a, 4)) * Q0;
                assert!((tanh - real.tanh()).abs() < REMAINDER, "tanh {real}: {tanh}");
                let logistic = f64::from(logistic(a, 4)) * Q0;
                let exact = 1.0 / (1.0 + (-real).exp());
                assert!((logistic - exact).abs() < REMAINDER, "logistic {real}: {logistic}");
            }
        }
    }

    #[test]
    fn rescaling_is_exact_for_powers_of_two() {
        let rescale = Rescale::new(0.0625, 4);
        assert_eq!(rescale.apply(16), 1 << 27);
        assert_eq!(rescale.apply(-16), -(1 << 27));
        // 15 · 16 steps of 1/16 reach 15; the exponent is 24 because the fraction is one half.
        assert_eq!(rescale.radius(), (15i64 << 27) >> 24);
    }

    #[test]
    fn fractions_and_exponents() {
        assert_eq!(mantissa_and_exponent(1.0), (1 << 30, 1));
        assert_eq!(mantissa_and_exponent(0.75), (3 << 29, 0));
        assert_eq!(mantissa_and_exponent(2f64.powi(31) - 1.0), (i32::MAX, 31));
    }
}
