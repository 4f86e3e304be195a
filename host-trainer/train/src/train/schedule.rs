//! Learning-rate schedules: constant, cosine with and without restarts, step decay, one cycle,
//! warm-up.

use std::f64::consts::PI;

use serde::{Deserialize, Deserializer, Serialize};

use thimble_numeric::validators::{at_least_one, fraction, positive, proper_fraction};

/// Learning-rate schedule.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Constant learning rate.
    #[default]
    Constant,
    /// Cosine annealing to zero: Loshchilov and Hutter, *SGDR*, 2017, equation 5, without restarts.
    Cosine,
    /// Cosine annealing with warm restarts: the same paper, as Keras's `CosineDecayRestarts`.
    CosineRestarts(RestartSettings),
    /// Step decay: multiplied by a factor every few epochs.
    Step(StepSettings),
    /// One-cycle policy, with cosine annealing up to the full rate and down again: Smith and Topin,
    /// *Super-convergence*, 2018, as PyTorch's `OneCycleLR`.
    OneCycle(OneCycleSettings),
}

/// Parameters of cosine annealing with warm restarts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartSettings {
    /// Epochs until the first restart.
    #[serde(deserialize_with = "at_least_one")]
    pub first_epochs: usize,
    /// Factor of the length of each further period.
    #[serde(default = "twice", deserialize_with = "at_least_one_times")]
    pub t_mul: f64,
    /// Factor of the initial rate of each further period.
    #[serde(default = "once", deserialize_with = "positive")]
    pub m_mul: f64,
    /// Final rate of each period as a share of the full rate.
    #[serde(default, deserialize_with = "fraction")]
    pub alpha: f64,
}

fn twice() -> f64 {
    2.0
}

fn once() -> f64 {
    1.0
}

/// Deserializes a number from 1 to 100.
fn at_least_one_times<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    match (1.0..=100.0).contains(&value) {
        true => Ok(value),
        false => Err(serde::de::Error::custom(format!("must be from 1 to 100, but is {value}"))),
    }
}

/// Parameters of step decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSettings {
    /// Epochs between two steps.
    #[serde(deserialize_with = "at_least_one")]
    pub epochs: usize,
    /// Factor of each step.
    #[serde(deserialize_with = "positive")]
    pub factor: f64,
}

/// Parameters of the one-cycle policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneCycleSettings {
    /// Share of the steps until the full rate.
    #[serde(default = "peak", deserialize_with = "proper_fraction")]
    pub peak: f64,
    /// Initial learning rate as a share of the full rate.
    #[serde(default = "start", deserialize_with = "fraction")]
    pub start: f64,
    /// Final learning rate as a share of the full rate.
    #[serde(default = "end", deserialize_with = "fraction")]
    pub end: f64,
}

fn peak() -> f64 {
    0.3
}

fn start() -> f64 {
    1.0 / 25.0
}

fn end() -> f64 {
    1.0 / 250_000.0
}

impl Schedule {
    /// Returns the factor of the learning rate at step `step` of `steps`, counted from 0.
    pub fn factor(self, step: usize, steps: usize, steps_per_epoch: usize) -> f64 {
        let part = step as f64 / steps.max(1) as f64;
        /// Cosine annealing from `from` to `to`, as `part` goes from 0 to 1.
        fn cosine(from: f64, to: f64, part: f64) -> f64 {
            to + (from - to) * 0.5 * (1.0 + (PI * part).cos())
        }
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => cosine(1.0, 0.0, part),
            Schedule::CosineRestarts(settings) => {
                let RestartSettings { first_epochs, t_mul, m_mul, alpha } = settings;
                let mut length = (first_epochs * steps_per_epoch.max(1)) as f64;
                let (mut step, mut peak) = (step as f64, 1.0);
                if t_mul == 1.0 {
                    let periods = (step / length).floor();
                    (step, peak) = (step - periods * length, m_mul.powf(periods));
                }
                while step >= length {
                    step -= length;
                    length *= t_mul;
                    peak *= m_mul;
                }
                cosine(peak, alpha * peak, step / length)
            }
            Schedule::Step(settings) => {
                let falls = step / steps_per_epoch.max(1) / settings.epochs;
                settings.factor.powi(falls.try_into().unwrap_or(i32::MAX))
            }
            Schedule::OneCycle(OneCycleSettings { peak, start, end }) => match part < peak {
                true => cosine(start, 1.0, part / peak),
                false => cosine(1.0, end, (part - peak) / (1.0 - peak)),
            },
        }
    }
}

/// Returns the factor of the learning rate during linear warm-up over `steps` steps (Goyal et al.,
/// *Accurate, large minibatch SGD*, 2017, section 2.2).
pub(super) fn warm_up(step: usize, steps: usize) -> f64 {
    ((step + 1) as f64 / steps.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_falls_from_one_to_almost_zero() {
        assert_eq!(Schedule::Cosine.factor(0, 100, 10), 1.0);
        assert!((Schedule::Cosine.factor(50, 100, 10) - 0.5).abs() < 1e-15);
        let last = Schedule::Cosine.factor(99, 100, 10);
        assert!(last > 0.0 && last < 1e-3);
        assert_eq!(Schedule::Constant.factor(99, 100, 10), 1.0);
    }

    #[test]
    fn restarts_begin_anew_with_longer_periods() {
        let settings = RestartSettings { first_epochs: 2, t_mul: 2.0, m_mul: 0.5, alpha: 0.1 };
        let schedule = Schedule::CosineRestarts(settings);
        // Periods of 20, 40 and 80 steps. Half way: the mean of peak and floor.
        for (step, expected) in
            [(0, 1.0), (10, 0.55), (20, 0.5), (40, 0.275), (60, 0.25), (100, 0.1375)]
        {
            let factor = schedule.factor(step, 1000, 10);
            assert!((factor - expected).abs() < 1e-15, "{step}: {factor}");
        }
        let even = RestartSettings { t_mul: 1.0, m_mul: 1.0, ..settings };
        let even = Schedule::CosineRestarts(even);
        assert_eq!(even.factor(7, 1000, 10), even.factor(20 * 37 + 7, 1000, 10));
        assert!(even.factor(usize::MAX / 2, usize::MAX, 10).is_finite());
    }

    #[test]
    fn steps_fall_between_epochs() {
        let step = Schedule::Step(StepSettings { epochs: 2, factor: 0.5 });
        let factors = [0, 19, 20, 39, 40].map(|at| step.factor(at, 100, 10));
        assert_eq!(factors, [1.0, 1.0, 0.5, 0.5, 0.25]);
    }

    #[test]
    fn one_cycle_rises_to_one_and_falls() {
        let settings = OneCycleSettings { peak: 0.3, start: 0.04, end: 0.001 };
        let cycle = Schedule::OneCycle(settings);
        let factors = [0, 15, 30, 65].map(|at| cycle.factor(at, 100, 10));
        for (factor, expected) in factors.iter().zip([0.04, 0.52, 1.0, 0.5005]) {
            assert!((factor - expected).abs() < 1e-12, "{factors:?}");
        }
        assert!(cycle.factor(99, 100, 10) < 0.002);
    }

    #[test]
    fn warming_up_ends_at_one() {
        assert_eq!([0, 1, 3, 4].map(|at| warm_up(at, 4)), [0.25, 0.5, 1.0, 1.0]);
        assert_eq!(warm_up(0, 0), 1.0);
    }
}
