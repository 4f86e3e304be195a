//! From real numbers in their own units to the values of the input.

use crate::reader::Reader;
use crate::{Field, FieldError, Location};

/// Conversion of one feature, a real number x in its own unit, to an input value: q is
/// (x − offset) · factor, computed in f32 and rounded to nearest, ties away from zero, + the zero
/// point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealChannel {
    /// The reading that becomes the zero point; finite.
    pub offset: f32,
    /// Input values per unit of the feature; finite. 0 ignores the feature.
    pub factor: f32,
}

/// The channels of a model whose input is made from real numbers: input k is of channel k mod
/// their number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RealChannels<'a> {
    bytes: &'a [u8],
}

/// Returns whether the float with these bits is neither infinite nor no number. By its bits: a comparison
/// of floats would cost a core without an FPU a library.
pub(crate) const fn is_finite(bits: u32) -> bool {
    bits & 0x7f80_0000 != 0x7f80_0000
}

impl RealChannel {
    /// Bytes of a channel in the file.
    const BYTES: usize = 8;

    /// Bytes of the channel in the file.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn to_bytes(self) -> [u8; RealChannel::BYTES] {
        let mut bytes = [0; RealChannel::BYTES];
        bytes[..4].copy_from_slice(&self.offset.to_le_bytes());
        bytes[4..].copy_from_slice(&self.factor.to_le_bytes());
        bytes
    }
}

impl<'a> RealChannels<'a> {
    /// Takes the channels of a model with this number of inputs, and checks them.
    #[inline(never)]
    pub(crate) fn take(reader: &mut Reader<'a>, inputs: usize) -> Option<Self> {
        let bytes = reader.take_bytes(Field::Channels)?;
        let channels = RealChannels { bytes };
        let len = channels.len();
        if len == 0 || len.wrapping_mul(RealChannel::BYTES) != bytes.len() {
            let expected = len.max(1).wrapping_mul(RealChannel::BYTES);
            return reader.mismatch(Field::Channels, expected, bytes.len());
        }
        if inputs.checked_rem(len) != Some(0) {
            return reader.refuse(Field::Channels, FieldError::OutOfRange(len as i32));
        }
        for (index, channel) in channels.iter().enumerate() {
            // There are no more than inputs.
            reader.place = Location::Channel(index as u16);
            for (field, value) in [(Field::Offset, channel.offset), (Field::Factor, channel.factor)]
            {
                if !is_finite(value.to_bits()) {
                    return reader.refuse(field, FieldError::NotFinite(value.to_bits()));
                }
            }
        }
        reader.place = Location::Input;
        Some(channels)
    }

    /// Number of channels, which divides the number of inputs.
    pub fn len(&self) -> usize {
        self.bytes.len() / RealChannel::BYTES
    }

    /// Never: a model has inputs.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the channels, first to last.
    pub fn iter(&self) -> impl Iterator<Item = RealChannel> + Clone + use<'a> {
        self.bytes.as_chunks().0.iter().map(|bytes: &[u8; RealChannel::BYTES]| {
            let &[a, b, c, d, e, f, g, h] = bytes;
            RealChannel {
                offset: f32::from_le_bytes([a, b, c, d]),
                factor: f32::from_le_bytes([e, f, g, h]),
            }
        })
    }
}

impl core::fmt::Debug for RealChannels<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(channels: &[RealChannel], inputs: usize) -> Result<Vec<RealChannel>, String> {
        let mut field = vec![(channels.len() * RealChannel::BYTES) as u8];
        channels.iter().for_each(|channel| field.extend(channel.to_bytes()));
        let mut reader = Reader::new(&field, 16);
        reader.place = Location::Input;
        match RealChannels::take(&mut reader, inputs) {
            Some(channels) => Ok(channels.iter().collect()),
            None => Err(reader.refusal().to_string()),
        }
    }

    const PRESSURE: RealChannel = RealChannel { offset: 101_325.0, factor: 0.4 };

    #[test]
    fn channels_are_read_back() {
        let channels = [PRESSURE, RealChannel { offset: -1e-13, factor: 0.0 }];
        assert_eq!(take(&channels, 4), Ok(channels.to_vec()));
    }

    #[test]
    fn a_refusal_names_the_channel_and_the_field() {
        for (channels, inputs, expected) in [
            (vec![], 1, "input, channels: 0 where 8 is needed"),
            (vec![PRESSURE; 2], 3, "input, channels: 2 is out of range"),
            (
                vec![PRESSURE, RealChannel { offset: f32::NAN, ..PRESSURE }],
                2,
                "input channel 1, offset: it is not a finite number (bits 7fc00000)",
            ),
            (
                vec![RealChannel { factor: f32::INFINITY, ..PRESSURE }],
                2,
                "input channel 0, factor: it is not a finite number (bits 7f800000)",
            ),
        ] {
            let error = take(&channels, inputs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
