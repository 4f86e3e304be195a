//! From what a sensor counts to the values of the input.

use crate::reader::Reader;
use crate::{Field, FieldError, Location, Multiplier};

/// Fixed-point conversion of the counts of one sensor channel to input values: q is
/// (256 · count − offset) · multiplier, rounded as the outputs of a layer are, + the zero point.
/// For a falling sensor, such as an NTC thermistor in the upper half of a divider, the difference
/// is taken the other way round: (offset − 256 · count) · multiplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The channel's zero, in 1/256 of a count; in [`OFFSETS`](Self::OFFSETS).
    pub offset: i32,
    /// Values of the input for 1/256 of a count; its shift is at most
    /// [`MAX_SHIFT`](Self::MAX_SHIFT).
    pub multiplier: Multiplier,
    /// Whether values of the input fall where counts rise.
    pub is_falling: bool,
}

impl Channel {
    /// The offsets that a channel can have.
    pub const OFFSETS: core::ops::RangeInclusive<i32> = -(1 << 24)..=1 << 24;
    /// The largest shift of a multiplier: |256 · count − offset| is below 2²⁵.
    pub const MAX_SHIFT: i8 = 6;
    /// Parts that a count is divided into.
    pub const PARTS: i32 = 256;
    /// Bytes of a channel in the file.
    const BYTES: usize = 9;

    /// Ignores its feature: every count becomes the zero point.
    pub const IGNORED: Channel =
        Channel { offset: 0, multiplier: Multiplier { mantissa: 0, shift: 0 }, is_falling: false };

    /// Returns the channel for which a count stands for the real number count · `slope` +
    /// `intercept`, to be input to a model as scale · (q − zero point); `None` unless `slope` is not
    /// zero, `scale` is positive, |slope| is less than 2¹⁴ · scale, and 0 lies within 65,536 counts
    /// of the count 0.
    #[cfg(any(feature = "std", test))]
    pub fn from_line(slope: f64, intercept: f64, scale: f64) -> Option<Self> {
        let parts = f64::from(Self::PARTS);
        let multiplier = Multiplier::from_real(slope.abs() / (scale * parts)).ok()?;
        let offset = (-intercept / slope * parts).round();
        let (least, most) = Self::OFFSETS.into_inner();
        let good = (f64::from(least)..=f64::from(most)).contains(&offset)
            && multiplier.shift <= Self::MAX_SHIFT
            && multiplier.mantissa > 0;
        good.then_some(Channel { offset: offset as i32, multiplier, is_falling: slope < 0.0 })
    }

    /// Returns the accumulator that the multiplier is applied to for a count.
    pub fn distance(self, count: i16) -> i32 {
        // At most 2^23 + 2^24 in magnitude.
        let rising = i32::from(count).wrapping_mul(Self::PARTS).wrapping_sub(self.offset);
        if self.is_falling { rising.wrapping_neg() } else { rising }
    }
}

/// The channels of a model whose input is raw: input k is of channel k mod their number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Channels<'a> {
    bytes: &'a [u8],
}

impl<'a> Channels<'a> {
    /// Takes the channels of so many inputs, and checks them.
    #[inline(never)]
    pub(crate) fn take(reader: &mut Reader<'a>, inputs: usize) -> Option<Self> {
        let bytes = reader.take_bytes(Field::Channels)?;
        let channels = Channels { bytes };
        let len = channels.len();
        if len == 0 || len.wrapping_mul(Channel::BYTES) != bytes.len() {
            let expected = len.max(1).wrapping_mul(Channel::BYTES);
            return reader.mismatch(Field::Channels, expected, bytes.len());
        }
        if inputs.checked_rem(len) != Some(0) {
            let problem = FieldError::OutOfRange(len as i32);
            return reader.refuse(Field::Channels, problem);
        }
        for (index, channel) in channels.iter().enumerate() {
            // There are no more than inputs.
            reader.place = Location::Channel(index as u16);
            let Channel { offset, multiplier, .. } = channel;
            if !Channel::OFFSETS.contains(&offset) {
                return reader.refuse(Field::Offset, FieldError::OutOfRange(offset));
            }
            if !(*Multiplier::SHIFTS.start()..=Channel::MAX_SHIFT).contains(&multiplier.shift) {
                let problem = FieldError::OutOfRange(multiplier.shift.into());
                return reader.refuse(Field::Shift, problem);
            }
            if !multiplier.has_valid_mantissa() {
                return reader
                    .refuse(Field::Multiplier, FieldError::OutOfRange(multiplier.mantissa));
            }
        }
        reader.place = Location::Input;
        Some(channels)
    }

    /// Number of channels, which divides the number of inputs.
    pub fn len(&self) -> usize {
        self.bytes.len() / Channel::BYTES
    }

