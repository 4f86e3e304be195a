//! Training callbacks: early stopping and learning-rate reduction on a plateau.

use serde::{Deserialize, Serialize};
use thimble_numeric::validators::{at_least_one, not_negative, proper_fraction};

use super::EpochRecord;

/// Monitored metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Loss of the validation split, with weight penalties as in Keras.
    #[default]
    #[serde(rename = "val_loss")]
    ValidationLoss,
    /// Loss of the validation split without weight penalties.
    #[serde(rename = "val_data_loss")]
    ValidationDataLoss,
    /// Accuracy of the validation split.
    #[serde(rename = "val_accuracy")]
    ValidationAccuracy,
    /// Mean absolute error of the validation split.
    #[serde(rename = "val_mean_absolute_error")]
    ValidationError,
    /// Loss of the training split, with weight penalties.
    Loss,
    /// Loss of the training split without weight penalties.
    DataLoss,
    /// Accuracy of the training split.
    Accuracy,
    /// Mean absolute error of the training split.
    #[serde(rename = "mean_absolute_error")]
    Error,
}

impl Monitor {
    /// Returns the metric as a cost, where lower is better. NaN if it was not measured.
    fn cost(self, record: &EpochRecord) -> f64 {
        let Some(score) = (match self.needs_validation() {
            true => record.validation.as_ref(),
            false => Some(&record.train),
        }) else {
            return f64::NAN;
        };
        match self {
            Monitor::ValidationLoss | Monitor::Loss => score.loss(),
            Monitor::ValidationDataLoss | Monitor::DataLoss => score.data_loss(),
            Monitor::ValidationAccuracy | Monitor::Accuracy => -score.accuracy(),
            Monitor::ValidationError | Monitor::Error => {
                score.mean_absolute_error().unwrap_or(f64::NAN)
            }
        }
    }

    /// Returns `true` if the metric needs a validation split.
    pub fn needs_validation(self) -> bool {
        match self {
            Monitor::ValidationLoss
            | Monitor::ValidationDataLoss
            | Monitor::ValidationAccuracy
            | Monitor::ValidationError => true,
            Monitor::Loss | Monitor::DataLoss | Monitor::Accuracy | Monitor::Error => false,
        }
    }

    /// Returns `true` if classification has the metric, for classes, or if regression has it.
    pub fn exists_for(self, classes: bool) -> bool {
        match self {
            Monitor::ValidationAccuracy | Monitor::Accuracy => classes,
            Monitor::ValidationError | Monitor::Error => !classes,
            _ => true,
        }
    }
}

/// Early stopping, as Keras's `EarlyStopping`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without improvement after which training ends.
    #[serde(deserialize_with = "at_least_one")]
    pub patience: usize,
    /// Monitored metric.
    #[serde(default)]
    pub monitor: Monitor,
    /// Smallest change of the metric that counts as an improvement.
    #[serde(default, deserialize_with = "not_negative")]
    pub min_delta: f64,
    /// Returns the weights of the best epoch if `true`, of the last epoch otherwise.
    #[serde(default = "yes")]
    pub restore_best_weights: bool,
}

/// Learning-rate reduction, as Keras's `ReduceLROnPlateau`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// Epochs without improvement after which the learning rate is reduced.
    #[serde(deserialize_with = "at_least_one")]
    pub patience: usize,
    /// Factor of each reduction.
    #[serde(deserialize_with = "proper_fraction")]
    pub factor: f64,
    /// Monitored metric.
    #[serde(default)]
    pub monitor: Monitor,
    /// Smallest change of the metric that counts as an improvement.
    #[serde(default = "small", deserialize_with = "not_negative")]
    pub min_delta: f64,
    /// Lower bound of the learning rate.
    #[serde(default, deserialize_with = "not_negative")]
    pub min_lr: f64,
}

fn yes() -> bool {
    true
}

fn small() -> f64 {
    1e-4
}

/// Best value of a monitored metric, and its age.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Lowest cost so far.
    pub cost: f64,
    /// Epochs since then.
    pub waited: usize,
}

impl Default for Best {
    fn default() -> Self {
        Best { cost: f64::INFINITY, waited: 0 }
    }
}

impl Best {
    /// Records an epoch. Returns `true` if it is the best so far.
    fn see(&mut self, cost: f64, min_delta: f64) -> bool {
        let better = cost < self.cost - min_delta;
        match better {
            true => *self = Best { cost, waited: 0 },
            false => self.waited += 1,
        }
        better
    }
}

impl EarlyStopping {
    /// Records an epoch. Returns `true` if it is the best so far.
    pub(super) fn judge(&self, best: &mut Best, record: &EpochRecord) -> bool {
        best.see(self.monitor.cost(record), self.min_delta)
    }

    /// Returns `true` if training stops here.
    pub(super) fn is_over(&self, best: &Best) -> bool {
        best.waited >= self.patience
    }
}

impl Plateau {
    /// Returns the factor of the learning rate for the next epoch, given that of this epoch.
    ///
    /// `learning_rate` is the optimizer's setting.
    pub(super) fn next_share(
        &self,
        best: &mut Best,
        share: f64,
        record: &EpochRecord,
        learning_rate: f64,
    ) -> f64 {
        best.see(self.monitor.cost(record), self.min_delta);
        match best.waited >= self.patience {
            true => {
                best.waited = 0;
                (share * self.factor).max((self.min_lr / learning_rate).min(share))
            }
            false => share,
        }
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::BatchScore;

    use super::*;

    fn record(loss: f64) -> EpochRecord {
        let score = |loss_sum| BatchScore { loss_sum, rows: 1, ..BatchScore::default() };
        EpochRecord {
            epoch: 1,
            learning_rate: 1.0,
            train: score(0.0),
            validation: Some(score(loss)),
            seconds: 0.0,
        }
    }

    #[test]
    fn patience_counts_epochs_since_the_best() {
        let stopping = EarlyStopping {
            patience: 2,
            monitor: Monitor::ValidationLoss,
            min_delta: 0.1,
            restore_best_weights: true,
        };
        let mut best = Best::default();
        let seen = [3.0, 2.0, 1.95, 1.0, f64::NAN, 1.0].map(|loss| {
            let is_best = stopping.judge(&mut best, &record(loss));
            (is_best, stopping.is_over(&best))
        });
        let (yes, wait, stop) = ((true, false), (false, false), (false, true));
        assert_eq!(seen, [yes, yes, wait, yes, wait, stop]);
    }

    #[test]
    fn a_plateau_lowers_the_rate_down_to_its_floor() {
        let plateau = Plateau {
            patience: 2,
            factor: 0.5,
            monitor: Monitor::ValidationLoss,
            min_delta: 0.0,
            min_lr: 0.02,
        };
        let (mut best, mut share) = (Best::default(), 1.0);
        let shares: Vec<f64> = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
            .into_iter()
            .map(|loss| {
                share = plateau.next_share(&mut best, share, &record(loss), 0.1);
                share
            })
            .collect();
        assert_eq!(shares, [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.02 / 0.1, 0.02 / 0.1]);
    }
}
