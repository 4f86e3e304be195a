//! Operators of ONNX, each as constants or computed values.

use thimble_network::Activation;

use super::graph::{Place, Value, Walk};
use super::linear::{arithmetic, batch_normalization, gemm, matmul, scaler, sum};
use super::reshaping::{constant, constant_of_shape, expand, reshape, shape_arithmetic, transpose};
use super::{quantization, shapes};
use crate::error::Result;
use crate::expression::{Binary, Kind, Unary};
use crate::float_network::Line;
use crate::pieces::{self, Piece};
use crate::tensor::Tensor;

/// Follows a node: computes a constant, or adds a computed value.
pub(super) fn follow<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let node = at.node;
    match (&*node.domain, &*node.operator) {
        ("" | "ai.onnx", operator) => standard(walk, at, operator),
        ("ai.onnx.ml", "Scaler") => scaler(walk, at),
        // Probabilities by the names of their classes.
        ("ai.onnx.ml", "ZipMap") => alike(walk, at),
        ("ai.onnx.ml", _) => Err(at.refuse(
            "this operator of scikit-learn is not supported. Supported are StandardScaler, \
             MinMaxScaler, MaxAbsScaler and the MLP estimators; apply other steps of the pipeline \
             outside of the model",
        )),
        ("com.microsoft", "Gelu") => pieces_of(walk, at, pieces::activation(Activation::Gelu)),
        ("com.microsoft", "QuantizeLinear") => quantization::quantize(walk, at),
        ("com.microsoft", "DequantizeLinear") => quantization::dequantize(walk, at),
        ("com.microsoft", name) if name.starts_with('Q') => quantization::integer(walk, at),
        (_, _) => Err(at.refuse(
            "the operator is not one of ONNX's own, and the file does not contain what it computes. \
             Export the model with standard operators",
        )),
    }
}

fn standard<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let node = at.node;
    let float = |name: &str, default: f64| node.float(name, default);
    let unsupported = || at.refuse("its parameters are not supported by any activation here");
    let all = |pieces: Option<Vec<Piece>>| pieces.ok_or_else(unsupported);
    let one = |activation| Ok(pieces::activation(activation));
    let pieces = match operator {
        "Constant" => return constant(walk, at),
        "Identity" | "Dropout" => return alike(walk, at),
        "Cast" | "CastLike" => return alike(walk, at),
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => return reshape(walk, at, operator),
        "Transpose" => return transpose(walk, at),
        "Shape" | "Gather" | "Concat" | "Slice" => return shape_arithmetic(walk, at, operator),
        "Gemm" => return gemm(walk, at),
        "MatMul" => return matmul(walk, at),
        "Add" | "Sub" | "Mul" | "Div" => return arithmetic(walk, at, operator),
        "Sum" => return sum(walk, at),
        "ConstantOfShape" => return constant_of_shape(walk, at),
        "Expand" => return expand(walk, at),
        "Max" | "Min" => return bound(walk, at, operator),
        "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            return compare(walk, at, operator);
        }
        "Where" => return select(walk, at),
        "BatchNormalization" => return batch_normalization(walk, at),
        "Softmax" | "LogSoftmax" => return softmax(walk, at, operator),
        "PRelu" => return prelu(walk, at),
        "Pow" => return power(walk, at),
        "Erf" => return unary(walk, at, Unary::Erf),
        "Abs" => return unary(walk, at, Unary::Abs),
        "Log" => return logarithm(walk, at),
        "Sqrt" => return unary(walk, at, Unary::Sqrt),
        "Reciprocal" => return unary(walk, at, Unary::Reciprocal),
        "Neg" => Ok(vec![Piece::Line(Line::new(-1.0, 0.0))]),
        "Relu" => return clip(walk, at, 0.0, f64::INFINITY),
        "Sigmoid" => one(Activation::Sigmoid),
        "Tanh" => one(Activation::Tanh),
        "Softplus" => one(Activation::Softplus),
        "Softsign" => one(Activation::Softsign),
        "Mish" => one(Activation::Mish),
        "HardSwish" => one(Activation::HardSilu),
        "Exp" => one(Activation::Exponential),
        "Gelu" => match node.attribute("approximate").map(|attribute| attribute.s.as_slice()) {
            Some(b"tanh") => one(Activation::GeluTanh),
            _ => one(Activation::Gelu),
        },
        "Swish" if float("alpha", 1.0) == 1.0 => one(Activation::Silu),
        "LeakyRelu" => return slopes(walk, at, &Tensor::scalar(float("alpha", 0.01))),
        "Elu" => all(pieces::scaled_elu(float("alpha", 1.0), 1.0)),
        "Celu" => all(pieces::celu(float("alpha", 1.0))),
        "Selu" => {
            let (alpha, gamma) = (float("alpha", 1.673_263_2), float("gamma", 1.050_701));
            all(pieces::scaled_elu(alpha, gamma))
        }
        "HardSigmoid" => all(pieces::hard_sigmoid(float("alpha", 0.2), float("beta", 0.5))),
        "Clip" => {
            let bound = |index: usize, name: &str, default: f64| {
                let input = walk.constant(at, index)?;
                let input = input.and_then(|tensor| tensor.values.first().copied());
                Ok(input.unwrap_or_else(|| bounded(float(name, default), default)))
            };
            let low = bound(1, "min", f64::NEG_INFINITY)?;
            let high = bound(2, "max", f64::INFINITY)?;
            let (low, high) = (bounded(low, f64::NEG_INFINITY), bounded(high, f64::INFINITY));
            return clip(walk, at, low, high);
        }
        "QuantizeLinear" => return quantization::quantize(walk, at),
        "DequantizeLinear" => return quantization::dequantize(walk, at),
        "QLinearMatMul" => return quantization::integer(walk, at),
        "DynamicQuantizeLinear" | "MatMulInteger" => {
            return Err(at.refuse(
                "the model is quantized dynamically: the ranges of its activations are not in the \
                 file. Import the float model, which is quantized here",
            ));
        }
        _ => Err(at.refuse(
            "the operator is not supported. Thimble runs chains of Gemm or MatMul with activations, \
             BatchNormalization, scaling, Flatten and Reshape",
        )),
    }?;
    pieces_of(walk, at, pieces)
}

