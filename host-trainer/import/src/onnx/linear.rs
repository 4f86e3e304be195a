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
    let (Value::Computed(number), Some(weights)) = (walk.needed(at, 0)?, walk.constant(at, 1)?)
    else {
        return Err(at.refuse("its first input must be computed, and its second a constant matrix"));
    };
    if node.int("transA", 0) != 0 {
        return Err(at.refuse("transA is not supported: it mixes rows of the batch"));
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
        _ => Err(at.refuse("a product of two computed values, or of a constant on the left")),
    }
}

/// Follows an Add, Sub, Mul or Div, of a constant or of two computed values.
pub(super) fn arithmetic<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
    let (number, tensor, is_left) = match (walk.needed(at, 0)?, walk.needed(at, 1)?) {
        (Value::Computed(number), Value::Constant(tensor)) => (number, tensor, false),
        (Value::Constant(tensor), Value::Computed(number)) => (number, tensor, true),
        (Value::Computed(a), Value::Computed(b)) => {
            let shape = walk.shape(a).to_vec();
            if walk.shape(b) != shape {
                return Err(joins(at));
            }
            let binary = match operator {
                "Add" => Binary::Add,
                "Sub" => Binary::Subtract,
                "Mul" => Binary::Multiply,
                _ => Binary::Divide,
            };
            return walk.compute(at, shape, Kind::Binary(binary, a, b));
        }
        (Value::Constant(_), Value::Constant(_)) => {
            return Err(
                at.refuse("arithmetic of constants is not supported. Export with constant folding")
            );
        }
    };
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
