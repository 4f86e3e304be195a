//! Scales, zero points, clamps and fixed-point multipliers.

use crate::reader::Reader;
use crate::{Capabilities, Error, Field, FieldError};

/// The integers that a tensor is made of.
// A word, so that a `Quantization` is three of them without a gap: a gap is copied byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DataType {
    /// 8 bits, with a zero point.
    Int8,
    /// 16 bits, symmetric: the zero point is 0.
    Int16,
}

impl DataType {
    /// The name, as `inspect` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Int8 => "int8",
            DataType::Int16 => "int16",
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        match self {
            DataType::Int8 => 1,
            DataType::Int16 => 2,
        }
    }

    /// The values in the bytes of a tensor, first to last; those of int16 are little-endian.
    pub fn values(self, bytes: &[u8]) -> impl Iterator<Item = i16> + '_ {
        bytes.chunks_exact(self.bytes()).map(|value| match *value {
            [low, high] => i16::from_le_bytes([low, high]),
            [byte] => i16::from(byte as i8),
            _ => 0,
        })
    }
}

/// Quantization of an integer tensor: real = scale · (q − zero point).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// The integers.
    pub data_type: DataType,
    /// Real distance of two neighboring values; positive and finite.
    pub scale: f32,
    /// The value that stands for 0: in −128..=127 for int8, 0 for int16.
    pub zero_point: i32,
}

impl Quantization {
    /// An int8 tensor.
    pub const fn int8(scale: f32, zero_point: i32) -> Self {
        Quantization { data_type: DataType::Int8, scale, zero_point }
    }

    /// An int16 tensor.
    pub const fn int16(scale: f32) -> Self {
        Quantization { data_type: DataType::Int16, scale, zero_point: 0 }
    }

    /// The real number that `q` stands for.
    pub fn dequantize(&self, q: i16) -> f32 {
        self.scale * (i32::from(q) - self.zero_point) as f32
    }

    #[inline(always)]
    pub(crate) fn read<C: Capabilities>(reader: &mut Reader<'_>) -> Option<Self> {
        let mut tensor = Self::take::<C>(reader)?;
        if !C::OPS.int16 {
            // Which it is: this tells the compiler so.
            tensor.data_type = DataType::Int8;
        }
        Some(tensor)
    }

    #[inline(never)]
    fn take<C: Capabilities>(reader: &mut Reader<'_>) -> Option<Self> {
        let data_type = match reader.take_unsigned(Field::DataType)? {
            0 => DataType::Int8,
            1 if C::OPS.int16 => DataType::Int16,
            1 => return reader.refuse(Field::DataType, FieldError::LeftOut(1)),
            code => return reader.refuse(Field::DataType, FieldError::Unknown(code)),
        };
        let scale = reader.take_float_bits(Field::Scale)?;
        // By its bits: a float comparison would cost a core without an FPU a library.
        if !(0x0080_0000..0x7f80_0000).contains(&scale) {
            return reader.refuse(Field::Scale, FieldError::NotPositive(scale));
        }
        let zero_points = match data_type {
            DataType::Int8 => Clamp::INT8,
            DataType::Int16 => Clamp { low: 0, high: 0 },
        };
        let zero_point =
            reader.take_in(Field::ZeroPoint, zero_points.low.into(), zero_points.high.into())?;
        Some(Quantization { data_type, scale: f32::from_bits(scale), zero_point })
    }
}

/// The values that a layer's output is clamped to.
///
/// Relu and relu6 are nothing but clamps: relu's lower bound is the output's zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clamp {
    /// Lowest value.
    pub low: i16,
    /// Highest value.
    pub high: i16,
}

impl Clamp {
    /// All of int8: no activation function.
    pub const INT8: Clamp = Clamp { low: -128, high: 127 };
    /// All of int16: no activation function.
    pub const INT16: Clamp = Clamp { low: i16::MIN, high: i16::MAX };

    /// All values of a data type.
    pub const fn all(data_type: DataType) -> Self {
        match data_type {
            DataType::Int8 => Clamp::INT8,
            DataType::Int16 => Clamp::INT16,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, data_type: DataType) -> Option<Self> {
        let all = Clamp::all(data_type);
        let low = reader.take_in(Field::ClampLow, all.low.into(), all.high.into())?;
        let high = reader.take_in(Field::ClampHigh, low, all.high.into())?;
        Some(Clamp { low: low as i16, high: high as i16 })
    }
}

/// A real multiplier in fixed point: mantissa / 2³¹ · 2^shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    /// Q31 mantissa, in 2³⁰..2³¹; or 0 together with a shift of 0, for a multiplier of 0.
    pub mantissa: i32,
    /// Power of two, in −31..=30; positive shifts left.
    pub shift: i8,
}

