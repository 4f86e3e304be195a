//! Quantized operators of ONNX: QuantizeLinear and DequantizeLinear around float operators (QDQ), and
//! operators of integers (QOperator), as ONNX Runtime writes both.
//!
//! Each operator of integers is followed as its float operator between quantizations: that is its
//! definition. The integers of weights are found again by their scales.

use model_format::Quantization;
use thimble_network::Activation;

use super::graph::{Place, Value, Walk};
use super::linear::dense;
use crate::error::Result;
use crate::expression::{Kind, QUANTIZED_IN_PIECES};
use crate::float_network::Line;
use crate::pieces::{self, Piece};
use crate::tensor::{NumberType, Tensor};

/// Scales of a constant that was dequantized: one, or one per index of an axis.
#[derive(Clone, Debug)]
pub(super) struct Scales {
    values: Vec<f64>,
    axis: i64,
}

impl Scales {
    /// Returns the scale of each output of a matrix.
    pub(super) fn of_outputs(
        &self,
        at: Place<'_>,
        transposed: bool,
        outputs: usize,
    ) -> Result<Vec<f64>> {
        if let [scale] = self.values[..] {
            return Ok(vec![scale; outputs]);
        }
        let axis = if self.axis < 0 { self.axis + 2 } else { self.axis };
        match axis == i64::from(transposed) && self.values.len() == outputs {
            true => Ok(self.values.clone()),
            false => Err(at.refuse(
                "its weights have a scale per input. Quantize them with one scale, or with one per \
                 output",
            )),
        }
    }
}

/// Follows a QuantizeLinear of a computed value.
pub(super) fn quantize<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return Err(at.refuse("it quantizes a constant. Export with constant folding"));
    };
    let to = quantization(walk, at, 1, 2)?;
    nearest(walk, at, number, to)
}

/// Follows a DequantizeLinear of a constant, or of what was quantized.
pub(super) fn dequantize<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(_) => {
            let axis = at.node.int("axis", 1);
            let (tensor, scales) = dequantized(walk, at, [0, 1, 2], axis)?;
            if let Some(output) = at.node.outputs.first() {
                walk.scales.insert(output, scales);
            }
            walk.set(at, Value::Constant(tensor))
        }
        Value::Computed(_) => {
            let number = quantized_input(walk, at, [0, 1, 2])?;
            walk.set(at, Value::Computed(number))
        }
    }
}

/// Moves the scales of a matrix that is transposed.
pub(super) fn transpose<'g>(walk: &mut Walk<'g>, at: Place<'g>) {
    let names = (at.node.inputs.first(), at.node.outputs.first());
    if let (Some(input), Some(output)) = names
        && let Some(scales) = walk.scales.get(input.as_str())
    {
        let axis = 1 - if scales.axis < 0 { scales.axis + 2 } else { scales.axis };
        let scales = Scales { values: scales.values.clone(), axis };
        walk.scales.insert(output, scales);
    }
}

/// Follows an operator of integers.
pub(super) fn integer<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match &*at.node.operator {
        "QGemm" => gemm(walk, at),
        "QLinearMatMul" => matmul(walk, at),
        "QLinearAdd" => arithmetic(walk, at, |value| Line::new(1.0, value)),
        "QLinearMul" => arithmetic(walk, at, |value| Line::new(value, 0.0)),
        "QLinearSigmoid" => element_wise(walk, at, pieces::activation(Activation::Sigmoid)),
        "QLinearLeakyRelu" => {
            let slope = at.node.float("alpha", 0.01);
            let pieces = pieces::leaky_relu(slope);
            let pieces = pieces.ok_or_else(|| at.refuse("its slope is not from 0 to 1"))?;
            element_wise(walk, at, pieces)
        }
        "QLinearSoftmax" => {
            let number = quantized_input(walk, at, [0, 1, 2])?;
            let shape = walk.shape(number).to_vec();
            let to = quantization(walk, at, 3, 4)?;
            walk.compute(at, shape, Kind::Softmax(number))?;
            again(walk, at, to)
        }
        _ => Err(at.refuse(
            "this operator of integers is not supported. Supported are QGemm, QLinearMatMul, \
             QLinearAdd, QLinearMul, QLinearSigmoid, QLinearLeakyRelu and QLinearSoftmax. Quantize \
             with QDQ nodes (`quant_format=QuantFormat.QDQ`), or import the float model with \
             --calibrate",
        )),
    }
}

