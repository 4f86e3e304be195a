//! Why a `.tflite` model cannot be imported.

use super::flatbuffer::OutOfFile;

/// How to get a model that can be imported.
const QUANTIZE: &str = "convert it with `converter.optimizations = [tf.lite.Optimize.DEFAULT]`, a \
`representative_dataset` and `target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`";

/// Why a `.tflite` model cannot be imported.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The file does not have the identifier.
    #[error("not a TensorFlow Lite model: the identifier `TFL3` is not in its place")]
    Identifier,
    /// A file of another kind, which is known.
    #[error("this is {what}, not a TensorFlow Lite model: {remedy}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An offset leads out of the file.
    #[error("the file is cut off or damaged: {what} cannot be read; copy or convert it again")]
    Damaged {
        /// What was to be read.
        what: String,
    },
    /// Another version of TensorFlow Lite's schema.
    #[error("schema version {0} is not known, TensorFlow Lite models have version 3")]
    Version(u32),
    /// Not one subgraph, one input, one output.
    #[error("the model has {count} {what}: export one with one input, one output and no branches")]
    Several {
        /// How many there are.
        count: usize,
        /// Of what.
        what: &'static str,
    },
    /// A tensor that cannot be taken.
    #[error("tensor {index} `{}`: {problem}", thimble_support::foreign_text::shown(.name))]
    Tensor {
        /// Its index in the file.
        index: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: TensorProblem,
    },
    /// An operator that cannot be taken.
    #[error("operator {index} ({operator}): {problem}")]
    Operator {
        /// Its index in the file.
        index: usize,
        /// What it computes.
        operator: String,
        /// What is wrong with it.
        problem: OperatorProblem,
    },
    /// No operator gives the output.
    #[error("no operator gives the model's output, tensor {0}: the file is damaged")]
    Output(i32),
    /// More operators between input and output than any model that fits has, or more layers.
    #[error(
        "more than {limit} operators or layers lie between input and output: the model is too deep"
    )]
    TooDeep {
        /// The most operators.
        limit: usize,
    },
    /// There is nothing to compute.
    #[error("the model has no layers: nothing in it computes")]
    Empty,
    /// Not as many labels as outputs.
    #[error("there are {labels} labels and the model has {outputs} outputs: one a line is needed")]
    Labels {
        /// Labels that were given.
        labels: usize,
        /// Outputs of the model.
        outputs: usize,
    },
    /// What the format says of the model.
    #[error("the model does not fit the model format: {0}")]
    Format(#[from] model_format::Error),
}

/// What is wrong with a tensor.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorProblem {
    /// The tensor does not exist.
    #[error("there is no such tensor: the file is damaged")]
    Missing,
    /// The values are of another type.
    #[error("its values are {found} where int8 is needed: {QUANTIZE}")]
    NotInt8 {
        /// The type's name.
        found: String,
    },
    /// The biases are of another type.
    #[error("its values are {found} where int32 biases are needed")]
    NotInt32 {
        /// The type's name.
        found: String,
    },
    /// It has no scale or no zero point.
    #[error("its quantization is missing: {QUANTIZE}")]
    NoQuantization,
    /// It has several scales where one is needed.
    #[error("it has {scales} scales and {zero_points} zero points where {needed} are needed")]
    Scales {
        /// Scales there are.
        scales: usize,
        /// Zero points there are.
        zero_points: usize,
        /// How many of each there must be.
        needed: String,
    },
    /// A scale that is none.
    #[error("its scale {0:e} is not a positive, normal number")]
    Scale(f32),
    /// A zero point outside int8.
    #[error("its zero point {0} is out of int8's range")]
    ZeroPoint(i64),
    /// Weights with a zero point.
    #[error(
        "row {row} of these weights has the zero point {zero_point}, and only 0 is supported: \
             quantize weights symmetrically, as the current converter does"
    )]
    WeightZeroPoint {
        /// The row.
        row: usize,
        /// Its zero point.
        zero_point: i64,
    },
    /// A weight of −128.
    #[error(
        "row {row}, column {column}: the weight −128 is outside of −127..=127, the range of \
             symmetric weights, which the fast kernels need: convert the model again with a \
             current converter, which never writes it"
    )]
    Weight {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
    },
    /// A dimension that is no size.
    #[error(
        "its shape {shape:?} is not one of a tensor with 1 to {limit} elements: fix all \
             dimensions, and the batch to 1, before the conversion"
    )]
    Shape {
        /// The dimensions.
        shape: Vec<i32>,
        /// The most elements.
        limit: usize,
    },
    /// Not as much data as the shape asks for.
    #[error("it has {found} bytes of data where its shape {shape:?} asks for {needed}")]
    Data {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        needed: usize,
        /// The dimensions.
        shape: Vec<i32>,
    },
    /// Data outside of the flatbuffer, or in TensorFlow Lite's own sparse code.
    #[error("its data is {0}, which is not supported: convert the model without it")]
    Storage(&'static str),
}

