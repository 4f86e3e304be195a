//! Errors of quantization.

use thimble_network::NetworkError;

use crate::evaluate::Int8Error;

/// Errors of quantizing a network.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The model format rejected the model.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The network cannot be folded.
    #[error("the network cannot be quantized: {0}")]
    Network(#[from] NetworkError),
    /// The model could not be run.
    #[error("the quantized model cannot be run: {0}")]
    Run(#[from] Int8Error),
    /// The line of raw ADC counts does not fit the range of the feature.
    #[error(
        "data.raw: feature {feature}: counts are too coarse for the range that the training rows \
         have, or too far from 0: give a line whose counts and numbers lie nearer to the data"
    )]
    Channel {
        /// The feature, counted from 0.
        feature: usize,
    },
}