fn gemm<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let number = quantized_input(walk, at, [0, 1, 2])?;
    let from = quantization(walk, at, 1, 2)?;
    let transposed = at.node.int("transB", 0) == 0;
    let alpha = at.node.float("alpha", 1.0);
    let (mut weights, scales) = dequantized(walk, at, [3, 4, 5], i64::from(transposed))?;
    if transposed {
        weights = weights.transposed(&at.text())?;
    }
    let [outputs, _] = weights.shape[..] else {
        return Err(at.refuse(format!("its matrix has shape {:?}", weights.shape)));
    };
    let mut scales = scales.of_outputs(at, transposed, outputs)?;
    scales.iter_mut().for_each(|scale| *scale *= alpha.abs());
    weights.values.iter_mut().for_each(|weight| *weight *= alpha);
    // A bias is in steps of the product of both scales.
    let biases = match walk.constant(at, 6)? {
        Some(biases) => biases.broadcast(&at.text(), &[outputs])?,
        None => vec![0.0; outputs],
    };
    let unit = f64::from(from.scale);
    let biases = biases.iter().zip(&scales).map(|(bias, scale)| bias * unit * scale).collect();
    let to = match at.node.inputs.get(7).filter(|name| !name.is_empty()) {
        Some(_) => Some(quantization(walk, at, 7, 8)?),
        None => None,
    };
    dense(walk, at, number, weights, biases, scales)?;
    to.map_or(Ok(()), |to| again(walk, at, to))
}

fn matmul<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let number = quantized_input(walk, at, [0, 1, 2])?;
    let (weights, scales) = dequantized(walk, at, [3, 4, 5], 1)?;
    let weights = weights.transposed(&at.text())?;
    let outputs = weights.shape[0];
    let scales = scales.of_outputs(at, true, outputs)?;
    let to = quantization(walk, at, 6, 7)?;
    dense(walk, at, number, weights, vec![0.0; outputs], scales)?;
    again(walk, at, to)
}

/// Follows an operation of a computed value and a constant.
fn arithmetic<'g>(walk: &mut Walk<'g>, at: Place<'g>, line: fn(f64) -> Line) -> Result<()> {
    let (value, constant) = match (walk.needed(at, 0)?, walk.needed(at, 3)?) {
        (Value::Computed(_), Value::Constant(_)) => ([0, 1, 2], [3, 4, 5]),
        (Value::Constant(_), Value::Computed(_)) => ([3, 4, 5], [0, 1, 2]),
        (Value::Computed(_), Value::Computed(_)) => return Err(at.refuse(QUANTIZED_IN_PIECES)),
        _ => return Err(at.refuse("arithmetic of constants is not supported")),
    };
    let number = quantized_input(walk, at, value)?;
    let (tensor, _) = dequantized(walk, at, constant, 0)?;
    let to = quantization(walk, at, 6, 7)?;
    let shape = walk.shape(number).to_vec();
    let values = tensor.broadcast(&at.text(), &shape)?;
    walk.compute(at, shape, Kind::Lines(number, values.into_iter().map(line).collect()))?;
    again(walk, at, to)
}

fn element_wise<'g>(walk: &mut Walk<'g>, at: Place<'g>, pieces: Vec<Piece>) -> Result<()> {
    let number = quantized_input(walk, at, [0, 1, 2])?;
    let to = quantization(walk, at, 3, 4)?;
    let shape = walk.shape(number).to_vec();
    walk.compute(at, shape, Kind::Pieces(number, pieces))?;
    again(walk, at, to)
}

/// Quantizes what the node has computed last.
fn again<'g>(walk: &mut Walk<'g>, at: Place<'g>, to: Quantization) -> Result<()> {
    let number = walk.computed.0.len() - 1;
    nearest(walk, at, number, to)
}

fn nearest<'g>(walk: &mut Walk<'g>, at: Place<'g>, number: usize, to: Quantization) -> Result<()> {
    let shape = walk.shape(number).to_vec();
    walk.compute(at, shape, Kind::Quantize(number, to))
}

