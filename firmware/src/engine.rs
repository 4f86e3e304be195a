//! Runs a model, layer by layer, in borrowed memory.

use core::fmt;
use core::marker::PhantomData;

use model_format::{Layer, Layers, Model, Precision, Table, WeightLayout};

use crate::kernels::{self, Values, Workspace};
use crate::operators::{All, Choice};
use crate::raw::{RawError, encode_counts, encode_reals};
use crate::softmax::softmax;

/// A model together with the memory that it needs to run.
///
/// `C` says which kernels and operators are linked: all of them, unless a board that fixes its
/// model names fewer.
pub struct Engine<'m, 's, C = All> {
    model: Model<'m, C>,
    workspace: Workspace<'s>,
    activations: &'s mut [u8],
    choice: PhantomData<C>,
}

/// Why an engine cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The scratch memory is too small for the model.
    Scratch {
        /// Words that the model needs.
        needed: usize,
        /// Words that were given.
        given: usize,
    },
    /// The weights of a layer lie as no kernel of this build reads them.
    Layout {
        /// The layer, counted from 0.
        layer: usize,
        /// How its weights lie.
        layout: WeightLayout,
    },
    /// The model file does not lie on a 4-byte boundary, which a kernel of this core needs.
    Unaligned,
}

/// Why values cannot be the input of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputError {
    /// The input has the wrong length.
    Length {
        /// Bytes that the model takes.
        expected: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// Input or output of the model have other integers than the method: int16 for
    /// [`Engine::run`], int8 for [`Engine::run_i16`].
    Precision,
}

impl core::error::Error for EngineError {}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Scratch { needed, given } => {
                write!(f, "the model needs {needed} words of scratch memory, {given} were given")
            }
            EngineError::Layout { layer, layout } => write!(
                f,
                "layer {layer}: no kernel of this core reads {} weights: pack the model for it",
                layout.name()
            ),
            EngineError::Unaligned => {
                write!(f, "the model file must lie on a 4-byte boundary of the memory")
            }
        }
    }
}

impl core::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputError::Length { expected, given } => {
                write!(f, "the model takes {expected} bytes of input, {given} were given")
            }
            InputError::Precision => f.write_str(
                "the model's values are of other integers: Engine::run is for int8, run_i16 for \
                 int16, run_bytes for both",
            ),
        }
    }
}

impl<'m, 's> Engine<'m, 's> {
    /// Makes an engine that runs `model` in `scratch`, with every kernel that this core has.
    ///
    /// # Errors
    /// [`EngineError::Scratch`] if `scratch` has fewer words than
    /// [`scratch_len`](model_format::Model::scratch_len); [`EngineError::Layout`] if the model is
    /// packed for another core; [`EngineError::Unaligned`] if its file does not lie on a 4-byte
    /// boundary, which kernels in assembly need.
    pub fn new(model: Model<'m>, scratch: &'s mut [u32]) -> Result<Self, EngineError> {
        Self::with_choice(model, scratch)
    }
}

impl<'m, 's, C: Choice> Engine<'m, 's, C> {
    /// Makes an engine that has no more than the operators of `C`, as the model was parsed with.
    ///
    /// # Errors
    /// Those of [`new`](Engine::new).
    pub fn with_choice(model: Model<'m, C>, scratch: &'s mut [u32]) -> Result<Self, EngineError> {
        if kernels::needs_alignment() && !model.is_aligned() {
            return Err(EngineError::Unaligned);
        }
        let (mut layers, mut index) = (model.layers(), 0usize);
        // By reference: a layer that is moved is copied on the stack.
        while !kernels::read_all(C::OPERATORS)
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
        let refused = EngineError::Scratch { needed: layout.words(), given: scratch.len() };
        let (words, rest) = scratch.split_at_mut_checked(layout.widened_words).ok_or(refused)?;
        let (blocks, rest) = rest.split_at_mut_checked(layout.blocks_words).ok_or(refused)?;
        let activations = rest.get_mut(..layout.activation_words).ok_or(refused)?;
        Ok(Engine {
            model,
            workspace: Workspace { words, blocks: bytemuck::must_cast_slice_mut(blocks) },
            activations: bytemuck::must_cast_slice_mut(activations),
            choice: PhantomData,
        })
    }

