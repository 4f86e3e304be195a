//! The parsed model.

use crate::limits::{MAX_LAYERS, MAX_SELF_TESTS};
use crate::reader::{Position, Reader};
use crate::{
    Clamp, Error, Field, HEADER_LEN, Header, Input, Layer, Meaning, Output, Place, Quantization,
};

/// A model whose bytes have been checked: everything that it hands out is valid.
///
/// It borrows the file. Layers are decoded anew each time that they are asked for, a few dozen
/// instructions each, so that a model costs the stack no more than this struct.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    header: Header,
    name: &'a str,
    input: Input,
    meaning: Meaning<'a>,
    output: Quantization,
    output_len: usize,
    layers: Position<'a>,
    layer_count: usize,
    self_tests: Position<'a>,
    self_test_count: usize,
}

impl<'a> Model<'a> {
    /// Reads a model file and checks all of it: header, checksum, every field, the chain of
    /// shapes, the limits of this build, and that no input can overflow an accumulator.
    ///
    /// `bytes` is exactly the file; [`Header::read`] tells the length where more lies behind it.
    ///
    /// # Errors
    /// An [`Error`] that names what is wrong and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, payload) = Header::open(bytes)?;
        let mut reader = Position::new(payload, HEADER_LEN).reader();
        Self::read(&mut reader, header).ok_or_else(|| reader.refusal())
    }

    #[inline(always)]
    fn read(reader: &mut Reader<'a>, header: Header) -> Option<Self> {
        let name = reader.take_text(Field::Name)?;
        reader.place = Place::Input;
        let input = Input::read(reader)?;
        reader.place = Place::Output;
        let meaning = Meaning::read(reader)?;

        reader.place = Place::Model;
        let layer_count = reader.take_count(Field::LayerCount, MAX_LAYERS)?;
        let layers = reader.position();
        let mut output = input.quantization;
        let mut output_len = input.len();
        let mut range = Clamp::all(output.precision);
        for index in 0..layer_count as u8 {
            reader.place = Place::Layer(index);
            let layer = Layer::read(reader, output_len, output)?;
            if layer.inputs() != output_len {
                return reader.mismatch(Field::Inputs, output_len, layer.inputs());
            }
            layer.check(reader, index, range)?;
            output = layer.output();
            output_len = layer.outputs();
            range = layer.range();
        }
        if let Meaning::Classes(labels) = meaning
            && labels.len() != output_len
        {
            reader.place = Place::Output;
            return reader.mismatch(Field::LabelCount, output_len, labels.len());
        }

        let input_bytes = input.len().wrapping_mul(input.quantization.precision.bytes());
        let output_bytes = output_len.wrapping_mul(output.precision.bytes());
        reader.place = Place::Model;
        let self_test_count = reader.take_count_or_none(Field::SelfTestCount, MAX_SELF_TESTS)?;
        let self_tests = reader.position();
        for index in 0..self_test_count as u8 {
            reader.place = Place::SelfTest(index);
            SelfTest::read(reader, input_bytes, output_bytes)?;
        }
        reader.place = Place::Model;
        reader.finish()?;
        Some(Model {
            header,
            name,
            input,
            meaning,
            output,
            output_len,
            layers,
            layer_count,
            self_tests,
            self_test_count,
        })
    }

    /// What people call it.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What goes in.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// What comes out.
    pub fn output(&self) -> Output<'a> {
        Output { quantization: self.output, meaning: self.meaning }
    }

    /// Number of values that go in.
    pub fn input_len(&self) -> usize {
        self.input.len()
    }

    /// Number of values that come out.
    pub fn output_len(&self) -> usize {
        self.output_len
    }

    /// Bytes of the values that go in.
    pub fn input_bytes(&self) -> usize {
        self.input.len().wrapping_mul(self.input.quantization.precision.bytes())
    }

    /// Bytes of the values that come out.
    pub fn output_bytes(&self) -> usize {
        self.output_len.wrapping_mul(self.output.precision.bytes())
    }

    /// Length of the file in bytes: the flash that the model takes.
    pub fn file_len(&self) -> usize {
        self.header.file_len
    }

    /// CRC-32 of the file, which tells one model from another.
    pub fn checksum(&self) -> u32 {
        self.header.checksum
    }

    /// The layers, first to last.
    pub fn layers(&self) -> Layers<'a> {
        Layers {
            position: self.layers,
            left: self.layer_count,
            width: self.input.len(),
            input: self.input.quantization,
        }
    }

    /// Inputs with their expected outputs, with which a device can test itself.
    pub fn self_tests(&self) -> SelfTests<'a> {
        SelfTests {
            reader: self.self_tests.reader(),
            left: self.self_test_count,
            input_bytes: self.input_bytes(),
            output_bytes: self.output_bytes(),
        }
    }
}

/// The layers of a model, first to last.
#[derive(Clone, Debug)]
pub struct Layers<'a> {
    position: Position<'a>,
    left: usize,
    width: usize,
    input: Quantization,
}

impl<'a> Iterator for Layers<'a> {
    type Item = Layer<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Layer<'a>> {
        self.left = self.left.checked_sub(1)?;
        // `Model::parse` has read these bytes in the same way, so there is no error to lose.
        let mut reader = self.position.reader();
        let layer = Layer::read(&mut reader, self.width, self.input);
        if let Some(layer) = &layer {
            self.position = reader.position();
            self.width = layer.outputs();
            self.input = layer.output();
        }
        layer
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Layers<'_> {}

/// An input and the output that a correct engine gives for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest<'a> {
    /// Two's complement input, int16 little-endian.
    pub input: &'a [u8],
    /// Two's complement output, int16 little-endian.
    pub output: &'a [u8],
}

impl<'a> SelfTest<'a> {
    fn read(reader: &mut Reader<'a>, inputs: usize, outputs: usize) -> Option<Self> {
        let input = reader.take_exact(Field::TestInput, inputs)?;
        let output = reader.take_exact(Field::TestOutput, outputs)?;
        Some(SelfTest { input, output })
    }
}

/// The self-tests of a model.
#[derive(Clone, Debug)]
pub struct SelfTests<'a> {
    reader: Reader<'a>,
    left: usize,
    input_bytes: usize,
    output_bytes: usize,
}

impl<'a> Iterator for SelfTests<'a> {
    type Item = SelfTest<'a>;

    fn next(&mut self) -> Option<SelfTest<'a>> {
        self.left = self.left.checked_sub(1)?;
        SelfTest::read(&mut self.reader, self.input_bytes, self.output_bytes)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for SelfTests<'_> {}
