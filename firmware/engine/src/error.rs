//! Errors: a model that cannot run here, an input that does not fit it.

use core::fmt;

use model_format::{Error, WeightLayout};

/// Errors of [`Engine::new`](crate::Engine::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EngineError {
    /// The bytes are not a model that this build can run.
    Model(#[cfg_attr(feature = "defmt", defmt(Debug2Format))] Error),
    /// The scratch memory is too small for the model.
    Scratch {
        /// Words that the model needs.
        needed: usize,
        /// Words that were given.
        given: usize,
    },
    /// No kernel of this build reads the weight layout of a layer.
    Layout {
        /// The layer, counted from 0.
        layer: usize,
        /// Its weight layout.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        layout: WeightLayout,
    },
    /// The model file does not lie on a 4-byte boundary, which the kernels of this core need.
    Unaligned,
}

/// Errors of the `run` methods: the values do not fit the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InputError {
    /// The number of values differs from the number of inputs.
    Length {
        /// Inputs of the model.
        expected: usize,
        /// Values that were given.
        given: usize,
    },
    /// The number of bytes differs from that of the model's input.
    ByteLength {
        /// Bytes of the model's input.
        expected: usize,
        /// Bytes that were given.
        given: usize,
    },
    /// The model's input is int16 for [`Engine::run`](crate::Engine::run), or int8 for [`Engine::run_i16`](crate::Engine::run_i16).
    DataType,
    /// The model takes no raw counts.
    NotCounts,
    /// The model takes no real numbers.
    NotReals,
    /// A real number is NaN.
    NotANumber {
        /// Its position, counted from 0.
        input: usize,
    },
}

impl core::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            EngineError::Model(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Model(error) => write!(f, "the model is refused: {error}"),
            EngineError::Scratch { needed, given } => {
                write!(f, "the model needs {needed} words of scratch memory, {given} were given")
            }
            EngineError::Layout { layer, layout } => write!(
                f,
                "layer {layer}: no kernel of this core reads {} weights: pack the model for it",
                layout.name()
            ),
            EngineError::Unaligned => {
                write!(f, "the model file must lie on a 4-byte boundary of the memory")
            }
        }
    }
}

impl From<Error> for EngineError {
    fn from(error: Error) -> Self {
        EngineError::Model(error)
    }
}

impl core::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputError::Length { expected, given } => {
                write!(f, "the model takes {expected} values, {given} were given")
            }
            InputError::ByteLength { expected, given } => {
                write!(f, "the model takes {expected} bytes of input, {given} were given")
            }
            InputError::DataType => f.write_str(
                "the data type of the model's input is another: Engine::run is for int8, run_i16 \
                 for int16",
            ),
            InputError::NotCounts => f.write_str(
                "the model takes no raw counts: train it with data.raw, or give it real numbers or \
                 quantized values",
            ),
            InputError::NotReals => f.write_str(
                "the model takes no real numbers: give it its counts or quantized values",
            ),
            InputError::NotANumber { input } => {
                write!(f, "the value for input {input} is not a number")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model_format::Model;

    use super::*;
    use crate::Engine;

    #[test]
    fn errors_have_a_source_and_say_what_to_do() {
        use core::error::Error as _;
        let error = Engine::new(&b"no model"[..], &mut []).err().unwrap();
        assert_eq!(error.source().map(|source| source.to_string()), Some(refusal().to_string()));
        assert_eq!(error.to_string(), format!("the model is refused: {}", refusal()));
        assert!(EngineError::Unaligned.source().is_none());
        let error = InputError::NotANumber { input: 3 };
        assert_eq!(error.to_string(), "the value for input 3 is not a number");
    }

    fn refusal() -> Error {
        Model::parse(b"no model").unwrap_err()
    }
}
