//! Runs a model, layer by layer, in borrowed memory.

use core::marker::PhantomData;

use model_format::{AllOps, Capabilities, DataType, Layer, LayerWords, Model, Table};

use crate::Answer;
use crate::error::{EngineError, InputError};
use crate::input_stage::{encode_counts, encode_reals};
use crate::kernels::{self, Values, Workspace};
use crate::softmax::softmax;
use crate::source::ModelSource;

/// A model together with the memory that it needs to run.
///
/// The capabilities `C` decide which kernels and operators are linked: all that the core has, or
/// those that one model uses, as [`include_model!`](crate::include_model) or a build script states
/// them.
///
/// # Example
/// ```
/// # use thimble_nn::{Engine, Model};
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let file = include_bytes!("../../models/digits.thimble");
/// let model = Model::parse(file)?; // checks the whole file, once
/// let mut scratch = vec![0; model.scratch_len()];
/// let mut engine = Engine::new(model, &mut scratch)?;
/// let image = [0_i8; 64];
/// let answer = engine.run(&image)?;
/// println!("{:?}: scores {:?}", answer.class().map(|class| class.label()), answer.bytes());
/// # Ok(())
/// # }
/// ```
pub struct Engine<'m, 's, C = AllOps> {
    model: Model<'m, C>,
    workspace: Workspace<'s>,
    /// The fields of the layers, which are read from the file once.
    layers: &'s [LayerWords],
    activations: &'s mut [u8],
    capabilities: PhantomData<C>,
}

impl<'m, 's, C: Capabilities> Engine<'m, 's, C> {
    /// Makes an engine that runs `model` in `scratch`.
    ///
    /// `model` is a parsed [`Model`], a [`StaticModel`](crate::StaticModel) that was built in, or
    /// the bytes of a file, which are parsed with every capability.
    ///
    /// # Errors
    /// [`EngineError::Model`] if the bytes are refused; [`EngineError::Scratch`] if `scratch` has
    /// fewer words than [`Model::scratch_len`]; [`EngineError::Layout`] if the model is packed for
    /// another core; [`EngineError::Unaligned`] if its file does not lie on a 4-byte boundary, which
    /// kernels in assembly need.
    pub fn new(
        model: impl ModelSource<'m, C>,
        scratch: &'s mut [u32],
    ) -> Result<Self, EngineError> {
        let model = model.into_model()?;
        if kernels::needs_alignment() && !model.is_aligned() {
            return Err(EngineError::Unaligned);
        }
        let (mut layers, mut index) = (model.layers(), 0usize);
        // By reference: a layer that is moved is copied on the stack.
        while !const { kernels::read_all(C::OPS) }
            && let Some(layer) = &layers.next()
        {
            if let Layer::Dense(dense) = layer
                && !kernels::reads(dense)
            {
                return Err(EngineError::Layout { layer: index, layout: dense.layout });
            }
            index = index.wrapping_add(1);
        }
        let layout = model.scratch_layout();
        let given = scratch.len();
        let refused = || EngineError::Scratch { needed: layout.words(), given };
        let (words, rest) =
            scratch.split_at_mut_checked(layout.widened_words).ok_or_else(refused)?;
        let (blocks, rest) = rest.split_at_mut_checked(layout.blocks_words).ok_or_else(refused)?;
        let (layers, rest) = rest.split_at_mut_checked(layout.layer_words).ok_or_else(refused)?;
        let activations = rest.get_mut(..layout.activation_words).ok_or_else(refused)?;
        let activations = bytemuck::must_cast_slice_mut(activations);
        let workspace = Workspace { words, blocks: bytemuck::must_cast_slice_mut(blocks) };
        let (layers, _) = layers.as_chunks_mut();
        model.decode_layers(layers);
        for words in &mut *layers {
            if let Some(Layer::Dense(dense)) = &model.decoded(words) {
                kernels::mark_whole::<C>(dense, words, &workspace, activations);
            }
        }
        Ok(Engine { model, workspace, layers, activations, capabilities: PhantomData })
    }

