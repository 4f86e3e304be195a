//! What a preset says about training.

use serde::{Deserialize, Serialize};

use super::{ClassWeight, EarlyStopping, OptimizerSettings, Plateau, Schedule};
use crate::evaluate::Threshold;
use crate::network::{Head, Loss, Objective};
use crate::validators::{at_least_one, below_one, fraction, not_negative, positive};

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is made small.
    #[serde(default)]
    pub loss: Loss,
    /// Share of each target that is spread evenly over all classes.
    #[serde(default, deserialize_with = "below_one")]
    pub label_smoothing: f64,
    /// Weight of each class in the loss; all 1 where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// The probability of the second of two classes above which a row is taken for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub threshold: Threshold,
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
    /// Epochs, or parts of one, in which the learning rate rises from zero.
    #[serde(default, deserialize_with = "not_negative")]
    pub warm_up_epochs: f64,
    /// How parameters follow gradients.
    pub optimizer: OptimizerSettings,
    /// How large gradients may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// When to stop before the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// When to lower the learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_lr_on_plateau: Option<Plateau>,
    /// How training images are changed.
    #[serde(default)]
    pub augmentation: Augmentation,
}

impl Settings {
    /// What training makes small, and what outputs say, for a network with this head. A threshold
    /// that is yet to be chosen is 0.5.
    pub fn objective(&self, head: Head) -> Objective {
        let threshold = match self.threshold {
            Threshold::Fixed(threshold) => threshold as f32,
            Threshold::F1 | Threshold::Balanced => Objective::default().threshold,
        };
        Objective { loss: self.loss, label_smoothing: self.label_smoothing, head, threshold }
    }
}

/// How large gradients may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// All together: where the root of the sum of their squares is more, all are made smaller by
    /// the same factor (Pascanu et al., *On the difficulty of training recurrent neural networks*,
    /// 2013, algorithm 1).
    Norm(#[serde(deserialize_with = "positive")] f64),
    /// Each by itself.
    Value(#[serde(deserialize_with = "positive")] f64),
}

/// How training images are changed, each time they are seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// The most pixels that an image is moved by, each way.
    #[serde(default)]
    pub shift: u8,
    /// Share of the images that are moved.
    #[serde(default = "all", deserialize_with = "fraction")]
    pub fraction: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Augmentation { shift: 0, fraction: all() }
    }
}

fn is_default(threshold: &Threshold) -> bool {
    *threshold == Threshold::default()
}

fn all() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}
