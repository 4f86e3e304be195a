//! Optimizers: Adam, AdamW, RMSprop, and SGD with momentum.

use serde::{Deserialize, Serialize};

use crate::network::Real;
use crate::validators::{below_one, not_negative, positive};

/// Optimizer settings of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSettings {
    /// Adam: Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1.
    Adam(AdamSettings),
    /// AdamW: Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019, algorithm 2.
    #[serde(rename = "adamw")]
    AdamW(AdamWSettings),
    /// RMSprop: Hinton, *Neural networks for machine learning*, 2012, lecture 6e.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsPropSettings),
    /// Stochastic gradient descent, with classical or Nesterov momentum (Sutskever et al., *On the
    /// importance of initialization and momentum in deep learning*, 2013, equations 1 to 4).
    Sgd(SgdSettings),
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
    /// Weight decay: each step multiplies parameters by 1 − learning rate · weight decay.
    #[serde(default = "defaults::weight_decay", deserialize_with = "not_negative")]
    pub weight_decay: f64,
}

/// Hyperparameters of RMSprop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsPropSettings {
    /// Learning rate before the schedule.
    #[serde(default = "defaults::learning_rate", deserialize_with = "positive")]
    pub learning_rate: f64,
    /// Decay rate of the mean squared gradient (second moment).
    #[serde(default = "defaults::beta_1", deserialize_with = "below_one")]
    pub rho: f64,
    /// ε, added to the denominator to keep the division finite.
    #[serde(default = "defaults::epsilon", deserialize_with = "positive")]
    pub epsilon: f64,
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

    pub fn epsilon() -> f64 {
        1e-7
    }

    pub fn weight_decay() -> f64 {
        0.01
    }
}

impl OptimizerSettings {
    /// Returns the learning rate before the schedule.
    pub fn learning_rate(&self) -> f64 {
        match self {
            OptimizerSettings::Adam(adam) => adam.learning_rate,
            OptimizerSettings::AdamW(adam) => adam.learning_rate,
            OptimizerSettings::RmsProp(rmsprop) => rmsprop.learning_rate,
            OptimizerSettings::Sgd(sgd) => sgd.learning_rate,
        }
    }

    /// Returns the name that presets use.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerSettings::Adam(_) => "adam",
            OptimizerSettings::AdamW(_) => "adamw",
            OptimizerSettings::RmsProp(_) => "rmsprop",
            OptimizerSettings::Sgd(_) => "sgd",
        }
    }
}

/// An optimizer with its state.
#[derive(Clone, Debug)]
pub struct Optimizer<T> {
    settings: OptimizerSettings,
    /// First moments of Adam, or velocities of SGD. One per parameter, or empty.
    first: Vec<T>,
    /// Second moments. One per parameter, or empty.
    second: Vec<T>,
    steps: i32,
}

/// A range of the parameters with their optimizer state.
pub(super) struct Piece<'a, T> {
    /// Index of the first one among all parameters.
    pub offset: usize,
    /// The parameters.
    pub parameters: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
}

impl<'a, T> Piece<'a, T> {
    /// Splits the range at this index, which is at most its length.
    pub fn split_at(self, middle: usize) -> (Piece<'a, T>, Piece<'a, T>) {
        let (parameters, parameters_right) = self.parameters.split_at_mut(middle);
        let (first, first_right) = self.first.split_at_mut(middle.min(self.first.len()));
        let (second, second_right) = self.second.split_at_mut(middle.min(self.second.len()));
        let left = Piece { offset: self.offset, parameters, first, second };
        let right = Piece {
            offset: self.offset + middle,
            parameters: parameters_right,
            first: first_right,
            second: second_right,
        };
        (left, right)
    }
}

/// Update rule of one step.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepRule<T> {
    Adam { rate: T, beta_1: T, beta_2: T, unbias_1: T, unbias_2: T, epsilon: T, keep: T },
    RmsProp { rate: T, rho: T, epsilon: T },
    Sgd { rate: T },
    Momentum { rate: T, momentum: T },
    Nesterov { rate: T, momentum: T },
}

impl<T: Real> Optimizer<T> {
    /// Creates an optimizer for this number of parameters, at step 0.
    pub fn new(settings: OptimizerSettings, parameters: usize) -> Self {
        let (first, second) = match settings {
            OptimizerSettings::Adam(_) | OptimizerSettings::AdamW(_) => (parameters, parameters),
            OptimizerSettings::RmsProp(_) => (0, parameters),
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 => (parameters, 0),
            OptimizerSettings::Sgd(_) => (0, 0),
        };
        Optimizer {
            settings,
            first: vec![T::zero(); first],
            second: vec![T::zero(); second],
            steps: 0,
        }
    }

