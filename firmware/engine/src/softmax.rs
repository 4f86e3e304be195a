//! Softmax in fixed point.

use model_format::Softmax;

/// Bits that an exponential gives away so that 4095 of them add up in 31.
const ACCUMULATION_BITS: i32 = 12;

/// Turns logits into probabilities of 1/256 each step, in place: TensorFlow Lite Micro's
/// `Softmax` for int8 (with gemmlowp's fixed point), the exponentials taken from the layer's table.
#[inline(never)]
pub(crate) fn softmax(layer: &Softmax<'_>, values: &mut [u8]) {
    let max = values.iter().fold(i8::MIN, |max, value| max.max(*value as i8));
    let exponential = |value: u8| {
        // 0..=255: `max` is not below any of them.
        let below = i32::from(max).wrapping_sub(i32::from(value as i8)) as usize;
        layer.exponentials().get(below).map_or(0, |e| i32::from_le_bytes(*e))
    };
    let sum = values.iter().fold(0i32, |sum, value| {
        sum.wrapping_add(divide_by_power_of_two(exponential(*value), ACCUMULATION_BITS))
    });
    // The sum has at least the 2^19 of the largest value. It is 1/2 to 1 when shifted up by
    // `headroom_plus_one`, so that 1 / it is what `reciprocal` computes.
    let headroom_plus_one = sum.leading_zeros() as i32;
    let shifted = (sum as u32).wrapping_shl(headroom_plus_one as u32);
    let reciprocal = one_over_one_plus_x(shifted.wrapping_sub(1 << 31) as i32);
    let exponent = ACCUMULATION_BITS.wrapping_sub(headroom_plus_one).wrapping_add(31 - 8);
    for value in values {
        let product = doubling_high_multiply(reciprocal, exponential(*value));
        let probability = divide_by_power_of_two(product, exponent).wrapping_sub(128);
        *value = probability.clamp(-128, 127) as u8;
    }
}

/// gemmlowp's `SaturatingRoundingDoublingHighMul`; see `kernels::requantize`.
fn doubling_high_multiply(a: i32, b: i32) -> i32 {
    let product = i64::from(a).wrapping_mul(i64::from(b));
    // Both are −2^31 for no argument that occurs here, so nothing saturates.
    (product.wrapping_add(1 << 30) >> 31) as i32
}

/// gemmlowp's `RoundingDivideByPOT`: ties away from zero. `exponent` is positive.
fn divide_by_power_of_two(value: i32, exponent: i32) -> i32 {
    // More than 511 equally likely classes: less than half a step is left of any.
    if exponent > 31 {
        return 0;
    }
    let away = value.wrapping_sub(i32::from(value < 0));
    (away.wrapping_shr(exponent.wrapping_sub(1) as u32).wrapping_add(1)) >> 1
}

/// 1 / (1 + x) in Q31 for x in Q31 in 0..1: gemmlowp's `one_over_one_plus_x_for_x_in_0_1`.
fn one_over_one_plus_x(x: i32) -> i32 {
    // Half of 1 + x, rounded as gemmlowp's `RoundingHalfSum` does: the sum is not negative.
    let half = ((i64::from(x) + i64::from(i32::MAX) + 1) / 2) as i32;
    // Newton's iteration in Q29 from 48/17 − 32/17 · half, as gemmlowp has the two constants.
    let mut y = 1_515_870_810i32.wrapping_add(doubling_high_multiply(half, -1_010_580_540));
    for _ in 0..3 {
        let remainder = (1i32 << 29).wrapping_sub(doubling_high_multiply(half, y));
        y = y.wrapping_add(shift_left_saturating(doubling_high_multiply(y, remainder), 2));
    }
    // From Q29 to Q31, of twice the half that was inverted.
    shift_left_saturating(y, 1)
}

/// gemmlowp's `SaturatingRoundingMultiplyByPOT` for positive exponents.
fn shift_left_saturating(value: i32, exponent: u32) -> i32 {
    (i64::from(value) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_quotients_are_rounded() {
        assert_eq!([1 << 30, (1 << 30) - 1].map(|a| doubling_high_multiply(a, 1)), [1, 0]);
        // Ties go away from zero.
        assert_eq!(
            [5, 6, 7, -5, -6].map(|value| divide_by_power_of_two(value, 2)),
            [1, 2, 2, -1, -2]
        );
        assert_eq!(divide_by_power_of_two(i32::MAX, 32), 0);
    }

    /// gemmlowp's results, in integers of any size: near 1 / (1 + x), and off by the same few steps.
    #[test]
    fn reciprocals_are_those_of_gemmlowp() {
        let inverted = [
            (0, i32::MAX),
            (1 << 20, 2_146_435_584),
            (1 << 28, 1_908_874_352),
            (1 << 29, 1_717_986_914),
            (1 << 30, 1_431_655_762),
            (3 << 29, 1_227_133_516),
            (i32::MAX - 1, 1_073_741_820),
            (i32::MAX, 1_073_741_820),
        ];
        for (x, expected) in inverted {
            assert_eq!(one_over_one_plus_x(x), expected, "{x}");
        }
    }
}
