//! Binary logarithms in fixed point.

/// Steps of a logarithm per factor of two.
pub const STEPS_PER_OCTAVE: i16 = 256;

/// Returns 256 · log2(1 + count), for a count of 0 or more; a negative count gives 0.
///
/// Between powers of two the logarithm is linear, which is at most 0.0861 of an octave below the
/// exact one. It grows with every count up to 256, and never falls.
pub const fn log2(count: i16) -> i16 {
    let count = if count < 0 { 1 } else { count as u32 + 1 };
    // At most 15.
    let octave = count.ilog2();
    // The leading one leaves at most 15 bits, of which 8 are kept.
    let rest = count - (1 << octave);
    let steps = (rest << 8) >> octave;
    (octave << 8 | steps) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_never_fall_and_are_near_the_exact_ones() {
        assert_eq!([-5, 0, 1, 3, 7, 255].map(log2), [0, 0, 256, 512, 768, 2048]);
        assert_eq!(log2(i16::MAX), 15 * 256);
        for count in 0..i16::MAX {
            let exact = 256.0 * (f64::from(count) + 1.0).log2();
            // 0.0861 of an octave is 22.04 steps; one more is cut.
            let below = exact - f64::from(log2(count));
            assert!((-1e-9..=23.1).contains(&below), "{count}: {below}");
            assert!(log2(count) <= log2(count + 1));
        }
    }
}
