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

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
    use model_format::{Clamp, Encoding, Multiplier, Quantization};

    use super::*;

    /// 3-2-1: relu of (x₀ + 2·x₁ + 4·x₂) / 8 and of its negative, then their difference, halved.
    fn model() -> Vec<u8> {
        let one = Quantization {
            scale: 1.0,
            zero_point: 0,
        };
        let dense = |inputs, outputs, weights: &[i8], real, low| {
            LayerSpec::Dense(DenseSpec {
                inputs,
                outputs,
                weights: weights.to_vec(),
                biases: vec![0; outputs],
                multipliers: vec![Multiplier::from_real(real).unwrap(); outputs],
                output: one,
                clamp: Clamp { low, high: 127 },
            })
        };
        ModelSpec {
            name: "engine".into(),
            input: InputSpec {
                shape: vec![3],
                quantization: one,
                encoding: Encoding::Quantized,
            },
            output: MeaningSpec::Values {
                unit: String::new(),
            },
            layers: vec![
                dense(3, 2, &[1, 2, 4, -1, -2, -4], 0.125, 0),
                dense(2, 1, &[1, -1], 0.5, -128),
            ],
            self_tests: vec![],
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
            .run_traced(&[8, 16, 16], |layer, output| {
                seen.push((layer, output.to_vec()))
            })
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
        assert_eq!(
            short,
            Some(ScratchError {
                needed,
                given: needed - 1
            })
        );
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        assert_eq!(
            engine.run(&[1, 2]),
            Err(InputError {
                expected: 3,
                given: 2
            })
        );
    }
}
