//! The payload, field by field.
//!
//! The payload is one postcard value, and each field of it is a postcard value too: taking them
//! one at a time lets a refusal name the field, and lets the layers stay bytes until they run.

use serde::Deserialize;

use crate::{Error, Field, Place, Problem};

/// A position in the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of `rest` in the file.
    offset: usize,
    place: Place,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8], offset: usize) -> Self {
        Reader { rest, offset, place: Place::Model }
    }

    /// The same position, with refusals that name this place.
    pub(crate) fn at(self, place: Place) -> Self {
        Reader { place, ..self }
    }

    /// Goes on where `other` stands, and keeps its own place.
    pub(crate) fn resume(&mut self, other: &Reader<'a>) {
        self.rest = other.rest;
        self.offset = other.offset;
    }

    pub(crate) fn refuse(&self, field: Field, problem: Problem) -> Error {
        Error::Field { place: self.place, field, problem }
    }

    /// Takes one postcard value.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self, field: Field) -> Result<T, Error> {
        match postcard::take_from_bytes(self.rest) {
            Ok((value, rest)) => {
                self.offset += self.rest.len().saturating_sub(rest.len());
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(self.refuse(field, Problem::Malformed)),
        }
    }

    /// Takes an integer that must lie in `low..=high`.
    pub(crate) fn take_in(&mut self, field: Field, low: i32, high: i32) -> Result<i32, Error> {
        let value: i32 = self.take(field)?;
        if value < low || value > high {
            return Err(self.refuse(field, Problem::OutOfRange(value.into())));
        }
        Ok(value)
    }

    /// Takes a count that must be at least one and no more than this build's limit.
    pub(crate) fn take_count(&mut self, field: Field, limit: usize) -> Result<usize, Error> {
        match self.take_count_or_none(field, limit)? {
            0 => Err(self.refuse(field, Problem::OutOfRange(0))),
            count => Ok(count),
        }
    }

    /// Takes a count that must be no more than this build's limit.
    pub(crate) fn take_count_or_none(
        &mut self,
        field: Field,
        limit: usize,
    ) -> Result<usize, Error> {
        let value: u32 = self.take(field)?;
        let limit = limit as u32;
        if value > limit {
            return Err(self.refuse(field, Problem::TooLarge { value, limit }));
        }
        Ok(value as usize)
    }

    /// Takes a text of at most [`MAX_TEXT`](crate::limits::MAX_TEXT) bytes.
    pub(crate) fn take_text(&mut self, field: Field) -> Result<&'a str, Error> {
        let text: &str = self.take(field)?;
        let limit = crate::limits::MAX_TEXT as u32;
        let value = text.len() as u32;
        if value > limit {
            return Err(self.refuse(field, Problem::TooLarge { value, limit }));
        }
        Ok(text)
    }

    /// Takes bytes, of which there must be exactly `expected`.
    pub(crate) fn take_exact(&mut self, field: Field, expected: usize) -> Result<&'a [u8], Error> {
        let bytes: &[u8] = self.take(field)?;
        if bytes.len() != expected {
            let (expected, found) = (expected as u32, bytes.len() as u32);
            return Err(self.refuse(field, Problem::Mismatch { expected, found }));
        }
        Ok(bytes)
    }

    /// Takes padding and the bytes behind it, which the padding puts on a 4-byte boundary.
    pub(crate) fn take_aligned(&mut self, field: Field) -> Result<&'a [u8], Error> {
        let padding: &[u8] = self.take(Field::Padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(self.refuse(Field::Padding, Problem::NotZero));
        }
        let bytes: &[u8] = self.take(field)?;
        // `take` has moved past the bytes.
        let start = self.offset.wrapping_sub(bytes.len());
        if padding.len() > 3 || !start.is_multiple_of(4) {
            return Err(self.refuse(field, Problem::Unaligned));
        }
        Ok(bytes)
    }

    /// Ends the payload: nothing may follow.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(self.refuse(Field::End, Problem::Trailing(more as u32))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_field_is_named() {
        let mut reader = Reader::new(&[0x80], 16).at(Place::Layer(3));
        assert_eq!(
            reader.take::<u32>(Field::Inputs),
            Err(Error::Field {
                place: Place::Layer(3),
                field: Field::Inputs,
                problem: Problem::Malformed
            })
        );
    }

    #[test]
    fn aligned_bytes_must_be_aligned() {
        // At offset 17: no padding (1 byte), length (1 byte), so the bytes start at 19.
        let mut reader = Reader::new(&[0, 2, 7, 7], 17);
        assert!(reader.take_aligned(Field::Parameters).is_err());
        let mut reader = Reader::new(&[1, 0, 2, 7, 7], 17);
        assert_eq!(reader.take_aligned(Field::Parameters), Ok(&[7, 7][..]));
        let mut reader = Reader::new(&[1, 9, 2, 7, 7], 17);
        assert!(reader.take_aligned(Field::Parameters).is_err());
    }
}
