//! Weights to begin with.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Real;

/// How the weights of a layer begin.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Uniform within ±√(6 / (inputs + outputs)): Glorot and Bengio, *Understanding the difficulty
    /// of training deep feedforward neural networks*, 2010, equation 16.
    #[default]
    XavierUniform,
    /// Uniform within ±√(6 / inputs): He et al., *Delving deep into rectifiers*, 2015, equation 10.
    HeUniform,
    /// All zero.
    Zeros,
}

impl Initializer {
    /// Fills the weights of a layer, in order.
    pub(super) fn fill<T: Real>(
        self,
        weights: &mut [T],
        inputs: usize,
        outputs: usize,
        generator: &mut ChaCha8Rng,
    ) {
        let limit = match self {
            Initializer::XavierUniform => (6.0 / (inputs + outputs) as f64).sqrt(),
            Initializer::HeUniform => (6.0 / inputs as f64).sqrt(),
            Initializer::Zeros => {
                weights.fill(T::zero());
                return;
            }
        };
        for weight in weights {
            // 24 bits: the same numbers for every type, each exact in an f32.
            let unit = f64::from(generator.random::<u32>() >> 8) / f64::from(1 << 24);
            *weight = T::from_f64((2.0 * unit - 1.0) * limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, stream};

    #[test]
    fn uniform_weights_fill_their_range_and_no_more() {
        let mut weights = vec![0.0_f64; 10_000];
        for (initializer, limit) in [
            (Initializer::XavierUniform, (6.0_f64 / 300.0).sqrt()),
            (Initializer::HeUniform, (6.0_f64 / 100.0).sqrt()),
        ] {
            initializer.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
            let most = weights.iter().fold(0.0_f64, |most, w| most.max(w.abs()));
            assert!(most <= limit && most > 0.999 * limit);
            let mean = weights.iter().sum::<f64>() / 1e4;
            // Four standard errors of the mean of a uniform distribution.
            assert!(mean.abs() < 4.0 * limit / 3_f64.sqrt() / 100.0, "{mean}");
        }
        Initializer::Zeros.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
        assert!(weights.iter().all(|&w| w == 0.0));
    }
}
