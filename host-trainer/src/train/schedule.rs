//! How the learning rate changes while training goes on.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// Down to zero along half a cosine: Loshchilov and Hutter, *SGDR*, 2017, equation 5, without
    /// restarts.
    Cosine,
}

impl Schedule {
    /// What the learning rate is multiplied by for step `step` of `steps`, counted from 0.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (PI * step as f64 / steps.max(1) as f64).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_falls_from_one_to_almost_zero() {
        assert_eq!(Schedule::Cosine.factor(0, 100), 1.0);
        assert!((Schedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-15);
        let last = Schedule::Cosine.factor(99, 100);
        assert!(last > 0.0 && last < 1e-3);
        assert_eq!(Schedule::Constant.factor(99, 100), 1.0);
    }
}
