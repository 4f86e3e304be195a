//! Errors of importing a `.tflite` model.

use super::flatbuffer::OutOfFile;
use crate::split::SplitError;

/// Remedy for models that are not quantized to int8.
const QUANTIZE: &str = "convert it with `converter.optimizations = [tf.lite.Optimize.DEFAULT]`, a \
`representative_dataset` and `target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`";

/// Errors of importing a `.tflite` model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The file does not have the identifier.
    #[error("not a TensorFlow Lite model: the identifier `TFL3` is not in its place")]
    Identifier,
    /// The file is of another known type.
    #[error("this is {what}, not a TensorFlow Lite model: {remedy}")]
    Foreign {
        /// File type.
        what: &'static str,
        /// Remedy.
        remedy: &'static str,
    },
    /// An offset is beyond the end of the file.
    #[error("the file is cut off or damaged: {what} cannot be read; copy or convert it again")]
    Damaged {
        /// The object that could not be read.
        what: String,
    },
    /// The schema has another version.
    #[error("schema version {0} is not known, TensorFlow Lite models have version 3")]
    Version(u32),
    /// The model has several subgraphs, inputs or outputs.
    #[error("the model has {count} {what}: export one with one input, one output and no branches")]
    Several {
        /// Number found.
        count: usize,
        /// Object that was counted.
        what: &'static str,
    },
    /// A tensor cannot be imported.
    #[error("tensor {index} `{}`: {problem}", thimble_support::foreign_text::shown(.name))]
    Tensor {
        /// Index in the file.
        index: usize,
        /// Its name.
        name: String,
        /// Description of the problem.
        problem: TensorProblem,
    },
    /// An operator cannot be imported.
    #[error("operator {index} ({operator}): {problem}")]
    Operator {
        /// Index in the file.
        index: usize,
        /// Name of the operator.
        operator: String,
        /// Description of the problem.
        problem: OperatorProblem,
    },
    /// No operator computes the output.
    #[error("no operator gives the model's output, tensor {0}: the file is damaged")]
    Output(i32),
    /// The model has too many operators or layers.
    #[error(
        "more than {limit} operators or layers lie between input and output: the model is too deep"
    )]
    TooDeep {
        /// Maximum number.
        limit: usize,
    },
    /// The model has no layers.
    #[error("the model has no layers: nothing in it computes")]
    Empty,
    /// A function in float32 is not quantized again.
    #[error(
        "the model ends in a function in float32: convert it with \
         `target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`"
    )]
    EndsInFloat,
    /// The number of labels is not the number of outputs.
    #[error("there are {labels} labels and the model has {outputs} outputs: one a line is needed")]
    Labels {
        /// Number of labels.
        labels: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// The model format rejected the model.
    #[error("the model does not fit the model format: {0}")]
    Format(#[from] model_format::Error),
}

/// Problems of a tensor.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorProblem {
    /// The tensor does not exist.
    #[error("there is no such tensor: the file is damaged")]
    Missing,
    /// The values are of another type.
    #[error("its values are {found} where int8 or int16 is needed: {QUANTIZE}")]
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
        /// Number of scales.
        scales: usize,
        /// Number of zero points.
        zero_points: usize,
        /// Number of each that is needed.
        needed: String,
    },
    /// A scale is not a positive, normal number.
    #[error("its scale {0:e} is not a positive, normal number")]
    Scale(f32),
    /// A zero point is out of int8's range.
    #[error("its zero point {0} is out of int8's range")]
    ZeroPoint(i64),
    /// The zero point of an int16 tensor is not 0.
    #[error("its zero point is {0}, but that of int16 values must be 0")]
    ZeroPointInt16(i64),
    /// A bias needs more than 32 bits.
    #[error("the bias of row {row} is {bias}, which needs more than 32 bits")]
    Bias {
        /// Number of the row.
        row: usize,
        /// The bias.
        bias: i64,
    },
    /// Weights have a zero point other than 0.
    #[error(
        "row {row} of these weights has the zero point {zero_point}, and weights with a scale per row \
             have 0 in TensorFlow Lite Micro: quantize weights symmetrically, as the current converter \
             does"
    )]
    WeightZeroPoint {
        /// The row.
        row: usize,
        /// Its zero point.
        zero_point: i64,
    },
    /// A dimension is not a valid size.
    #[error(
        "its shape {shape:?} is not one of a tensor with 1 to {limit} elements: fix all \
             dimensions, and the batch to 1, before the conversion"
    )]
    Shape {
        /// The dimensions.
        shape: Vec<i32>,
        /// Maximum number of elements.
        limit: usize,
    },
    /// The size of the data does not match the shape.
    #[error("it has {found} bytes of data where its shape {shape:?} asks for {needed}")]
    Data {
        /// Bytes found.
        found: usize,
        /// Bytes needed.
        needed: usize,
        /// The dimensions.
        shape: Vec<i32>,
    },
    /// The data is outside of the flatbuffer, or in TensorFlow Lite's sparse encoding.
    #[error("its data is {0}, which is not supported: convert the model without it")]
    Storage(&'static str),
}

