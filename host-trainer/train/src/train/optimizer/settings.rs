//! Optimizers as presets name them, with their hyperparameters. Names and defaults are Keras's.

use serde::{Deserialize, Serialize};

use thimble_numeric::validators::{below_one, not_negative, positive};

/// Optimizer settings of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSettings {
    /// Adam: Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1.
    Adam(AdamSettings),
    /// AdamW: Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019, algorithm 2.
    #[serde(rename = "adamw")]
    AdamW(AdamWSettings),
    /// Adamax, Adam with the maximum norm: the paper of Adam, algorithm 2.
    Adamax(AdamaxSettings),
    /// Nadam, Adam with Nesterov momentum: Dozat, *Incorporating Nesterov momentum into Adam*,
    /// 2016, with the momentum schedule β₁ · (1 − 0.5 · 0.96^t).
    Nadam(NadamSettings),
    /// RMSprop: Hinton, *Neural networks for machine learning*, 2012, lecture 6e.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsPropSettings),
    /// Adagrad: Duchi et al., *Adaptive subgradient methods*, 2011, with diagonal matrices.
    Adagrad(AdagradSettings),
    /// Adadelta: Zeiler, *ADADELTA: an adaptive learning rate method*, 2012, algorithm 1.
    Adadelta(AdadeltaSettings),
    /// FTRL-proximal: McMahan et al., *Ad click prediction: a view from the trenches*, 2013,
    /// algorithm 1.
    Ftrl(FtrlSettings),
    /// Lion: Chen et al., *Symbolic discovery of optimization algorithms*, 2023, algorithm 2.
    Lion(LionSettings),
    /// Stochastic gradient descent, with classical or Nesterov momentum (Sutskever et al., *On the
    /// importance of initialization and momentum in deep learning*, 2013, equations 1 to 4).
    Sgd(SgdSettings),
}

/// Placement of ε in the step of Adam and AdamW.
///
/// With m and v as in the paper's algorithm 1, t the step and η the learning rate:
///
/// - Keras: η · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε), the paper's remark at the end of section 2;
/// - paper: η · m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
///
/// Keras's steps are smaller at first, where gradients are near ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpsilonPlacement {
    /// Added to √v, as Keras and TensorFlow do.
    #[default]
    Keras,
    /// Added to √v̂, as the paper and PyTorch do.
    Paper,
}

/// Hyperparameters of Adam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean gradient (first moment).
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub beta_1: f64,
    /// Decay rate of the mean squared gradient (second moment).
    #[serde(default = "defaults::beta_2", deserialize_with = "below_one")]
    pub beta_2: f64,
    /// ε, added to the denominator to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
    /// Placement of ε.
    #[serde(default)]
    pub epsilon_placement: EpsilonPlacement,
}

/// Hyperparameters of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean gradient (first moment).
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub beta_1: f64,
    /// Decay rate of the mean squared gradient (second moment).
    #[serde(default = "defaults::beta_2", deserialize_with = "below_one")]
    pub beta_2: f64,
    /// ε, added to the denominator to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
    /// Placement of ε.
    #[serde(default)]
    pub epsilon_placement: EpsilonPlacement,
    /// Weight decay: each step multiplies parameters by 1 − learning rate · weight decay.
    #[serde(default = "defaults::weight_decay", deserialize_with = "not_negative")]
    pub weight_decay: f64,
    /// Decays biases, and γ and β of batch normalization, too. With `false`, weights only, as with
    /// Keras's `exclude_from_weight_decay`.
    #[serde(default = "defaults::decay_biases")]
    pub decay_biases: bool,
}

/// Hyperparameters of Adamax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamaxSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean gradient (first moment).
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub beta_1: f64,
    /// Decay rate of the largest gradient.
    #[serde(default = "defaults::beta_2", deserialize_with = "below_one")]
    pub beta_2: f64,
    /// ε, added to the denominator to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
}

/// Hyperparameters of Nadam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NadamSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean gradient (first moment).
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub beta_1: f64,
    /// Decay rate of the mean squared gradient (second moment).
    #[serde(default = "defaults::beta_2", deserialize_with = "below_one")]
    pub beta_2: f64,
    /// ε, added to the denominator to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
}

/// Hyperparameters of RMSprop: w ← w − η · g / √(v + ε).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsPropSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean squared gradient (second moment).
    #[serde(default = "defaults::rho", deserialize_with = "below_one")]
    pub rho: f64,
    /// ε, added under the root to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
}

/// Hyperparameters of Adagrad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdagradSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Initial sum of squared gradients, Keras's `initial_accumulator_value`.
    #[serde(default = "defaults::initial_accumulator", deserialize_with = "not_negative")]
    pub initial_accumulator: f64,
    /// ε, added under the root to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
}

