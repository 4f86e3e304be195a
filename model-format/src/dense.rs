//! Dense layers.

use crate::layout::{Strides, WeightLayout};
use crate::limits::{MAX_SMALL_INPUTS, MAX_WIDTH};
use crate::reader::Reader;
use crate::sizes::padded;
use crate::{Capabilities, Clamp, DataType, Field, FieldError, Multiplier, Quantization};

/// The bit of the layout's field that tells that rows are compact.
pub(crate) const COMPACT: u32 = 32;

/// A dense layer: for each row *n*, acc = bias\[n\] + Σ weight\[n\]\[k\] · (x\[k\] − zero point of
/// the input), requantized with the row's multiplier, moved by the output's zero point, clamped.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    inputs: u16,
    outputs: u16,
    /// Quantization of the input's values.
    pub input: Quantization,
    /// Quantization of the output's values.
    pub output: Quantization,
    /// Range that the output is clamped to.
    pub clamp: Clamp,
    /// Order of the weights.
    pub layout: WeightLayout,
    /// Whether biases and multipliers have 16 bits each.
    pub is_compact: bool,
    /// Biases, folded biases, multipliers, weights, shifts; no shifts where rows are compact.
    parameters: &'a [u8],
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
    pub(crate) fn read<C: Capabilities>(
        reader: &mut Reader<'a>,
        input: Quantization,
    ) -> Option<Self> {
        let inputs = reader.take_count(Field::Inputs, 1, MAX_WIDTH)?;
        let outputs = reader.take_count(Field::Outputs, 1, MAX_WIDTH)?;
        let output = Quantization::read::<C>(reader)?;
        let clamp = Clamp::read(reader, output.data_type)?;
        let field = reader.take_unsigned(Field::WeightLayout)?;
        let (code, is_compact) = (field & !COMPACT, field & COMPACT != 0);
        if is_compact && !C::OPS.compact {
            return reader.refuse(Field::WeightLayout, FieldError::LeftOut(field));
        }
        let Some(layout) = WeightLayout::from_code(code) else {
            return reader.refuse(Field::WeightLayout, FieldError::Unknown(field));
        };
        if is_compact && !layout.may_be_compact() {
            return reader.refuse(Field::WeightLayout, FieldError::Unknown(field));
        }
        if !C::OPS.reads(layout) {
            return reader.refuse(Field::WeightLayout, FieldError::LeftOut(code));
        }
        let layout = C::OPS.specialize(layout);
        if layout.needs_int8() && input.data_type != DataType::Int8 {
            return reader.refuse(Field::WeightLayout, FieldError::NeedsInt8);
        }
        let parameters = reader.take_aligned(Field::Parameters)?;
        let (inputs, outputs) = (inputs as u16, outputs as u16);
        let dense = Dense { inputs, outputs, input, output, clamp, layout, is_compact, parameters };
        // Below 2^28: both widths are at most MAX_WIDTH.
        let least = dense
            .weights_start()
            .wrapping_add(layout.weights_len(dense.inputs(), dense.outputs()))
            .wrapping_add(dense.shifts_len());
        let len = parameters.len();
        if len < least || (len > least && layout != WeightLayout::Sparse) {
            return reader.mismatch(Field::Parameters, least, len);
        }
        Some(dense)
    }

    /// A layer of these fields, which have been read from a checked file.
    pub(crate) fn of(
        inputs: u16,
        outputs: u16,
        input: Quantization,
        output: Quantization,
        clamp: Clamp,
        (layout, is_compact): (WeightLayout, bool),
        parameters: &'a [u8],
    ) -> Self {
        Dense { inputs, outputs, input, output, clamp, layout, is_compact, parameters }
    }

    /// Biases, folded biases, multipliers, weights, shifts, as they lie in the file.
    pub(crate) fn parameters(&self) -> &'a [u8] {
        self.parameters
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
        self.parameters.len()
    }

    /// Offset of the weights in the parameters.
    #[inline(always)]
    fn weights_start(&self) -> usize {
        let bytes = match (self.is_compact, self.layout.is_folded()) {
            (true, _) => 4,
            (false, false) => 8,
            (false, true) => 12,
        };
        self.outputs().wrapping_mul(bytes)
    }

    /// Bytes of the shifts, which compact rows have in their multipliers.
    #[inline(always)]
    fn shifts_len(&self) -> usize {
        if self.is_compact { 0 } else { self.outputs() }
    }

    /// The n-th of the arrays that have a word an output.
    #[inline(always)]
    fn array(&self, index: usize) -> &'a [[u8; 4]] {
        if self.is_compact {
            return &[];
        }
        let (words, _) = self.parameters.as_chunks();
        let start = self.outputs().wrapping_mul(index);
        words.get(start..start.wrapping_add(self.outputs())).unwrap_or_default()
    }

    /// The weights as they lie in the file.
    pub fn weight_bytes(&self) -> &'a [u8] {
        let end = self.parameters.len().wrapping_sub(self.shifts_len());
        self.parameters.get(self.weights_start()..end).unwrap_or_default()
    }

    /// Biases, one an output, little-endian; none where rows are compact.
    pub fn biases(&self) -> &'a [[u8; 4]] {
        self.array(0)
    }

    /// Folded biases, one an output, little-endian; none for layouts that have none.
    pub fn folded(&self) -> &'a [[u8; 4]] {
        if self.layout.is_folded() { self.array(1) } else { &[] }
    }

    /// Mantissas of the multipliers, one an output, little-endian; none where rows are compact.
    pub fn mantissas(&self) -> &'a [[u8; 4]] {
        self.array(if self.layout.is_folded() { 2 } else { 1 })
    }

    /// Shifts of the multipliers, one an output, two's complement; none where rows are compact.
    pub fn shifts(&self) -> &'a [u8] {
        let start = self.parameters.len().wrapping_sub(self.shifts_len());
        self.parameters.get(start..).unwrap_or_default()
    }

    /// Halfwords of the n-th array of compact rows.
    fn halfwords(&self, index: usize) -> &'a [[u8; 2]] {
        if !self.is_compact {
            return &[];
        }
        let (halfwords, _) = self.parameters.as_chunks();
        let start = self.outputs().wrapping_mul(index);
        halfwords.get(start..start.wrapping_add(self.outputs())).unwrap_or_default()
    }

    /// Biases of compact rows, one an output, two's complement, little-endian; none of other rows.
    pub fn compact_biases(&self) -> &'a [[u8; 2]] {
        self.halfwords(0)
    }

    /// Multipliers of compact rows, one an output, little-endian: a shift to the right in the upper five
    /// bits, in the others those below the highest of the mantissa; 0 for zero. None of other rows.
    pub fn compact_multipliers(&self) -> &'a [[u8; 2]] {
        self.halfwords(1)
    }

    /// A word of the n-th array.
    fn word(&self, array: usize, row: usize) -> i32 {
        let (words, _) = self.parameters.as_chunks();
        let index = self.outputs().wrapping_mul(array).wrapping_add(row);
        words.get(index).map_or(0, |word| i32::from_le_bytes(*word))
    }

    /// A halfword of the n-th array of compact rows.
    #[inline(always)]
    fn halfword(&self, array: usize, row: usize) -> u16 {
        let (halfwords, _) = self.parameters.as_chunks();
        let index = self.outputs().wrapping_mul(array).wrapping_add(row);
        halfwords.get(index).map_or(0, |halfword| u16::from_le_bytes(*halfword))
    }

    /// The bias of a row.
    #[inline(always)]
    pub fn bias(&self, row: usize) -> i32 {
        if self.is_compact { (self.halfword(0, row) as i16).into() } else { self.word(0, row) }
    }

    /// Returns whether a core may run the layer whole, in assembly: it has at most [`MAX_SMALL_INPUTS`]
    /// inputs, and [only shifts to the right](Self::only_shifts_right).
    pub fn is_small(&self) -> bool {
        self.inputs() <= MAX_SMALL_INPUTS && self.only_shifts_right()
    }

    /// Returns whether the values are int8 and all outputs are shifted to the right, by shifts of a byte
    /// each: rows must not be compact.
    pub fn only_shifts_right(&self) -> bool {
        [self.input.data_type, self.output.data_type] == [DataType::Int8; 2]
            && !self.is_compact
            && self.shifts().iter().all(|shift| (*shift as i8) < 0)
    }

    /// For layouts that have folded biases.
    pub(crate) fn folded_bias(&self, row: usize) -> i32 {
        self.word(1, row)
    }

    /// The multiplier of a row.
    #[inline(always)]
    pub fn multiplier(&self, row: usize) -> Multiplier {
        if self.is_compact {
            return Multiplier::from_compact(self.halfword(1, row));
        }
        let array = if self.layout.is_folded() { 2 } else { 1 };
        let shift = self.shifts().get(row).map_or(0, |shift| *shift as i8);
        Multiplier { mantissa: self.word(array, row), shift }
    }

    /// Multipliers, one an output.
    pub fn multipliers(&self) -> impl Iterator<Item = Multiplier> + use<'a> {
        let dense = *self;
        (0..self.outputs()).map(move |row| dense.multiplier(row))
    }

    /// The rows in the order of the outputs.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let dense = *self;
        (0..self.outputs()).map(move |index| Row {
            dense,
            index,
            bias: dense.bias(index),
            multiplier: dense.multiplier(index),
        })
    }

    /// The scale of a row's weights, which the file does not store: to 31 bits what the export
    /// divided by.
    pub fn weight_scale(&self, row: &Row<'_>) -> f64 {
        row.multiplier.to_real() * f64::from(self.output.scale) / f64::from(self.input.scale)
    }

    /// Number of the first block of a row of a [`WeightLayout::Sparse`] layer.
    pub(crate) fn sparse_start(&self, row: usize) -> usize {
        let (starts, _) = self.weight_bytes().as_chunks();
        starts.get(row).map_or(0, |start| u32::from_le_bytes(*start) as usize)
    }

    /// The numbers and the weights of the blocks of a [`WeightLayout::Sparse`] layer.
    fn sparse_blocks(&self) -> (&'a [[u8; 2]], &'a [[u8; 4]]) {
        let starts = self.layout.weights_len(self.inputs(), self.outputs());
        let blocks = self.sparse_start(self.outputs());
        let rest = self.weight_bytes().get(starts..).unwrap_or_default();
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

    /// The weights of a row of a layout that stores all of them; may lie outside the layout's range
    /// in a file that has not been checked.
    #[inline(always)]
    pub fn stored_weights(&self, row: usize) -> impl Iterator<Item = i16> + use<'a> {
        let (dense, weights) = (*self, self.weight_bytes());
        let strides = self.layout.strides(self.inputs(), self.outputs(), row);
        (0..self.inputs()).map(move |column| dense.weight_of(weights, &strides, column))
    }

    /// A weight of a row whose weights lie so in these bytes.
    #[inline(always)]
    fn weight_of(&self, weights: &[u8], strides: &Strides, column: usize) -> i16 {
        let weight_type = self.layout.weight_type();
        let offset = strides.offset(column / weight_type.per_byte());
        let byte = |offset: usize| weights.get(offset).copied().unwrap_or(0);
        let weight = byte(offset) ^ self.layout.flipped_bits();
        if self.layout == WeightLayout::Pairs4 && strides.is_second_of_pair() {
            let first = byte(offset.wrapping_sub(1)) as i8;
            return i16::from(weight as i8) + i16::from(first < 0);
        }
        weight_type.unpack(weight, column % weight_type.per_byte())
    }
}

