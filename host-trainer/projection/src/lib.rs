//! Outputs of a layer, and their projections onto a plane.
//!
//! A crate of its own, so that the generic code of both methods is compiled with optimization.

mod collect;
mod components;
mod umap;

pub use collect::{ChosenLayer, FeatureError};
pub use components::{Components, principal_components};
pub use umap::{UmapError, UmapSettings, umap};
