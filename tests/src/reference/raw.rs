//! Encoding of raw counts and real numbers as input values.

use model_format::{Channels, DataType, Quantization, RealChannel};

use super::rounding::{Factor, requantize};

/// Encodes counts as input values; also returns the number of saturated readings.
///
/// # Panics
/// When the accumulator of a channel does not fit: the loader should have refused it.
pub fn encode(counts: &[i16], channels: Channels<'_>, input: Quantization) -> (Vec<i64>, u32) {
    let channels: Vec<_> = channels.iter().collect();
    let (least, most) = ends(input);
    let (mut values, mut beyond) = (Vec::new(), 0);
    for (k, count) in counts.iter().enumerate() {
        let channel = channels[k % channels.len()];
        let rising = 256 * i64::from(*count) - i64::from(channel.offset);
        let accumulator = if channel.is_falling { -rising } else { rising };
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

/// Encodes real numbers as input values; also returns the number of saturated readings. The value
/// is (x − offset) · factor, each step rounded to f32, then to the nearest integer, ties away from
/// zero.
pub fn encode_reals(
    reals: &[f32],
    channels: &[RealChannel],
    input: Quantization,
) -> (Vec<i64>, u32) {
    let (least, most) = ends(input);
    let (mut values, mut beyond) = (Vec::new(), 0);
    for (real, channel) in reals.iter().zip(channels.iter().cycle()) {
        // Without a factor the input is ignored, however large the number is.
        let steps = match channel.factor {
            0.0 => 0.0,
            // Beyond 2^40 every value saturates.
            factor => f64::from(((real - channel.offset) * factor).round()).clamp(-1e12, 1e12),
        };
        let value = steps as i64 + i64::from(input.zero_point);
        beyond += u32::from(value < least || value > most);
        values.push(value.clamp(least, most));
    }
    (values, beyond)
}

/// Returns the smallest and the largest value of a tensor.
fn ends(tensor: Quantization) -> (i64, i64) {
    match tensor.data_type {
        DataType::Int8 => (-128, 127),
        DataType::Int16 => (-32768, 32767),
    }
}
