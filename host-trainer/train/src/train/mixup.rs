//! Mixup: Zhang et al., *mixup: beyond empirical risk minimization*, 2018.

use serde::{Deserialize, Deserializer, Serialize};
use thimble_support::random::{SplitMix, mix};

/// Mixup settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixup {
    /// Parameter of the beta distribution from which the share of the second row is drawn. Small
    /// values leave most rows nearly as they are.
    #[serde(deserialize_with = "alpha")]
    pub alpha: f64,
}

/// Deserializes a number in (0, 2].
fn alpha<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    match value > 0.0 && value <= 2.0 {
        true => Ok(value),
        false => {
            Err(serde::de::Error::custom(format!("must be above 0 and at most 2, but is {value}")))
        }
    }
}

impl Mixup {
    /// Returns the share of the other row in the mixture of a row of an epoch, from 0 to 1/2. The
    /// larger share is the row's own: as each pair of rows is mixed in one order as in the other, the
    /// mixtures are the same.
    pub(super) fn other_share(self, seed: u64, epoch: usize, position: u32) -> f32 {
        let place = (epoch as u64) << 32 | u64::from(position);
        let mut random = SplitMix::new(seed ^ mix(place ^ 0x3c6e_f372_fe94_f82b));
        let share = beta(self.alpha, || f64::from(random.unit())) as f32;
        share.min(1.0 - share)
    }
}

/// Draws from the beta distribution with both parameters `alpha`: Jöhnk, *Erzeugung von
/// betaverteilten und gammaverteilten Zufallszahlen*, 1964.
fn beta(alpha: f64, mut unit: impl FnMut() -> f64) -> f64 {
    loop {
        let (x, y) = (unit().powf(1.0 / alpha), unit().powf(1.0 / alpha));
        let sum = x + y;
        if sum > 0.0 && sum <= 1.0 {
            return x / sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.2, 1.0, 2.0] {
            let mut random = SplitMix::new(5);
            let count = 20_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..count {
                let off = beta(alpha, || f64::from(random.unit())) - 0.5;
                sum += off;
                squares += off * off;
            }
            // Variance 1 / (4 · (2α + 1)). Five deviations of the mean are below 0.018; the
            // variance's are smaller.
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((sum / f64::from(count)).abs() < 0.018, "{alpha}");
            assert!((squares / f64::from(count) - variance).abs() < 0.018, "{alpha}");
        }
    }

    #[test]
    fn the_own_share_is_the_larger_one_and_depends_on_all() {
        let mixup = Mixup { alpha: 1.0 };
        for position in 0..1000 {
            assert!((0.0..=0.5).contains(&mixup.other_share(1, 1, position)));
        }
        let share = mixup.other_share(1, 1, 1);
        let others = [(2, 1, 1), (1, 2, 1), (1, 1, 2)];
        assert!(others.iter().all(|&(s, e, p)| mixup.other_share(s, e, p) != share));
        assert_eq!(share, mixup.other_share(1, 1, 1));
    }
}
