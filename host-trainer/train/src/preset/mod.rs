//! Presets: one TOML file that says everything about a training.

mod check;
mod embedded;
mod error;
mod read;
mod types;

pub use embedded::{EMBEDDED, EmbeddedPreset, find};
pub use error::{Error, nearest};
pub use types::{
    BatchNormalizationSettings, DataSettings, DenseSettings, DropoutSettings, LayerSettings,
    NetworkSettings, Preset,
};
