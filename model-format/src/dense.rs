//! Dense layers.

use crate::layout::WeightLayout;
use crate::limits::MAX_WIDTH;
use crate::reader::Reader;
use crate::sizes::padded;
use crate::{Clamp, Error, Field, Multiplier, Precision, Problem, Quantization};

/// A dense layer: for each row *n*, acc = bias\[n\] + Σ weight\[n\]\[k\] · (x\[k\] − zero point of
/// the input), requantized with the row's multiplier, moved by the output's zero point, clamped.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    inputs: u16,
    outputs: u16,
    /// What the input's values stand for.
    pub input: Quantization,
    /// What the output's values stand for.
    pub output: Quantization,
    /// What the output is clamped to.
    pub clamp: Clamp,
    /// How the weights lie.
    pub layout: WeightLayout,
    biases: &'a [u8],
    folded: &'a [u8],
    multipliers: &'a [u8],
    weights: &'a [u8],
    shifts: &'a [u8],
}

/// The parameters of one output of a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    dense: Dense<'a>,
    index: usize,
    /// Bias, at scale (input scale · weight scale).
    pub bias: i32,
    /// (input scale · weight scale / output scale), in fixed point.
    pub multiplier: Multiplier,
}

impl<'a> Dense<'a> {
    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>, input: Quantization) -> Result<Self, Error> {
        let inputs = reader.take_count(Field::Inputs, MAX_WIDTH)?;
        let outputs = reader.take_count(Field::Outputs, MAX_WIDTH)?;
        let output = Quantization::read(reader)?;
        let clamp = Clamp::read(reader, output.precision)?;
        let code: u32 = reader.take(Field::WeightLayout)?;
        let Some(&layout) = WeightLayout::ALL.get(code as usize) else {
            return Err(reader.refuse(Field::WeightLayout, Problem::Unknown(code)));
        };
        if layout.is_folded() && input.precision != Precision::Int8 {
            return Err(reader.refuse(Field::WeightLayout, Problem::NeedsInt8));
        }
        let all = reader.take_aligned(Field::Parameters)?;
        // Below 2^28: both widths are at most MAX_WIDTH.
        let arrays_len = outputs.wrapping_mul(4);
        let folded_len = if layout.is_folded() { arrays_len } else { 0 };
        let least = outputs
            .wrapping_mul(9)
            .wrapping_add(folded_len)
            .wrapping_add(layout.weights_len(inputs, outputs));
        if all.len() < least || (all.len() > least && layout != WeightLayout::Sparse) {
            let (expected, found) = (least as u32, all.len() as u32);
            return Err(reader.refuse(Field::Parameters, Problem::Mismatch { expected, found }));
        }
        // There are at least as many bytes as these splits take.
        let (biases, rest) = all.split_at_checked(arrays_len).unwrap_or_default();
        let (folded, rest) = rest.split_at_checked(folded_len).unwrap_or_default();
        let (multipliers, rest) = rest.split_at_checked(arrays_len).unwrap_or_default();
        let weights_len = rest.len().wrapping_sub(outputs);
        let (weights, shifts) = rest.split_at_checked(weights_len).unwrap_or_default();
        let (inputs, outputs) = (inputs as u16, outputs as u16);
        Ok(Dense {
            inputs,
            outputs,
            input,
            output,
            clamp,
            layout,
            biases,
            folded,
            multipliers,
            weights,
            shifts,
        })
    }

    /// Number of inputs, 1..=[`MAX_WIDTH`].
    pub fn inputs(&self) -> usize {
        self.inputs.into()
    }

    /// Number of outputs, 1..=[`MAX_WIDTH`].
    pub fn outputs(&self) -> usize {
        self.outputs.into()
    }

    /// Bytes of flash: biases, multipliers, weights and shifts.
    pub fn flash_len(&self) -> usize {
        let arrays = self.biases.len() + self.folded.len() + self.multipliers.len();
        arrays + self.weights.len() + self.shifts.len()
    }

    /// The weights as they lie in the file.
    pub fn weight_bytes(&self) -> &'a [u8] {
        self.weights
    }

    /// Biases, one an output, little-endian.
    pub fn biases(&self) -> &'a [[u8; 4]] {
        self.biases.as_chunks().0
    }

    /// Folded biases, one an output, little-endian; none for layouts that have none.
    pub fn folded(&self) -> &'a [[u8; 4]] {
        self.folded.as_chunks().0
    }

    /// Mantissas of the multipliers, one an output, little-endian.
    pub fn mantissas(&self) -> &'a [[u8; 4]] {
        self.multipliers.as_chunks().0
    }

    /// Shifts of the multipliers, one an output, two's complement.
    pub fn shifts(&self) -> &'a [u8] {
        self.shifts
    }

    /// Multipliers, one an output.
    pub fn multipliers(&self) -> impl Iterator<Item = Multiplier> + use<'a> {
        self.mantissas().iter().zip(self.shifts).map(|(mantissa, shift)| Multiplier {
            mantissa: i32::from_le_bytes(*mantissa),
            shift: *shift as i8,
        })
    }

    /// The rows in the order of the outputs.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let dense = *self;
        self.biases().iter().zip(self.multipliers()).enumerate().map(
            move |(index, (bias, multiplier))| Row {
                dense,
                index,
                bias: i32::from_le_bytes(*bias),
                multiplier,
            },
        )
    }

    /// The scale of a row's weights, which the file does not store: to 31 bits what the export
    /// divided by.
    pub fn weight_scale(&self, row: &Row<'_>) -> f64 {
        row.multiplier.to_real() * f64::from(self.output.scale) / f64::from(self.input.scale)
    }

    /// Number of the first block of a row of a [`WeightLayout::Sparse`] layer.
    fn sparse_start(&self, row: usize) -> usize {
        let (starts, _) = self.weights.as_chunks();
        starts.get(row).map_or(0, |start| u32::from_le_bytes(*start) as usize)
    }

    /// The numbers and the weights of the blocks of a [`WeightLayout::Sparse`] layer.
    fn sparse_blocks(&self) -> (&'a [[u8; 2]], &'a [[u8; 4]]) {
        let starts = self.layout.weights_len(self.inputs(), self.outputs());
        let blocks = self.sparse_start(self.outputs());
        let rest = self.weights.get(starts..).unwrap_or_default();
        let (numbers, weights) =
            rest.split_at_checked(padded(blocks.wrapping_mul(2))).unwrap_or_default();
        let (numbers, _) = numbers.as_chunks();
        (numbers.get(..blocks).unwrap_or_default(), weights.as_chunks().0)
    }

    /// The blocks of four columns of one row of a [`WeightLayout::Sparse`] layer: their numbers,
    /// ascending, and their weights. None for other layouts.
    pub fn sparse_row(&self, row: usize) -> impl Iterator<Item = (usize, &'a [u8; 4])> + use<'a> {
        let (numbers, weights) = match self.layout {
            WeightLayout::Sparse => self.sparse_blocks(),
            _ => Default::default(),
        };
        let blocks = self.sparse_start(row)..self.sparse_start(row.wrapping_add(1));
        let numbers = numbers.get(blocks.clone()).unwrap_or_default();
        let weights = weights.get(blocks).unwrap_or_default();
        numbers
            .iter()
            .zip(weights)
            .map(|(number, weights)| (u16::from_le_bytes(*number).into(), weights))
    }

    /// A weight of a layout that stores all of them; may lie outside the layout's range in a file
    /// that has not been checked.
    fn stored_weight(&self, row: usize, column: usize) -> i16 {
        let offset = self.layout.offset(self.inputs(), self.outputs(), row, column);
        let byte = |offset: usize| self.weights.get(offset).copied().unwrap_or(0);
        let weight = byte(offset);
        match self.layout {
            WeightLayout::ColumnsUnsigned4 => i16::from(weight) - 128,
            WeightLayout::Pairs4 if column % 2 == 1 => {
                let first = byte(offset.wrapping_sub(1)) as i8;
                i16::from(weight as i8) + i16::from(first < 0)
            }
            WeightLayout::Int4 | WeightLayout::Int4Tiles4 => {
                let shift = if column.is_multiple_of(2) { 4 } else { 0 };
                i16::from((weight << shift) as i8 >> 4)
            }
            _ => i16::from(weight as i8),
        }
    }

    /// Checks what does not follow from the fields one by one: the parameters of each row, and
    /// that no input within `range` can overflow an accumulator.
    pub(crate) fn check(&self, layer: u8, range: Clamp) -> Result<(), Error> {
        if self.layout == WeightLayout::Sparse {
            self.check_sparse(layer)?;
        }
        let mut folded = self.folded().iter();
        for (index, row) in (0u16..).zip(self.rows()) {
            let refuse = |field, problem| Err(Error::Row { layer, row: index, field, problem });
            if !row.multiplier.is_valid() {
                let Multiplier { mantissa, shift } = row.multiplier;
                return match Multiplier::SHIFTS.contains(&shift) {
                    true => refuse(Field::Multiplier, Problem::OutOfRange(mantissa.into())),
                    false => refuse(Field::Shift, Problem::OutOfRange(shift.into())),
                };
            }
            let sums = match row.sums() {
                Ok(sums) => sums,
                Err((field, problem)) => return refuse(field, problem),
            };
            if let Some(stated) = folded.next() {
                let sum = sums.positive.wrapping_add(sums.negative);
                let expected = self.layout.fold(self.input.zero_point, row.bias, sum, sums.odd);
                let found = i32::from_le_bytes(*stated);
                if found != expected {
                    let (expected, found) = (expected as u32, found as u32);
                    return refuse(Field::FoldedBias, Problem::Mismatch { expected, found });
                }
            }
            self.check_range(layer, index, &row, &sums, range)?;
        }
        Ok(())
    }

    fn check_range(
        &self,
        layer: u8,
        index: u16,
        row: &Row<'_>,
        sums: &Sums,
        range: Clamp,
    ) -> Result<(), Error> {
        let low = i32::from(range.low).wrapping_sub(self.input.zero_point);
        let high = i32::from(range.high).wrapping_sub(self.input.zero_point);
        let reach = u64::from(low.unsigned_abs().max(high.unsigned_abs()));
        // At most 2^20 · 2^16, and 2^31: no overflow.
        let magnitude = sums.positive.wrapping_sub(sums.negative) as u32;
        let accumulator =
            u64::from(magnitude).wrapping_mul(reach).wrapping_add(row.bias.unsigned_abs().into());
        // Requantization multiplies by 2^shift before it divides: that must fit as well.
        let bound = accumulator << row.multiplier.shift.max(0) as u8;
        let mut limit = 1 << 31;
        if bound >= limit {
            return Err(Error::Overflow { layer, row: index, bound, limit });
        }
        if self.layout == WeightLayout::Pairs4 {
            // The kernel holds 256 times the sum, which it may only let go around in between.
            limit = 1 << 23;
            let extreme = |positive_by: i32, negative_by: i32| {
                i64::from(row.bias)
                    .wrapping_add(i64::from(sums.positive).wrapping_mul(positive_by.into()))
                    .wrapping_add(i64::from(sums.negative).wrapping_mul(negative_by.into()))
                    .unsigned_abs()
            };
            let bound = extreme(high, low).max(extreme(low, high));
            if bound >= limit {
                return Err(Error::Overflow { layer, row: index, bound, limit });
            }
        }
        Ok(())
    }

    /// Checks where the rows of a sparse layer start, and how many blocks there are.
    fn check_sparse(&self, layer: u8) -> Result<(), Error> {
        let mut last = 0;
        for row in 0..self.outputs.wrapping_add(1) {
            let start = self.sparse_start(row.into());
            // The numbers of the blocks are two bytes each, so their count is below the length.
            if start < last || start > self.weights.len() || (row == 0 && start != 0) {
                let problem = Problem::OutOfRange(start as i64);
                return Err(Error::Row { layer, row, field: Field::BlockStart, problem });
            }
            last = start;
        }
        let expected = self
            .layout
            .weights_len(self.inputs(), self.outputs())
            .wrapping_add(padded(last.wrapping_mul(2)))
            .wrapping_add(last.wrapping_mul(4));
        if expected != self.weights.len() {
            let (expected, found) = (expected as u32, self.weights.len() as u32);
            let place = crate::Place::Layer(layer);
            let problem = Problem::Mismatch { expected, found };
            return Err(Error::Field { place, field: Field::Parameters, problem });
        }
        Ok(())
    }
}

