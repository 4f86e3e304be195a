//! The float network: what it computes, and how its error flows back.

mod activation;
mod dense;
mod initializer;
mod loss;
mod model;
mod product;
mod real;
mod tape;

pub use activation::Activation;
pub use dense::Dense;
pub use initializer::Initializer;
pub(crate) use loss::first_largest;
pub use loss::{BatchScore, Loss};
pub use model::{DenseSpec, LayerSpec, Network, NetworkError};
pub use real::Real;
pub use tape::Tape;