/// Returns the number of an input that is quantized as its node says; of a graph that takes integers,
/// the quantization of the input.
fn quantized_input<'g>(walk: &mut Walk<'g>, at: Place<'g>, at_inputs: [usize; 3]) -> Result<usize> {
    let [value, scale, zero_point] = at_inputs;
    let Value::Computed(number) = walk.needed(at, value)? else {
        return Err(at.refuse("an operation of constants is not supported"));
    };
    let from = quantization(walk, at, scale, zero_point)?;
    let mut before = number;
    while let Kind::Same(same) = walk.computed.0[before].kind {
        before = same;
    }
    match walk.computed.0[before].kind {
        Kind::Quantize(_, found) if found == from => Ok(number),
        Kind::Quantize(..) => Err(at.refuse(
            "its input was quantized with another scale or zero point than it is read with. The file \
             is damaged",
        )),
        Kind::Input => {
            nearest(walk, at, number, from)?;
            Ok(walk.computed.0.len() - 1)
        }
        _ => Err(at.refuse("its input is not quantized")),
    }
}

/// Reads a constant of integers, its scales and zero points, as real numbers.
fn dequantized<'g>(
    walk: &Walk<'g>,
    at: Place<'g>,
    [value, scale, zero_point]: [usize; 3],
    axis: i64,
) -> Result<(Tensor, Scales)> {
    let missing = || at.refuse("it lacks a scale");
    let mut tensor = walk.constant(at, value)?.ok_or_else(missing)?;
    let scales = walk.constant(at, scale)?.ok_or_else(missing)?.values;
    let zero_points = walk.constant(at, zero_point)?.map_or(vec![0.0], |zero| zero.values);
    if let Some(wrong) = scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(at.refuse(format!("it has the scale {wrong}, which must be positive")));
    }
    let rank = tensor.shape.len();
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    let size = usize::try_from(axis).ok().and_then(|axis| tensor.shape.get(axis).copied());
    let fits = |count: usize| count == 1 || Some(count) == size;
    if !fits(scales.len()) || !fits(zero_points.len()) {
        return Err(at.refuse(format!(
            "{} scales for a constant of shape {:?}: blocks of weights with scales of their own are \
             not supported",
            scales.len(),
            tensor.shape
        )));
    }
    // Elements behind one index of the axis.
    let stride = tensor.shape.iter().skip(axis.max(0) as usize + 1).product::<usize>().max(1);
    let of = |all: &[f64], at: usize| all[if all.len() == 1 { 0 } else { at / stride % all.len() }];
    for (at, value) in tensor.values.iter_mut().enumerate() {
        *value = (*value - of(&zero_points, at)) * of(&scales, at);
    }
    tensor.kind = NumberType::F32;
    Ok((tensor, Scales { values: scales, axis }))
}

/// Reads scale and zero point of a quantized tensor as those of int8: of uint8, the zero point is
/// lower by 128, and so are all values.
fn quantization<'g>(
    walk: &Walk<'g>,
    at: Place<'g>,
    scale: usize,
    zero_point: usize,
) -> Result<Quantization> {
    let scales = walk.constant(at, scale)?.ok_or_else(|| at.refuse("it lacks a scale"))?.values;
    let [scale] = scales[..] else {
        return Err(at.refuse(format!("{} scales for one tensor of values", scales.len())));
    };
    let scale = scale as f32;
    if !(scale.is_normal() && scale > 0.0) {
        return Err(at.refuse(format!("it has the scale {scale}, which must be positive")));
    }
    let (zero_point, kind) = match walk.constant(at, zero_point)? {
        None => (0.0, NumberType::U8),
        Some(zero) => (zero.values.first().copied().unwrap_or(0.0), zero.kind),
    };
    let zero_point = match kind {
        NumberType::I8 => zero_point,
        NumberType::U8 => zero_point - 128.0,
        _ => {
            return Err(at.refuse(
                "its values are neither int8 nor uint8. Quantize activations to 8 bits, or import the \
                 float model with --calibrate",
            ));
        }
    };
    Ok(Quantization::int8(scale, zero_point as i32))
}
