//! Operators of ONNX, each as constants or computed values.

use thimble_train::network::Activation;

use super::graph::{Place, Value, Walk};
use super::linear::{arithmetic, batch_normalization, gemm, matmul, scaler};
use super::{quantization, shapes};
use crate::error::Result;
use crate::expression::{Kind, Unary};
use crate::float_network::Line;
use crate::pieces::{self, Piece};
use crate::tensor::{NumberType, Tensor};

/// Maximum number of dimensions of a computed shape.
const MAX_SHAPE: usize = 64;

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
        "Sum" if node.inputs.len() == 2 => return arithmetic(walk, at, "Add"),
        "BatchNormalization" => return batch_normalization(walk, at),
        "Softmax" | "LogSoftmax" => return softmax(walk, at, operator),
        "PRelu" => return prelu(walk, at),
        "Pow" => return power(walk, at),
        "Erf" => return unary(walk, at, Unary::Erf),
        "Abs" => return unary(walk, at, Unary::Abs),
        "Log" => return unary(walk, at, Unary::Log),
        "Sqrt" => return unary(walk, at, Unary::Sqrt),
        "Reciprocal" => return unary(walk, at, Unary::Reciprocal),
        "Neg" => Ok(vec![Piece::Line(Line::new(-1.0, 0.0))]),
        "Relu" => one(Activation::Relu),
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
            all(pieces::clip(bounded(low, f64::NEG_INFINITY), bounded(high, f64::INFINITY)))
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

fn unary<'g>(walk: &mut Walk<'g>, at: Place<'g>, unary: Unary) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Computed(number) => {
            let shape = walk.shape(number).to_vec();
            walk.compute(at, shape, Kind::Unary(number, unary))
        }
        Value::Constant(_) => Err(at.refuse("this operator of a constant is not supported")),
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

fn constant<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let list = |values: Vec<f64>, shape: Vec<usize>, kind| Tensor { shape, values, kind };
    let node = at.node;
    let tensor = if let Some(tensor) = walk.attribute(at, "value")? {
        tensor
    } else if let Some(attribute) = node.attribute("value_float") {
        list(vec![attribute.f.into()], Vec::new(), NumberType::F32)
    } else if let Some(attribute) = node.attribute("value_int") {
        list(vec![attribute.i as f64], Vec::new(), NumberType::I64)
    } else if let Some(attribute) = node.attribute("value_ints") {
        let values: Vec<f64> = attribute.ints.iter().map(|i| *i as f64).collect();
        list(values.clone(), vec![values.len()], NumberType::I64)
    } else if node.attribute("value_floats").is_some() {
        let values = node.floats("value_floats");
        list(values.clone(), vec![values.len()], NumberType::F32)
    } else {
        return Err(at.refuse("a constant of this kind is not supported"));
    };
    walk.set(at, Value::Constant(tensor))
}

fn reshape<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let number = match walk.needed(at, 0)? {
        Value::Computed(number) => number,
        // Leading dimensions of 1 and their order do not matter to what constants are used for.
        Value::Constant(mut tensor) => {
            if operator == "Reshape" {
                let target = walk.constant(at, 1)?;
                let sizes = target.map(|target| target.values).unwrap_or_default();
                let shape: Vec<usize> = sizes.iter().map(|size| *size as usize).collect();
                let count = shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
                if sizes.iter().any(|size| *size < 1.0) || count != Some(tensor.values.len()) {
                    return Err(at.refuse("a Reshape of a constant to an open shape"));
                }
                tensor.shape = shape;
            }
            return walk.set(at, Value::Constant(tensor));
        }
    };
    let shape = walk.shape(number).to_vec();
    let shape = match operator {
        "Flatten" => shapes::flatten(at.node, &at.text(), &shape)?,
        "Reshape" => {
            let target = walk.constant(at, 1)?;
            let target = target.ok_or_else(|| at.refuse("its shape is missing"))?;
            shapes::reshape(&at.text(), &shape, &target)?
        }
        // A dimension of 1 more or less.
        _ => match shape.iter().filter(|size| **size != 1).count() {
            0 => vec![1],
            1 => vec![crate::tensor::size(&shape)],
            _ => shape,
        },
    };
    walk.compute(at, shape, Kind::Same(number))
}

fn transpose<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(tensor) => {
            let tensor = tensor.transposed(&at.text())?;
            quantization::transpose(walk, at);
            walk.set(at, Value::Constant(tensor))
        }
        Value::Computed(_) => Err(
            at.refuse("a Transpose of computed values permutes them. Export the model without it")
        ),
    }
}

/// Follows the operators that compute the target of a Reshape, and scikit-learn's 1 − p and p.
fn shape_arithmetic<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let list = |values: Vec<f64>| {
        Value::Constant(Tensor { shape: vec![values.len()], values, kind: NumberType::I64 })
    };
    let first = walk.needed(at, 0)?;
    match (operator, first) {
        ("Shape", Value::Computed(number)) => {
            let sizes = walk.shape(number).iter().map(|size| *size as f64);
            let all = std::iter::once(shapes::BATCH).chain(sizes).collect();
            walk.set(at, list(all))
        }
        ("Gather", Value::Constant(tensor)) => {
            let indices = walk.constant(at, 1)?.map(|tensor| tensor.values).unwrap_or_default();
            let count = tensor.values.len() as f64;
            let pick = |index: &f64| {
                let index = if *index < 0.0 { index + count } else { *index };
                tensor.values.get(index as usize).copied()
            };
            let picked: Option<Vec<f64>> = indices.iter().map(pick).collect();
            let picked = picked.ok_or_else(|| at.refuse("its indices are out of range"))?;
            walk.set(at, list(picked))
        }
        ("Slice", Value::Constant(tensor)) => {
            let bound = |index: usize| -> Result<f64> {
                let bound = walk.constant(at, index)?.filter(|bound| bound.values.len() == 1);
                bound.map(|bound| bound.values[0]).ok_or_else(|| at.refuse("its bounds"))
            };
            let count = tensor.values.len();
            let place = |bound: f64| {
                let bound = if bound < 0.0 { bound + count as f64 } else { bound };
                (bound.max(0.0) as usize).min(count)
            };
            let (start, end) = (place(bound(1)?), place(bound(2)?));
            walk.set(at, list(tensor.values.get(start..end).unwrap_or_default().to_vec()))
        }
        ("Concat", Value::Constant(_)) => {
            let mut all = Vec::new();
            for index in 0..at.node.inputs.len() {
                all.extend(walk.constant(at, index)?.map(|t| t.values).unwrap_or_default());
                if all.len() > MAX_SHAPE {
                    return Err(at.refuse(format!("a shape of more than {MAX_SHAPE} dimensions")));
                }
            }
            walk.set(at, list(all))
        }
        ("Concat", Value::Computed(number)) => {
            let second = match (at.node.inputs.len(), walk.input(at, 1)?) {
                (2, Some(Value::Computed(second))) => second,
                _ => return Err(joins(at)),
            };
            // 1 − p before p.
            match &walk.computed.0[number].kind {
                Kind::Pieces(of, pieces)
                    if *of == second
                        && matches!(pieces[..], [Piece::Line(line)] if line == Line::new(-1.0, 1.0)) =>
                {
                    walk.compute(at, vec![1], Kind::Complement(second))
                }
                _ => Err(joins(at)),
            }
        }
        _ => Err(at.refuse("this operator of computed values is not supported")),
    }
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
        walk.notes.push(
            "the outputs are probabilities, not their logarithms: LogSoftmax is taken as softmax"
                .into(),
        );
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