    /// The model that it runs.
    pub fn model(&self) -> &Model<'m, C> {
        &self.model
    }

    /// Runs the model on real numbers in their own units, such as °C and hPa.
    ///
    /// Without this call, and [`encode_reals`], no floating-point code is linked.
    ///
    /// # Shapes
    /// `reals` has [`Model::input_len`] values, those of
    /// [`Encoding::Reals`](crate::Encoding::Reals).
    ///
    /// # Errors
    /// [`InputError::NotReals`] if the model takes no real numbers, [`InputError::Length`] if it
    /// takes more or fewer, [`InputError::NotANumber`] if one is NaN.
    pub fn run_reals(&mut self, reals: &[f32]) -> Result<Answer<'_, 'm, C>, InputError> {
        self.run_reals_iter(reals.iter().copied())
    }

    /// Runs the model as [`run_reals`](Self::run_reals) does, on numbers from an iterator.
    ///
    /// # Errors
    /// Those of [`run_reals`](Self::run_reals).
    pub fn run_reals_iter(
        &mut self,
        reals: impl ExactSizeIterator<Item = f32>,
    ) -> Result<Answer<'_, 'm, C>, InputError> {
        // The input lies where outputs of layers do.
        let saturated = encode_reals(&self.model, reals, self.activations)?;
        Ok(self.run_encoded(saturated))
    }

    /// Runs the model on raw counts, such as those of an analog-to-digital converter, in integers
    /// throughout.
    ///
    /// # Shapes
    /// `counts` has [`Model::input_len`] values, those of
    /// [`Encoding::Counts`](crate::Encoding::Counts).
    ///
    /// # Errors
    /// [`InputError::NotCounts`] if the model takes no counts, [`InputError::Length`] if it takes
    /// more or fewer.
    pub fn run_counts(&mut self, counts: &[i16]) -> Result<Answer<'_, 'm, C>, InputError> {
        self.run_counts_iter(counts.iter().copied())
    }

    /// Runs the model as [`run_counts`](Self::run_counts) does, on counts from an iterator.
    ///
    /// # Errors
    /// Those of [`run_counts`](Self::run_counts).
    pub fn run_counts_iter(
        &mut self,
        counts: impl ExactSizeIterator<Item = i16>,
    ) -> Result<Answer<'_, 'm, C>, InputError> {
        // The input lies where outputs of layers do.
        let saturated = encode_counts(&self.model, counts, self.activations)?;
        Ok(self.run_encoded(saturated))
    }

    /// Runs the model on quantized values, int8.
    ///
    /// # Shapes
    /// `input` has [`Model::input_len`] values.
    ///
    /// # Errors
    /// [`InputError::DataType`] if the model's input is int16, [`InputError::Length`] if it takes
    /// more or fewer values.
    pub fn run(&mut self, input: &[i8]) -> Result<Answer<'_, 'm, C>, InputError> {
        self.run_values(DataType::Int8, input.len(), bytemuck::must_cast_slice(input))
    }

    /// Runs the model on quantized values, int16.
    ///
    /// # Shapes
    /// `input` has [`Model::input_len`] values.
    ///
    /// # Errors
    /// [`InputError::DataType`] if the model's input is int8, [`InputError::Length`] if it takes
    /// more or fewer values.
    pub fn run_i16(&mut self, input: &[i16]) -> Result<Answer<'_, 'm, C>, InputError> {
        // The values of a little-endian machine are the bytes of the model's input.
        const { assert!(cfg!(target_endian = "little")) };
        self.run_values(DataType::Int16, input.len(), bytemuck::must_cast_slice(input))
    }

    fn run_values(
        &mut self,
        data_type: DataType,
        given: usize,
        bytes: &[u8],
    ) -> Result<Answer<'_, 'm, C>, InputError> {
        if self.model.input_quantization().data_type != data_type {
            return Err(InputError::DataType);
        }
        let expected = self.model.input_len();
        if given != expected {
            return Err(InputError::Length { expected, given });
        }
        let len = self.run_layers(Some(bytes), 0, untraced);
        Ok(Answer::with_saturated(&self.model, output(self.activations, len), 0))
    }

    /// Runs the model on the bytes of its input, int8 or int16 little-endian; returns the bytes of
    /// its output.
    ///
    /// # Shapes
    /// `input` has [`Model::input_bytes`], the output [`Model::output_bytes`].
    ///
    /// # Errors
    /// [`InputError::ByteLength`], and no other.
    pub fn run_bytes(&mut self, input: &[u8]) -> Result<&[u8], InputError> {
        self.run_traced(input, untraced)
    }

    /// Runs the model as [`run_bytes`](Self::run_bytes) does, and shows the bytes of each layer's
    /// output to `trace`, with the layer's index.
    ///
    /// # Errors
    /// [`InputError::ByteLength`], and no other.
    pub fn run_traced(
        &mut self,
        input: &[u8],
        trace: impl FnMut(usize, &[u8]),
    ) -> Result<&[u8], InputError> {
        let expected = self.model.input_bytes();
        if input.len() != expected {
            return Err(InputError::ByteLength { expected, given: input.len() });
        }
        let len = self.run_layers(Some(input), 0, trace);
        Ok(output(self.activations, len))
    }

    /// Runs all layers on the input that lies in the activations.
    fn run_encoded(&mut self, saturated: u32) -> Answer<'_, 'm, C> {
        let len = self.model.input_bytes();
        let len = self.run_layers(None, len, untraced);
        Answer::with_saturated(&self.model, output(self.activations, len), saturated)
    }

    /// Runs all layers on `input`, or on the first `len` bytes of the activations; returns how many
    /// bytes of them the output takes.
    // Once for all that call it with the same `trace`.
    #[inline(never)]
    fn run_layers(
        &mut self,
        mut input: Option<&[u8]>,
        mut len: usize,
        mut trace: impl FnMut(usize, &[u8]),
    ) -> usize {
        let payload = self.model.payload();
        for (index, words) in self.layers.iter().enumerate() {
            let (input, workspace) = (input.take(), &mut self.workspace);
            let whole = kernels::run_whole::<C>(words, payload, input, workspace, self.activations);
            len = whole.unwrap_or_else(|| self.run_layer(words, input, len));
            trace(index, output(self.activations, len));
        }
        len
    }

    /// Runs a layer on `input`, or on the first `len` bytes of the activations; returns how many
    /// bytes of them its output takes.
    // Out of line, so that the layer is not taken apart on the stack.
    #[inline(never)]
    fn run_layer(&mut self, words: &LayerWords, input: Option<&[u8]>, len: usize) -> usize {
        // By reference: a layer that is moved is copied on the stack.
        let Some(layer) = &self.model.decoded(words) else { return 0 };
        if let Layer::Dense(dense) = layer {
            let known = dense.specialize::<C>();
            let bytes = match input {
                Some(input) => input,
                None => self.activations.get(..len).unwrap_or_default(),
            };
            let x = Values { bytes, data_type: known.input.data_type };
            // The input is used up once it is prepared: the output may take its place.
            let prepared = kernels::prepare::<C>(dense, x, &mut self.workspace);
            let output_len = known.outputs().wrapping_mul(known.output.data_type.bytes());
            let output = self.activations.get_mut(..output_len).unwrap_or_default();
            kernels::compute::<C>(dense, &prepared, output);
            return output_len;
        }
        if !C::OPS.table && !C::OPS.softmax {
            return 0;
        }
        // The others work in place.
        let output_len = layer.outputs().wrapping_mul(layer.output().data_type.bytes());
        let values = self.activations.get_mut(..output_len).unwrap_or_default();
        if let Some(input) = input {
            copy(input, values);
        }
        match layer {
            Layer::Table(table) if C::OPS.table => look_up(table, values),
            Layer::Softmax(layer) if C::OPS.softmax => softmax(layer, values),
            _ => {}
        }
        output_len
    }
}

