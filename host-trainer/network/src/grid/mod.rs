//! Grids of quantized numbers, which training and quantization share: ranges of activations, levels of
//! weights.

mod range;
mod weights;

pub use range::Range;
pub use weights::{WeightGrid, nearest};