/// Hyperparameters of Adadelta.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdadeltaSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean squared gradients and steps.
    #[serde(default = "defaults::adadelta_rho", deserialize_with = "below_one")]
    pub rho: f64,
    /// ε, added under the root to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
}

/// Hyperparameters of FTRL-proximal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FtrlSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Initial sum of squared gradients, Keras's `initial_accumulator_value`.
    #[serde(default = "defaults::initial_accumulator", deserialize_with = "positive")]
    pub initial_accumulator: f64,
    /// L1 regularization: sets parameters of little use to zero.
    #[serde(default, deserialize_with = "not_negative")]
    pub l1: f64,
    /// L2 regularization.
    #[serde(default, deserialize_with = "not_negative")]
    pub l2: f64,
    /// β of the paper, added to the root of the sum of squared gradients.
    #[serde(default, deserialize_with = "not_negative")]
    pub beta: f64,
}

/// Hyperparameters of Lion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LionSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Weight of the mean gradient in the direction of a step.
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub beta_1: f64,
    /// Decay rate of the mean gradient.
    #[serde(default = "defaults::lion_beta_2", deserialize_with = "below_one")]
    pub beta_2: f64,
}

/// Hyperparameters of SGD.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdSettings {
    /// Learning rate before the schedule.
    #[serde(deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Momentum, the factor of the previous velocity.
    #[serde(default, deserialize_with = "below_one")]
    pub momentum: f64,
    /// Nesterov momentum if `true`, classical momentum otherwise.
    #[serde(default)]
    pub nesterov: bool,
}

mod defaults {
    pub fn learning_rate() -> f64 {
        1e-3
    }

    pub fn beta_1() -> f64 {
        0.9
    }

    pub fn beta_2() -> f64 {
        0.999
    }

    pub fn lion_beta_2() -> f64 {
        0.99
    }

    pub fn rho() -> f64 {
        0.9
    }

    pub fn adadelta_rho() -> f64 {
        0.95
    }

    pub fn epsilon() -> f64 {
        1e-7
    }

    pub fn decay_biases() -> bool {
        true
    }

    pub fn weight_decay() -> f64 {
        0.01
    }

    pub fn initial_accumulator() -> f64 {
        0.1
    }
}

impl OptimizerSettings {
    /// Returns the learning rate before the schedule.
    pub fn learning_rate(mut self) -> f64 {
        *self.learning_rate_mut()
    }

    /// Sets the learning rate before the schedule.
    pub fn set_learning_rate(&mut self, rate: f64) {
        *self.learning_rate_mut() = rate;
    }

    fn learning_rate_mut(&mut self) -> &mut f64 {
        match self {
            OptimizerSettings::Adam(adam) => &mut adam.learning_rate,
            OptimizerSettings::AdamW(adam) => &mut adam.learning_rate,
            OptimizerSettings::Adamax(adamax) => &mut adamax.learning_rate,
            OptimizerSettings::Nadam(nadam) => &mut nadam.learning_rate,
            OptimizerSettings::RmsProp(rmsprop) => &mut rmsprop.learning_rate,
            OptimizerSettings::Adagrad(adagrad) => &mut adagrad.learning_rate,
            OptimizerSettings::Adadelta(adadelta) => &mut adadelta.learning_rate,
            OptimizerSettings::Ftrl(ftrl) => &mut ftrl.learning_rate,
            OptimizerSettings::Lion(lion) => &mut lion.learning_rate,
            OptimizerSettings::Sgd(sgd) => &mut sgd.learning_rate,
        }
    }

    /// Returns the factor by which a step multiplies weights before its update, if it does not
    /// multiply all parameters alike.
    pub(in crate::train) fn decay_of_weights(&self, learning_rate: f64) -> Option<f64> {
        match self {
            OptimizerSettings::AdamW(adam) if !adam.decay_biases => {
                Some(1.0 - learning_rate * adam.weight_decay)
            }
            _ => None,
        }
    }

    /// Returns the settings without weight decay, for parameters that are no weights.
    pub(in crate::train) fn without_decay(mut self) -> Self {
        if let OptimizerSettings::AdamW(adam) = &mut self {
            adam.weight_decay = 0.0;
        }
        self
    }

    /// Returns the name that presets use.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerSettings::Adam(_) => "adam",
            OptimizerSettings::AdamW(_) => "adamw",
            OptimizerSettings::Adamax(_) => "adamax",
            OptimizerSettings::Nadam(_) => "nadam",
            OptimizerSettings::RmsProp(_) => "rmsprop",
            OptimizerSettings::Adagrad(_) => "adagrad",
            OptimizerSettings::Adadelta(_) => "adadelta",
            OptimizerSettings::Ftrl(_) => "ftrl",
            OptimizerSettings::Lion(_) => "lion",
            OptimizerSettings::Sgd(_) => "sgd",
        }
    }
}
