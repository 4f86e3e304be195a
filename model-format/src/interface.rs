//! Inputs and outputs of a model.

use heapless::Vec;

use crate::limits::{MAX_DIMENSIONS, MAX_LABELS, MAX_WIDTH};
use crate::reader::{Reader, Text};
use crate::{
    Capabilities, Channels, DataType, Field, FieldError, Location, Quantization, RealChannels,
    ValueScales,
};

/// Dimensions of an input, outermost first; a 28 × 28 image is `[28, 28]`.
pub type Shape = Vec<u16, MAX_DIMENSIONS>;

/// The input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// Its dimensions; their product is the number of inputs.
    pub shape: Shape,
    /// Quantization of its values.
    pub quantization: Quantization,
    /// Conversion of raw bytes to these values.
    pub encoding: Encoding<Channels<'a>, RealChannels<'a>>,
}

/// Conversion of a source's readings to the model's input.
///
/// `C` holds the channels of sensors that count, `R` those of real numbers: views of the file, or
/// vectors in a model to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding<C, R> {
    /// The source's bytes are the values, those of int16 little-endian.
    Quantized,
    /// For int8: the source has unsigned bytes, such as pixels: q = byte − 128. With a zero point of
    /// −128 a byte stands for scale · byte, exactly.
    Unsigned8,
    /// The source has counts of 16 bits, such as those of an analog-to-digital converter; each
    /// of its channels says what they stand for.
    Counts(C),
    /// The source has real numbers in units of its own, such as °C and hPa.
    Reals(R),
}

impl<C, R> Encoding<C, R> {
    /// Returns the input byte for one raw byte; counts and real numbers have none, and their bytes
    /// are taken for those of values.
    pub fn encode(&self, raw: u8) -> i8 {
        match self {
            Encoding::Quantized | Encoding::Counts(_) | Encoding::Reals(_) => raw as i8,
            // Subtracting 128 modulo 256 flips the sign bit.
            Encoding::Unsigned8 => (raw ^ 0x80) as i8,
        }
    }
}

/// The output of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output<'a> {
    /// Quantization of its values.
    pub quantization: Quantization,
    /// Its kind.
    pub kind: OutputKind<'a>,
}

/// Kind of the outputs of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputKind<'a> {
    /// One score per class: the largest wins, the first of equal ones.
    Classes {
        /// The labels, one per output.
        labels: Labels<'a>,
        /// For two classes, by how many steps the second score must exceed the first to win; 0 for
        /// more of them.
        threshold: i32,
    },
    /// Real values.
    Values(ValueScales<'a>),
    /// One score, the probability of the second of two classes.
    Probability {
        /// The labels of both.
        labels: Labels<'a>,
        /// The largest output value for which the first class wins.
        threshold: i32,
    },
}

/// The class labels of a model, in order: one per output, or two for one output that tells two
/// classes apart.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    start: &'a [u8],
    count: usize,
}

impl<'a> Labels<'a> {
    /// Number of labels.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never: a model has outputs.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The labels in the order of the outputs.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = Reader::new(self.start, 0);
        // `Model::parse` has taken every label once, so the errors that end this cannot happen.
        (0..self.count).map_while(move |_| reader.take_text(Field::Text).map(Text::as_str))
    }

    /// Returns the label of a class.
    pub fn get(&self, class: usize) -> Option<&'a str> {
        self.iter().nth(class)
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

impl<'a> Input<'a> {
    /// Takes the description of an input and shows its dimensions to `each`; returns the number of
    /// inputs, what they stand for, and how raw bytes become them.
    #[inline(always)]
    pub(crate) fn take<C: Capabilities>(
        reader: &mut Reader<'a>,
        mut each: impl FnMut(u16),
    ) -> Option<(usize, Quantization, Encoding<Channels<'a>, RealChannels<'a>>)> {
        let dimensions = reader.take_count(Field::Dimensions, 1, MAX_DIMENSIONS)?;
        let mut len = 1usize;
        for _ in 0..dimensions {
            let dimension = reader.take_count(Field::Dimension, 1, MAX_WIDTH)?;
            // At most 8192², since it stops as soon as it is too wide.
            len = len.wrapping_mul(dimension);
            if len > MAX_WIDTH {
                let problem = FieldError::TooLarge { value: len as u32, limit: MAX_WIDTH as u32 };
                return reader.refuse(Field::Dimensions, problem);
            }
            each(dimension as u16);
        }
        let quantization = Quantization::read::<C>(reader)?;
        let encoding = match reader.take_unsigned(Field::Encoding)? {
            0 => Encoding::Quantized,
            1 if quantization.data_type == DataType::Int8 => Encoding::Unsigned8,
            2 if C::OPS.counts => Encoding::Counts(Channels::take(reader, len)?),
            3 if C::OPS.reals => Encoding::Reals(RealChannels::take(reader, len)?),
            code @ 2..=3 => return reader.refuse(Field::Encoding, FieldError::LeftOut(code)),
            code => return reader.refuse(Field::Encoding, FieldError::Unknown(code)),
        };
        Some((len, quantization, encoding))
    }

