//! The parsed model.

use core::marker::PhantomData;

use crate::interface::OutputsNeeded;
use crate::limits::{MAX_LAYERS, MAX_SELF_TESTS};
use crate::reader::{Reader, Text};
use crate::{
    AllOps, Capabilities, Channels, Clamp, DataType, Details, Encoding, Error, Field, HEADER_LEN,
    Header, Input, Layer, Location, Output, OutputKind, Quantization, RealChannels, ScratchLayout,
};

/// A model whose bytes have been checked: everything that it hands out is valid.
///
/// It borrows the file. What it hands out is decoded anew each time that it is asked for, so that a
/// model costs the stack no more than this struct, 60 bytes on a 32-bit core.
///
/// `C` says what it may be made of: all that the format has, unless a program that fixes its model
/// names less.
#[derive(Clone, Debug)]
pub struct Model<'a, C = AllOps> {
    /// From the name on.
    payload: &'a [u8],
    /// From the first layer on.
    layers: &'a [u8],
    /// From the first self-test on.
    self_tests: &'a [u8],
    checksum: u32,
    input: Chain,
    output_len: u16,
    output_data_type: DataType,
    /// Most inputs of a dense layer, rounded up to those that its weights have room for.
    max_inputs: u16,
    /// Most bytes of a layer's outputs, and of an input that is made from readings.
    max_output_bytes: u16,
    layer_count: u8,
    self_test_count: u8,
    choice: PhantomData<C>,
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
        Self::parse_with_ops(bytes)
    }
}

