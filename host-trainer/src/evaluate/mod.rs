//! How well a network does: in float, and in int8 by the device's own engine.

mod confusion;
mod float;
mod int8;

pub use confusion::Confusion;
pub use float::{Evaluation, evaluate_float, score_float};
pub use int8::{Int8Error, InputEncoder, evaluate_int8};
pub(crate) use float::over_chunks;
