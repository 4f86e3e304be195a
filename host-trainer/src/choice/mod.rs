//! Choice of a quantization, of data types of weights and of a threshold, on selection rows: validation rows, or training rows
//! if there are none. Test rows choose nothing.

mod mixed;
mod search;
mod selection;

pub use mixed::{Budget, Mixed, MixedError, mixed, names as weight_type_names};
pub use search::{Attempt, Choice, QuantizationLoss, judged_rows, quantize_network};
pub use selection::Selection;
pub(crate) use selection::with_threshold;

use crate::evaluate::Int8Error;
use crate::memory::NotEnoughMemory;
use crate::network::NotFinite;
use crate::quantize::QuantizeError;

/// Reason why a network cannot be quantized.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// The trained weights are not finite.
    #[error("{0}. They cannot be quantized. Train again, with a lower learning_rate")]
    NotFinite(#[from] NotFinite),
    /// The quantization needs more memory than there is.
    #[error(transparent)]
    Memory(#[from] NotEnoughMemory),
    /// Quantization failed.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The evaluation of the quantized model failed.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The quantized model is invalid.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
}
