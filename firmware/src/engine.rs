//! Runs a model, layer by layer, in borrowed memory.

use core::fmt;

use model_format::{Layer, Model};

use crate::kernels::{self, Widened};

/// A model together with the memory that it needs to run.
pub struct Engine<'m, 's> {
    model: Model<'m>,
    widened: &'s mut [u32],
    blocks: &'s mut [u16],
    activations: &'s mut [i8],
}

/// The scratch memory is too small for the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchError {
    /// Words that the model needs.
    pub needed: usize,
    /// Words that were given.
    pub given: usize,
}

/// The input has the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputError {
    /// Values that the model takes.
    pub expected: usize,
    /// Values that were given.
    pub given: usize,
}

impl core::error::Error for ScratchError {}

impl fmt::Display for ScratchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScratchError { needed, given } = self;
        write!(
            f,
            "the model needs {needed} words of scratch memory, {given} were given"
        )
    }
}

impl core::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InputError { expected, given } = self;
        write!(f, "the model takes {expected} inputs, {given} were given")
    }
}

impl<'m, 's> Engine<'m, 's> {
    /// Makes an engine that runs `model` in `scratch`.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` has fewer words than
    /// [`scratch_len`](model_format::Model::scratch_len).
    pub fn new(model: Model<'m>, scratch: &'s mut [u32]) -> Result<Self, ScratchError> {
        let layout = model.scratch_layout();
        let refused = ScratchError {
            needed: layout.words(),
            given: scratch.len(),
        };
        let (widened, rest) = scratch
            .split_at_mut_checked(layout.widened_words)
            .ok_or(refused)?;
        let (blocks, rest) = rest
            .split_at_mut_checked(layout.blocks_words)
            .ok_or(refused)?;
        let activations = rest.get_mut(..layout.activation_words).ok_or(refused)?;
        Ok(Engine {
            model,
            widened,
            blocks: bytemuck::must_cast_slice_mut(blocks),
            activations: bytemuck::must_cast_slice_mut(activations),
        })
    }

    /// The model that it runs.
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Runs the model.
    ///
    /// # Shapes
    /// `input` has the model's [`input_len`](model_format::Model::input_len) values, the output
    /// its [`output_len`](model_format::Model::output_len).
    ///
    /// # Errors
    /// [`InputError`], and no other.
    pub fn run(&mut self, input: &[i8]) -> Result<&[i8], InputError> {
        self.run_traced(input, |_, _| ())
    }

    /// Runs the model and shows each layer's output to `trace`, with the layer's index.
    ///
    /// # Errors
    /// [`InputError`], and no other.
    pub fn run_traced(
        &mut self,
        input: &[i8],
        mut trace: impl FnMut(usize, &[i8]),
    ) -> Result<&[i8], InputError> {
        let expected = self.model.input_len();
        if input.len() != expected {
            return Err(InputError {
                expected,
                given: input.len(),
            });
        }
        let mut len = 0;
        for (index, layer) in self.model.layers().enumerate() {
            match layer {
                Layer::Dense(dense) => {
                    let x = if index == 0 {
                        input
                    } else {
                        self.activations.get(..len).unwrap_or_default()
                    };
                    // The input is used up once it is widened, so the output may take its place.
                    let x = Widened::new(x, dense.input.zero_point, self.widened, self.blocks);
                    len = dense.outputs();
                    let output = self.activations.get_mut(..len).unwrap_or_default();
                    kernels::dense(&dense, &x, output);
                }
            }
            trace(index, self.activations.get(..len).unwrap_or_default());
        }
        Ok(self.activations.get(..len).unwrap_or_default())
    }
}
