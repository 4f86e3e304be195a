//! A model in owned types, free to be changed until it is written.

use crate::{
    Channel, Clamp, DataType, Dense, Details, Encoding, Labels, Layer, Model, Multiplier,
    OutputKind, Quantization, RealChannel, Softmax, Table, ValueScale, WeightLayout,
};

/// A model to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// The model's name.
    pub name: String,
    /// The input.
    pub input: InputSpec,
    /// Kind of the outputs; one label per output, if they are classes.
    pub output: OutputSpec,
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
    /// Inputs with their expected outputs.
    pub self_tests: Vec<SelfTestSpec>,
    /// Names, units and the preparation of images; all empty in a stripped model.
    pub details: DetailsSpec,
}

/// The descriptions of a model to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetailsSpec {
    /// Description of each input, or none.
    pub features: Vec<FeatureSpec>,
    /// Name and unit of each output, or none.
    pub outputs: Vec<(String, String)>,
    /// Preparation of images for training.
    pub preparation: String,
}

/// The description of a feature of a model to be written: see [`Feature`](crate::Feature).
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSpec {
    /// Its name; may be empty.
    pub name: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// Of a million training rows, those that lay beyond the range of the input.
    pub clipped: u32,
    /// Slope and intercept of the real number that a count stands for; 1 and 0 without counts.
    pub line: [f32; 2],
}

/// Encoding of the input of a model to be written.
pub type EncodingSpec = Encoding<Vec<Channel>, Vec<RealChannel>>;

/// The input of a model to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// Dimensions, outermost first; their product is the number of inputs.
    pub shape: Vec<usize>,
    /// Quantization of the values.
    pub quantization: Quantization,
    /// Conversion of raw bytes to these values.
    pub encoding: EncodingSpec,
}

/// Kind of the outputs of a model to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputSpec {
    /// One score per class.
    Classes {
        /// The classes' labels.
        labels: Vec<String>,
        /// For two classes, by how many steps the second score must exceed the first; else 0.
        threshold: i32,
    },
    /// Real values; scale and offset of each, or none for those of the last layer.
    Values(Vec<ValueScale>),
    /// One score, the probability of the second of two classes.
    Probability {
        /// The labels of both.
        labels: Vec<String>,
        /// The largest output value for which the first class wins.
        threshold: i32,
    },
}

impl OutputSpec {
    /// Returns the meaning of one score per class, the largest of which wins.
    pub fn classes(labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let labels = labels.into_iter().map(Into::into).collect();
        OutputSpec::Classes { labels, threshold: 0 }
    }
}

/// A layer to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// A dense layer.
    Dense(DenseSpec),
    /// An element-wise function.
    Table(TableSpec),
    /// Probabilities.
    Softmax(SoftmaxSpec),
}

/// A dense layer to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSpec {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Weights, row-major whatever the layout: `inputs` for the first output, then for the
    /// second, …; each of the layout's [`WeightType`](crate::WeightType).
    pub weights: Vec<i8>,
    /// One an output, at scale (input scale · the row's weight scale).
    pub biases: Vec<i32>,
    /// One an output: input scale · the row's weight scale / output scale. Rows take less of the file
    /// where weights have fewer than 8 bits, all of these have a
    /// [compact form](Multiplier::to_compact), and all biases fit into 16 bits.
    pub multipliers: Vec<Multiplier>,
    /// Quantization of the output's values.
    pub output: Quantization,
    /// Range that the output is clamped to.
    pub clamp: Clamp,
    /// Order of the weights in the file.
    pub layout: WeightLayout,
}

/// An element-wise layer to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// Quantization of the output's values; of the data type of the input.
    pub output: Quantization,
    /// For int8, the outputs for −128, −127, … 127; for int16, those for −32768, −32512, … 32512
    /// and 32768.
    pub entries: Vec<i16>,
}

/// A softmax to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftmaxSpec {
    /// e^(−k · input scale) for k from 0 on, in Q31; at most 256.
    pub exponentials: Vec<i32>,
}