    /// Reads what has been checked, an input of this quantization.
    pub(crate) fn read<C: Capabilities>(
        reader: &mut Reader<'a>,
        quantization: Quantization,
    ) -> Self {
        let mut shape = Shape::new();
        let taken = Self::take::<C>(reader, |dimension| {
            // There are as many as it holds at most.
            let _ = shape.push(dimension);
        });
        let encoding = taken.map_or(Encoding::Quantized, |(_, _, encoding)| encoding);
        Input { shape, quantization, encoding }
    }

    /// Number of inputs: the product of the dimensions.
    // `len` describes a shape here, not a container that could be empty.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // At most MAX_WIDTH, as `read` has checked.
        self.shape.iter().fold(1, |len: usize, d| len.wrapping_mul(usize::from(*d)))
    }
}

/// Number of outputs that an output kind asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputsNeeded {
    Any,
    /// So many, of which this field tells.
    Exactly(usize, Field),
}

impl<'a> OutputKind<'a> {
    /// Checks what lies there; returns how many outputs it is for.
    pub(crate) fn check(reader: &mut Reader<'a>) -> Option<OutputsNeeded> {
        match reader.take_unsigned(Field::OutputKind)? {
            code @ (0 | 2) => {
                let count = reader.take_count(Field::LabelCount, 1, MAX_LABELS)?;
                for index in 0..count {
                    reader.place = Location::Label(index as u16);
                    reader.take_text(Field::Text)?;
                }
                reader.place = Location::Output;
                // What no difference of two scores of 16 bits reaches.
                let most = if code == 2 || count == 2 { 1 << 16 } else { 0 };
                reader.take_in(Field::Threshold, -most, most)?;
                match (code, count) {
                    (0, _) => Some(OutputsNeeded::Exactly(count, Field::LabelCount)),
                    (_, 2) => Some(OutputsNeeded::Exactly(1, Field::Outputs)),
                    _ => reader.mismatch(Field::LabelCount, 2, count),
                }
            }
            1 => {
                let scales = ValueScales::take(reader)?;
                Some(if scales.is_empty() {
                    OutputsNeeded::Any
                } else {
                    OutputsNeeded::Exactly(scales.len(), Field::Outputs)
                })
            }
            code => reader.refuse(Field::OutputKind, FieldError::Unknown(code)),
        }
    }

    /// Reads what has been checked.
    pub(crate) fn read(mut reader: Reader<'a>) -> Self {
        // There is no error to lose, and no other codes than these three.
        let code = reader.take_unsigned(Field::OutputKind).unwrap_or_default();
        if code == 1 {
            return OutputKind::Values(ValueScales::take(&mut reader).unwrap_or_default());
        }
        let count = reader.take_count(Field::LabelCount, 1, MAX_LABELS).unwrap_or_default();
        let labels = Labels { start: reader.rest(), count };
        for _ in 0..count {
            reader.take_text(Field::Text);
        }
        let threshold = reader.take_in(Field::Threshold, i32::MIN, i32::MAX).unwrap_or_default();
        match code {
            0 => OutputKind::Classes { labels, threshold },
            _ => OutputKind::Probability { labels, threshold },
        }
    }

    /// Returns the labels of the classes, if the outputs tell classes apart.
    pub fn labels(&self) -> Option<Labels<'a>> {
        match self {
            OutputKind::Classes { labels, .. } | OutputKind::Probability { labels, .. } => {
                Some(*labels)
            }
            OutputKind::Values(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AllOps;

    #[test]
    fn pixels_shift_by_128() {
        for raw in 0..=255u8 {
            assert_eq!(i32::from(Encoding::<(), ()>::Unsigned8.encode(raw)), i32::from(raw) - 128);
            assert_eq!(Encoding::<(), ()>::Quantized.encode(raw) as u8, raw);
        }
    }

    #[test]
    fn a_shape_too_wide_is_refused() {
        // Two dimensions of 100 and 100.
        let mut reader = Reader::new(&[2, 100, 100], 19);
        assert_eq!(Input::take::<AllOps>(&mut reader, |_| ()), None);
        let error = reader.refusal();
        assert!(
            error.to_string().contains("10000 is more than this build takes (8192)"),
            "{error}"
        );
    }
}
