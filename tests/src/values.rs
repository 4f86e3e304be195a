//! Values of tensors as wide integers, and their bytes.

use model_format::DataType;

/// Converts the bytes of a tensor to values.
pub fn values(bytes: &[u8], data_type: DataType) -> Vec<i64> {
    data_type.values(bytes).map(i64::from).collect()
}

/// Converts values within range to bytes.
pub fn bytes(values: &[i64], data_type: DataType) -> Vec<u8> {
    match data_type {
        DataType::Int8 => values.iter().map(|value| *value as u8).collect(),
        DataType::Int16 => values.iter().flat_map(|v| (*v as i16).to_le_bytes()).collect(),
    }
}
