//! Affine operators of ONNX: matrix products, arithmetic with constants, normalization, scaling.

use super::graph::{Place, Value, Walk};
use super::operators::joins;
use crate::error::Result;
use crate::expression::{Binary, Kind, Unary};
use crate::float_network::Line;
use crate::pieces::Piece;
use crate::tensor::{NumberType, Tensor};

/// Adds a dense layer.
pub(super) fn dense<'g>(
    walk: &mut Walk<'g>,
    at: Place<'g>,
    number: usize,
    weights: Tensor,
    biases: Vec<f64>,
    scales: Vec<f64>,
) -> Result<()> {
    let shape = walk.shape(number).to_vec();
    let leading = shape.len().saturating_sub(1);
    if shape[..leading].iter().any(|size| *size != 1) {
        return Err(at.refuse(format!(
            "a product of values of shape {shape:?} is one of the last dimension alone. Put a \
             Flatten before it"
        )));
    }
    let inputs: usize = crate::tensor::size(&shape);
    if weights.shape != [biases.len(), inputs] {
        return Err(at.refuse(format!(
            "its matrix has {} inputs, but there are {inputs} values",
            weights.shape.get(1).copied().unwrap_or(0)
        )));
    }
    let outputs = vec![biases.len()];
    walk.compute(at, outputs, Kind::Dense(number, weights.values, biases, scales))
}

/// Follows a Gemm in all its forms.
pub(super) fn gemm<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let node = at.node;
    let (Value::Computed(mut number), Some(weights)) = (walk.needed(at, 0)?, walk.constant(at, 1)?)
    else {
        return Err(at.refuse("its first input must be computed, and its second a constant matrix"));
    };
    if node.int("transA", 0) != 0 {
        if !walk.is_transposed(number) {
            return Err(at.refuse(
                "transA mixes rows of the batch, unless the values were transposed before",
            ));
        }
        number = walk.turn(at, number)?;
    }
    let mut weights = match node.int("transB", 0) {
        0 => weights.transposed(&at.text())?,
        _ => weights,
    };
    let [outputs, _] = weights.shape[..] else {
        return Err(at.refuse(format!("its matrix has shape {:?}", weights.shape)));
    };
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    weights.values.iter_mut().for_each(|weight| *weight *= alpha);
    let mut biases = match walk.constant(at, 2)? {
        Some(biases) => biases.broadcast(&at.text(), &[outputs])?,
        None => vec![0.0; outputs],
    };
    biases.iter_mut().for_each(|bias| *bias *= beta);
    let mut scales = walk.scales(at, 1, node.int("transB", 0) == 0, outputs)?;
    scales.iter_mut().for_each(|scale| *scale *= alpha.abs());
    dense(walk, at, number, weights, biases, scales)
}

/// Follows a MatMul by a constant on the right.
pub(super) fn matmul<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match (walk.needed(at, 0)?, walk.needed(at, 1)?) {
        (Value::Computed(number), Value::Constant(weights)) => {
            let weights = weights.transposed(&at.text())?;
            let outputs = weights.shape[0];
            let scales = walk.scales(at, 1, true, outputs)?;
            dense(walk, at, number, weights, vec![0.0; outputs], scales)
        }
        // W xᵀ, with a column per row.
        (Value::Constant(weights), Value::Computed(number)) if walk.is_transposed(number) => {
            let [outputs, _] = weights.shape[..] else {
                return Err(at.refuse(format!("its matrix has shape {:?}", weights.shape)));
            };
            let scales = walk.scales(at, 0, false, outputs)?;
            let number = walk.turn(at, number)?;
            dense(walk, at, number, weights, vec![0.0; outputs], scales)?;
            walk.turn(at, walk.computed.0.len() - 1).map(|_| ())
        }
        _ => Err(at.refuse("a product of two computed values, or of a constant on the left")),
    }
}

/// Follows a Sum of one computed value and constants.
pub(super) fn sum<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let mut computed = None;
    let mut constants: Option<Tensor> = None;
    for index in 0..at.node.inputs.len() {
        match walk.needed(at, index)? {
            Value::Computed(_) if at.node.inputs.len() == 2 => return arithmetic(walk, at, "Add"),
            Value::Computed(_) if computed.is_some() => return Err(joins(at)),
            Value::Computed(number) => computed = Some(number),
            Value::Constant(tensor) => {
                constants = Some(match constants {
                    Some(sum) => sum.combined(&at.text(), &tensor, |a, b| a + b)?,
                    None => tensor,
                });
            }
        }
    }
    match (computed, constants) {
        (Some(number), constants) => {
            let shape = walk.shape(number).to_vec();
            let values = match constants {
                Some(constants) => constants.broadcast(&at.text(), &shape)?,
                None => return walk.compute(at, shape, Kind::Same(number)),
            };
            let lines = values.into_iter().map(|value| Line::new(1.0, value)).collect();
            walk.compute(at, shape, Kind::Lines(number, lines))
        }
        (None, Some(constants)) => walk.set(at, Value::Constant(constants)),
        (None, None) => Err(at.refuse("it has no inputs")),
    }
}