    /// Begins the next step. Returns the update rule and the parameters to apply it to.
    pub(super) fn begin_step<'a>(
        &'a mut self,
        parameters: &'a mut [T],
        learning_rate: f64,
    ) -> (StepRule<T>, Piece<'a, T>) {
        self.steps = self.steps.saturating_add(1);
        let rate = T::from_f64(learning_rate);
        let steps = self.steps;
        let adam = |beta_1: f64, beta_2: f64, epsilon, weight_decay: f64| StepRule::Adam {
            rate,
            beta_1: T::from_f64(beta_1),
            beta_2: T::from_f64(beta_2),
            unbias_1: T::from_f64(1.0 / (1.0 - beta_1.powi(steps))),
            unbias_2: T::from_f64(1.0 / (1.0 - beta_2.powi(steps))),
            epsilon: T::from_f64(epsilon),
            keep: T::from_f64(1.0 - learning_rate * weight_decay),
        };
        let rule = match self.settings {
            OptimizerSettings::Adam(AdamSettings { beta_1, beta_2, epsilon, .. }) => {
                adam(beta_1, beta_2, epsilon, 0.0)
            }
            OptimizerSettings::AdamW(AdamWSettings {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                ..
            }) => adam(beta_1, beta_2, epsilon, weight_decay),
            OptimizerSettings::RmsProp(RmsPropSettings { rho, epsilon, .. }) => {
                StepRule::RmsProp { rate, rho: T::from_f64(rho), epsilon: T::from_f64(epsilon) }
            }
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 && sgd.nesterov => {
                StepRule::Nesterov { rate, momentum: T::from_f64(sgd.momentum) }
            }
            OptimizerSettings::Sgd(sgd) if sgd.momentum > 0.0 => {
                StepRule::Momentum { rate, momentum: T::from_f64(sgd.momentum) }
            }
            OptimizerSettings::Sgd(_) => StepRule::Sgd { rate },
        };
        let Optimizer { first, second, .. } = self;
        (rule, Piece { offset: 0, parameters, first, second })
    }

    /// Returns the state: first moments or velocities, second moments, number of steps.
    pub fn memory(&self) -> (&[T], &[T], i32) {
        (&self.first, &self.second, self.steps)
    }

    /// Restores a saved state. Returns `false` and changes nothing if the lengths do not match.
    pub fn load_state(&mut self, first: &[T], second: &[T], steps: i32) -> bool {
        let fits = first.len() == self.first.len() && second.len() == self.second.len();
        if fits {
            self.first.copy_from_slice(first);
            self.second.copy_from_slice(second);
            self.steps = steps;
        }
        fits
    }
}

