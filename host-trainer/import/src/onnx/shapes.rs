//! Shapes of ONNX values, with and without the batch.

use super::proto::{Node, ValueInfo};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The batch dimension in a constant that was computed from a shape.
pub(super) const BATCH: f64 = -1.0;

/// Shape of an input without the batch, if it is known, and the batch, if it is fixed.
pub(super) fn input(input: &ValueInfo) -> Result<(Option<Vec<usize>>, Option<i64>)> {
    let place = format!("input `{}`", thimble_support::foreign_text::shown(&input.name));
    let tensor = input.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) else {
        return Ok((None, None));
    };
    let values: Vec<Option<i64>> = shape.dims.iter().map(|dimension| dimension.value).collect();
    if let Some(wrong) = values.iter().flatten().find(|value| **value < -1) {
        return Err(Error::place(place, format!("its shape has the dimension {wrong}")));
    }
    let size = |value: &Option<i64>| usize::try_from((*value)?).ok().filter(|size| *size > 0);
    match values[..] {
        [] => Err(Error::place(place, "a scalar input is not supported")),
        // A single row without a batch.
        [_] => Ok((values.iter().map(size).collect(), None)),
        [batch, ..] => {
            Ok((values[1..].iter().map(size).collect(), batch.filter(|batch| *batch > 1)))
        }
    }
}

/// Returns the new shape of a value by a Reshape, without the batch.
pub(super) fn reshape(place: &str, shape: &[usize], target: &Tensor) -> Result<Vec<usize>> {
    let width: usize = crate::tensor::size(shape);
    let misfit = || {
        let problem = format!("{width} values have no shape {:?}", target.values);
        Error::place(place, problem)
    };
    let Some((first, rest)) = target.values.split_first() else { return Err(misfit()) };
    if rest.is_empty() {
        return if width == 1 { Ok(vec![1]) } else { Err(misfit()) };
    }
    let mut sizes = Vec::new();
    let mut open = None;
    for (at, size) in rest.iter().enumerate() {
        match *size {
            0.0 => sizes.push(*shape.get(at).ok_or_else(misfit)?),
            -1.0 if open.is_none() => {
                open = Some(at);
                sizes.push(1);
            }
            size if size >= 1.0 && size <= width as f64 => sizes.push(size as usize),
            _ => return Err(misfit()),
        }
    }
    let known =
        sizes.iter().try_fold(1_usize, |n, size| n.checked_mul(*size)).ok_or_else(misfit)?;
    match open {
        // The first dimension must then be the batch.
        Some(at) if *first >= -1.0 && known > 0 && width.is_multiple_of(known) => {
            sizes[at] = width / known
        }
        None if known == width => {}
        _ => return Err(misfit()),
    }
    Ok(sizes)
}

/// Returns the shape of a Flatten, without the batch.
pub(super) fn flatten(node: &Node, place: &str, shape: &[usize]) -> Result<Vec<usize>> {
    let rank = shape.len() as i64 + 1;
    let axis = node.int("axis", 1);
    let axis = if axis < 0 { axis + rank } else { axis };
    let leading = usize::try_from(axis - 1).ok().and_then(|count| shape.get(..count));
    match leading {
        Some(leading) if leading.iter().all(|size| *size == 1) => {
            Ok(vec![crate::tensor::size(shape)])
        }
        _ => Err(Error::place(place, format!("a Flatten of axis {axis} mixes rows of the batch"))),
    }
}

/// Checks that an axis is the last one of a value with one dimension besides the batch.
pub(super) fn is_last(axis: i64, shape: &[usize]) -> bool {
    let others = shape.len().saturating_sub(1);
    let is_flat = shape[..others].iter().all(|size| *size == 1);
    is_flat && (axis == -1 || axis == shape.len() as i64 || (axis == 1 && others == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::NumberType;

    #[test]
    fn reshapes_keep_the_batch() {
        let target = |values: &[f64]| Tensor {
            shape: vec![values.len()],
            values: values.to_vec(),
            kind: NumberType::I64,
        };
        let shape = |values: &[f64]| reshape("n", &[2, 3], &target(values)).ok();
        assert_eq!(shape(&[-1.0, 6.0]), Some(vec![6]));
        assert_eq!(shape(&[0.0, -1.0]), Some(vec![6]));
        assert_eq!(shape(&[1.0, 3.0, 2.0]), Some(vec![3, 2]));
        assert_eq!(shape(&[0.0, 0.0, 0.0]), Some(vec![2, 3]));
        for wrong in [&[6.0][..], &[], &[-1.0, 5.0], &[-1.0, -1.0, -1.0], &[1.0, f64::NAN]] {
            assert_eq!(shape(wrong), None, "{wrong:?}");
        }
        assert!(is_last(-1, &[3]) && is_last(1, &[3]) && !is_last(1, &[2, 3]));
    }
}
