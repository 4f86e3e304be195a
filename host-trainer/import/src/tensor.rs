//! Tensors of any number type, as double precision.

use crate::error::{Error, Result};

/// Maximum number of elements of a tensor: 8192 × 8192 weights, the widest layer of a model.
pub(crate) const MAX_ELEMENTS: usize = 1 << 26;

/// Number type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberType {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl NumberType {
    /// Returns the number of bytes per element.
    pub(crate) fn bytes(self) -> usize {
        match self {
            NumberType::F64 | NumberType::I64 => 8,
            NumberType::F32 | NumberType::I32 => 4,
            NumberType::F16 | NumberType::Bf16 | NumberType::I16 => 2,
            NumberType::I8 | NumberType::U8 => 1,
        }
    }

    /// Returns the name, if it is not float32 and is converted.
    pub(crate) fn converted(self) -> Option<&'static str> {
        match self {
            NumberType::F64 => Some("float64"),
            NumberType::F16 => Some("float16"),
            NumberType::Bf16 => Some("bfloat16"),
            _ => None,
        }
    }
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Shape. Empty for a scalar.
    pub(crate) shape: Vec<usize>,
    /// Elements, row-major.
    pub(crate) values: Vec<f64>,
    /// Type in the file.
    pub(crate) kind: NumberType,
}

impl Tensor {
    /// Decodes little-endian numbers.
    ///
    /// # Errors
    /// [`Error::Place`] if bytes and shape do not match.
    pub(crate) fn decode(
        place: &str,
        shape: Vec<usize>,
        kind: NumberType,
        bytes: &[u8],
    ) -> Result<Self> {
        let count = elements(place, &shape)?;
        if bytes.len() != count * kind.bytes() {
            let problem = format!("{} bytes for shape {shape:?}", bytes.len());
            return Err(Error::damaged(place, problem));
        }
        Ok(Tensor { shape, values: numbers(kind, bytes), kind })
    }

    /// Returns a tensor of one number.
    pub(crate) fn scalar(value: f64) -> Self {
        Tensor { shape: Vec::new(), values: vec![value], kind: NumberType::F32 }
    }

    /// Returns the shape without its leading dimensions of 1.
    pub(crate) fn squeezed(&self) -> &[usize] {
        let leading = self.shape.iter().take_while(|size| **size == 1).count();
        &self.shape[leading..]
    }

    /// Returns the transposed matrix.
    ///
    /// # Errors
    /// [`Error::Place`] if it has not 2 dimensions.
    pub(crate) fn transposed(&self, place: &str) -> Result<Self> {
        let [rows, columns] = self.shape[..] else {
            let problem = format!("a matrix is needed, but the shape is {:?}", self.shape);
            return Err(Error::place(place, problem));
        };
        let mut values = Vec::with_capacity(self.values.len());
        for column in 0..columns {
            values.extend((0..rows).map(|row| self.values[row * columns + column]));
        }
        Ok(Tensor { shape: vec![columns, rows], values, kind: self.kind })
    }

    /// Returns the values broadcast to a shape, as NumPy does.
    ///
    /// # Errors
    /// [`Error::Place`] if the shapes do not fit.
    pub(crate) fn broadcast(&self, place: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let own = self.squeezed();
        let misfit = || {
            let problem = format!("a constant of shape {:?} does not fit {shape:?}", self.shape);
            Error::place(place, problem)
        };
        let skipped = shape.len().checked_sub(own.len()).ok_or_else(misfit)?;
        if own.iter().zip(&shape[skipped..]).any(|(own, size)| own != size && *own != 1) {
            return Err(misfit());
        }
        let count = elements(place, shape)?;
        let position = |flat: usize| {
            let (mut rest, mut at, mut stride) = (flat, 0, 1);
            for (axis, size) in shape.iter().enumerate().rev() {
                let index = rest % size;
                rest /= size;
                if axis >= skipped && own[axis - skipped] > 1 {
                    at += index * stride;
                    stride *= own[axis - skipped];
                }
            }
            at
        };
        (0..count).map(|flat| self.values.get(position(flat)).copied().ok_or_else(misfit)).collect()
    }
}

/// Returns the number of elements of a shape, at most [`MAX_ELEMENTS`].
///
/// # Errors
/// [`Error::Place`] for a larger one.
pub(crate) fn elements(place: &str, shape: &[usize]) -> Result<usize> {
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    count.filter(|count| *count <= MAX_ELEMENTS).ok_or_else(|| {
        let problem = format!("shape {shape:?} has more than {MAX_ELEMENTS} elements, the maximum");
        Error::place(place, problem)
    })
}

fn numbers(kind: NumberType, bytes: &[u8]) -> Vec<f64> {
    fn all<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks().0.iter().map(|bytes| decode(*bytes)).collect()
    }
    match kind {
        NumberType::F64 => all(bytes, f64::from_le_bytes),
        NumberType::F32 => all(bytes, |bytes| f32::from_le_bytes(bytes).into()),
        NumberType::F16 => all(bytes, |bytes| half::f16::from_le_bytes(bytes).into()),
        NumberType::Bf16 => all(bytes, |bytes| half::bf16::from_le_bytes(bytes).into()),
        NumberType::I64 => all(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        NumberType::I32 => all(bytes, |bytes| i32::from_le_bytes(bytes).into()),
        NumberType::I16 => all(bytes, |bytes| i16::from_le_bytes(bytes).into()),
        NumberType::I8 => all(bytes, |bytes| i8::from_le_bytes(bytes).into()),
        NumberType::U8 => all(bytes, |bytes| u8::from_le_bytes(bytes).into()),
    }
}

/// Returns the number of elements of a shape, or the largest number where it does not fit, which a
/// damaged file may claim.
pub(crate) fn size(shape: &[usize]) -> usize {
    shape.iter().fold(1, |size, &length| size.saturating_mul(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_broadcast_as_in_numpy() {
        let tensor = |shape: &[usize]| {
            let count = crate::tensor::size(shape);
            let values = (0..count).map(|v| v as f64).collect();
            Tensor { shape: shape.to_vec(), values, kind: NumberType::F32 }
        };
        for (own, shape, expected) in [
            (&[][..], &[2][..], vec![0.0, 0.0]),
            (&[1, 2], &[2], vec![0.0, 1.0]),
            (&[2], &[2, 2], vec![0.0, 1.0, 0.0, 1.0]),
            (&[2, 1], &[2, 2], vec![0.0, 0.0, 1.0, 1.0]),
            (&[1, 1, 1], &[2], vec![0.0, 0.0]),
        ] {
            assert_eq!(tensor(own).broadcast("x", shape).unwrap(), expected, "{own:?} {shape:?}");
        }
        assert!(tensor(&[3]).broadcast("x", &[2]).is_err());
        assert!(tensor(&[2, 2]).broadcast("x", &[2]).is_err());
    }

    #[test]
    fn numbers_of_all_types_are_decoded() {
        let half = half::f16::from_f32(1.5).to_le_bytes();
        assert_eq!(Tensor::decode("x", vec![], NumberType::F16, &half).unwrap().values, [1.5]);
        let brain = half::bf16::from_f32(-2.0).to_le_bytes();
        assert_eq!(Tensor::decode("x", vec![1], NumberType::Bf16, &brain).unwrap().values, [-2.0]);
        assert!(Tensor::decode("x", vec![2], NumberType::F32, &[0; 7]).is_err());
        let large = Tensor::decode("x", vec![usize::MAX, 2], NumberType::F32, &[]).unwrap_err();
        assert!(large.to_string().contains("the maximum"), "{large}");
    }
}
