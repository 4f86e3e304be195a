//! Values of tensors as wide integers, and their bytes.

use model_format::Precision;

/// What bytes stand for.
pub fn values(bytes: &[u8], precision: Precision) -> Vec<i64> {
    precision.values(bytes).map(i64::from).collect()
}

/// The bytes of values that fit.
pub fn bytes(values: &[i64], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::Int8 => values.iter().map(|value| *value as u8).collect(),
        Precision::Int16 => values.iter().flat_map(|v| (*v as i16).to_le_bytes()).collect(),
    }
}
