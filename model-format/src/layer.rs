//! The layers of a model, as views of its bytes.

use crate::limits::MAX_WIDTH;
use crate::reader::Reader;
use crate::sizes::padded;
use crate::{Clamp, Error, Field, Multiplier, Problem, Quantization};

/// One layer.
#[derive(Clone, Copy, Debug)]
pub enum Layer<'a> {
    /// Every output is a weighted sum of every input.
    Dense(Dense<'a>),
}

impl<'a> Layer<'a> {
    /// Takes a layer; it reads the output of the one before, of the given quantization.
    pub(crate) fn read(reader: &mut Reader<'a>, input: Quantization) -> Result<Self, Error> {
        match reader.take::<u32>(Field::Operator)? {
            0 => Dense::read(reader, input).map(Layer::Dense),
            code => Err(reader.refuse(Field::Operator, Problem::Unknown(code))),
        }
    }

    /// Checks all that does not follow from the layer's fields one by one: its parameters, and
    /// that no input within `range` can overflow an accumulator.
    pub(crate) fn check(&self, index: u8, range: Clamp) -> Result<(), Error> {
        match self {
            Layer::Dense(dense) => dense.check(index, range),
        }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.inputs(),
        }
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.outputs(),
        }
    }

    /// What the output's int8 values stand for.
    pub fn output(&self) -> Quantization {
        match self {
            Layer::Dense(dense) => dense.output,
        }
    }

    /// The values that an output can have.
    pub fn range(&self) -> Clamp {
        match self {
            Layer::Dense(dense) => dense.clamp,
        }
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        match self {
            Layer::Dense(dense) => dense.inputs() as u64 * dense.outputs() as u64,
        }
    }
}

/// A dense layer: for each row *n*, acc = bias\[n\] + Σ weight\[n\]\[k\] · (x\[k\] − zero point of
/// the input), requantized with the row's multiplier, moved by the output's zero point, clamped.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    inputs: u16,
    outputs: u16,
    /// What the input's int8 values stand for.
    pub input: Quantization,
    /// What the output's int8 values stand for.
    pub output: Quantization,
    /// What the output is clamped to.
    pub clamp: Clamp,
    biases: &'a [u8],
    multipliers: &'a [u8],
    weights: &'a [u8],
    shifts: &'a [u8],
}

/// The parameters of one output of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Bias, at scale (input scale · weight scale).
    pub bias: i32,
    /// (input scale · weight scale / output scale), in fixed point.
    pub multiplier: Multiplier,
    /// Two's complement int8 weights in −127..=127, filled up with zeros to a multiple of four.
    pub weights: &'a [u8],
}

impl<'a> Dense<'a> {
    fn read(reader: &mut Reader<'a>, input: Quantization) -> Result<Self, Error> {
        let inputs = reader.take_count(Field::Inputs, MAX_WIDTH)?;
        let outputs = reader.take_count(Field::Outputs, MAX_WIDTH)?;
        let output = Quantization::read(reader)?;
        let clamp = Clamp::read(reader)?;
        match reader.take::<u32>(Field::WeightLayout)? {
            0 => {}
            code => return Err(reader.refuse(Field::WeightLayout, Problem::Unknown(code))),
        }
        // Below 2^27 bytes: both widths are at most MAX_WIDTH.
        let weights_len = outputs.wrapping_mul(padded(inputs));
        let all = reader.take_aligned(
            Field::Parameters,
            outputs.wrapping_mul(9).wrapping_add(weights_len),
        )?;
        // The lengths add up to that of `all`, so no split fails.
        let (biases, rest) = all
            .split_at_checked(outputs.wrapping_mul(4))
            .unwrap_or_default();
        let (multipliers, rest) = rest
            .split_at_checked(outputs.wrapping_mul(4))
            .unwrap_or_default();
        let (weights, shifts) = rest.split_at_checked(weights_len).unwrap_or_default();
        Ok(Dense {
            inputs: inputs as u16,
            outputs: outputs as u16,
            input,
            output,
            clamp,
            biases,
            multipliers,
            weights,
            shifts,
        })
    }

    fn check(&self, layer: u8, range: Clamp) -> Result<(), Error> {
        let reach = range.reach(self.input.zero_point);
        for (row, parameters) in (0u16..).zip(self.rows()) {
            let refuse = |field, problem| {
                Err(Error::Row {
                    layer,
                    row,
                    field,
                    problem,
                })
            };
            let Multiplier { mantissa, shift } = parameters.multiplier;
            if !parameters.multiplier.is_valid() {
                return match Multiplier::SHIFTS.contains(&shift) {
                    true => refuse(Field::Multiplier, Problem::OutOfRange(mantissa.into())),
                    false => refuse(Field::Shift, Problem::OutOfRange(shift.into())),
                };
            }
            let (weights, padding) = parameters
                .weights
                .split_at_checked(self.inputs.into())
                .unwrap_or_default();
            if padding.iter().any(|weight| *weight != 0) {
                return refuse(Field::WeightPadding, Problem::NotZero);
            }
            // At most 8192 · 128 = 2^20: no overflow.
            let mut magnitude = 0u32;
            for weight in weights {
                if *weight == i8::MIN as u8 {
                    return refuse(Field::Weight, Problem::OutOfRange(i8::MIN.into()));
                }
                magnitude = magnitude.wrapping_add(u32::from((*weight as i8).unsigned_abs()));
            }
            let sum = u64::from(magnitude).wrapping_mul(reach.into());
            let accumulator = sum.wrapping_add(parameters.bias.unsigned_abs().into());
            // Requantization multiplies by 2^shift before it divides: that must fit as well.
            let bound = accumulator << shift.max(0) as u8;
            if bound >= 1 << 31 {
                return Err(Error::Overflow { layer, row, bound });
            }
        }
        Ok(())
    }

    /// Number of inputs, 1..=[`MAX_WIDTH`].
    pub fn inputs(&self) -> usize {
        self.inputs.into()
    }

    /// Number of outputs, 1..=[`MAX_WIDTH`].
    pub fn outputs(&self) -> usize {
        self.outputs.into()
    }

    /// Bytes of flash: parameters and weights.
    pub fn flash_len(&self) -> usize {
        self.biases.len() + self.multipliers.len() + self.weights.len() + self.shifts.len()
    }

    /// The rows in the order of the outputs.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let stride = padded(self.inputs.into());
        let mut weights = self.weights;
        let (biases, _) = self.biases.as_chunks();
        let (multipliers, _) = self.multipliers.as_chunks();
        biases.iter().zip(multipliers).zip(self.shifts).map_while(
            move |((bias, mantissa), shift)| {
                let (row, rest) = weights.split_at_checked(stride)?;
                weights = rest;
                Some(Row {
                    bias: i32::from_le_bytes(*bias),
                    multiplier: Multiplier {
                        mantissa: i32::from_le_bytes(*mantissa),
                        shift: *shift as i8,
                    },
                    weights: row,
                })
            },
        )
    }

    /// The scale of a row's weights, which the file does not store: to 31 bits what the export
    /// divided by.
    pub fn weight_scale(&self, row: &Row<'_>) -> f64 {
        row.multiplier.to_real() * f64::from(self.output.scale) / f64::from(self.input.scale)
    }
}