impl<'a> Row<'a> {
    /// The weights, one an input, whatever the layout.
    pub fn weights(&self) -> impl Iterator<Item = i8> + use<'a> {
        let dense = self.dense;
        let weights = dense.weight_bytes();
        let strides = dense.layout.strides(dense.inputs(), dense.outputs(), self.index);
        let mut blocks = dense.sparse_row(self.index).peekable();
        (0..dense.inputs()).map(move |column| {
            if dense.layout != WeightLayout::Sparse {
                // A checked weight fits.
                return dense.weight_of(weights, &strides, column) as i8;
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
}

#[cfg(test)]
mod tests {
    use crate::build::*;
    use crate::limits::MAX_SMALL_INPUTS;
    use crate::{Clamp, Encoding, Layer, Model, Multiplier, Quantization, WeightLayout};

    /// Whether a layer of so many inputs is small, of which the second output has this shift.
    fn is_small(inputs: usize, input: Quantization, output: Quantization, shift: i8) -> bool {
        is_small_of(WeightLayout::RowMajor, inputs, [input, output], shift)
    }

    fn is_small_of(
        layout: WeightLayout,
        inputs: usize,
        [input, output]: [Quantization; 2],
        shift: i8,
    ) -> bool {
        let multiplier = |shift| Multiplier { mantissa: 1 << 30, shift };
        let dense = DenseSpec {
            inputs,
            outputs: 2,
            weights: vec![1; 2 * inputs],
            biases: vec![0; 2],
            multipliers: vec![multiplier(-8), multiplier(shift)],
            output,
            clamp: Clamp { low: -128, high: 127 },
            layout,
        };
        let file = ModelSpec {
            name: "small".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: input,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(dense)],
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap();
        let model = Model::parse(&file).unwrap();
        matches!(model.layers().next(), Some(Layer::Dense(dense)) if dense.is_small())
    }

    #[test]
    fn small_layers_have_few_inputs_of_int8_and_shift_to_the_right() {
        let (int8, int16) = (Quantization::int8(1.0, 3), Quantization::int16(1.0));
        assert!(is_small(1, int8, int8, -1) && is_small(MAX_SMALL_INPUTS, int8, int8, -1));
        assert!(!is_small(MAX_SMALL_INPUTS + 1, int8, int8, -1));
        assert!(!is_small(4, int16, int8, -1) && !is_small(4, int8, int16, -1));
        assert!(!is_small(4, int8, int8, 0) && !is_small(4, int8, int8, 1));
        // Rows of int4 weights are compact where they can be, with shifts in their multipliers.
        assert!(!is_small_of(WeightLayout::Int4, 4, [int8; 2], -1));
    }
}