impl<T: Real> StepRule<T> {
    /// Updates the parameters from index `from` on, one per gradient.
    #[inline(always)]
    pub fn apply(self, piece: &mut Piece<'_, T>, from: usize, gradients: &[T]) {
        let range = from..from + gradients.len();
        let parameters = &mut piece.parameters[range.clone()];
        match self {
            StepRule::Adam { rate, beta_1, beta_2, unbias_1, unbias_2, epsilon, keep } => {
                let means = piece.first[range.clone()].iter_mut().zip(&mut piece.second[range]);
                for ((parameter, &g), (mean, square)) in
                    parameters.iter_mut().zip(gradients).zip(means)
                {
                    *mean = beta_1 * *mean + (T::one() - beta_1) * g;
                    *square = beta_2 * *square + (T::one() - beta_2) * g * g;
                    let step = *mean * unbias_1 / ((*square * unbias_2).sqrt() + epsilon);
                    *parameter = *parameter * keep - rate * step;
                }
            }
            StepRule::RmsProp { rate, rho, epsilon } => {
                let squares = &mut piece.second[range];
                for ((parameter, &g), square) in parameters.iter_mut().zip(gradients).zip(squares) {
                    *square = rho * *square + (T::one() - rho) * g * g;
                    *parameter -= rate * g / (square.sqrt() + epsilon);
                }
            }
            StepRule::Sgd { rate } => {
                for (parameter, &g) in parameters.iter_mut().zip(gradients) {
                    *parameter -= rate * g;
                }
            }
            StepRule::Momentum { rate, momentum } => {
                let velocities = &mut piece.first[range];
                for ((parameter, &g), velocity) in
                    parameters.iter_mut().zip(gradients).zip(velocities)
                {
                    *velocity = momentum * *velocity - rate * g;
                    *parameter += *velocity;
                }
            }
            StepRule::Nesterov { rate, momentum } => {
                let velocities = &mut piece.first[range];
                for ((parameter, &g), velocity) in
                    parameters.iter_mut().zip(gradients).zip(velocities)
                {
                    *velocity = momentum * *velocity - rate * g;
                    *parameter += momentum * *velocity - rate * g;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameter after each of these gradients.
    fn follow(settings: OptimizerSettings, gradients: &[f64]) -> Vec<f64> {
        let (mut parameter, mut optimizer) = ([1.0], Optimizer::new(settings, 1));
        let step = |&gradient: &f64| {
            let rate = settings.learning_rate();
            let (rule, mut piece) = optimizer.begin_step(&mut parameter, rate);
            rule.apply(&mut piece, 0, &[gradient]);
            parameter[0]
        };
        gradients.iter().map(step).collect()
    }

    #[test]
    fn adam_by_hand() {
        let adam = AdamSettings { learning_rate: 0.1, beta_1: 0.5, beta_2: 0.75, epsilon: 1e-8 };
        // Step 1: m = 1, v = 1, unbiased 2 and 4: 2 / √4 = 1.
        // Step 2: m = 0.5 − 2 = −1.5, v = 0.75 + 4 = 4.75; unbiased −1.5 / 0.75 = −2 and
        // 4.75 / 0.4375.
        let reached = follow(OptimizerSettings::Adam(adam), &[2.0, -4.0]);
        let second = -2.0 / (4.75_f64 / 0.4375).sqrt();
        assert!((reached[0] - 0.9).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - (0.9 - 0.1 * second)).abs() < 1e-8, "{reached:?}");

        let decayed = AdamWSettings {
            learning_rate: 0.1,
            beta_1: 0.5,
            beta_2: 0.75,
            epsilon: 1e-8,
            weight_decay: 0.5,
        };
        let reached = follow(OptimizerSettings::AdamW(decayed), &[2.0]);
        assert!((reached[0] - (1.0 - 0.1 * 0.5 - 0.1)).abs() < 1e-8, "{reached:?}");
    }

    #[test]
    fn descent_by_hand() {
        let sgd = |momentum, nesterov| {
            OptimizerSettings::Sgd(SgdSettings { learning_rate: 0.25, momentum, nesterov })
        };
        assert_eq!(follow(sgd(0.0, false), &[1.0, 2.0]), [0.75, 0.25]);
        // Velocities −0.25, then −0.125 − 0.5.
        assert_eq!(follow(sgd(0.5, false), &[1.0, 2.0]), [0.75, 0.125]);
        // The same velocities v; steps 0.5 · v − 0.25 · g: −0.125 − 0.25, then −0.3125 − 0.5.
        assert_eq!(follow(sgd(0.5, true), &[1.0, 2.0]), [0.625, -0.1875]);
    }

    #[test]
    fn rmsprop_by_hand() {
        let settings = RmsPropSettings { learning_rate: 0.1, rho: 0.75, epsilon: 1e-8 };
        // Mean squares 1, then 0.75 + 4: steps 0.1 · 2 / 1 and −0.1 · 4 / √4.75.
        let reached = follow(OptimizerSettings::RmsProp(settings), &[2.0, -4.0]);
        assert!((reached[0] - 0.8).abs() < 1e-8, "{reached:?}");
        assert!((reached[1] - (0.8 + 0.4 / 4.75_f64.sqrt())).abs() < 1e-8, "{reached:?}");
    }

    #[test]
    fn pieces_cover_all_parameters() {
        for settings in [
            OptimizerSettings::Sgd(SgdSettings {
                learning_rate: 1.0,
                momentum: 0.0,
                nesterov: false,
            }),
            OptimizerSettings::Sgd(SgdSettings {
                learning_rate: 1.0,
                momentum: 0.9,
                nesterov: false,
            }),
        ] {
            let (mut parameters, mut optimizer) = ([0.0_f32; 5], Optimizer::new(settings, 5));
            let (rule, whole) = optimizer.begin_step(&mut parameters, 1.0);
            let (mut left, mut right) = whole.split_at(2);
            assert_eq!((left.offset, right.offset), (0, 2));
            rule.apply(&mut left, 0, &[1.0, 2.0]);
            rule.apply(&mut right, 1, &[4.0, 5.0]);
            rule.apply(&mut right, 0, &[3.0]);
            assert_eq!(parameters, [-1.0, -2.0, -3.0, -4.0, -5.0]);
        }
    }
}
