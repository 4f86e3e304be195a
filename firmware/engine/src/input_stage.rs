//! The input stage: conversion of raw counts or real numbers to the quantized input of a model.

use model_format::{
    Capabilities, Channel, Clamp, DataType, Model, Quantization, RealChannel, RealChannels,
};

use crate::InputError;
use crate::kernels::multiply_add;

/// Writes the bytes of a model's input for the counts of its sensors, in integers throughout;
/// returns how many counts lay beyond the range of the input and became its least or its largest
/// value.
///
/// # Shapes
/// `counts` has the model's [`input_len`](Model::input_len) values, `input` at least its
/// [`input_bytes`](Model::input_bytes); of more, the first.
///
/// # Errors
/// [`InputError::NotCounts`] if the model takes no counts, [`InputError::Length`] if it takes more or
/// fewer, [`InputError::ByteLength`] if `input` is too short.
pub fn encode_counts<C: Capabilities>(
    model: &Model<'_, C>,
    counts: impl ExactSizeIterator<Item = i16>,
    input: &mut [u8],
) -> Result<u32, InputError> {
    let channels = model.channels().ok_or(InputError::NotCounts)?;
    let input = checked(model, counts.len(), input)?;
    let tensor = model.input_quantization();
    let mut values = counts.zip(channels.iter().cycle());
    Ok(write_values(tensor, input, || {
        let (count, channel) = values.next()?;
        Some(value(channel, count, tensor.zero_point))
    }))
}

/// Writes the bytes of a model's input for real numbers in their own units; returns how many lay
/// beyond the range of the input and became its least or its largest value.
///
/// Only additions, multiplications, comparisons and conversions of f32 are used, each rounded as
/// IEEE 754 says: every machine makes the same values of the same numbers, with an FPU or without.
///
/// # Shapes
/// `reals` has the model's [`input_len`](Model::input_len) values, `input` at least its
/// [`input_bytes`](Model::input_bytes); of more, the first.
///
/// # Errors
/// [`InputError`] if the model takes no real numbers, or not so many of them or of their bytes, or if
/// one is not a number.
pub fn encode_reals<C: Capabilities>(
    model: &Model<'_, C>,
    reals: impl ExactSizeIterator<Item = f32>,
    input: &mut [u8],
) -> Result<u32, InputError> {
    encode_reals_of(model, &model.real_channels().ok_or(InputError::NotReals)?, reals, input)
}

/// Writes what [`encode_reals`] does, for channels that were read from the model before, for many rows.
///
/// # Errors
/// Those of [`encode_reals`].
#[inline(always)]
pub fn encode_reals_of<C: Capabilities>(
    model: &Model<'_, C>,
    channels: &RealChannels<'_>,
    reals: impl ExactSizeIterator<Item = f32>,
    input: &mut [u8],
) -> Result<u32, InputError> {
    let input = checked(model, reals.len(), input)?;
    let tensor = model.input_quantization();
    let mut values = reals.zip(channels.iter().cycle()).enumerate();
    let mut broken = None;
    let saturated = write_values(tensor, input, || {
        let (index, (real, channel)) = values.next()?;
        if real.is_nan() {
            broken = broken.or(Some(index));
        }
        Some(steps(channel, real).wrapping_add(tensor.zero_point))
    });
    match broken {
        Some(input) => Err(InputError::NotANumber { input }),
        None => Ok(saturated),
    }
}

/// The first bytes of `input` that the model needs, if there are as many readings as it takes.
fn checked<'i, C: Capabilities>(
    model: &Model<'_, C>,
    given: usize,
    input: &'i mut [u8],
) -> Result<&'i mut [u8], InputError> {
    let expected = model.input_len();
    if given != expected {
        return Err(InputError::Length { expected, given });
    }
    let expected = model.input_bytes();
    let given = input.len();
    input.get_mut(..expected).ok_or(InputError::ByteLength { expected, given })
}

