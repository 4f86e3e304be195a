//! What goes into a model and what comes out of it.

use heapless::Vec;

use crate::limits::{MAX_DIMENSIONS, MAX_LABELS, MAX_WIDTH};
use crate::reader::{Position, Reader};
use crate::{Field, Place, Precision, Problem, Quantization};

/// Dimensions of an input, outermost first; a 28 × 28 image is `[28, 28]`.
pub type Shape = Vec<u16, MAX_DIMENSIONS>;

/// The input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its dimensions; their product is the number of inputs.
    pub shape: Shape,
    /// What its values stand for.
    pub quantization: Quantization,
    /// How raw bytes become these values.
    pub encoding: Encoding,
}

/// How the raw bytes of a source become the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The source's bytes are the values, those of int16 little-endian.
    Quantized,
    /// For int8: the source has unsigned bytes, such as pixels: q = byte − 128. With a zero point of −128
    /// a byte stands for scale · byte, exactly.
    Unsigned8,
}

impl Encoding {
    /// The input byte for one raw byte.
    pub fn encode(self, raw: u8) -> i8 {
        match self {
            Encoding::Quantized => raw as i8,
            // Subtracting 128 modulo 256 flips the sign bit.
            Encoding::Unsigned8 => (raw ^ 0x80) as i8,
        }
    }
}

/// The output of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output<'a> {
    /// What its values stand for.
    pub quantization: Quantization,
    /// What it says.
    pub meaning: Meaning<'a>,
}

/// What the outputs of a model say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// One score a class: the largest wins, the first of equal ones.
    Classes(Labels<'a>),
    /// Real values in this unit, which may be empty.
    Values {
        /// The unit, as people write it.
        unit: &'a str,
    },
}

/// The class labels of a model, one an output, in order.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    start: Position<'a>,
    count: usize,
}

impl<'a> Labels<'a> {
    /// Number of labels, which is the number of outputs.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never: a model has outputs.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The labels in the order of the outputs.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = self.start.reader();
        // `Model::parse` has taken every label once, so the errors that end this cannot happen.
        (0..self.count).map_while(move |_| reader.take_text(Field::Text))
    }

    /// The label of an output.
    pub fn get(&self, output: usize) -> Option<&'a str> {
        self.iter().nth(output)
    }
}

impl core::fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Labels<'_> {}

impl Input {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let dimensions = reader.take_count(Field::Dimensions, MAX_DIMENSIONS)?;
        let mut shape = Shape::new();
        let mut len = 1usize;
        for _ in 0..dimensions {
            let dimension = reader.take_count(Field::Dimension, MAX_WIDTH)?;
            // At most 8192⁴ would overflow 32 bits: stop as soon as it is too wide.
            len = len.saturating_mul(dimension);
            if len > MAX_WIDTH || shape.push(dimension as u16).is_err() {
                let problem = Problem::TooLarge { value: len as u32, limit: MAX_WIDTH as u32 };
                return reader.refuse(Field::Dimensions, problem);
            }
        }
        let quantization = Quantization::read(reader)?;
        let encoding = match reader.take_unsigned(Field::Encoding)? {
            0 => Encoding::Quantized,
            1 if quantization.precision == Precision::Int8 => Encoding::Unsigned8,
            code => return reader.refuse(Field::Encoding, Problem::Unknown(code)),
        };
        Some(Input { shape, quantization, encoding })
    }

    /// Number of inputs: the product of the dimensions.
    // `len` describes a shape here, not a container that could be empty.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // At most MAX_WIDTH, as `read` has checked.
        self.shape.iter().fold(1, |len: usize, d| len.wrapping_mul(usize::from(*d)))
    }
}

impl<'a> Meaning<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        match reader.take_unsigned(Field::Meaning)? {
            0 => {
                let count = reader.take_count(Field::LabelCount, MAX_LABELS)?;
                let labels = Labels { start: reader.position(), count };
                for index in 0..count {
                    reader.place = Place::Label(index as u16);
                    reader.take_text(Field::Text)?;
                }
                Some(Meaning::Classes(labels))
            }
            1 => Some(Meaning::Values { unit: reader.take_text(Field::Text)? }),
            code => reader.refuse(Field::Meaning, Problem::Unknown(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_shift_by_128() {
        for raw in 0..=255u8 {
            assert_eq!(i32::from(Encoding::Unsigned8.encode(raw)), i32::from(raw) - 128);
            assert_eq!(Encoding::Quantized.encode(raw) as u8, raw);
        }
    }

    #[test]
    fn a_shape_too_wide_is_refused() {
        // Two dimensions of 100 and 100.
        let mut reader = Position::new(&[2, 100, 100], 16).reader();
        assert_eq!(Input::read(&mut reader), None);
        let error = reader.refusal();
        assert!(
            error.to_string().contains("10000 is more than this build takes (8192)"),
            "{error}"
        );
    }
}