/// What is wrong with an operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperatorProblem {
    /// Thimble has no such layer.
    #[error(
        "not supported: Thimble runs dense layers (FULLY_CONNECTED, RELU, RELU6, TANH, LOGISTIC, \
         SOFTMAX, RESHAPE, QUANTIZE and DEQUANTIZE)"
    )]
    Unsupported,
    /// It does not work on int8.
    #[error("works on {found} where int8 is needed: {QUANTIZE}")]
    NotInt8 {
        /// The type's name.
        found: String,
    },
    /// One of its tensors cannot be taken.
    #[error("tensor {index} `{name}`: {problem}")]
    Tensor {
        /// Its index in the file.
        index: usize,
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: TensorProblem,
    },
    /// What it takes does not come from the model's input.
    #[error(
        "takes tensor {0}, which does not come from the model's input: only a chain of layers from \
         one input to one output can be imported"
    )]
    NotAChain(i32),
    /// Too few or too many inputs or outputs.
    #[error("has {found} {what}, {needed} are needed")]
    Arity {
        /// How many there are.
        found: usize,
        /// Of what.
        what: &'static str,
        /// How many there must be.
        needed: &'static str,
    },
    /// The activation function that is folded into it.
    #[error("the fused activation {0} is not supported: none, RELU, RELU_N1_TO_1 and RELU6 are")]
    Activation(String),
    /// Weights in another order.
    #[error("weights in format {0} are not supported: only the default, row by row, is")]
    WeightsFormat(u8),
    /// The weights are no constant matrix.
    #[error("the weights have the shape {0:?}: a matrix is needed")]
    WeightsShape(Vec<i32>),
    /// Shapes that do not fit.
    #[error("{what}: {found} where {needed} is needed; a batch of more than 1 is not supported")]
    Elements {
        /// What does not fit.
        what: &'static str,
        /// Elements there are.
        found: usize,
        /// Elements there must be.
        needed: usize,
    },
    /// Scales along another dimension than the rows.
    #[error("the weights' scales lie along dimension {0}: along the rows, 0, is needed")]
    QuantizedDimension(u32),
    /// Bias and product have different scales.
    #[error(
        "the scale of the bias, {bias:e}, is not that of input times weights, {product:e}: \
         TensorFlow Lite Micro refuses this too"
    )]
    BiasScale {
        /// The scale of the bias.
        bias: f64,
        /// The scale that it must have.
        product: f64,
    },
    /// A multiplier without a fixed-point form.
    #[error(
        "row {row}: input scale · weight scale / output scale is {real:e}, from 2^30 on: the \
             output's scale is far too small"
    )]
    Multiplier {
        /// The row.
        row: usize,
        /// The real multiplier.
        real: f64,
    },
    /// An output of a quantization that the operator does not give.
    #[error("its output is quantized as {found} where the operator gives {needed}")]
    OutputQuantization {
        /// What the file says.
        found: String,
        /// What the specification says.
        needed: &'static str,
    },
    /// A change of type in the middle, or of another kind than those at the ends.
    #[error("turns {from} into {to}, which is supported for {supported} alone")]
    Conversion {
        /// Type and quantization that go in.
        from: String,
        /// Type and quantization that come out.
        to: String,
        /// Where and what is supported.
        supported: &'static str,
    },
    /// The softmax's β.
    #[error("beta is {0}: a positive number is needed")]
    Beta(f32),
    /// Something follows the end of the int8 part.
    #[error("follows the operator that ends the int8 part of the model")]
    BehindTheEnd,
    /// RESHAPE changes the meaning of the values.
    #[error("changes scale or zero point: only the shape may change")]
    Requantizes,
}

/// Names what could not be read.
pub(super) fn damaged(what: impl ToString) -> impl FnOnce(OutOfFile) -> ImportError {
    move |OutOfFile| ImportError::Damaged { what: what.to_string() }
}