/// Writes values within the range of the tensor; returns how many lay beyond.
#[inline(always)]
fn write_values(
    tensor: Quantization,
    input: &mut [u8],
    mut next: impl FnMut() -> Option<i32>,
) -> u32 {
    let mut saturated = 0u32;
    let mut within = |range: Clamp| {
        let value = next().unwrap_or_default();
        let kept = value.max(range.low.into()).min(range.high.into());
        saturated = saturated.wrapping_add(u32::from(kept != value));
        kept
    };
    match tensor.data_type {
        DataType::Int8 => input.iter_mut().for_each(|q| *q = within(Clamp::INT8) as u8),
        DataType::Int16 => {
            let pairs = input.as_chunks_mut().0;
            pairs.iter_mut().for_each(|q| *q = (within(Clamp::INT16) as i16).to_le_bytes());
        }
    }
    saturated
}

/// The input value for a count, before it is kept within what the input can say.
fn value(channel: Channel, count: i16, zero_point: i32) -> i32 {
    multiply_add(channel.distance(count), channel.multiplier, zero_point)
}

/// A number of steps beyond the range of any input, zero point and all.
const FAR: f32 = 100_000.0;

/// The number of steps from the zero point to a reading: rounded to nearest, ties away from zero.
fn steps(channel: RealChannel, real: f32) -> i32 {
    let RealChannel { offset, factor } = channel;
    if factor == 0.0 {
        return 0;
    }
    // `clamp` would bring a panic along.
    #[allow(clippy::manual_clamp)]
    let steps = ((real - offset) * factor).max(-FAR).min(FAR);
    // Toward zero; what is left of it is exact, since both are below 2^24.
    let whole = steps as i32;
    let rest = steps - whole as f32;
    let away = i32::from(rest >= 0.5).wrapping_sub(i32::from(rest <= -0.5));
    whole.wrapping_add(away)
}

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
    use model_format::{Encoding, Multiplier, Quantization, WeightLayout};

    use super::*;
    use crate::{Answer, Engine};

    /// The sum of two inputs of 10 counts a step, the second with its zero at 100.
    type Source = Encoding<Vec<Channel>, Vec<RealChannel>>;

    fn model(input: Quantization, encoding: Source) -> Vec<u8> {
        let layer = DenseSpec {
            inputs: 2,
            outputs: 1,
            weights: vec![1, 1],
            biases: vec![0],
            multipliers: vec![Multiplier::from_real(1.0).unwrap()],
            output: input,
            clamp: Clamp::all(input.data_type),
            layout: WeightLayout::RowMajor,
        };
        let spec = ModelSpec {
            name: "sum".into(),
            input: InputSpec { shape: vec![2], quantization: input, encoding },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(layer)],
            self_tests: vec![],
            details: Default::default(),
        };
        spec.to_bytes().unwrap()
    }

    /// The values of an answer, and the number of readings that saturated.
    fn answer(answer: Result<Answer<'_, '_>, InputError>) -> Result<(Vec<i16>, u32), InputError> {
        answer.map(|answer| (answer.values().collect(), answer.saturated()))
    }

    fn channels() -> Source {
        let channel = |intercept| Channel::from_line(0.1, intercept, 1.0).unwrap();
        Encoding::Counts(vec![channel(0.0), channel(-10.0)])
    }

    #[test]
    fn counts_are_run_and_what_is_beyond_is_counted() {
        let file = model(Quantization::int8(1.0, -3), channels());
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![u32::MAX; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        // 20 / 10 − 3 and (150 − 100) / 10 − 3; −1 and 2 stand for 2 and 5, their sum for 7.
        assert_eq!(answer(engine.run_counts(&[20, 150])), Ok((vec![4], 0)));
        // 14.9 and −9.9: the nearest are 15 and −10.
        assert_eq!(answer(engine.run_counts(&[149, 1])), Ok((vec![2], 0)));
        // 3276.7 saturates at 127, that is 130; −3286.8 at −128, that is −125.
        assert_eq!(answer(engine.run_counts(&[i16::MAX, i16::MIN])), Ok((vec![2], 2)));
        let length = InputError::Length { expected: 2, given: 3 };
        assert_eq!(answer(engine.run_counts(&[1, 2, 3])), Err(length));
        // What it wrote into its memory is not what it goes on from.
        assert_eq!(answer(engine.run(&[-1, 2])), Ok((vec![4], 0)));
    }

    #[test]
    fn int16_takes_its_values_in_two_bytes() {
        let file = model(Quantization::int16(1.0), channels());
        let model = Model::parse(&file).unwrap();
        let mut input = [0; 4];
        assert_eq!(encode_counts(&model, [-32768, 32767].into_iter(), &mut input), Ok(0));
        assert_eq!(input.as_chunks().0, [(-3277i16).to_le_bytes(), 3267i16.to_le_bytes()]);
        let short = InputError::ByteLength { expected: 4, given: 3 };
        assert_eq!(encode_counts(&model, [0, 0].into_iter(), &mut input[..3]), Err(short));
    }

    #[test]
    fn a_model_of_values_takes_no_counts() {
        let file = model(Quantization::int8(1.0, 0), Encoding::Quantized);
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        assert_eq!(answer(engine.run_counts(&[0, 0])), Err(InputError::NotCounts));
    }

    /// Pressure in Pa, in steps of 2.5 from 101,325, and a feature that is ignored.
    fn reals() -> Source {
        let pressure = RealChannel { offset: 101_325.0, factor: 0.4 };
        Encoding::Reals(vec![pressure, RealChannel { offset: 0.0, factor: 0.0 }])
    }

    #[test]
    fn real_numbers_are_run_and_what_is_beyond_is_counted() {
        let file = model(Quantization::int8(1.0, -3), reals());
        let model = Model::parse(&file).unwrap();
        let mut input = [0; 2];
        let mut encode = |a: f32, b: f32| {
            let saturated = encode_reals(&model, [a, b].into_iter(), &mut input);
            saturated.map(|saturated| (input.map(|q| q as i8), saturated))
        };
        assert_eq!(encode(101_350.0, 1e30), Ok(([7, -3], 0)));
        // 0.5 and −0.5 steps go away from zero, what is a little less to it.
        assert_eq!(encode(101_326.25, 0.0), Ok(([-2, -3], 0)));
        assert_eq!(encode(101_323.75, 0.0), Ok(([-4, -3], 0)));
        assert_eq!(encode(101_326.24, 0.0), Ok(([-3, -3], 0)));
        // The last value of the input, and the first that is beyond.
        assert_eq!(encode(101_650.0, 0.0), Ok(([127, -3], 0)));
        assert_eq!(encode(101_652.5, 0.0), Ok(([127, -3], 1)));
        assert_eq!(encode(f32::NEG_INFINITY, 0.0), Ok(([-128, -3], 1)));
        assert_eq!(encode(f32::MAX, f32::MIN), Ok(([127, -3], 1)));
        assert_eq!(encode(0.0, f32::NAN), Err(InputError::NotANumber { input: 1 }));
        let mut scratch = vec![u32::MAX; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
        // 10 steps, and none: their sum.
        assert_eq!(answer(engine.run_reals(&[101_350.0, 5.0])), Ok((vec![7], 0)));
        let length = InputError::Length { expected: 2, given: 1 };
        assert_eq!(answer(engine.run_reals(&[1.0])), Err(length));
        assert_eq!(answer(engine.run_counts(&[1, 2])), Err(InputError::NotCounts));
    }

    #[test]
    fn int16_takes_real_numbers_in_two_bytes() {
        let file = model(Quantization::int16(1.0), reals());
        let model = Model::parse(&file).unwrap();
        let mut input = [0; 4];
        assert_eq!(encode_reals(&model, [26_325.0, 1.0].into_iter(), &mut input), Ok(0));
        assert_eq!(input.as_chunks().0, [(-30_000i16).to_le_bytes(), [0, 0]]);
    }

    #[test]
    fn a_falling_sensor_counts_the_other_way() {
        let falling = Channel::from_line(-0.1, 10.0, 1.0).unwrap();
        let file = model(Quantization::int8(1.0, 0), Encoding::Counts(vec![falling]));
        let model = Model::parse(&file).unwrap();
        let mut input = [0; 2];
        assert_eq!(encode_counts(&model, [0, 250].into_iter(), &mut input), Ok(0));
        assert_eq!(input.map(|q| q as i8), [10, -15]);
        assert_eq!(encode_counts(&model, [i16::MIN, i16::MAX].into_iter(), &mut input), Ok(2));
        assert_eq!(input.map(|q| q as i8), [127, -128]);
    }
}
