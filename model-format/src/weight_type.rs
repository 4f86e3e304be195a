//! Weight data types: the numbers that a weight can be, and their code in a byte.

/// Data type of a layer's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WeightType {
    /// −127..=127, one to a byte.
    Int8,
    /// −7..=7, two to a byte, the first in the low half.
    Int4,
    /// −3, −1, 1 and 3, four to a byte, the first in the low bits: a code c stands for 2 · c − 3.
    /// Four levels that are symmetric lose less of weights than −2..=1 do.
    Int2,
    /// −1, 0 and 1, five to a byte: see [`pack`](Self::pack).
    Ternary,
}

/// Powers of three: what a digit of five counts.
const DIGITS: [u16; 5] = [81, 27, 9, 3, 1];

impl WeightType {
    /// All types, widest first.
    pub const ALL: [WeightType; 4] =
        [WeightType::Int8, WeightType::Int4, WeightType::Int2, WeightType::Ternary];

    /// The name, as `inspect` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            WeightType::Int8 => "int8",
            WeightType::Int4 => "int4",
            WeightType::Int2 => "int2",
            WeightType::Ternary => "ternary",
        }
    }

    /// The type of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|weight_type| weight_type.name() == name)
    }

    /// Weights that share a byte.
    pub const fn per_byte(self) -> usize {
        match self {
            WeightType::Int8 => 1,
            WeightType::Int4 => 2,
            WeightType::Int2 => 4,
            WeightType::Ternary => 5,
        }
    }

    /// Bytes of a row of weights.
    pub const fn row_bytes(self, inputs: usize) -> usize {
        match self {
            WeightType::Int8 => inputs,
            WeightType::Int4 => inputs.wrapping_add(1) / 2,
            WeightType::Int2 => inputs.wrapping_add(3) / 4,
            WeightType::Ternary => inputs.wrapping_add(4) / 5,
        }
    }

    /// The largest weight.
    pub const fn max_weight(self) -> i16 {
        match self {
            WeightType::Int8 => 127,
            WeightType::Int4 => 7,
            WeightType::Int2 => 3,
            WeightType::Ternary => 1,
        }
    }

    /// Returns whether a weight can be this number.
    pub const fn holds(self, weight: i16) -> bool {
        let is_in_range = weight.unsigned_abs() <= self.max_weight().unsigned_abs();
        is_in_range && !(matches!(self, WeightType::Int2) && weight & 1 == 0)
    }

    /// The byte of these weights, of which the type holds each; at most [`per_byte`](Self::per_byte).
    /// The code of those that are missing is 0.
    ///
    /// Ternary weights are digits, each raised by one, of a number v in base 3, the first digit worth
    /// 81; the byte is 256 · v / 243, rounded up. So the first digit of a byte is the upper byte of three
    /// times it, and the rest is the lower byte.
    pub const fn pack(self, weights: &[i8]) -> u8 {
        let (mut byte, mut index) = (0u16, 0usize);
        while index < self.per_byte() && index < weights.len() {
            let weight = weights[index] as i16;
            byte |= match self {
                WeightType::Int8 => weight as u8 as u16,
                WeightType::Int4 => (weight as u16 & 15) << (4 * (index & 1)),
                WeightType::Int2 => ((weight.wrapping_add(3) as u16 / 2) & 3) << (2 * (index & 3)),
                WeightType::Ternary => 0,
            };
            if let WeightType::Ternary = self {
                let digit = weight.wrapping_add(1) as u16;
                byte = byte.wrapping_add(digit.wrapping_mul(DIGITS[index]));
            }
            index = index.wrapping_add(1);
        }
        match self {
            WeightType::Ternary => (byte.wrapping_mul(256).wrapping_add(242) / 243) as u8,
            _ => byte as u8,
        }
    }

    /// The codes of a byte's weights, in their order; as many as share a byte.
    #[inline(always)]
    pub(crate) const fn codes(self, byte: u8) -> Codes {
        Codes { weight_type: self, rest: byte }
    }

    /// The weight at this place of a byte.
    #[inline(always)]
    pub(crate) const fn unpack(self, byte: u8, place: usize) -> i16 {
        match self {
            WeightType::Int8 => byte as i8 as i16,
            WeightType::Int4 => {
                let shift = if place & 1 == 0 { 4 } else { 0 };
                ((byte << shift) as i8 >> 4) as i16
            }
            WeightType::Int2 => (byte >> (2 * (place & 3)) & 3) as i16 * 2 - 3,
            WeightType::Ternary => {
                let mut digits = self.codes(byte);
                let (mut digit, mut index) = (0, 0);
                while index <= place {
                    digit = digits.next_code();
                    index += 1;
                }
                digit as i16 - 1
            }
        }
    }

    /// Returns whether a byte is the code of weights: all bytes are, but for some that no five digits
    /// make.
    #[inline(always)]
    pub(crate) const fn is_code(self, byte: u8) -> bool {
        // 256 · v ≤ 243 · byte < 256 · v + 243, with v the number of the digits.
        !matches!(self, WeightType::Ternary) || byte.wrapping_mul(243) < 243
    }
}

