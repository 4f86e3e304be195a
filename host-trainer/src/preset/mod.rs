//! Presets: one TOML file that says everything about a training.

mod embedded;
mod error;
mod read;
mod types;

pub use embedded::{EMBEDDED, EmbeddedPreset, find};
pub use error::{Error, nearest};
pub use types::{DataSettings, DenseSettings, LayerSettings, NetworkSettings, Preset};