/// Problems of an operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperatorProblem {
    /// Thimble does not support the operator.
    #[error(
        "not supported: Thimble runs dense layers (FULLY_CONNECTED, RELU, RELU6, LEAKY_RELU, \
         PRELU, ELU, HARD_SWISH, GELU, TANH, LOGISTIC, SOFTMAX, ARG_MAX, RESHAPE, QUANTIZE and \
         DEQUANTIZE; MUL of a value and its LOGISTIC; ADD, SUB and MUL by constants in front). Import the \
         float model with --calibrate, if it has another activation"
    )]
    Unsupported,
    /// A sum or product that is neither in front of the first layer nor SiLU.
    #[error(
        "joins branches, or comes behind a layer: only constants in front of the first layer, and a \
         value times its LOGISTIC are taken. A skip connection cannot be imported"
    )]
    NotInFront,
    /// A feature does not depend on its value.
    #[error(
        "one of its constants makes a feature constant, and not 0: import the float model with \
         --calibrate"
    )]
    Constant,
    /// Weights beyond ±127, or slopes per unit, do not fit the model format.
    #[error(
        "weights beyond ±127, or slopes per unit, need more of the model format: {0}. Import the \
         float model with --calibrate"
    )]
    Split(SplitError),
    /// It does not work on int8.
    #[error("works on {found} where int8 or int16 is needed: {QUANTIZE}")]
    NotInt8 {
        /// The type's name.
        found: String,
    },
    /// One of its tensors cannot be imported.
    #[error("tensor {index} `{name}`: {problem}")]
    Tensor {
        /// Index in the file.
        index: usize,
        /// Its name.
        name: String,
        /// Description of the problem.
        problem: TensorProblem,
    },
    /// Its input does not come from the model's input.
    #[error(
        "takes tensor {0}, which does not come from the model's input: only a chain of layers from \
         one input to one output can be imported"
    )]
    NotAChain(i32),
    /// The number of inputs or outputs is wrong.
    #[error("has {found} {what}, {needed} are needed")]
    Arity {
        /// Number found.
        found: usize,
        /// Object that was counted.
        what: &'static str,
        /// Number needed.
        needed: &'static str,
    },
    /// Its fused activation is not supported.
    #[error("the fused activation {0} is not supported: none, RELU, RELU_N1_TO_1 and RELU6 are")]
    Activation(String),
    /// The weights are in another format.
    #[error("weights in format {0} are not supported: only the default, row by row, is")]
    WeightsFormat(u8),
    /// The weights are not a constant matrix.
    #[error("the weights have the shape {0:?}: a matrix is needed")]
    WeightsShape(Vec<i32>),
    /// Shapes do not match.
    #[error("{what}: {found} where {needed} is needed; a batch of more than 1 is not supported")]
    Elements {
        /// Object with the wrong size.
        what: &'static str,
        /// Elements found.
        found: usize,
        /// Elements needed.
        needed: usize,
    },
    /// The scales of the weights are not per row.
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
    /// A multiplier has no fixed-point form.
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
    /// The quantization of the output is not that of the operator.
    #[error("its output is quantized as {found} where the operator gives {needed}")]
    OutputQuantization {
        /// Quantization in the file.
        found: String,
        /// Quantization in the specification.
        needed: &'static str,
    },
    /// A conversion of types is not supported here.
    #[error("turns {from} into {to}, which is supported for {supported} alone")]
    Conversion {
        /// Type and quantization of the input.
        from: String,
        /// Type and quantization of the output.
        to: String,
        /// Supported conversions.
        supported: &'static str,
    },
    /// Softmax has an invalid β.
    #[error("beta is {0}: a positive number is needed")]
    Beta(f32),
    /// An operator follows the end of the int8 part.
    #[error("follows the operator that ends the int8 part of the model")]
    BehindTheEnd,
    /// RESHAPE changes the quantization.
    #[error("changes scale or zero point: only the shape may change")]
    Requantizes,
}

/// Returns a function that names the unreadable object, for `map_err`.
pub(super) fn damaged(what: impl ToString) -> impl FnOnce(OutOfFile) -> ImportError {
    move |OutOfFile| ImportError::Damaged { what: what.to_string() }
}