/// Returns the error for a layer that no chain of dense layers can express, or `None` for another
/// operator.
pub(super) fn foreign_layer(at: Place<'_>) -> Option<crate::Error> {
    Some(match &*at.node.operator {
        "LayerNormalization" | "RMSNormalization" | "LpNormalization" | "GroupNormalization"
        | "InstanceNormalization" => at.refuse(
            "it normalizes each row by its own values, so that it cannot be folded into dense \
             layers. Use batch normalization",
        ),
        "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "LSTM"
        | "GRU" | "RNN" | "Attention" => at.refuse(
            "convolution and recurrence are not supported. Thimble runs chains of dense layers with \
             activations",
        ),
        _ => return None,
    })
}

/// Returns a bound, infinite if it is beyond the range of ONNX's defaults for float32.
fn bounded(value: f64, infinite: f64) -> f64 {
    if value.abs() >= f64::from(f32::MAX) * 0.99 { infinite } else { value }
}

/// Appends an element-wise function of the first input.
fn pieces_of<'g>(walk: &mut Walk<'g>, at: Place<'g>, pieces: Vec<Piece>) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(mut tensor) => {
            for value in &mut tensor.values {
                *value = pieces.iter().fold(*value, |x, piece| piece.value(x));
            }
            walk.set(at, Value::Constant(tensor))
        }
        Value::Computed(number) => {
            let shape = walk.shape(number).to_vec();
            walk.compute(at, shape, Kind::Pieces(number, pieces))
        }
    }
}

/// Follows each value within bounds.
fn clip<'g>(walk: &mut Walk<'g>, at: Place<'g>, low: f64, high: f64) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(mut tensor) => {
            tensor.values.iter_mut().for_each(|value| *value = value.max(low).min(high));
            walk.set(at, Value::Constant(tensor))
        }
        Value::Computed(number) => clip_of(walk, at, number, low, high),
    }
}

fn clip_of<'g>(
    walk: &mut Walk<'g>,
    at: Place<'g>,
    number: usize,
    low: f64,
    high: f64,
) -> Result<()> {
    let shape = walk.shape(number).to_vec();
    let kind = walk.computed.clipped(number, low, high);
    walk.compute(at, shape, kind)
}

/// Follows Max and Min of a value and a number, or of two values.
fn bound<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let is_low = operator == "Max";
    let (number, bound) = match (walk.needed(at, 0)?, walk.input(at, 1)?) {
        (Value::Computed(a), Some(Value::Computed(b))) => {
            let binary = if is_low { Binary::Maximum } else { Binary::Minimum };
            let shape = walk.shape(a).to_vec();
            return walk.compute(at, shape, Kind::Binary(binary, a, b));
        }
        (Value::Computed(number), Some(Value::Constant(bound)))
        | (Value::Constant(bound), Some(Value::Computed(number))) => (number, bound),
        _ => return Err(at.refuse("it has no computed value and a bound")),
    };
    let [bound] = bound.values[..] else {
        return Err(at.refuse("bounds that differ from value to value are not supported"));
    };
    match is_low {
        true => clip_of(walk, at, number, bound, f64::INFINITY),
        false => clip_of(walk, at, number, f64::NEG_INFINITY, bound),
    }
}

