//! A layer's outputs, and how to see them.

mod collect;
mod components;

pub use collect::{FeatureError, LayerOutputs, collect};
pub use components::{Components, principal_components};
