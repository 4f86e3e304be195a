//! How well a network does: in float, and in int8 by the device's own engine.

mod confusion;
mod float;
mod int8;

pub use confusion::Confusion;
pub(crate) use float::over_chunks;
pub use float::{Evaluation, evaluate_float, score_float};
pub use int8::{InputEncoder, Int8Error, evaluate_int8};
