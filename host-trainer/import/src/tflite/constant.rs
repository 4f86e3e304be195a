//! Constants of TensorFlow Lite models, as real numbers.

use thimble_convert::import::ConstantContents;
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::tensor::{NumberType, Tensor, elements};

/// Decodes a constant, quantized or not.
pub(super) fn decode(place: &str, stored: &ConstantContents) -> Result<Tensor> {
    let place = format!("{place}, tensor `{}`", shown(&stored.name));
    let size = |size: &i32| {
        usize::try_from(*size).map_err(|_| Error::damaged(&place, "a negative dimension"))
    };
    let shape: Vec<usize> = stored.shape.iter().map(size).collect::<Result<_>>()?;
    let count = elements(&place, &shape)?;
    let mut tensor = match stored.kind.as_str() {
        "float32" => return Tensor::decode(&place, shape, NumberType::F32, &stored.bytes),
        "float16" => return Tensor::decode(&place, shape, NumberType::F16, &stored.bytes),
        "int8" => Tensor::decode(&place, shape, NumberType::I8, &stored.bytes)?,
        "int4" => {
            // Two to a byte, the first in the low half, with sign.
            let both = |byte: &u8| [(*byte << 4) as i8 >> 4, *byte as i8 >> 4];
            let values: Vec<f64> = stored.bytes.iter().flat_map(both).map(f64::from).collect();
            if values.len() != count.next_multiple_of(2) {
                return Err(Error::damaged(place, format!("{} numbers of {count}", values.len())));
            }
            let values = values[..count].to_vec();
            Tensor { shape, values, kind: NumberType::I8 }
        }
        kind => {
            let problem = format!("constants of type {kind} are not supported in a float model");
            return Err(Error::place(place, problem));
        }
    };
    let rows = tensor.shape.first().copied().unwrap_or(1);
    let columns = count / rows.max(1);
    let scales = stored.scales.len();
    if (scales != 1 && scales != rows) || stored.zero_points.iter().any(|zero| *zero != 0) {
        let problem = format!("{scales} scales for {rows} rows, or a zero point that is not 0");
        return Err(Error::place(place, problem));
    }
    for (at, value) in tensor.values.iter_mut().enumerate() {
        let row = if scales == 1 { 0 } else { at / columns.max(1) };
        *value *= f64::from(stored.scales[row]);
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantized_weights_are_decoded() {
        let stored = |kind: &str, bytes: &[u8], shape: &[i32], scales: &[f32]| ConstantContents {
            name: "w".into(),
            shape: shape.to_vec(),
            kind: kind.into(),
            bytes: bytes.to_vec(),
            scales: scales.to_vec(),
            zero_points: vec![0; scales.len()],
        };
        let values = |stored| decode("o", &stored).map(|tensor| tensor.values);
        assert_eq!(values(stored("int8", &[1, 255], &[2, 1], &[0.5, 2.0])).unwrap(), [0.5, -2.0]);
        // 0x71: 1, then 7; 0x08: −8.
        assert_eq!(values(stored("int4", &[0x71, 8], &[1, 3], &[1.0])).unwrap(), [1.0, 7.0, -8.0]);
        assert!(values(stored("int4", &[0x71], &[1, 3], &[1.0])).is_err());
        assert!(values(stored("int8", &[1, 2], &[2, 1], &[])).is_err());
        assert!(values(stored("int64", &[0; 8], &[1], &[])).is_err());
    }
}