    /// The model that it runs.
    pub fn model(&self) -> &Model<'m, C> {
        &self.model
    }

    /// Runs a model whose input and output are int8.
    ///
    /// # Shapes
    /// `input` has the model's [`input_len`](model_format::Model::input_len) values, the output
    /// its [`output_len`](model_format::Model::output_len).
    ///
    /// # Errors
    /// [`InputError::Precision`] if the model's input or output is int16, [`InputError::Length`] if
    /// the input is longer or shorter.
    pub fn run(&mut self, input: &[i8]) -> Result<&[i8], InputError> {
        self.expect(Precision::Int8)?;
        self.run_bytes(bytemuck::must_cast_slice(input)).map(bytemuck::must_cast_slice)
    }

    /// Runs a model whose input and output are int16; returns the values of its output.
    ///
    /// # Shapes
    /// `input` has the model's [`input_len`](model_format::Model::input_len) values, the output
    /// its [`output_len`](model_format::Model::output_len).
    ///
    /// # Errors
    /// [`InputError::Precision`] if the model's input or output is int8, [`InputError::Length`] if
    /// the input is longer or shorter.
    pub fn run_i16(
        &mut self,
        input: &[i16],
    ) -> Result<impl ExactSizeIterator<Item = i16> + '_, InputError> {
        self.expect(Precision::Int16)?;
        // The values of a little-endian machine are the bytes of the model's input.
        const { assert!(cfg!(target_endian = "little")) };
        let output = self.run_bytes(bytemuck::must_cast_slice(input))?;
        Ok(output.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)))
    }

    fn expect(&self, precision: Precision) -> Result<(), InputError> {
        let model = &self.model;
        let is_both = model.input_quantization().precision == precision
            && model.output_precision() == precision;
        if is_both { Ok(()) } else { Err(InputError::Precision) }
    }

    /// Runs the model on the bytes of its input, int8 or int16 little-endian, to those of its
    /// output.
    ///
    /// # Shapes
    /// `input` has the model's [`input_bytes`](model_format::Model::input_bytes), the output its
    /// [`output_bytes`](model_format::Model::output_bytes).
    ///
    /// # Errors
    /// [`InputError`], and no other.
    pub fn run_bytes(&mut self, input: &[u8]) -> Result<&[u8], InputError> {
        self.run_traced(input, |_, _| ())
    }

    /// Runs the model as [`run_bytes`](Self::run_bytes) does, and shows the bytes of each layer's
    /// output to `trace`, with the layer's index.
    ///
    /// # Errors
    /// [`InputError`], and no other.
    pub fn run_traced(
        &mut self,
        input: &[u8],
        trace: impl FnMut(usize, &[u8]),
    ) -> Result<&[u8], InputError> {
        let expected = self.model.input_bytes();
        if input.len() != expected {
            return Err(InputError::Length { expected, given: input.len() });
        }
        Ok(self.run_layers(Some(input), 0, trace))
    }

    /// Runs a model whose input is made from what sensors count, in integers throughout; gives the
    /// bytes of its output, and how many counts lay beyond what the input can say and were taken
    /// for its least or its largest value.
    ///
    /// # Shapes
    /// `counts` has the model's [`input_len`](model_format::Model::input_len) values, those of
    /// [`Encoding::Raw`](model_format::Encoding::Raw).
    ///
    /// # Errors
    /// [`RawError`] if the model takes no counts, or not so many.
    pub fn run_counts(
        &mut self,
        counts: impl IntoIterator<Item = i16, IntoIter: ExactSizeIterator>,
    ) -> Result<(&[u8], u32), RawError> {
        // The input lies where outputs of layers do.
        let saturated = encode_counts(&self.model, counts.into_iter(), self.activations)?;
        let len = self.model.input_bytes();
        Ok((self.run_layers(None, len, |_, _| ()), saturated))
    }

    /// Runs a model whose input is made from real numbers in units of their own; returns the bytes
    /// of its output, and how many numbers lay beyond the range of the input and were taken for its
    /// least or its largest value.
    ///
    /// Without this call, and [`encode_reals`], no floating-point code is linked.
    ///
    /// # Shapes
    /// `reals` has the model's [`input_len`](model_format::Model::input_len) values, those of
    /// [`Encoding::Reals`](model_format::Encoding::Reals).
    ///
    /// # Errors
    /// [`RawError`] if the model takes no real numbers, or not so many, or one is not a number.
    pub fn run_reals(&mut self, reals: &[f32]) -> Result<(&[u8], u32), RawError> {
        self.run_real_numbers(reals.iter().copied())
    }

    /// Runs a model as [`run_reals`](Self::run_reals) does, on numbers from an iterator.
    ///
    /// # Errors
    /// Those of [`run_reals`](Self::run_reals).
    pub fn run_real_numbers(
        &mut self,
        reals: impl IntoIterator<Item = f32, IntoIter: ExactSizeIterator>,
    ) -> Result<(&[u8], u32), RawError> {
        // The input lies where outputs of layers do.
        let saturated = encode_reals(&self.model, reals.into_iter(), self.activations)?;
        let len = self.model.input_bytes();
        Ok((self.run_layers(None, len, |_, _| ()), saturated))
    }

    /// Runs all layers on `input`, or on the first `len` bytes of the activations.
    #[inline(always)]
    fn run_layers(
        &mut self,
        input: Option<&[u8]>,
        mut len: usize,
        mut trace: impl FnMut(usize, &[u8]),
    ) -> &[u8] {
        let (mut layers, mut index) = (self.model.layers(), 0usize);
        let mut from = input;
        // By reference: a layer that is moved is copied on the stack.
        while let Some(layer) = &next(&mut layers) {
            len = self.run_layer(layer, from.take(), len);
            trace(index, self.activations.get(..len).unwrap_or_default());
            index = index.wrapping_add(1);
        }
        self.activations.get(..len).unwrap_or_default()
    }

    /// Runs a layer on `input`, or on the first `len` bytes of the activations; returns how many
    /// bytes of them its output takes.
    // Out of line, so that the layer is not taken apart on the stack.
    #[inline(never)]
    fn run_layer(&mut self, layer: &Layer<'_>, input: Option<&[u8]>, len: usize) -> usize {
        if let Layer::Dense(dense) = layer {
            let known = dense.known::<C>();
            let bytes = match input {
                Some(input) => input,
                None => self.activations.get(..len).unwrap_or_default(),
            };
            let x = Values { bytes, precision: known.input.precision };
            // The input is used up once it is prepared: the output may take its place.
            let prepared = kernels::prepare::<C>(dense, x, &mut self.workspace);
            let output_len = known.outputs().wrapping_mul(known.output.precision.bytes());
            let output = self.activations.get_mut(..output_len).unwrap_or_default();
            kernels::compute::<C>(dense, &prepared, output);
            return output_len;
        }
        if !C::OPERATORS.table && !C::OPERATORS.softmax {
            return 0;
        }
        // The others work in place.
        let output_len = layer.outputs().wrapping_mul(layer.output().precision.bytes());
        let values = self.activations.get_mut(..output_len).unwrap_or_default();
        if let Some(input) = input {
            copy(input, values);
        }
        match layer {
            Layer::Table(table) if C::OPERATORS.table => look_up(table, values),
            Layer::Softmax(layer) if C::OPERATORS.softmax => softmax(layer, values),
            _ => {}
        }
        output_len
    }
}

