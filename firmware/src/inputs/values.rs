//! The values in the bytes of an output.

use model_format::Precision;

/// The values, first to last.
pub(super) fn values(output: &[u8], precision: Precision) -> impl Iterator<Item = i16> + '_ {
    let bytes = precision.bytes();
    output.chunks_exact(bytes).map(move |value| match *value {
        [low, high] => i16::from_le_bytes([low, high]),
        [byte] => i16::from(byte as i8),
        _ => 0,
    })
}

/// The place of the largest value, of the first of equal ones.
pub(super) fn largest(values: impl Iterator<Item = i16>) -> usize {
    let (mut best, mut place) = (i16::MIN, 0);
    for (index, value) in values.enumerate() {
        if value > best {
            (best, place) = (value, index);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_values_of_their_precision() {
        let bytes = [0x80, 0x00, 0xff, 0x7f];
        assert!(values(&bytes, Precision::Int8).eq([-128, 0, -1, 127]));
        assert!(values(&bytes, Precision::Int16).eq([128, 32767]));
    }

    #[test]
    fn the_first_of_equal_ones_wins() {
        assert_eq!(largest([-5, 7, 7, 3].into_iter()), 1);
        assert_eq!(largest([i16::MIN; 2].into_iter()), 0);
    }
}
