//! The payload, field by field.
//!
//! The payload is one postcard value, and each field of it is a postcard value too: taking them
//! one at a time lets a refusal name the field, and lets the layers stay bytes until they run. The
//! wire format has few kinds of field, so they are read here, in a fraction of the code that a
//! general deserializer makes.

use crate::{Error, Field, FieldError, Location};

/// Takes fields; `None` means that one was refused, and the reader keeps why.
///
/// An error is larger than what is read: keeping it here lets values travel in registers.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the end of the payload in the file.
    end: usize,
    /// The location that refusals name.
    pub(crate) place: Location,
    refusal: Error,
}

/// A text that has been checked.
///
/// Bytes, so that the standard library's check of them, larger and faster than [`is_utf8`], is
/// linked only where somebody reads the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    pub(crate) fn as_str(self) -> &'a str {
        // What `is_utf8` accepts, this accepts.
        core::str::from_utf8(self.0).unwrap_or_default()
    }
}

/// Returns whether bytes are UTF-8 (RFC 3629): the shortest form of each character, no surrogates.
fn is_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(first) = rest.next() {
        if *first < 0x80 {
            continue;
        }
        if !(0xc2..=0xf4).contains(first) {
            return false;
        }
        let more = 3u32.wrapping_sub((*first < 0xf0).into()).wrapping_sub((*first < 0xe0).into());
        let mut code = u32::from(first & 0x3f >> more);
        for _ in 0..more {
            match rest.next() {
                Some(byte @ 0x80..=0xbf) => code = code << 6 | u32::from(byte & 0x3f),
                _ => return false,
            }
        }
        // Two bytes are not needed below 2^7, where 0xc0 and 0xc1 begin; three not below 2^11,
        // four not below 2^16.
        let fits_shorter = more > 1 && code >> more.wrapping_mul(5).wrapping_add(1) == 0;
        if fits_shorter || char::from_u32(code).is_none() {
            return false;
        }
    }
    true
}

impl<'a> Reader<'a> {
    /// Reads the rest of a payload that ends at this offset of the file.
    #[inline(always)]
    pub(crate) fn new(rest: &'a [u8], end: usize) -> Self {
        let place = Location::Model;
        let refusal = Error::Field { place, field: Field::End, problem: FieldError::Malformed };
        Reader { rest, end, place, refusal }
    }

    /// The bytes that have not been taken yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The error of the field that was refused.
    pub(crate) fn refusal(&self) -> Error {
        self.refusal
    }

    /// Refuses a field of the current place.
    #[inline(always)]
    pub(crate) fn refuse<T>(&mut self, field: Field, problem: FieldError) -> Option<T> {
        self.note(field, problem);
        None
    }

    #[cold]
    #[inline(never)]
    fn note(&mut self, field: Field, problem: FieldError) {
        self.refusal = Error::Field { place: self.place, field, problem };
    }

    /// Refuses the model.
    pub(crate) fn refuse_for<T>(&mut self, error: Error) -> Option<T> {
        self.refusal = error;
        None
    }

