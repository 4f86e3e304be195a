//! Presets: TOML files that describe a training completely.
//!
//! A crate of its own, since reading them is much generated code that need not be fast.

mod check;
mod embedded;
mod error;
mod read;
mod types;

pub use embedded::{EMBEDDED, EmbeddedPreset, find};
pub use error::Error;
pub use types::{
    BatchNormalizationSettings, DataSettings, DenseSettings, DropoutSettings, LayerSettings,
    NetworkSettings, Preset,
};