/// Bits of a mantissa that are zero in a compact form.
const COMPACT_SHIFT: u32 = 19;

impl Multiplier {
    /// The shifts that a multiplier can have.
    pub const SHIFTS: core::ops::RangeInclusive<i8> = -31..=30;

    /// The fixed-point form of a real multiplier, as TensorFlow Lite's `QuantizeMultiplier` (with
    /// double rounding) makes it: frexp, the fraction rounded to 31 bits with ties away from
    /// zero, halved if that reached 2³¹; what would need a shift below −31 is 0.
    ///
    /// # Errors
    /// [`Error::Multiplier`] for NaN, negative numbers, and 2³⁰ or more.
    pub fn from_real(real: f64) -> Result<Self, Error> {
        const FRACTION: u32 = 52;
        // Not `real < 0.0 || …`: a NaN must be refused as well.
        if !(0.0..f64::from(1u32 << 30)).contains(&real) {
            return Err(Error::Multiplier);
        }
        let bits = real.to_bits();
        // The sign of −0.0 is dropped with the bits above the exponent.
        let exponent = ((bits >> FRACTION) & 0x7ff) as i32;
        if exponent == 0 {
            // Zero, and subnormals far below 2^-31.
            return Ok(Multiplier { mantissa: 0, shift: 0 });
        }
        // real = significand / 2^53 · 2^shift, with significand / 2^53 in [0.5, 1).
        let significand = (bits & ((1 << FRACTION) - 1)) | (1 << FRACTION);
        let mut shift = exponent - 1022;
        let mut mantissa = (significand + (1 << 21)) >> 22;
        if mantissa == 1 << 31 {
            mantissa >>= 1;
            shift += 1;
        }
        match i8::try_from(shift) {
            Ok(shift) if shift > *Self::SHIFTS.end() => Err(Error::Multiplier),
            Ok(shift) if Self::SHIFTS.contains(&shift) => {
                Ok(Multiplier { mantissa: mantissa as i32, shift })
            }
            _ => Ok(Multiplier { mantissa: 0, shift: 0 }),
        }
    }

    /// The real number that the fixed-point form stands for.
    pub fn to_real(self) -> f64 {
        // An exact power of two: 31 ≥ −shift, so the exponent is within a double's range.
        let exponent = (1023 + i64::from(self.shift) - 31) as u64;
        f64::from(self.mantissa) * f64::from_bits(exponent << 52)
    }

    /// The nearest multiplier with a compact form, if there is one: 12 significant bits, and a shift that
    /// is not to the left. Its value changes by at most one in 4096.
    pub fn to_compact(self) -> Option<Self> {
        let half = 1 << (COMPACT_SHIFT - 1);
        let significant = (i64::from(self.mantissa) + half) >> COMPACT_SHIFT;
        let carry = significant == 1 << 12;
        let rounded = Multiplier {
            mantissa: ((if carry { significant >> 1 } else { significant }) << COMPACT_SHIFT)
                as i32,
            shift: self.shift.saturating_add(carry.into()),
        };
        rounded.compact_code().map(|_| rounded)
    }

    /// The compact form, if there is one: 11 bits below the highest of the mantissa, and five bits of a
    /// shift to the right; 0 for a multiplier of 0.
    pub(crate) const fn compact_code(self) -> Option<u16> {
        if self.mantissa == 0 && self.shift == 0 {
            return Some(0);
        }
        let is_round = self.mantissa & ((1 << COMPACT_SHIFT) - 1) == 0;
        if !is_round || self.mantissa < 1 << 30 || self.shift > 0 || self.shift < -31 {
            return None;
        }
        let code = (self.mantissa >> COMPACT_SHIFT) as u16 & 0x7ff
            | (self.shift.unsigned_abs() as u16) << 11;
        // One half is not to be told from zero.
        if code == 0 { None } else { Some(code) }
    }

    /// The multiplier of a compact form; there is one for every code.
    #[inline(always)]
    pub(crate) const fn from_compact(code: u16) -> Self {
        if code == 0 {
            return Multiplier { mantissa: 0, shift: 0 };
        }
        let mantissa = (code as i32 & 0x7ff | 0x800) << COMPACT_SHIFT;
        Multiplier { mantissa, shift: -((code >> 11) as i8) }
    }