    /// Never: a model has inputs.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The channels, first to last.
    pub fn iter(&self) -> impl Iterator<Item = Channel> + Clone + use<'a> {
        self.bytes.as_chunks().0.iter().map(|bytes: &[u8; Channel::BYTES]| {
            let &[a, b, c, d, e, f, g, h, shift] = bytes;
            // The sign of the mantissa says which way the sensor goes.
            let mantissa = i32::from_le_bytes([e, f, g, h]);
            Channel {
                offset: i32::from_le_bytes([a, b, c, d]),
                multiplier: Multiplier { mantissa: mantissa.wrapping_abs(), shift: shift as i8 },
                is_falling: mantissa < 0,
            }
        })
    }
}

impl core::fmt::Debug for Channels<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Channel {
    /// The bytes of a channel in the file.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn to_bytes(self) -> [u8; Channel::BYTES] {
        let mut bytes = [0; Channel::BYTES];
        bytes[..4].copy_from_slice(&self.offset.to_le_bytes());
        let mantissa = self.multiplier.mantissa;
        let mantissa = if self.is_falling { mantissa.wrapping_neg() } else { mantissa };
        bytes[4..8].copy_from_slice(&mantissa.to_le_bytes());
        bytes[8] = self.multiplier.shift as u8;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    const ADC: Channel = Channel {
        offset: 524_160,
        multiplier: Multiplier { mantissa: 3 << 29, shift: -11 },
        is_falling: false,
    };

    fn take(channels: &[Channel], inputs: usize) -> Result<Vec<Channel>, String> {
        let mut field = vec![(channels.len() * Channel::BYTES) as u8];
        channels.iter().for_each(|channel| field.extend(channel.to_bytes()));
        let mut reader = Reader::new(&field, 16);
        reader.place = Location::Input;
        match Channels::take(&mut reader, inputs) {
            Some(channels) => Ok(channels.iter().collect()),
            None => Err(reader.refusal().to_string()),
        }
    }

    #[test]
    fn channels_are_read_back() {
        let multiplier = Multiplier { mantissa: 1 << 30, shift: 6 };
        let other = Channel { offset: -5, multiplier, is_falling: true };
        let channels = [ADC, other, Channel::IGNORED];
        assert_eq!(take(&channels, 6), Ok(channels.to_vec()));
    }

    #[test]
    fn a_refusal_names_the_channel_and_the_field() {
        let shift = |shift| Channel { multiplier: Multiplier { shift, ..ADC.multiplier }, ..ADC };
        let offset = |offset| Channel { offset, ..ADC };
        let mantissa = Multiplier { mantissa: (1 << 30) - 1, shift: 0 };
        for (channels, inputs, expected) in [
            (vec![], 2, "input, channels: 0 where 9 is needed"),
            (vec![ADC, ADC], 3, "input, channels: 2 is out of range"),
            (vec![ADC, shift(7)], 2, "input channel 1, shift: 7 is out of range"),
            (vec![shift(-32)], 2, "input channel 0, shift: -32 is out of range"),
            (vec![offset((1 << 24) + 1)], 2, "input channel 0, offset: 16777217 is out of range"),
            (vec![offset(-(1 << 24) - 1)], 2, "input channel 0, offset: -16777217 is out of"),
            (vec![Channel { multiplier: mantissa, ..ADC }], 2, "input channel 0, multiplier: 1073"),
        ] {
            let error = take(&channels, inputs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_channel_follows_from_its_line() {
        // 12 bits for −4 to 4, an input of 8 / 255 a step.
        let channel = Channel::from_line(8.0 / 4095.0, -4.0, 8.0 / 255.0).unwrap();
        assert_eq!(channel.offset, 524_160, "2047.5 counts");
        let steps = channel.multiplier.to_real() * f64::from(channel.distance(4095));
        assert!((steps - 127.5).abs() < 1e-6, "{steps}");
        // The same range, falling.
        let falling = Channel::from_line(-8.0 / 4095.0, 4.0, 8.0 / 255.0).unwrap();
        assert_eq!(falling, Channel { is_falling: true, ..channel });
        assert_eq!(falling.distance(4095), -channel.distance(4095));
        for (slope, intercept, scale) in [
            (0.0, 1.0, 1.0),
            (-1.0, 0.0, -1.0),
            (1.0, 0.0, 0.0),
            (f64::NAN, 0.0, 1.0),
            (1.0, f64::NAN, 1.0),
            (1.0, 70_000.0, 1.0),
            (20_000.0, 0.0, 1.0),
            // Its multiplier would be 0.
            (1e-30, 0.0, 1.0),
        ] {
            let refused = Channel::from_line(slope, intercept, scale);
            assert_eq!(refused, None, "{slope} {intercept} {scale}");
        }
    }
}
