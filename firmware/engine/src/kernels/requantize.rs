//! From an accumulator to an output.

use model_format::{Dense, Multiplier};

/// Multiplies an accumulator by a fixed-point multiplier, as TensorFlow Lite's
/// `MultiplyByQuantizedMultiplier` with double rounding does, and adds a zero point, saturating.
///
/// `accumulator` · 2^max(shift, 0) must fit into 32 bits, which a parsed model guarantees.
///
/// 1. gemmlowp's `SaturatingRoundingDoublingHighMul`: its nudges amount to adding half and
///    shifting down, which sends ties up. It saturates only where both factors are −2³¹, and a
///    mantissa is never negative.
/// 2. gemmlowp's `RoundingDivideByPOT`: ties away from zero. Taking one from a negative number
///    sends its ties down where adding half would send them up; the last bit is rounded apart
///    from the others so that nothing overflows.
#[inline(always)]
pub(crate) fn multiply_add(accumulator: i32, multiplier: Multiplier, zero_point: i32) -> i32 {
    let shift = i32::from(multiplier.shift);
    let high = |accumulator: i32| match cfg!(kernel_v6m) {
        true => high_by_halves(accumulator, multiplier.mantissa),
        false => {
            let product = i64::from(accumulator).wrapping_mul(i64::from(multiplier.mantissa));
            (product.wrapping_add(1 << 30) >> 31) as i32
        }
    };
    if shift >= 0 {
        // A result near ±2^31 is far outside every clamp, but must not wrap around into one.
        return high(accumulator.wrapping_shl(shift as u32)).saturating_add(zero_point);
    }
    let high = high(accumulator);
    let away = high.wrapping_add(high >> 31);
    ((away.wrapping_shr(!shift as u32).wrapping_add(1)) >> 1).wrapping_add(zero_point)
}

/// Returns (a · m + 2³⁰) >> 31 for an m that is not negative, by products of halfwords: for cores whose
/// multiplication gives no more than 32 bits.
///
/// With u for what stands above the lowest 16 bits of the product, less what is above bit 47, the
/// rounding looks at nothing but bits 14 and 15 of u.
#[inline(always)]
fn high_by_halves(a: i32, m: i32) -> i32 {
    let (a_high, a_low) = (a >> 16, a as u32 & 0xffff);
    let (m_high, m_low) = (m >> 16, m as u32 & 0xffff);
    let low = a_low.wrapping_mul(m_low);
    // Below 2³¹ in magnitude: 2¹⁵ · (2¹⁶ − 1) and less than 2¹⁶ more.
    let middle = a_high.wrapping_mul(m_low as i32).wrapping_add((low >> 16) as i32);
    let u = a_low.wrapping_mul(m_high as u32).wrapping_add(middle as u32 & 0xffff);
    let upper = a_high.wrapping_mul(m_high).wrapping_add(middle >> 16);
    upper.wrapping_mul(2).wrapping_add(((u >> 14).wrapping_add(1) >> 1) as i32)
}

/// Output stage of a layer: from accumulators to values.
// In this order in memory, for a kernel in assembly.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Output {
    zero_point: i32,
    low: i32,
    high: i32,
}

impl Output {
    /// The output of this layer.
    pub(crate) fn of(layer: &Dense<'_>) -> Self {
        Output {
            zero_point: layer.output.zero_point,
            low: layer.clamp.low.into(),
            high: layer.clamp.high.into(),
        }
    }

    /// The output of the layer whose words have this clamp and these zero points.
    #[cfg(kernel_mve)]
    pub(crate) fn from_words(clamp: u32, zero_points: u32) -> Self {
        Output {
            zero_point: zero_points as i32 >> 16,
            low: i32::from(clamp as i16),
            high: clamp as i32 >> 16,
        }
    }

    /// The output value for an accumulator, within the layer's clamp.
    #[inline(always)]
    pub(crate) fn quantize(&self, accumulator: i32, multiplier: Multiplier) -> i32 {
        let value = multiply_add(accumulator, multiplier, self.zero_point);
        value.max(self.low).min(self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gemmlowp's two steps, to the letter, in wide integers.
    fn by_the_book(accumulator: i32, multiplier: Multiplier) -> i64 {
        let shift = i32::from(multiplier.shift);
        let product = (i128::from(accumulator) << shift.max(0)) * i128::from(multiplier.mantissa);
        let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
        let high = (product + nudge) / (1 << 31);
        let exponent = (-shift).max(0);
        let mask = (1i128 << exponent) - 1;
        let remainder = high & mask;
        let threshold = (mask >> 1) + i128::from(high < 0);
        ((high >> exponent) + i128::from(remainder > threshold)) as i64
    }

    #[test]
    fn equals_the_book_on_ties_and_at_the_ends() {
        let mantissas = [1 << 30, (1 << 30) + 1, 3 << 29, 1_649_267_442, i32::MAX];
        let edges = [0, 1, 2, 3, 4, 5, 6, 7, 255, 256, 257, 1 << 15, (1 << 30) - 1, 1 << 30];
        for shift in Multiplier::SHIFTS.step_by(if cfg!(miri) { 9 } else { 1 }) {
            for mantissa in mantissas {
                let multiplier = Multiplier { mantissa, shift };
                for magnitude in edges.into_iter().chain([i32::MAX - 1, i32::MAX]) {
                    if i64::from(magnitude) << shift.max(0) >= 1 << 31 {
                        continue;
                    }
                    for accumulator in [magnitude, -magnitude] {
                        assert_eq!(
                            i64::from(multiply_add(accumulator, multiplier, 0)),
                            by_the_book(accumulator, multiplier),
                            "{accumulator} · {multiplier:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn products_of_halfwords_make_the_same() {
        let edges = [0, 1, 0x7fff, 0x8000, 0xffff, 0x1_0000, 1 << 30, i32::MAX - 1, i32::MAX];
        let mantissas = [0, 1 << 30, (1 << 30) + 1, 0x4000_ffff, 0x7fff_0000, i32::MAX];
        let near = |x: i32| [x.wrapping_sub(1), x, x.wrapping_add(1), x.wrapping_neg()];
        for m in mantissas {
            for a in edges.into_iter().flat_map(near).chain([i32::MIN, i32::MIN + 1]) {
                let expected = (i64::from(a) * i64::from(m) + (1 << 30)) >> 31;
                assert_eq!(i64::from(high_by_halves(a, m)), expected, "{a} · {m}");
            }
        }
    }

    #[test]
    fn zero_multiplies_to_zero() {
        let zero = Multiplier { mantissa: 0, shift: 0 };
        let output = Output { zero_point: 5, low: -128, high: 127 };
        assert_eq!(output.quantize(i32::MAX, zero), 5);
    }

    #[test]
    fn a_huge_result_saturates() {
        let one = Multiplier { mantissa: 1 << 30, shift: 1 };
        for zero_point in [-128, 0, 127] {
            let output = Output { zero_point, low: -128, high: 127 };
            assert_eq!(output.quantize((1 << 30) - 1, one), 127);
            assert_eq!(output.quantize(1 - (1 << 30), one), -128);
        }
    }
}