fn binary(operator: &str) -> Binary {
    match operator {
        "Add" => Binary::Add,
        "Sub" => Binary::Subtract,
        "Mul" => Binary::Multiply,
        _ => Binary::Divide,
    }
}

/// Follows an Add, Sub, Mul or Div, of a constant or of two computed values.
pub(super) fn arithmetic<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let (mut number, mut tensor, is_left) = match (walk.needed(at, 0)?, walk.needed(at, 1)?) {
        (Value::Computed(number), Value::Constant(tensor)) => (number, tensor, false),
        (Value::Constant(tensor), Value::Computed(number)) => (number, tensor, true),
        (Value::Computed(a), Value::Computed(b)) => {
            let shape = walk.shape(a).to_vec();
            if walk.shape(b) != shape {
                return Err(joins(at));
            }
            return walk.compute(at, shape, Kind::Binary(binary(operator), a, b));
        }
        (Value::Constant(a), Value::Constant(b)) => {
            let result = a.combined(&at.text(), &b, |a, b| binary(operator).value(a, b))?;
            return walk.set(at, Value::Constant(result));
        }
    };
    if walk.is_transposed(number) && tensor.values.len() > 1 {
        tensor = tensor.transposed(&at.text())?;
        number = walk.turn(at, number)?;
        affine(walk, at, operator, number, &tensor, is_left)?;
        return walk.turn(at, walk.computed.0.len() - 1).map(|_| ());
    }
    affine(walk, at, operator, number, &tensor, is_left)
}

/// Follows an Add, Sub, Mul or Div of a computed value and a constant.
fn affine<'g>(
    walk: &mut Walk<'g>,
    at: Place<'g>,
    operator: &str,
    number: usize,
    tensor: &Tensor,
    is_left: bool,
) -> Result<()> {
    if operator == "Div" && is_left {
        let value = tensor.values.first().copied().filter(|_| tensor.values.len() == 1);
        let value = value.ok_or_else(|| at.refuse("a division by computed values"))?;
        let shape = walk.shape(number).to_vec();
        walk.compute(at, shape.clone(), Kind::Unary(number, Unary::Reciprocal))?;
        let reciprocal = walk.computed.0.len() - 1;
        let line = Piece::Line(Line::new(value, 0.0));
        return walk.compute(at, shape, Kind::Pieces(reciprocal, vec![line]));
    }
    let line = |value: f64| match (operator, is_left) {
        ("Add", _) => Line::new(1.0, value),
        ("Sub", false) => Line { offset: value, ..Line::IDENTITY },
        ("Sub", true) => Line::new(-1.0, value),
        ("Mul", _) => Line::new(value, 0.0),
        _ => Line::new(1.0 / value, 0.0),
    };
    let shape = walk.shape(number).to_vec();
    match tensor.values[..] {
        [value] => {
            let pieces = vec![Piece::Line(line(value))];
            walk.compute(at, shape, Kind::Pieces(number, pieces))
        }
        _ => {
            let values = tensor.broadcast(&at.text(), &shape)?;
            let lines = values.into_iter().map(line).collect();
            walk.compute(at, shape, Kind::Lines(number, lines))
        }
    }
}

/// Follows a BatchNormalization of values without channels.
pub(super) fn batch_normalization<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return Err(at.refuse("batch normalization of a constant"));
    };
    let shape = walk.shape(number).to_vec();
    if shape[1..].iter().any(|size| *size != 1) {
        return Err(at.refuse("batch normalization of channels. Put a Flatten before it"));
    }
    let width: usize = crate::tensor::size(&shape);
    let values = |index: usize| -> Result<Vec<f64>> {
        let tensor = walk.constant(at, index)?;
        tensor.ok_or_else(|| at.refuse("an input is missing"))?.broadcast(&at.text(), &[width])
    };
    let (gamma, beta, mean, variance) = (values(1)?, values(2)?, values(3)?, values(4)?);
    let epsilon = at.node.float("epsilon", 1e-5);
    let line = |k: usize| Line {
        offset: mean[k],
        factor: gamma[k] / (variance[k] + epsilon).sqrt(),
        shift: beta[k],
    };
    let lines = (0..width).map(line).collect();
    walk.compute(at, shape, Kind::Lines(number, lines))
}

/// Follows a Scaler of scikit-learn: (x − offset) · scale.
pub(super) fn scaler<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let Value::Computed(number) = walk.needed(at, 0)? else {
        return Err(at.refuse("a scaler of a constant"));
    };
    let shape = walk.shape(number).to_vec();
    let width: usize = crate::tensor::size(&shape);
    let values = |name: &str| {
        let values = at.node.floats(name);
        let tensor = Tensor { shape: vec![values.len()], values, kind: NumberType::F32 };
        tensor.broadcast(&at.text(), &[width])
    };
    let (offset, scale) = (values("offset")?, values("scale")?);
    let lines = offset.into_iter().zip(scale);
    let lines = lines.map(|(offset, factor)| Line { offset, factor, shift: 0.0 }).collect();
    walk.compute(at, shape, Kind::Lines(number, lines))
}