    /// Takes a number of bytes.
    #[inline(always)]
    fn take_raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes a postcard `varint(u32)`: seven bits a byte, lowest first.
    #[inline(always)]
    fn take_varint(&mut self) -> Option<u32> {
        let (mut value, mut shift) = (0, 0u32);
        let mut rest = self.rest;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            value |= u32::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                // Of the fifth byte, four bits belong to 32.
                if shift == 28 && *byte > 0x0f {
                    return None;
                }
                self.rest = rest;
                return Some(value);
            }
            shift = shift.wrapping_add(7);
            if shift > 28 {
                return None;
            }
        }
    }

    /// Takes an unsigned integer.
    #[inline(never)]
    pub(crate) fn take_unsigned(&mut self, field: Field) -> Option<u32> {
        match self.take_varint() {
            None => self.refuse(field, FieldError::Malformed),
            value => value,
        }
    }

    /// Takes the bits of a float.
    pub(crate) fn take_float_bits(&mut self, field: Field) -> Option<u32> {
        match self.take_raw(4) {
            Some(&[a, b, c, d]) => Some(u32::from_le_bytes([a, b, c, d])),
            _ => self.refuse(field, FieldError::Malformed),
        }
    }

    /// Takes bytes behind their number.
    #[inline(never)]
    pub(crate) fn take_bytes(&mut self, field: Field) -> Option<&'a [u8]> {
        let taken = match self.take_varint() {
            Some(len) => self.take_raw(len as usize),
            None => None,
        };
        match taken {
            None => self.refuse(field, FieldError::Malformed),
            bytes => bytes,
        }
    }

    /// Takes an integer that must lie in `low..=high`.
    #[inline(never)]
    pub(crate) fn take_in(&mut self, field: Field, low: i32, high: i32) -> Option<i32> {
        let zigzag = self.take_unsigned(field)?;
        let value = (zigzag >> 1) as i32 ^ ((zigzag & 1) as i32).wrapping_neg();
        if value < low || value > high {
            return self.refuse(field, FieldError::OutOfRange(value));
        }
        Some(value)
    }

    /// Takes a count that lies between `least` and this build's limit.
    #[inline(never)]
    pub(crate) fn take_count(&mut self, field: Field, least: u32, limit: usize) -> Option<usize> {
        let value = self.take_unsigned(field)?;
        let limit = limit as u32;
        if value > limit {
            return self.refuse(field, FieldError::TooLarge { value, limit });
        }
        if value < least {
            return self.refuse(field, FieldError::OutOfRange(value as i32));
        }
        Some(value as usize)
    }

    /// Takes a text of at most [`MAX_TEXT`](crate::limits::MAX_TEXT) bytes.
    #[inline(never)]
    pub(crate) fn take_text(&mut self, field: Field) -> Option<Text<'a>> {
        let bytes = self.take_bytes(field)?;
        let limit = crate::limits::MAX_TEXT as u32;
        let value = bytes.len() as u32;
        if !is_utf8(bytes) {
            return self.refuse(field, FieldError::Malformed);
        }
        if value > limit {
            return self.refuse(field, FieldError::TooLarge { value, limit });
        }
        Some(Text(bytes))
    }

    /// Takes bytes, of which there must be exactly `expected`.
    pub(crate) fn take_exact(&mut self, field: Field, expected: usize) -> Option<&'a [u8]> {
        let bytes = self.take_bytes(field)?;
        if bytes.len() != expected {
            return self.mismatch(field, expected, bytes.len());
        }
        Some(bytes)
    }

    /// Refuses a field that is not as it must be.
    pub(crate) fn mismatch<T>(&mut self, field: Field, expected: usize, found: usize) -> Option<T> {
        let (expected, found) = (expected as u32, found as u32);
        self.refuse(field, FieldError::Mismatch { expected, found })
    }

    /// Takes padding and the bytes behind it, which the padding puts on a 4-byte boundary.
    #[inline(never)]
    pub(crate) fn take_aligned(&mut self, field: Field) -> Option<&'a [u8]> {
        let padding = self.take_bytes(Field::Padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return self.refuse(Field::Padding, FieldError::NotZero);
        }
        let bytes = self.take_bytes(field)?;
        // `take_bytes` has moved past the bytes.
        let left = self.rest.len().wrapping_add(bytes.len());
        let start = self.end.wrapping_sub(left);
        if padding.len() > 3 || !start.is_multiple_of(4) {
            return self.refuse(field, FieldError::Unaligned);
        }
        Some(bytes)
    }

    /// Ends the payload: nothing may follow.
    pub(crate) fn finish(&mut self) -> Option<()> {
        match self.rest.len() {
            0 => Some(()),
            more => self.refuse(Field::End, FieldError::Trailing(more as u32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8], take: impl FnOnce(&mut Reader<'_>) -> Option<u32>) -> Error {
        let mut reader = Reader::new(bytes, 16 + bytes.len());
        reader.place = Location::Layer(3);
        assert_eq!(take(&mut reader), None);
        reader.refusal()
    }

    #[test]
    fn a_cut_field_is_named() {
        let malformed = Error::Field {
            place: Location::Layer(3),
            field: Field::Inputs,
            problem: FieldError::Malformed,
        };
        let five_bytes_of_33_bits = [0xff, 0xff, 0xff, 0xff, 0x1f];
        for bytes in [&[][..], &[0x80], &[0xff; 6], &five_bytes_of_33_bits] {
            assert_eq!(refused(bytes, |r| r.take_unsigned(Field::Inputs)), malformed);
        }
        assert_eq!(refused(&[0; 3], |r| r.take_float_bits(Field::Inputs)), malformed);
        assert_eq!(refused(&[3, 1, 2], |r| r.take_bytes(Field::Inputs).map(|_| 0)), malformed);
        assert_eq!(refused(&[1, 0xff], |r| r.take_text(Field::Inputs).map(|_| 0)), malformed);
    }

    #[test]
    fn reads_what_postcard_writes() {
        for value in [0, 1, 127, 128, 300, 1 << 14, 1 << 21, 1 << 28, u32::MAX] {
            let bytes = postcard::to_stdvec(&value).unwrap();
            let mut reader = Reader::new(&bytes, 16 + bytes.len());
            assert_eq!(reader.take_unsigned(Field::Inputs), Some(value));
            assert_eq!(reader.finish(), Some(()));
            for value in [value as i32, (value as i32).wrapping_neg()] {
                let bytes = postcard::to_stdvec(&value).unwrap();
                let mut reader = Reader::new(&bytes, 16 + bytes.len());
                assert_eq!(reader.take_in(Field::Inputs, i32::MIN, i32::MAX), Some(value));
            }
        }
        let bytes = postcard::to_stdvec(&(1.5f32, "seven", b"8")).unwrap();
        let mut reader = Reader::new(&bytes, 16 + bytes.len());
        assert_eq!(reader.take_float_bits(Field::Scale), Some(1.5f32.to_bits()));
        assert_eq!(reader.take_text(Field::Text).map(Text::as_str), Some("seven"));
    }

    #[test]
    fn utf8_is_what_the_standard_library_takes() {
        let check = |bytes: &[u8]| {
            assert_eq!(is_utf8(bytes), core::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
        };
        // Miri is slow: some of them.
        let step = if cfg!(miri) { 17 } else { 1 };
        for a in 0..=255 {
            check(&[a]);
            (0..=255).step_by(step).for_each(|b| check(&[a, b]));
        }
        // Where one kind of byte ends and the next begins.
        let edges = [
            0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
            0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
        ];
        for a in edges.into_iter().step_by(step) {
            for b in edges {
                for c in edges.into_iter().step_by(step) {
                    check(&[a, b, c]);
                    edges.into_iter().for_each(|d| check(&[a, b, c, d]));
                }
            }
        }
    }

    #[test]
    fn counts_and_texts_have_limits() {
        let problem_of = |error| match error {
            Error::Field { place: Location::Layer(3), field: Field::Inputs, problem } => problem,
            other => panic!("{other:?}"),
        };
        let count = |value: u8| {
            let mut reader = Reader::new(core::slice::from_ref(&value), 17);
            reader.place = Location::Layer(3);
            let taken = reader.take_count(Field::Inputs, 2, 5);
            taken.ok_or_else(|| problem_of(reader.refusal()))
        };
        assert_eq!([2, 3, 5].map(count), [Ok(2), Ok(3), Ok(5)]);
        assert_eq!(count(1), Err(FieldError::OutOfRange(1)));
        assert_eq!(count(6), Err(FieldError::TooLarge { value: 6, limit: 5 }));
        assert_eq!(count(99), Err(FieldError::TooLarge { value: 99, limit: 5 }));
        let text = |len: u8| {
            let bytes = [&[len][..], &vec![b'x'; len.into()]].concat();
            let mut reader = Reader::new(&bytes, 16 + bytes.len());
            reader.place = Location::Layer(3);
            let taken = reader.take_text(Field::Inputs).map(|text| text.as_str().len());
            taken.ok_or_else(|| problem_of(reader.refusal()))
        };
        assert_eq!([text(0), text(63), text(64)], [Ok(0), Ok(63), Ok(64)]);
        assert_eq!(text(65), Err(FieldError::TooLarge { value: 65, limit: 64 }));
        assert_eq!(text(99), Err(FieldError::TooLarge { value: 99, limit: 64 }));
    }

    #[test]
    fn nothing_follows_the_last_field() {
        let mut reader = Reader::new(&[7, 8], 18);
        assert_eq!((reader.rest(), reader.finish()), (&[7, 8][..], None));
        let (place, field) = (Location::Model, Field::End);
        let problem = FieldError::Trailing(2);
        assert_eq!(reader.refusal(), Error::Field { place, field, problem });
    }

    #[test]
    fn aligned_bytes_must_be_aligned() {
        let take = |bytes, offset| {
            Reader::new(bytes, offset + bytes.len()).take_aligned(Field::Parameters)
        };
        // At offset 17: no padding (1 byte), length (1 byte), so the bytes start at 19.
        assert_eq!(take(&[0, 2, 7, 7], 17), None);
        assert_eq!(take(&[1, 0, 2, 7, 7], 17), Some(&[7, 7][..]));
        assert_eq!(take(&[1, 9, 2, 7, 7], 17), None);
    }
}
