//! Inputs beyond which a quantized activation is flat.

use model_format::DataType;

use super::Activation;

/// Input limit of int8 tanh. Beyond it, the output saturates at −1 or 127/128.
const TANH_INT8: f32 = 3.2;
/// Input limit of int16 tanh. Beyond it, the output is ±1 within two steps of 1/32768.
const TANH_INT16: f32 = 5.5;
/// Input limit of the int8 logistic function. Beyond it, the output saturates at 0 or 255/256.
const LOGISTIC_INT8: f32 = 6.3;
/// Input limit of the int16 logistic function.
const LOGISTIC_INT16: f32 = 11.0;

impl Activation {
    /// Returns the largest magnitude of the inputs of tanh and sigmoid that is worth steps of a
    /// quantized tensor. Beyond it, they are flat.
    pub fn input_limit(self, data_type: DataType) -> Option<f32> {
        match (self, data_type) {
            (Activation::Tanh, DataType::Int8) => Some(TANH_INT8),
            (Activation::Tanh, DataType::Int16) => Some(TANH_INT16),
            (Activation::Sigmoid, DataType::Int8) => Some(LOGISTIC_INT8),
            (Activation::Sigmoid, DataType::Int16) => Some(LOGISTIC_INT16),
            _ => None,
        }
    }
}
