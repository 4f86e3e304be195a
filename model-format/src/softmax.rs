//! Softmax.

use crate::reader::Reader;
use crate::{DataType, Field, FieldError, Quantization};

/// Most outputs of a softmax: their exponentials, at most 2¹⁹ each, add up in 31 bits.
pub const MAX_SOFTMAX: usize = 4095;

/// A softmax over int8 logits: TensorFlow Lite Micro's int8 softmax, with its exponentials taken
/// from a table that was made by its algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Softmax<'a> {
    width: u16,
    /// Quantization of the logits.
    pub input: Quantization,
    exponentials: &'a [u8],
}

impl<'a> Softmax<'a> {
    /// Quantization of the output's values: 1/256 at −128.
    pub const OUTPUT: Quantization = Quantization::int8(1.0 / 256.0, -128);

    pub(crate) fn read(reader: &mut Reader<'a>, width: usize, input: Quantization) -> Option<Self> {
        if input.data_type != DataType::Int8 {
            return reader.refuse(Field::Operator, FieldError::NeedsInt8);
        }
        if width > MAX_SOFTMAX {
            let (value, limit) = (width as u32, MAX_SOFTMAX as u32);
            return reader.refuse(Field::Inputs, FieldError::TooLarge { value, limit });
        }
        let exponentials = reader.take_aligned(Field::Exponentials)?;
        if !exponentials.len().is_multiple_of(4) || !(4..=1024).contains(&exponentials.len()) {
            let problem = FieldError::OutOfRange(exponentials.len() as i32);
            return reader.refuse(Field::Exponentials, problem);
        }
        Some(Softmax { width: width as u16, input, exponentials })
    }

    pub(crate) fn check(&self, reader: &mut Reader<'_>) -> Option<()> {
        for (k, value) in self.exponentials().iter().enumerate() {
            let value = i32::from_le_bytes(*value);
            // The first is e⁰, in Q31 as near to 1 as there is: the sum is never 0.
            if value < 0 || (k == 0 && value != i32::MAX) {
                return reader.refuse(Field::Exponentials, FieldError::OutOfRange(value));
            }
        }
        Some(())
    }

    /// A layer of these fields, which have been read from a checked file.
    pub(crate) fn of(width: u16, input: Quantization, exponentials: &'a [u8]) -> Self {
        Softmax { width, input, exponentials }
    }

    /// Number of inputs, and of outputs.
    pub fn width(&self) -> usize {
        self.width.into()
    }

    /// e^(−k · input scale) for k from 0 on, in Q31, little-endian; those that follow the last
    /// count as 0.
    pub fn exponentials(&self) -> &'a [[u8; 4]] {
        self.exponentials.as_chunks().0
    }
}
