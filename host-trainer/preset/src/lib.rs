//! Presets: TOML files with all settings of a training.
//!
//! This is a separate crate because deserialization is much generated code that needs no
//! optimization.

mod averaging;
mod check;
mod embedded;
mod error;
#[cfg(test)]
mod notebooks;
mod read;
mod types;

pub use embedded::{EMBEDDED, EmbeddedPreset, find};
pub use error::Error;
pub use types::{
    BatchNormalizationSettings, DataSettings, DenseSettings, DropoutSettings, LayerSettings,
    NetworkSettings, Preset,
};