impl<'a, C: Capabilities> Model<'a, C> {
    /// Reads a model file as [`parse`](Model::parse) does, and refuses what is not in `C`.
    ///
    /// # Errors
    /// Those of [`parse`](Model::parse), and [`FieldError::LeftOut`](crate::FieldError::LeftOut) for an
    /// operator, a weight layout or a data type that is not in `C`.
    pub fn parse_with_ops(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, payload) = Header::open(bytes)?;
        let mut reader = Reader::new(payload, header.file_len);
        Self::read(&mut reader, header.checksum).ok_or_else(|| reader.refusal())
    }

    #[inline(always)]
    fn read(reader: &mut Reader<'a>, checksum: u32) -> Option<Self> {
        let payload = reader.rest();
        reader.take_text(Field::Name)?;
        reader.place = Location::Input;
        let (width, tensor, encoding) = Input::take::<C>(reader, |_| ())?;
        let input = Chain::new(width, tensor);
        reader.place = Location::Output;
        let needed = OutputKind::check(reader)?;

        reader.place = Location::Model;
        let layer_count = reader.take_count(Field::LayerCount, 1, MAX_LAYERS)? as u8;
        let layers = reader.rest();
        // Where readings become values, these lie as a layer's outputs would.
        let raw = C::OPS.counts && matches!(encoding, Encoding::Counts(_))
            || C::OPS.reals && matches!(encoding, Encoding::Reals(_));
        let first_bytes = if raw { input.bytes::<C>() } else { 0 };
        let (mut chain, mut max_inputs, mut max_output_bytes) = (input, 0, first_bytes);
        for index in 0..layer_count {
            reader.place = Location::Layer(index);
            let before = chain;
            // By reference: a layer that is moved is copied on the stack.
            let Some(layer) = &chain.take::<C>(reader) else { return None };
            layer.check::<C>(reader, index, before.range)?;
            if let Layer::Dense(dense) = layer {
                let layout = C::OPS.specialize(dense.layout);
                max_inputs = layout.columns(dense.inputs()).max(max_inputs);
            }
            max_output_bytes = chain.bytes::<C>().max(max_output_bytes);
        }
        let output_len = chain.width;
        if let OutputsNeeded::Exactly(needed, field) = needed
            && needed != output_len
        {
            reader.place = Location::Output;
            return reader.mismatch(field, output_len, needed);
        }

        let output_data_type = chain.tensor.data_type;
        reader.place = Location::Model;
        let count = reader.take_count(Field::SelfTestCount, 0, MAX_SELF_TESTS)?;
        let model = Model {
            payload,
            layers,
            self_tests: reader.rest(),
            checksum,
            input,
            // Widths are at most MAX_WIDTH, and values have two bytes at most.
            output_len: output_len as u16,
            output_data_type,
            max_inputs: max_inputs as u16,
            max_output_bytes: max_output_bytes as u16,
            layer_count,
            self_test_count: count as u8,
            choice: PhantomData,
        };
        for index in 0..model.self_test_count {
            reader.place = Location::SelfTest(index);
            SelfTest::read(reader, payload, model.input_bytes(), model.output_bytes())?;
        }
        reader.place = Location::Model;
        if C::OPS.details {
            Details::take(reader, model.input_len(), model.output_len())?;
        } else {
            // Nobody reads them there.
            reader.take_bytes(Field::Details)?;
        }
        reader.finish()?;
        Some(model)
    }

    /// Of the whole payload.
    fn reader(&self) -> Reader<'a> {
        Reader::new(self.payload, self.file_len())
    }

    /// The model's name.
    pub fn name(&self) -> &'a str {
        // Here and below: `parse` has read these bytes in the same way, so there is no error to
        // lose.
        self.reader().take_text(Field::Name).map(Text::as_str).unwrap_or_default()
    }

    /// The input.
    pub fn input(&self) -> Input<'a> {
        let mut reader = self.reader();
        reader.take_text(Field::Name);
        Input::read::<C>(&mut reader, self.input.tensor)
    }

    /// Quantization of the input's values.
    pub fn input_quantization(&self) -> Quantization {
        self.input.tensor
    }

    /// The channels of a sensor whose counts the model takes, if it takes some.
    pub fn channels(&self) -> Option<Channels<'a>> {
        if !C::OPS.counts {
            return None;
        }
        let mut reader = self.reader();
        reader.take_text(Field::Name);
        match Input::take::<C>(&mut reader, |_| ())?.2 {
            Encoding::Counts(channels) => Some(channels),
            _ => None,
        }
    }

    /// Returns the channels of the real numbers that the model takes, if it takes some.
    pub fn real_channels(&self) -> Option<RealChannels<'a>> {
        if !C::OPS.reals {
            return None;
        }
        let mut reader = self.reader();
        reader.take_text(Field::Name);
        match Input::take::<C>(&mut reader, |_| ())?.2 {
            Encoding::Reals(channels) => Some(channels),
            _ => None,
        }
    }

    /// Returns names, units and the preparation of images; none where the model was stripped of
    /// them.
    pub fn details(&self) -> Details<'a> {
        let mut reader = Reader::new(self.self_tests, self.file_len());
        for _ in 0..self.self_test_count {
            SelfTest::read(&mut reader, self.payload, self.input_bytes(), self.output_bytes());
        }
        Details::take(&mut reader, self.input_len(), self.output_len()).unwrap_or(Details::NONE)
    }

    /// The output.
    pub fn output(&self) -> Output<'a> {
        let mut reader = self.reader();
        reader.take_text(Field::Name);
        Input::take::<C>(&mut reader, |_| ());
        let quantization = self.layers().fold(self.input.tensor, |_, layer| layer.output());
        Output { quantization, kind: OutputKind::read(reader) }
    }

    /// The integers that come out.
    pub fn output_data_type(&self) -> DataType {
        self.output_data_type
    }

    /// Number of values that go in.
    pub fn input_len(&self) -> usize {
        self.input.width
    }

    /// Number of values that come out.
    pub fn output_len(&self) -> usize {
        self.output_len.into()
    }

    /// Bytes of the values that go in.
    pub fn input_bytes(&self) -> usize {
        self.input.bytes::<C>()
    }

    /// Bytes of an input in the largest form in which it comes: values, counts of sensors in 16
    /// bits, or real numbers in 32.
    pub fn raw_input_bytes(&self) -> usize {
        let input = self.input_len();
        match (self.channels(), self.real_channels()) {
            (Some(_), _) => input.wrapping_mul(2),
            (_, Some(_)) => input.wrapping_mul(4),
            _ => self.input_bytes(),
        }
    }

    /// Bytes of the values that come out.
    pub fn output_bytes(&self) -> usize {
        bytes::<C>(self.output_len(), self.output_data_type)
    }

    /// Division of the scratch memory of an engine for this model.
    pub fn scratch_layout(&self) -> ScratchLayout {
        let (inputs, outputs) = (self.max_inputs.into(), self.max_output_bytes.into());
        ScratchLayout::new(inputs, outputs, self.layer_count.into())
    }

    /// The file behind its header.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The layers' bytes.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn bytes_of_layers(&self) -> &'a [u8] {
        &self.layers[..self.layers.len() - self.bytes_behind_layers().len()]
    }

    /// The bytes from the number of self-tests on, which takes one.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn bytes_behind_layers(&self) -> &'a [u8] {
        &self.payload[self.payload.len() - self.self_tests.len() - 1..]
    }

    /// The details, behind their length.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn bytes_of_details(&self) -> &'a [u8] {
        let mut tests = self.self_tests();
        tests.by_ref().for_each(drop);
        tests.rest
    }

    /// Length of the file in bytes: the flash that the model takes.
    pub fn file_len(&self) -> usize {
        HEADER_LEN.wrapping_add(self.payload.len())
    }

    /// Returns whether the file lies on a 4-byte boundary of the memory, and with it every word in it.
    pub fn is_aligned(&self) -> bool {
        // Behind a header of whole words.
        self.payload.as_ptr().cast::<u32>().is_aligned()
    }

    /// CRC-32 of the file, which tells one model from another.
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The layers, first to last.
    pub fn layers(&self) -> Layers<'a, C> {
        Layers {
            rest: self.layers,
            end: self.file_len(),
            left: self.layer_count,
            chain: self.input,
            choice: PhantomData,
        }
    }

    /// Inputs with their expected outputs, with which a device can test itself.
    pub fn self_tests(&self) -> SelfTests<'a> {
        SelfTests {
            rest: self.self_tests,
            payload: self.payload,
            left: self.self_test_count,
            input_bytes: self.input_bytes(),
            output_bytes: self.output_bytes(),
        }
    }
}