/// Sums over the weights of a row, in magnitude at most 8192 · 127 each.
#[derive(Default)]
struct Sums {
    positive: i32,
    negative: i32,
    odd: i32,
}

impl Sums {
    fn add(&mut self, column: usize, weight: i16) {
        let weight = i32::from(weight);
        self.positive = self.positive.wrapping_add(weight.max(0));
        self.negative = self.negative.wrapping_add(weight.min(0));
        if column % 2 == 1 {
            self.odd = self.odd.wrapping_add(weight);
        }
    }
}

impl<'a> Row<'a> {
    /// The weights, one an input, whatever the layout.
    pub fn weights(&self) -> impl Iterator<Item = i8> + use<'a> {
        let row = *self;
        let mut blocks = self.dense.sparse_row(self.index).peekable();
        (0..self.dense.inputs()).map(move |column| {
            if row.dense.layout != WeightLayout::Sparse {
                // A checked weight fits.
                return row.dense.stored_weight(row.index, column) as i8;
            }
            while blocks.next_if(|(number, _)| *number < column / 4).is_some() {}
            match blocks.peek() {
                Some((number, weights)) if *number == column / 4 => {
                    weights.get(column % 4).map_or(0, |weight| *weight as i8)
                }
                _ => 0,
            }
        })
    }

    /// Adds up the weights and checks them on the way.
    fn sums(&self) -> Result<Sums, (Field, Problem)> {
        let (inputs, mut sums) = (self.dense.inputs(), Sums::default());
        let limit = self.dense.layout.max_weight();
        let mut take = |column: usize, weight: i16| {
            if weight < -limit || weight > limit {
                return Err((Field::Weight, Problem::OutOfRange(weight.into())));
            }
            if column >= inputs && weight != 0 {
                return Err((Field::WeightPadding, Problem::NotZero));
            }
            sums.add(column, weight);
            Ok(())
        };
        if self.dense.layout == WeightLayout::Sparse {
            let mut least = 0;
            for (number, weights) in self.dense.sparse_row(self.index) {
                if number < least || number >= padded(inputs) / 4 {
                    return Err((Field::BlockNumber, Problem::OutOfRange(number as i64)));
                }
                least = number.wrapping_add(1);
                for (k, weight) in weights.iter().enumerate() {
                    take(number.wrapping_mul(4).wrapping_add(k), i16::from(*weight as i8))?;
                }
            }
        } else {
            for column in 0..self.dense.layout.columns(inputs) {
                take(column, self.dense.stored_weight(self.index, column))?;
            }
        }
        Ok(sums)
    }
}
