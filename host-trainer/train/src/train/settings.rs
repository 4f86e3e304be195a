//! Training settings of a preset.

use serde::{Deserialize, Serialize};
use thimble_network::{Head, Loss, Objective};
use thimble_numeric::validators::{
    at_least_one, below_one, not_negative, optional_at_least_one, optional_below_one, positive,
};

use super::{
    Augmentation, ClassWeight, Distillation, EarlyStopping, Mixup, OptimizerSettings, Plateau,
    Pruning, Schedule,
};
use crate::evaluate::Threshold;

/// Training settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Loss function.
    #[serde(default)]
    pub loss: Loss,
    /// Label smoothing, the share of each target that is spread evenly over all classes.
    #[serde(default, deserialize_with = "below_one")]
    pub label_smoothing: f64,
    /// Class weights in the loss. All are 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// Decision threshold on the probability of the second of two classes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub threshold: Threshold,
    /// Passes over the training rows.
    #[serde(deserialize_with = "at_least_one")]
    pub epochs: usize,
    /// Rows per mini-batch, that is per optimizer step.
    #[serde(deserialize_with = "at_least_one")]
    pub batch_size: usize,
    /// Prints and keeps the loss of every batch whose number in its epoch is a multiple of this.
    #[serde(
        default,
        deserialize_with = "optional_at_least_one",
        skip_serializing_if = "Option::is_none"
    )]
    pub log_every: Option<usize>,
    /// Shuffles the rows before each epoch if `true`.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Learning-rate schedule.
    #[serde(default)]
    pub schedule: Schedule,
    /// Length of the linear learning-rate warm-up in epochs, which may be fractional.
    #[serde(default, deserialize_with = "not_negative")]
    pub warm_up_epochs: f64,
    /// Optimizer and its hyperparameters.
    pub optimizer: OptimizerSettings,
    /// Gradient clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// Early stopping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Learning-rate reduction on a plateau.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_lr_on_plateau: Option<Plateau>,
    /// Data augmentation.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Mixup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixup: Option<Mixup>,
    /// Distillation of other networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
    /// Momentum of the moving average of the weights, which becomes the trained network.
    #[serde(
        default,
        deserialize_with = "optional_below_one",
        skip_serializing_if = "Option::is_none"
    )]
    pub ema_momentum: Option<f64>,
    /// Pruning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Pruning>,
}

impl Settings {
    /// Returns the objective for a network with this output activation. A threshold that is chosen
    /// after training is 0.5.
    pub fn objective(&self, head: Head) -> Objective {
        let threshold = match self.threshold {
            Threshold::Fixed(threshold) => threshold as f32,
            Threshold::F1 | Threshold::Balanced => Objective::default().threshold,
        };
        Objective { loss: self.loss, label_smoothing: self.label_smoothing, head, threshold }
    }
}

/// Gradient clipping.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// By the global L2 norm: if it is larger, all gradients are scaled by the same factor (Pascanu
    /// et al., *On the difficulty of training recurrent neural networks*, 2013, algorithm 1).
    Norm(#[serde(deserialize_with = "positive")] f64),
    /// By value: each gradient is limited to this magnitude.
    Value(#[serde(deserialize_with = "positive")] f64),
}

fn is_default(threshold: &Threshold) -> bool {
    *threshold == Threshold::default()
}

fn yes() -> bool {
    true
}
