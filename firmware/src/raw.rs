//! What sensors count, made the input of a model, in integers.

use core::fmt;

use model_format::{Channel, Clamp, Model, Precision};

use crate::InputError;
use crate::kernels::multiply_add;
use crate::operators::Choice;

/// Why counts cannot be the input of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawError {
    /// The model's input is not made from counts.
    NotRaw,
    /// There are more or fewer counts than the model has inputs.
    Length(InputError),
}

impl core::error::Error for RawError {}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RawError::NotRaw => f.write_str(
                "the model does not say what counts of a sensor stand for: train it with data.raw",
            ),
            RawError::Length(InputError { expected, given }) => {
                write!(f, "the model takes {expected} counts of sensors, {given} were given")
            }
        }
    }
}

/// Writes the bytes of a model's input for what its sensors have counted; returns how many counts
/// lay beyond what the input can say, and became its least or its largest value.
///
/// # Shapes
/// `counts` has the model's [`input_len`](Model::input_len) values, `input` at least its
/// [`input_bytes`](Model::input_bytes); of more, the first.
///
/// # Errors
/// [`RawError`] if the model takes no counts, or not so many of them or of their bytes.
pub fn encode_counts<C: Choice>(
    model: &Model<'_, C>,
    counts: impl ExactSizeIterator<Item = i16>,
    input: &mut [u8],
) -> Result<u32, RawError> {
    let channels = model.channels().ok_or(RawError::NotRaw)?;
    let expected = model.input_len();
    let given = counts.len();
    if given != expected {
        return Err(RawError::Length(InputError { expected, given }));
    }
    let bytes = model.input_bytes();
    let given = input.len();
    let short = RawError::Length(InputError { expected: bytes, given });
    let input = input.get_mut(..bytes).ok_or(short)?;
    let tensor = model.input_quantization();
    let mut values = counts.zip(channels.iter().cycle());
    let mut next = || {
        let (count, channel) = values.next()?;
        Some(value(channel, count, tensor.zero_point))
    };
    let mut saturated = 0u32;
    let mut within = |range: Clamp| {
        let value = next().unwrap_or_default();
        let kept = value.max(range.low.into()).min(range.high.into());
        saturated = saturated.wrapping_add(u32::from(kept != value));
        kept
    };
    match tensor.precision {
        Precision::Int8 => input.iter_mut().for_each(|q| *q = within(Clamp::INT8) as u8),
        Precision::Int16 => {
            let pairs = input.as_chunks_mut().0;
            pairs.iter_mut().for_each(|q| *q = (within(Clamp::INT16) as i16).to_le_bytes());
        }
    }
    Ok(saturated)
}

/// The input value for a count, before it is kept within what the input can say.
fn value(channel: Channel, count: i16, zero_point: i32) -> i32 {
    multiply_add(channel.distance(count), channel.multiplier, zero_point)
}

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
    use model_format::{Encoding, Multiplier, Quantization, WeightLayout};

    use super::*;
    use crate::Engine;

    /// The sum of two inputs of 10 counts a step, the second with its zero at 100.
    fn model(input: Quantization, encoding: Encoding<Vec<Channel>>) -> Vec<u8> {
        let layer = DenseSpec {
            inputs: 2,
            outputs: 1,
            weights: vec![1, 1],
            biases: vec![0],
            multipliers: vec![Multiplier::from_real(1.0).unwrap()],
            output: input,
            clamp: Clamp::all(input.precision),
            layout: WeightLayout::RowMajor,
        };
        let spec = ModelSpec {
            name: "sum".into(),
            input: InputSpec { shape: vec![2], quantization: input, encoding },
            output: MeaningSpec::Values { unit: String::new() },
            layers: vec![LayerSpec::Dense(layer)],
            self_tests: vec![],
        };
        spec.to_bytes().unwrap()
    }

    fn channels() -> Encoding<Vec<Channel>> {
        let channel = |intercept| Channel::from_line(0.1, intercept, 1.0).unwrap();
        Encoding::Raw(vec![channel(0.0), channel(-10.0)])
    }

    #[test]
    fn counts_are_run_and_what_is_beyond_is_counted() {
        let file = model(Quantization::int8(1.0, -3), channels());
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![u32::MAX; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        // 20 / 10 − 3 and (150 − 100) / 10 − 3; −1 and 2 stand for 2 and 5, their sum for 7.
        assert_eq!(engine.run_counts([20, 150]), Ok((&[4][..], 0)));
        // 14.9 and −9.9: the nearest are 15 and −10.
        assert_eq!(engine.run_counts([149, 1]), Ok((&[2][..], 0)));
        // 3276.7 saturates at 127, that is 130; −3286.8 at −128, that is −125.
        assert_eq!(engine.run_counts([i16::MAX, i16::MIN]), Ok((&[2][..], 2)));
        let length = RawError::Length(InputError { expected: 2, given: 3 });
        assert_eq!(engine.run_counts([1, 2, 3]), Err(length));
        // What it wrote into its memory is not what it goes on from.
        assert_eq!(engine.run(&[-1, 2]), Ok(&[4][..]));
    }

    #[test]
    fn int16_takes_its_values_in_two_bytes() {
        let file = model(Quantization::int16(1.0), channels());
        let model = Model::parse(&file).unwrap();
        let mut input = [0; 4];
        assert_eq!(encode_counts(&model, [-32768, 32767].into_iter(), &mut input), Ok(0));
        assert_eq!(input.as_chunks().0, [(-3277i16).to_le_bytes(), 3267i16.to_le_bytes()]);
        let short = RawError::Length(InputError { expected: 4, given: 3 });
        assert_eq!(encode_counts(&model, [0, 0].into_iter(), &mut input[..3]), Err(short));
    }

    #[test]
    fn a_model_of_values_takes_no_counts() {
        let file = model(Quantization::int8(1.0, 0), Encoding::Quantized);
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        assert_eq!(engine.run_counts([0, 0]), Err(RawError::NotRaw));
    }
}