    /// Returns whether the mantissa is one that goes with the shift, which is in [`SHIFTS`](Self::SHIFTS).
    pub(crate) fn has_valid_mantissa(self) -> bool {
        self.mantissa >= 1 << 30 || (self.mantissa == 0 && self.shift == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(real: f64) -> (i32, i8) {
        let m = Multiplier::from_real(real).unwrap();
        (m.mantissa, m.shift)
    }

    #[test]
    fn every_compact_code_is_a_multiplier_and_the_way_back() {
        for code in 0..=u16::MAX {
            let multiplier = Multiplier::from_compact(code);
            assert!(multiplier.has_valid_mantissa() && multiplier.shift <= 0);
            assert_eq!(multiplier.compact_code(), Some(code));
            assert_eq!(multiplier.to_compact(), Some(multiplier));
        }
        let at = |mantissa, shift| Multiplier { mantissa, shift };
        for other in [at(1 << 30, 0), at(1 << 30, 1), at((1 << 30) + 1, -3), at(1 << 29, -3)] {
            assert_eq!(other.compact_code(), None);
        }
    }

    #[test]
    fn the_nearest_compact_multiplier_is_near() {
        let mut real = 0.49;
        while real > 1e-9 {
            let compact = Multiplier::from_real(real).unwrap().to_compact().unwrap();
            assert!((compact.to_real() / real - 1.0).abs() <= 1.0 / 4096.0, "{real}");
            real *= 0.937;
        }
        // Up to the next power of two.
        let most = Multiplier { mantissa: i32::MAX, shift: -4 };
        assert_eq!(most.to_compact(), Some(Multiplier { mantissa: 1 << 30, shift: -3 }));
        assert_eq!(Multiplier { mantissa: i32::MAX, shift: 0 }.to_compact(), None);
        assert_eq!(Multiplier { mantissa: 1 << 30, shift: 0 }.to_compact(), None);
        let zero = Multiplier { mantissa: 0, shift: 0 };
        assert_eq!(zero.to_compact(), Some(zero));
    }

    #[test]
    fn bytes_are_values_of_their_precision() {
        assert_eq!([DataType::Int8, DataType::Int16].map(DataType::name), ["int8", "int16"]);
        let bytes = [0x80, 0x00, 0xff, 0x7f];
        assert!(DataType::Int8.values(&bytes).eq([-128, 0, -1, 127]));
        assert!(DataType::Int16.values(&bytes).eq([128, 32767]));
    }

    #[test]
    fn multipliers_follow_frexp() {
        assert_eq!(of(1.0), (1 << 30, 1));
        assert_eq!(of(0.5), (1 << 30, 0));
        assert_eq!(of(0.75), (3 << 29, 0));
        assert_eq!(of(0.0), (0, 0));
        assert_eq!(of(-0.0), (0, 0));
        assert_eq!(of(f64::from(1 << 29)), (1 << 30, 30));
        // 0.003 = 0.768 · 2^-8, and 0.768 · 2^31 = 1649267441.664.
        assert_eq!(of(0.003), (1_649_267_442, -8));
    }

    #[test]
    fn a_fraction_that_rounds_up_to_one_is_halved() {
        assert_eq!(of(1.0 - f64::EPSILON), (1 << 30, 1));
        // The largest fraction that does not: (2^31 − 1) / 2^31.
        assert_eq!(of(2147483647.0 / 2147483648.0), (i32::MAX, 0));
        // Half way between the two: the tie goes up.
        assert_eq!(of(4294967295.0 / 4294967296.0), (1 << 30, 1));
    }

    #[test]
    fn tiny_is_zero_and_huge_is_refused() {
        // 2^-32 = 0.5 · 2^-31 is the least that is kept.
        assert_eq!(of(2f64.powi(-32)), (1 << 30, -31));
        assert_eq!(of(2f64.powi(-33)), (0, 0));
        assert_eq!(of(f64::MIN_POSITIVE / 4.0), (0, 0));
        for bad in [f64::NAN, f64::INFINITY, -1e-300, 1073741824.0, 1073741823.9999999] {
            assert_eq!(Multiplier::from_real(bad), Err(Error::Multiplier), "{bad}");
        }
    }

    #[test]
    fn real_and_back() {
        for real in [1.0, 0.003, 123.456, 7e-9] {
            let back = Multiplier::from_real(real).unwrap().to_real();
            // Half a unit of a 31-bit fraction of at least one half.
            assert!((back - real).abs() <= real * 2f64.powi(-31), "{real} {back}");
        }
    }
}