/// Bytes of so many values.
fn bytes<C: Capabilities>(len: usize, data_type: DataType) -> usize {
    if C::OPS.int16 { len.wrapping_mul(data_type.bytes()) } else { len }
}

/// The values that a layer hands to the next.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// Number of values.
    width: usize,
    /// Their quantization.
    tensor: Quantization,
    /// The values that there can be.
    range: Clamp,
}

impl Chain {
    /// The input of a model.
    fn new(width: usize, tensor: Quantization) -> Self {
        Chain { width, tensor, range: Clamp::all(tensor.data_type) }
    }

    fn bytes<C: Capabilities>(&self) -> usize {
        bytes::<C>(self.width, self.tensor.data_type)
    }

    /// Takes the next layer.
    // Out of line: once for the checks, and for every run.
    #[inline(never)]
    fn take<'a, C: Capabilities>(&mut self, reader: &mut Reader<'a>) -> Option<Layer<'a>> {
        let layer = Layer::read::<C>(reader, self.width, self.tensor)?;
        if layer.inputs() != self.width {
            return reader.mismatch(Field::Inputs, self.width, layer.inputs());
        }
        *self = Chain { width: layer.outputs(), tensor: layer.output(), range: layer.range() };
        Some(layer)
    }
}

/// The layers of a model, first to last.
#[derive(Clone, Debug)]
pub struct Layers<'a, C = AllOps> {
    rest: &'a [u8],
    end: usize,
    left: u8,
    chain: Chain,
    choice: PhantomData<C>,
}

impl<'a, C: Capabilities> Iterator for Layers<'a, C> {
    type Item = Layer<'a>;

    fn next(&mut self) -> Option<Layer<'a>> {
        self.left = self.left.checked_sub(1)?;
        // `Model::parse` has read these bytes in the same way, so there is no error to lose.
        let mut reader = Reader::new(self.rest, self.end);
        let layer = self.chain.take::<C>(&mut reader);
        self.rest = reader.rest();
        layer
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl<C: Capabilities> ExactSizeIterator for Layers<'_, C> {}

/// An input and the output that a correct engine gives for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest<'a> {
    /// Two's complement input, int16 little-endian. It may be a part of the model file.
    pub input: &'a [u8],
    /// Two's complement output, int16 little-endian.
    pub output: &'a [u8],
}

impl<'a> SelfTest<'a> {
    fn read(
        reader: &mut Reader<'a>,
        payload: &'a [u8],
        inputs: usize,
        outputs: usize,
    ) -> Option<Self> {
        let mut input = reader.take_bytes(Field::TestInput)?;
        if input.is_empty() {
            // Bytes of the file itself.
            let offset = reader.take_unsigned(Field::TestInput)?;
            input =
                payload.get(offset as usize..).and_then(|from| from.get(..inputs)).unwrap_or(&[]);
        }
        if input.len() != inputs {
            return reader.mismatch(Field::TestInput, inputs, input.len());
        }
        let output = reader.take_exact(Field::TestOutput, outputs)?;
        Some(SelfTest { input, output })
    }
}

/// The self-tests of a model.
#[derive(Clone, Debug)]
pub struct SelfTests<'a> {
    rest: &'a [u8],
    payload: &'a [u8],
    left: u8,
    input_bytes: usize,
    output_bytes: usize,
}

impl<'a> Iterator for SelfTests<'a> {
    type Item = SelfTest<'a>;

    fn next(&mut self) -> Option<SelfTest<'a>> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader::new(self.rest, 0);
        let test = SelfTest::read(&mut reader, self.payload, self.input_bytes, self.output_bytes);
        self.rest = reader.rest();
        test
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for SelfTests<'_> {}