/// Shows nobody a layer's output.
fn untraced(_: usize, _: &[u8]) {}

/// The bytes of a layer's output.
fn output(activations: &[u8], len: usize) -> &[u8] {
    activations.get(..len).unwrap_or_default()
}

#[inline(never)]
fn look_up(table: &Table<'_>, values: &mut [u8]) {
    match table.input.data_type {
        DataType::Int8 => {
            for value in values {
                *value = table.look_up_int8(*value as i8) as u8;
            }
        }
        DataType::Int16 => {
            for value in values.as_chunks_mut().0 {
                *value = table.look_up_int16(i16::from_le_bytes(*value)).to_le_bytes();
            }
        }
    }
}

/// Copies as much as there is: `copy_from_slice` would bring a panic along.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
    use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};

    use super::*;

    /// 3-2-1: relu of (x₀ + 2·x₁ + 4·x₂) / 8 and of its negative, then their difference, halved.
    fn model() -> Vec<u8> {
        let one = Quantization::int8(1.0, 0);
        let dense = |inputs, outputs, weights: &[i8], real, low| {
            LayerSpec::Dense(DenseSpec {
                inputs,
                outputs,
                weights: weights.to_vec(),
                biases: vec![0; outputs],
                multipliers: vec![Multiplier::from_real(real).unwrap(); outputs],
                output: one,
                clamp: Clamp { low, high: 127 },
                layout: WeightLayout::RowMajor,
            })
        };
        ModelSpec {
            name: "engine".into(),
            input: InputSpec { shape: vec![3], quantization: one, encoding: Encoding::Quantized },
            output: OutputSpec::Values(vec![]),
            layers: vec![
                dense(3, 2, &[1, 2, 4, -1, -2, -4], 0.125, 0),
                dense(2, 1, &[1, -1], 0.5, -128),
            ],
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap()
    }

    #[test]
    fn runs_layer_by_layer() {
        let file = model();
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0xdead_beef; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        let mut seen = vec![];
        // 8 + 32 + 64 = 104; 104 / 8 = 13; 13 / 2 = 6.5, and the high multiply sends ties up.
        let output = engine
            .run_traced(&[8, 16, 16], |layer, output| seen.push((layer, output.to_vec())))
            .unwrap()
            .to_vec();
        assert_eq!(seen, [(0, vec![13, 0]), (1, vec![7])]);
        assert_eq!(output, [7]);
        assert_eq!(engine.run(&[-8, -16, -16]).unwrap().values().collect::<Vec<_>>(), [-6]);
        assert_eq!(engine.run(&[0, 0, 0]).unwrap().bytes(), [0]);
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let file = model();
        let model = Model::parse(&file).unwrap();
        let needed = model.scratch_len();
        let mut scratch = vec![0; needed];
        let short = Engine::new(model.clone(), &mut scratch[1..]).err();
        assert_eq!(short, Some(EngineError::Scratch { needed, given: needed - 1 }));
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        let length = InputError::Length { expected: 3, given: 2 };
        assert_eq!(engine.run(&[1, 2]).err(), Some(length));
        let length = InputError::ByteLength { expected: 3, given: 4 };
        assert_eq!(engine.run_bytes(&[0; 4]), Err(length));
        assert_eq!(engine.run_i16(&[1, 2, 3]).err(), Some(InputError::DataType));
    }

    #[test]
    fn an_engine_has_its_model() {
        let file = model();
        let mut scratch = [0; 64];
        let engine = Engine::new(&file[..], &mut scratch).unwrap();
        assert_eq!(engine.model().name(), "engine");
    }

    #[test]
    fn int16_models_have_a_method_of_their_own() {
        let file = model();
        let mut spec = ModelSpec::from(&Model::parse(&file).unwrap());
        spec.input.quantization = Quantization::int16(1.0);
        for layer in &mut spec.layers {
            let LayerSpec::Dense(dense) = layer else { panic!("not dense") };
            dense.output = Quantization::int16(1.0);
            dense.clamp = Clamp { low: dense.clamp.low.max(-128), high: 127 };
        }
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        assert_eq!(engine.run_i16(&[8, 16, 16]).unwrap().values().collect::<Vec<_>>(), [7]);
        assert_eq!(engine.run(&[8, 16, 16]).err(), Some(InputError::DataType));
        let short = InputError::Length { expected: 3, given: 2 };
        assert_eq!(engine.run_i16(&[8, 16]).err(), Some(short));
    }
}
