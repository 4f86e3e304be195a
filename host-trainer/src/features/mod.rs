//! Outputs of a layer, and their projections onto a plane.

mod collect;
mod components;
mod umap;

pub use collect::{FeatureError, LayerOutputs, collect};
pub use components::{Components, principal_components};
pub use umap::{UmapError, UmapSettings, umap};