/// A self-test to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfTestSpec {
    /// The bytes of the model's input: two's complement, int16 little-endian.
    pub input: Vec<u8>,
    /// The bytes of the output that it must give.
    pub output: Vec<u8>,
}

impl From<&Model<'_>> for ModelSpec {
    fn from(model: &Model<'_>) -> Self {
        ModelSpec {
            name: model.name().into(),
            input: InputSpec {
                shape: model.input().shape.iter().map(|d| usize::from(*d)).collect(),
                quantization: model.input().quantization,
                encoding: match model.input().encoding {
                    Encoding::Quantized => Encoding::Quantized,
                    Encoding::Unsigned8 => Encoding::Unsigned8,
                    Encoding::Counts(channels) => Encoding::Counts(channels.iter().collect()),
                    Encoding::Reals(channels) => Encoding::Reals(channels.iter().collect()),
                },
            },
            output: OutputSpec::from(&model.output().kind),
            layers: model
                .layers()
                .map(|layer| match layer {
                    Layer::Dense(dense) => LayerSpec::Dense(DenseSpec::from(&dense)),
                    Layer::Table(table) => LayerSpec::Table(TableSpec::from(&table)),
                    Layer::Softmax(softmax) => LayerSpec::Softmax(SoftmaxSpec::from(&softmax)),
                })
                .collect(),
            self_tests: model
                .self_tests()
                .map(|test| SelfTestSpec {
                    input: test.input.to_vec(),
                    output: test.output.to_vec(),
                })
                .collect(),
            details: DetailsSpec::from(&model.details()),
        }
    }
}

impl From<&OutputKind<'_>> for OutputSpec {
    fn from(kind: &OutputKind<'_>) -> Self {
        let owned = |labels: Labels<'_>| labels.iter().map(String::from).collect();
        match *kind {
            OutputKind::Classes { labels, threshold } => {
                OutputSpec::Classes { labels: owned(labels), threshold }
            }
            OutputKind::Values(scales) => OutputSpec::Values(scales.iter().collect()),
            OutputKind::Probability { labels, threshold } => {
                OutputSpec::Probability { labels: owned(labels), threshold }
            }
        }
    }
}

impl From<&Details<'_>> for DetailsSpec {
    fn from(details: &Details<'_>) -> Self {
        DetailsSpec {
            features: details
                .features()
                .map(|feature| FeatureSpec {
                    name: feature.name.into(),
                    unit: feature.unit.into(),
                    clipped: feature.clipped,
                    line: feature.line,
                })
                .collect(),
            outputs: details
                .outputs()
                .map(|output| (output.name.into(), output.unit.into()))
                .collect(),
            preparation: details.preparation().into(),
        }
    }
}

impl From<&Dense<'_>> for DenseSpec {
    fn from(dense: &Dense<'_>) -> Self {
        let mut weights = Vec::with_capacity(dense.inputs() * dense.outputs());
        dense.rows().for_each(|row| weights.extend(row.weights()));
        DenseSpec {
            inputs: dense.inputs(),
            outputs: dense.outputs(),
            weights,
            biases: dense.rows().map(|row| row.bias).collect(),
            multipliers: dense.rows().map(|row| row.multiplier).collect(),
            output: dense.output,
            clamp: dense.clamp,
            layout: dense.layout,
        }
    }
}

impl From<&Table<'_>> for TableSpec {
    fn from(table: &Table<'_>) -> Self {
        TableSpec {
            output: table.output,
            entries: match table.output.data_type {
                DataType::Int8 => table.bytes().iter().map(|y| i16::from(*y as i8)).collect(),
                DataType::Int16 => {
                    table.bytes().as_chunks().0.iter().map(|y| i16::from_le_bytes(*y)).collect()
                }
            },
        }
    }
}

impl From<&Softmax<'_>> for SoftmaxSpec {
    fn from(softmax: &Softmax<'_>) -> Self {
        let values = softmax.exponentials().iter();
        SoftmaxSpec { exponentials: values.map(|value| i32::from_le_bytes(*value)).collect() }
    }
}
