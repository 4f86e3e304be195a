//! A model in owned types, free to be changed until it is written.

use crate::{Clamp, Dense, Encoding, Layer, Meaning, Model, Multiplier, Quantization};

/// A model to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// What people call it.
    pub name: String,
    /// What goes in.
    pub input: InputSpec,
    /// What the outputs say; one label an output, if they are classes.
    pub output: MeaningSpec,
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
    /// Inputs with their expected outputs.
    pub self_tests: Vec<SelfTestSpec>,
}

/// The input of a model to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// Dimensions, outermost first; their product is the number of inputs.
    pub shape: Vec<usize>,
    /// What the int8 values stand for.
    pub quantization: Quantization,
    /// How raw bytes become int8 values.
    pub encoding: Encoding,
}

/// What the outputs of a model to be written say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeaningSpec {
    /// One score a class, with the classes' labels.
    Classes(Vec<String>),
    /// Real values.
    Values {
        /// Their unit, which may be empty.
        unit: String,
    },
}

/// A layer to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// A dense layer.
    Dense(DenseSpec),
}

/// A dense layer to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSpec {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Weights in −127..=127, row-major: `inputs` for the first output, then for the second, …
    pub weights: Vec<i8>,
    /// One an output, at scale (input scale · the row's weight scale).
    pub biases: Vec<i32>,
    /// One an output: input scale · the row's weight scale / output scale.
    pub multipliers: Vec<Multiplier>,
    /// What the output's int8 values stand for.
    pub output: Quantization,
    /// What the output is clamped to.
    pub clamp: Clamp,
}

/// A self-test to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfTestSpec {
    /// The model's input.
    pub input: Vec<i8>,
    /// The output that it must give.
    pub output: Vec<i8>,
}

impl From<&Model<'_>> for ModelSpec {
    fn from(model: &Model<'_>) -> Self {
        let signed = |bytes: &[u8]| bytes.iter().map(|byte| *byte as i8).collect();
        ModelSpec {
            name: model.name().into(),
            input: InputSpec {
                shape: model
                    .input()
                    .shape
                    .iter()
                    .map(|d| usize::from(*d))
                    .collect(),
                quantization: model.input().quantization,
                encoding: model.input().encoding,
            },
            output: match model.output().meaning {
                Meaning::Classes(labels) => {
                    MeaningSpec::Classes(labels.iter().map(String::from).collect())
                }
                Meaning::Values { unit } => MeaningSpec::Values { unit: unit.into() },
            },
            layers: model
                .layers()
                .map(|layer| match layer {
                    Layer::Dense(dense) => LayerSpec::Dense(DenseSpec::from(&dense)),
                })
                .collect(),
            self_tests: model
                .self_tests()
                .map(|test| SelfTestSpec {
                    input: signed(test.input),
                    output: signed(test.output),
                })
                .collect(),
        }
    }
}

impl From<&Dense<'_>> for DenseSpec {
    fn from(dense: &Dense<'_>) -> Self {
        DenseSpec {
            inputs: dense.inputs(),
            outputs: dense.outputs(),
            weights: dense
                .rows()
                .flat_map(|row| row.weights.iter().take(dense.inputs()).map(|w| *w as i8))
                .collect(),
            biases: dense.rows().map(|row| row.bias).collect(),
            multipliers: dense.rows().map(|row| row.multiplier).collect(),
            output: dense.output,
            clamp: dense.clamp,
        }
    }
}