// Out of line where a kernel takes much of the stack: what reading a layer takes of it is then free
// again while the layer runs. Elsewhere that would only be larger.
#[cfg_attr(any(kernel_mve, kernel_v6m, kernel_v7m), inline(never))]
fn next<'m, C: Choice>(layers: &mut Layers<'m, C>) -> Option<Layer<'m>> {
    layers.next()
}

#[inline(never)]
fn look_up(table: &Table<'_>, values: &mut [u8]) {
    match table.input.precision {
        Precision::Int8 => {
            for value in values {
                *value = table.look_up_int8(*value as i8) as u8;
            }
        }
        Precision::Int16 => {
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
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
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
            output: MeaningSpec::Values(vec![]),
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
        assert_eq!(engine.run(&[-8, -16, -16]), Ok(&[-6][..]));
        assert_eq!(engine.run(&[0, 0, 0]), Ok(&[0][..]));
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
        assert_eq!(engine.run(&[1, 2]), Err(InputError::Length { expected: 3, given: 2 }));
        let other = engine.run_i16(&[1, 2, 3]).map(|_| ());
        assert_eq!(other, Err(InputError::Precision));
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
        assert_eq!(engine.run_i16(&[8, 16, 16]).unwrap().collect::<Vec<_>>(), [7]);
        assert_eq!(engine.run(&[8, 0, 16, 0, 16, 0]), Err(InputError::Precision));
        let short = engine.run_i16(&[8, 16]).map(|_| ());
        assert_eq!(short, Err(InputError::Length { expected: 6, given: 4 }));
    }
}