/// Follows a comparison with a number, whose result selects values.
fn compare<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let is_greater = operator.starts_with("Greater");
    let (number, bound, is_greater) = match (walk.needed(at, 0)?, walk.needed(at, 1)?) {
        (Value::Computed(number), Value::Constant(bound)) => (number, bound, is_greater),
        (Value::Constant(bound), Value::Computed(number)) => (number, bound, !is_greater),
        _ => return Err(at.refuse("a comparison of two computed values, or of constants")),
    };
    let [bound] = bound.values[..] else {
        return Err(at.refuse("bounds that differ from value to value are not supported"));
    };
    let unary = if is_greater { Unary::Greater(bound) } else { Unary::Less(bound) };
    let shape = walk.shape(number).to_vec();
    walk.compute(at, shape, Kind::Unary(number, unary))
}

fn select<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match (walk.needed(at, 0)?, walk.needed(at, 1)?, walk.needed(at, 2)?) {
        (Value::Computed(condition), Value::Computed(a), Value::Computed(b)) => {
            let shape = walk.shape(a).to_vec();
            walk.compute(at, shape, Kind::Select(condition, a, b))
        }
        _ => Err(at.refuse("it selects a constant, and is not part of a known activation")),
    }
}

/// Follows a Log, of a softmax or sigmoid in one.
fn logarithm<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return unary(walk, at, Unary::Log);
    };
    let shape = walk.shape(number).to_vec();
    match walk.computed.0[number].kind.clone() {
        Kind::Softmax(_) => {
            note_logarithm(walk, "the Log of a softmax");
            walk.compute(at, shape, Kind::Same(number))
        }
        Kind::Pieces(before, pieces) if pieces[..] == [Piece::Activation(Activation::Sigmoid)] => {
            walk.compute(at, shape, Kind::Pieces(before, pieces::log_sigmoid()))
        }
        _ => unary(walk, at, Unary::Log),
    }
}

fn note_logarithm(walk: &mut Walk<'_>, what: &str) {
    let note = "the outputs are probabilities, not their logarithms:";
    walk.notes.push(format!("{note} {what} is taken as softmax"));
}

fn unary<'g>(walk: &mut Walk<'g>, at: Place<'g>, unary: Unary) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Computed(number) => {
            let shape = walk.shape(number).to_vec();
            walk.compute(at, shape, Kind::Unary(number, unary))
        }
        Value::Constant(mut tensor) => {
            tensor.values.iter_mut().for_each(|value| *value = unary.value(*value));
            walk.set(at, Value::Constant(tensor))
        }
    }
}

fn power<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let exponent = walk.constant(at, 1)?.filter(|tensor| tensor.values.len() == 1);
    let Some(exponent) = exponent else { return Err(at.refuse("its exponent must be one number")) };
    unary(walk, at, Unary::Power(exponent.values[0]))
}

/// Passes the first input on.
fn alike<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let value = walk.needed(at, 0)?;
    if let Value::Constant(tensor) = &value
        && let Some(name) = tensor.kind.converted()
        && at.node.operator == "Cast"
    {
        let note = format!("{name} weights are converted to float32");
        if !walk.notes.contains(&note) {
            walk.notes.push(note);
        }
    }
    walk.set(at, value)
}

/// Returns the error for branches.
pub(super) fn joins(at: Place<'_>) -> crate::Error {
    at.refuse("it joins branches. Only a chain of layers can be imported")
}

fn softmax<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return Err(at.refuse("a softmax of a constant"));
    };
    let shape = walk.shape(number).to_vec();
    let axis = at.node.int("axis", if walk.opset < 13 { 1 } else { -1 });
    if !shapes::is_last(axis, &shape) {
        return Err(
            at.refuse(format!("a softmax of axis {axis} of shape {shape:?} is not supported"))
        );
    }
    if operator == "LogSoftmax" {
        note_logarithm(walk, "LogSoftmax");
    }
    walk.compute(at, shape, Kind::Softmax(number))
}

fn prelu<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let tensor = walk.constant(at, 1)?.ok_or_else(|| at.refuse("its slopes are missing"))?;
    slopes(walk, at, &tensor)
}

/// Follows y = x for x > 0, and slope · x below.
fn slopes<'g>(walk: &mut Walk<'g>, at: Place<'g>, slopes: &Tensor) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return Err(at.refuse("an activation of a constant"));
    };
    let shape = walk.shape(number).to_vec();
    let slopes = slopes.broadcast(&at.text(), &shape)?;
    let kind = match pieces::same_slope(&slopes) {
        Some(pieces) => Kind::Pieces(number, pieces),
        None => Kind::Slopes(number, slopes),
    };
    walk.compute(at, shape, kind)
}
