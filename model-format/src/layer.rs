//! The layers of a model, as views of its bytes.

use crate::reader::Reader;
use crate::{Capabilities, Clamp, Dense, Field, FieldError, Quantization, Softmax, Table};

/// One layer.
#[derive(Clone, Copy, Debug)]
pub enum Layer<'a> {
    /// Every output is a weighted sum of every input.
    Dense(Dense<'a>),
    /// Every output is the same function of its input, by a table.
    Table(Table<'a>),
    /// The outputs are probabilities.
    Softmax(Softmax<'a>),
}

impl<'a> Layer<'a> {
    /// Takes a layer; it reads the output of the one before, of the given width and quantization.
    pub(crate) fn read<C: Capabilities>(
        reader: &mut Reader<'a>,
        width: usize,
        input: Quantization,
    ) -> Option<Self> {
        let chosen = C::OPS;
        match reader.take_unsigned(Field::Operator)? {
            0 => Dense::read::<C>(reader, input).map(Layer::Dense),
            1 if chosen.table => Table::read::<C>(reader, width, input).map(Layer::Table),
            2 if chosen.softmax => Softmax::read(reader, width, input).map(Layer::Softmax),
            code @ 1..=2 => reader.refuse(Field::Operator, FieldError::LeftOut(code)),
            code => reader.refuse(Field::Operator, FieldError::Unknown(code)),
        }
    }

    /// Checks all that does not follow from the layer's fields one by one; the values that it
    /// gets lie within `range`. The reader is at the layer's place.
    pub(crate) fn check<C: Capabilities>(
        &self,
        reader: &mut Reader<'_>,
        index: u8,
        range: Clamp,
    ) -> Option<()> {
        match self {
            Layer::Dense(dense) => dense.check::<C>(reader, index, range),
            Layer::Softmax(softmax) if C::OPS.softmax => softmax.check(reader),
            Layer::Table(_) | Layer::Softmax(_) => Some(()),
        }
    }

    /// The name of its operator.
    pub fn name(&self) -> &'static str {
        match self {
            Layer::Dense(_) => "dense",
            Layer::Table(_) => "table",
            Layer::Softmax(_) => "softmax",
        }
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.inputs(),
            Layer::Table(table) => table.width(),
            Layer::Softmax(softmax) => softmax.width(),
        }
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.outputs(),
            Layer::Table(table) => table.width(),
            Layer::Softmax(softmax) => softmax.width(),
        }
    }

    /// Quantization of the input's values.
    pub fn input(&self) -> Quantization {
        match self {
            Layer::Dense(dense) => dense.input,
            Layer::Table(table) => table.input,
            Layer::Softmax(softmax) => softmax.input,
        }
    }

    /// Quantization of the output's values.
    pub fn output(&self) -> Quantization {
        match self {
            Layer::Dense(dense) => dense.output,
            Layer::Table(table) => table.output,
            Layer::Softmax(_) => Softmax::OUTPUT,
        }
    }

    /// The values that an output can have.
    pub fn range(&self) -> Clamp {
        match self {
            Layer::Dense(dense) => dense.clamp,
            Layer::Table(_) | Layer::Softmax(_) => Clamp::all(self.output().data_type),
        }
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        match self {
            Layer::Dense(dense) => dense.inputs() as u64 * dense.outputs() as u64,
            Layer::Table(_) | Layer::Softmax(_) => 0,
        }
    }

    /// Bytes of parameters in flash.
    pub fn flash_len(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.flash_len(),
            Layer::Table(table) => table.bytes().len(),
            Layer::Softmax(softmax) => softmax.exponentials().len() * 4,
        }
    }
}
