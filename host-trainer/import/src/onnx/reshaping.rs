//! Operators of ONNX that make constants, and that change shapes.

use super::graph::{Place, Value, Walk};
use super::operators::joins;
use super::{quantization, shapes};
use crate::error::Result;
use crate::expression::Kind;
use crate::float_network::Line;
use crate::pieces::Piece;
use crate::tensor::{NumberType, Tensor};

/// Maximum number of dimensions of a computed shape.
const MAX_SHAPE: usize = 64;

pub(super) fn constant<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
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

pub(super) fn reshape<'g>(walk: &mut Walk<'g>, at: Place<'g>, operator: &str) -> Result<()> {
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
            // At the end, skl2onnx puts all values of all rows into one column.
            if target.values == [-1.0, 1.0]
                && at.node.outputs.first().is_some_and(|o| o == walk.output)
            {
                return walk.compute(at, shape, Kind::Same(number));
            }
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

pub(super) fn transpose<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(tensor) => {
            let tensor = tensor.transposed(&at.text())?;
            quantization::transpose(walk, at);
            walk.set(at, Value::Constant(tensor))
        }
        // Rows and columns of the batch.
        Value::Computed(number) => {
            let order = at.node.attribute("perm").map(|order| order.ints.as_slice());
            if walk.shape(number).len() != 1 || order.is_some_and(|order| order != [1, 0]) {
                return Err(at.refuse(
                    "a Transpose of computed values permutes them. Export the model without it",
                ));
            }
            walk.turn(at, number).map(|_| ())
        }
    }
}

/// Follows the operators that compute the target of a Reshape, and scikit-learn's 1 − p and p.
pub(super) fn shape_arithmetic<'g>(
    walk: &mut Walk<'g>,
    at: Place<'g>,
    operator: &str,
) -> Result<()> {
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

/// Follows a ConstantOfShape.
pub(super) fn constant_of_shape<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    let value = walk.attribute(at, "value")?;
    let value = value.and_then(|tensor| tensor.values.first().copied()).unwrap_or(0.0);
    expand_to(walk, at, Tensor::scalar(value), 0)
}

/// Follows an Expand of a constant. A computed value may only keep its shape.
pub(super) fn expand<'g>(walk: &mut Walk<'g>, at: Place<'g>) -> Result<()> {
    match walk.needed(at, 0)? {
        Value::Constant(tensor) => expand_to(walk, at, tensor, 1),
        Value::Computed(_) => Err(at.refuse("an Expand of computed values repeats rows")),
    }
}

fn expand_to<'g>(walk: &mut Walk<'g>, at: Place<'g>, tensor: Tensor, shape: usize) -> Result<()> {
    let sizes = walk.constant(at, shape)?.map(|sizes| sizes.values).unwrap_or_default();
    // The batch is 1, for all rows are alike.
    let size = |size: &f64| if *size == shapes::BATCH { 1 } else { *size as usize };
    let shape: Vec<usize> = sizes.iter().map(size).collect();
    let values = tensor.broadcast(&at.text(), &shape)?;
    walk.set(at, Value::Constant(Tensor { shape, values, kind: tensor.kind }))
}
