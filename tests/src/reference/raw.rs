//! From counts of sensors to values of the input.

use model_format::{Channels, Precision, Quantization};

use super::rounding::{Factor, requantize};

/// Values of an input for counts, and how many of these had none of their own.
///
/// # Panics
/// When the accumulator of a channel does not fit: the loader should have refused it.
pub fn encode(counts: &[i16], channels: Channels<'_>, input: Quantization) -> (Vec<i64>, u32) {
    let channels: Vec<_> = channels.iter().collect();
    let (least, most) = match input.precision {
        Precision::Int8 => (-128, 127),
        Precision::Int16 => (-32768, 32767),
    };
    let (mut values, mut beyond) = (Vec::new(), 0);
    for (k, count) in counts.iter().enumerate() {
        let channel = channels[k % channels.len()];
        let accumulator = 256 * i64::from(*count) - i64::from(channel.offset);
        let factor = Factor {
            mantissa: channel.multiplier.mantissa,
            shift: channel.multiplier.shift.into(),
        };
        let value = i64::from(requantize(accumulator, factor)) + i64::from(input.zero_point);
        beyond += u32::from(value < least || value > most);
        values.push(value.clamp(least, most));
    }
    (values, beyond)
}
