//! A layer's outputs, and how to see them.

mod collect;
mod components;
mod umap;

pub use collect::{FeatureError, LayerOutputs, collect};
pub use components::{Components, principal_components};
pub use umap::{UmapError, UmapSettings, umap};
