//! Scale and offset of each output of a model that gives real values.

use crate::reader::Reader;
use crate::reals::is_finite;
use crate::{Field, FieldError, Location, Quantization};

/// The real value that an output q of the last layer, with zero point z, stands for, in the unit of
/// what was learnt: offset + scale · (q − z).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueScale {
    /// Real distance of two neighboring values; positive and finite.
    pub scale: f32,
    /// Real value of the zero point; finite.
    pub offset: f32,
}

/// Scale and offset of each output; none where all have the quantization of the last layer, and
/// an offset of 0.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ValueScales<'a> {
    bytes: &'a [u8],
}

impl ValueScale {
    /// Bytes of a scale and an offset in the file.
    const BYTES: usize = 8;

    /// Returns the scale and offset of an output whose layer has this quantization.
    pub fn of_layer(layer: Quantization) -> Self {
        ValueScale { scale: layer.scale, offset: 0.0 }
    }

    /// Returns the real value that `steps`, an output with the zero point taken off, stands for.
    pub fn real(self, steps: i32) -> f32 {
        self.offset + self.scale * steps as f32
    }

    /// Bytes in the file.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn to_bytes(self) -> [u8; ValueScale::BYTES] {
        let mut bytes = [0; ValueScale::BYTES];
        bytes[..4].copy_from_slice(&self.scale.to_le_bytes());
        bytes[4..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }
}

impl<'a> ValueScales<'a> {
    #[inline(never)]
    pub(crate) fn take(reader: &mut Reader<'a>) -> Option<Self> {
        let bytes = reader.take_bytes(Field::ValueScales)?;
        let scales = ValueScales { bytes };
        if scales.len().wrapping_mul(ValueScale::BYTES) != bytes.len() {
            let whole = scales.len().wrapping_mul(ValueScale::BYTES);
            return reader.mismatch(Field::ValueScales, whole, bytes.len());
        }
        for (index, scale) in scales.iter().enumerate() {
            reader.place = Location::OutputValue(index as u16);
            let (scale, offset) = (scale.scale.to_bits(), scale.offset.to_bits());
            if !(0x0080_0000..0x7f80_0000).contains(&scale) {
                return reader.refuse(Field::Scale, FieldError::NotPositive(scale));
            }
            if !is_finite(offset) {
                return reader.refuse(Field::Offset, FieldError::NotFinite(offset));
            }
        }
        reader.place = Location::Output;
        Some(scales)
    }

    /// Number of outputs that have a scale of their own.
    pub fn len(&self) -> usize {
        self.bytes.len() / ValueScale::BYTES
    }

    /// Returns whether all outputs have the quantization of the last layer.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the scales, in the order of the outputs.
    pub fn iter(&self) -> impl Iterator<Item = ValueScale> + Clone + use<'a> {
        self.bytes.as_chunks().0.iter().map(|bytes: &[u8; ValueScale::BYTES]| {
            let &[a, b, c, d, e, f, g, h] = bytes;
            ValueScale {
                scale: f32::from_le_bytes([a, b, c, d]),
                offset: f32::from_le_bytes([e, f, g, h]),
            }
        })
    }
}

impl core::fmt::Debug for ValueScales<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(scales: &[ValueScale]) -> Result<Vec<ValueScale>, String> {
        let mut field = vec![(scales.len() * ValueScale::BYTES) as u8];
        scales.iter().for_each(|scale| field.extend(scale.to_bytes()));
        let mut reader = Reader::new(&field, 16);
        reader.place = Location::Output;
        match ValueScales::take(&mut reader) {
            Some(scales) => Ok(scales.iter().collect()),
            None => Err(reader.refusal().to_string()),
        }
    }

    const PASCALS: ValueScale = ValueScale { scale: 2.5, offset: 101_325.0 };

    #[test]
    fn scales_are_read_back_and_give_real_values() {
        assert_eq!(take(&[]), Ok(vec![]));
        assert_eq!(take(&[PASCALS, PASCALS]), Ok(vec![PASCALS; 2]));
        assert_eq!(PASCALS.real(-10), 101_300.0);
    }

    #[test]
    fn a_refusal_names_the_output_and_the_field() {
        for (scale, expected) in [
            (ValueScale { scale: 0.0, ..PASCALS }, "output 1, scale: 0e0 is not a positive number"),
            (ValueScale { scale: -1.0, ..PASCALS }, "output 1, scale: -1e0 is not a positive"),
            (ValueScale { offset: f32::NAN, ..PASCALS }, "output 1, offset: it is not a finite"),
        ] {
            let error = take(&[PASCALS, scale]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let mut reader = Reader::new(&[3, 1, 2, 3], 16);
        reader.place = Location::Output;
        assert_eq!(ValueScales::take(&mut reader), None);
        assert!(reader.refusal().to_string().contains("scales of outputs: 3 where 0 is needed"));
    }
}
