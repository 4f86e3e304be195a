//! What a preset says about training.

use serde::{Deserialize, Serialize};

use super::{OptimizerSettings, Schedule};
use crate::checked::{at_least_one, share};
use crate::network::Loss;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is made small.
    #[serde(default)]
    pub loss: Loss,
    /// Passes over the training rows.
    #[serde(deserialize_with = "at_least_one")]
    pub epochs: usize,
    /// Rows between two steps of the optimizer.
    #[serde(deserialize_with = "at_least_one")]
    pub batch_size: usize,
    /// Whether each epoch takes the rows in another order.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// How parameters follow gradients.
    pub optimizer: OptimizerSettings,
    /// How training images are changed.
    #[serde(default)]
    pub augmentation: Augmentation,
}

/// How training images are changed, each time they are seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// The most pixels that an image is moved by, each way.
    #[serde(default)]
    pub shift: u8,
    /// Share of the images that are moved.
    #[serde(default = "all", deserialize_with = "share")]
    pub share: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Augmentation { shift: 0, share: all() }
    }
}

fn all() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}