/// The codes of a byte of int2 or ternary weights, from the first on.
pub(crate) struct Codes {
    weight_type: WeightType,
    rest: u8,
}

impl Codes {
    /// Takes a code: 0..=3 for int2, 0..=2 for ternary weights.
    #[inline(always)]
    pub(crate) const fn next_code(&mut self) -> u8 {
        match self.weight_type {
            WeightType::Ternary => {
                let three = self.rest as u16 * 3;
                self.rest = three as u8;
                (three >> 8) as u8
            }
            _ => {
                let code = self.rest & 3;
                self.rest >>= 2;
                code
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for weight_type in WeightType::ALL {
            let all: Vec<i8> =
                (-128..=127).filter(|weight| weight_type.holds((*weight).into())).collect();
            let expected: &[i8] = match weight_type {
                WeightType::Int8 => &all[..255],
                WeightType::Int4 => &[-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7],
                WeightType::Int2 => &[-3, -1, 1, 3],
                WeightType::Ternary => &[-1, 0, 1],
            };
            assert_eq!(all, expected);
            let per_byte = weight_type.per_byte();
            let mut seen = [false; 256];
            for number in 0..all.len().pow(per_byte as u32) {
                let weight = |place: usize| all[number / all.len().pow(place as u32) % all.len()];
                let weights: Vec<i8> = (0..per_byte).map(weight).collect();
                let byte = weight_type.pack(&weights);
                assert!(!seen[usize::from(byte)] && weight_type.is_code(byte));
                seen[usize::from(byte)] = true;
                for (place, weight) in weights.iter().enumerate() {
                    assert_eq!(weight_type.unpack(byte, place), i16::from(*weight), "{weights:?}");
                }
            }
            let ternary = weight_type == WeightType::Ternary;
            for byte in 0..=255u8 {
                let is_code = seen[usize::from(byte)] || !ternary;
                assert_eq!(weight_type.is_code(byte), is_code, "{weight_type:?} {byte}");
            }
        }
    }

    #[test]
    fn missing_weights_have_the_code_zero() {
        assert_eq!(WeightType::Int4.pack(&[-1]), 0x0f);
        assert_eq!(WeightType::Int2.pack(&[3, 1]), 0b1011);
        assert_eq!(WeightType::Ternary.pack(&[1]), (162_u32 * 256).div_ceil(243) as u8);
        for weight_type in WeightType::ALL {
            assert_eq!(weight_type.pack(&[]), 0);
            assert_eq!(weight_type.row_bytes(1), 1);
            assert_eq!(weight_type.row_bytes(21), 21usize.div_ceil(weight_type.per_byte()));
        }
    }

    #[test]
    fn weights_beyond_a_byte_are_left_out() {
        for weight_type in WeightType::ALL {
            let weights = [1; 6];
            let first = &weights[..weight_type.per_byte()];
            assert_eq!(weight_type.pack(&weights), weight_type.pack(first), "{weight_type:?}");
        }
    }

    #[test]
    fn types_are_found_by_their_names() {
        assert_eq!(WeightType::ALL.map(WeightType::name), ["int8", "int4", "int2", "ternary"]);
        for weight_type in WeightType::ALL {
            assert_eq!(WeightType::named(weight_type.name()), Some(weight_type));
        }
        assert_eq!(WeightType::named("int3"), None);
    }
}
