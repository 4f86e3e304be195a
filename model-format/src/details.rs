//! Names, units and other descriptions that people and programs need beside the numbers.
//!
//! An engine never reads them, and [`ModelSpec`](crate::build::ModelSpec) can be written without:
//! they can be stripped where flash is short.

use crate::limits::MAX_WIDTH;
use crate::reader::{Reader, Text};
use crate::reals::is_finite;
use crate::{Field, FieldError, Location};

/// The descriptions in a model file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Details<'a> {
    features: Described<'a>,
    outputs: Described<'a>,
    preparation: &'a str,
    len: usize,
}

/// Description of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature<'a> {
    /// Its name; may be empty.
    pub name: &'a str,
    /// Its unit; may be empty.
    pub unit: &'a str,
    /// Of a million training rows, those that lay beyond the range of the input.
    pub clipped: u32,
    /// The real number that a count c stands for is slope · c + intercept: both, for inputs made
    /// from counts; else 1 and 0.
    pub line: [f32; 2],
}

/// Description of an output of a model that gives values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLabel<'a> {
    /// Its name; may be empty.
    pub name: &'a str,
    /// Its unit; may be empty.
    pub unit: &'a str,
}

/// Descriptions that have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Described<'a> {
    start: &'a [u8],
    count: usize,
}

impl Described<'_> {
    const NONE: Self = Described { start: &[], count: 0 };
}

impl<'a> Details<'a> {
    /// Of a model without any.
    pub(crate) const NONE: Self =
        Details { features: Described::NONE, outputs: Described::NONE, preparation: "", len: 0 };

    /// Takes and checks the descriptions of a model of so many inputs and outputs; `bytes` end at
    /// this offset of the file.
    pub(crate) fn take(reader: &mut Reader<'a>, inputs: usize, outputs: usize) -> Option<Self> {
        let bytes = reader.take_bytes(Field::Details)?;
        if bytes.is_empty() {
            return Some(Details::NONE);
        }
        let mut inner = Reader::new(bytes, 0);
        let taken = Details::take_fields(&mut inner, inputs, outputs);
        if taken.is_none() {
            return reader.refuse_for(inner.refusal());
        }
        taken.map(|details| Details { len: bytes.len(), ..details })
    }

    fn take_fields(reader: &mut Reader<'a>, inputs: usize, outputs: usize) -> Option<Self> {
        let count = reader.take_count(Field::FeatureCount, 0, MAX_WIDTH)?;
        if count != 0 && count != inputs {
            return reader.mismatch(Field::FeatureCount, inputs, count);
        }
        let features = Described { start: reader.rest(), count };
        for index in 0..count {
            reader.place = Location::Feature(index as u16);
            take_feature(reader)?;
        }
        reader.place = Location::Model;
        let count = reader.take_count(Field::OutputCount, 0, MAX_WIDTH)?;
        if count != 0 && count != outputs {
            return reader.mismatch(Field::OutputCount, outputs, count);
        }
        let described = Described { start: reader.rest(), count };
        for index in 0..count {
            reader.place = Location::OutputValue(index as u16);
            take_output(reader)?;
        }
        reader.place = Location::Model;
        let preparation = reader.take_text(Field::Preparation)?.as_str();
        reader.finish()?;
        Some(Details { features, outputs: described, preparation, len: 0 })
    }

    /// Returns the features in the order of the inputs; none where they have no names.
    pub fn features(&self) -> impl ExactSizeIterator<Item = Feature<'a>> + use<'a> {
        let mut reader = Reader::new(self.features.start, 0);
        // Checked when the model was parsed: there is no error to lose.
        (0..self.features.count).map(move |_| {
            take_feature(&mut reader).unwrap_or(Feature {
                name: "",
                unit: "",
                clipped: 0,
                line: [1.0, 0.0],
            })
        })
    }

    /// Returns the outputs in their order; none where they have no names.
    pub fn outputs(&self) -> impl ExactSizeIterator<Item = OutputLabel<'a>> + use<'a> {
        let mut reader = Reader::new(self.outputs.start, 0);
        (0..self.outputs.count)
            .map(move |_| take_output(&mut reader).unwrap_or(OutputLabel { name: "", unit: "" }))
    }

    /// Preparation of images for training, in words that a program knows; empty where the
    /// inputs are no images, or images were taken as they were.
    pub fn preparation(&self) -> &'a str {
        self.preparation
    }

    /// Bytes that the descriptions take of the file.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn take_feature<'a>(reader: &mut Reader<'a>) -> Option<Feature<'a>> {
    let name = reader.take_text(Field::Name).map(Text::as_str)?;
    let unit = reader.take_text(Field::Text).map(Text::as_str)?;
    let clipped = reader.take_count(Field::ClippedShare, 0, 1_000_000)? as u32;
    let mut line = [0.0; 2];
    for value in &mut line {
        let bits = reader.take_float_bits(Field::Scale)?;
        if !is_finite(bits) {
            return reader.refuse(Field::Scale, FieldError::NotFinite(bits));
        }
        *value = f32::from_bits(bits);
    }
    Some(Feature { name, unit, clipped, line })
}

fn take_output<'a>(reader: &mut Reader<'a>) -> Option<OutputLabel<'a>> {
    let name = reader.take_text(Field::Name).map(Text::as_str)?;
    let unit = reader.take_text(Field::Text).map(Text::as_str)?;
    Some(OutputLabel { name, unit })
}
