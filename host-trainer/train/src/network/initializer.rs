//! Weight initializers: Xavier (Glorot), He, uniform, zeros.

use std::f64::consts::TAU;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Real;

/// Initial distribution of a layer's weights or biases.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Uniform in ±√(6 / (inputs + outputs)): Glorot and Bengio, *Understanding the difficulty of
    /// training deep feedforward neural networks*, 2010, equation 16.
    #[default]
    XavierUniform,
    /// Normal with variance 2 / (inputs + outputs), equation 12 of the same paper.
    XavierNormal,
    /// Uniform in ±√(6 / inputs): He et al., *Delving deep into rectifiers*, 2015, equation 10.
    HeUniform,
    /// Normal with variance 2 / inputs, equation 10 of the same paper.
    HeNormal,
    /// Uniform in \[first, second).
    #[serde(deserialize_with = "ordered")]
    Uniform(f64, f64),
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
        let (low, high) = match self {
            Initializer::XavierUniform => symmetric((6.0 / (inputs + outputs) as f64).sqrt()),
            Initializer::HeUniform => symmetric((6.0 / inputs as f64).sqrt()),
            Initializer::Uniform(low, high) => (low, high),
            Initializer::XavierNormal => {
                return normal(weights, (2.0 / (inputs + outputs) as f64).sqrt(), generator);
            }
            Initializer::HeNormal => {
                return normal(weights, (2.0 / inputs as f64).sqrt(), generator);
            }
            Initializer::Zeros => {
                weights.fill(T::zero());
                return;
            }
        };
        for weight in weights {
            // Middle and radius, so that a symmetric range is sampled exactly symmetrically.
            let (middle, radius) = (0.5 * (low + high), 0.5 * (high - low));
            *weight = T::from_f64(middle + (2.0 * unit(generator) - 1.0) * radius);
        }
    }
}

fn symmetric(limit: f64) -> (f64, f64) {
    (-limit, limit)
}

/// Returns a uniform number in \[0, 1) of 24 bits, which is exact in an `f32` and the same for
/// every type.
fn unit(generator: &mut ChaCha8Rng) -> f64 {
    f64::from(generator.random::<u32>() >> 8) / f64::from(1 << 24)
}

/// Fills `weights` with normal numbers of mean 0 by the Box–Muller transform.
fn normal<T: Real>(weights: &mut [T], deviation: f64, generator: &mut ChaCha8Rng) {
    for pair in weights.chunks_mut(2) {
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - unit(generator)).ln()).sqrt() * deviation;
        let (sine, cosine) = (TAU * unit(generator)).sin_cos();
        pair.iter_mut().zip([cosine, sine]).for_each(|(w, turn)| *w = T::from_f64(radius * turn));
    }
}

fn ordered<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(f64, f64), D::Error> {
    let (low, high) = <(f64, f64)>::deserialize(deserializer)?;
    match low < high && low.is_finite() && high.is_finite() {
        true => Ok((low, high)),
        false => Err(serde::de::Error::custom(format!(
            "must be two numbers, the lower first, but is [{low}, {high}]"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thimble_support::random::{Stream, stream};

    #[test]
    fn uniform_weights_fill_their_range_and_no_more() {
        let mut weights = vec![0.0_f64; 10_000];
        for (initializer, low, high) in [
            (Initializer::XavierUniform, -(6.0_f64 / 300.0).sqrt(), (6.0_f64 / 300.0).sqrt()),
            (Initializer::HeUniform, -(6.0_f64 / 100.0).sqrt(), (6.0_f64 / 100.0).sqrt()),
            (Initializer::Uniform(0.0, 0.1), 0.0, 0.1),
        ] {
            initializer.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
            let (middle, radius) = ((low + high) / 2.0, (high - low) / 2.0);
            let most = weights.iter().fold(0.0_f64, |most, w| most.max((w - middle).abs()));
            assert!(most <= radius && most > 0.999 * radius);
            let mean = weights.iter().sum::<f64>() / 1e4;
            // Four standard errors of the mean of a uniform distribution.
            assert!((mean - middle).abs() < 4.0 * radius / 3_f64.sqrt() / 100.0, "{mean}");
        }
        Initializer::Zeros.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
        assert!(weights.iter().all(|&w| w == 0.0));
    }

    #[test]
    fn normal_weights_have_their_variance() {
        let mut weights = vec![0.0_f64; 10_001];
        for (initializer, variance) in
            [(Initializer::XavierNormal, 2.0 / 300.0), (Initializer::HeNormal, 2.0 / 100.0)]
        {
            initializer.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
            let count = weights.len() as f64;
            let mean = weights.iter().sum::<f64>() / count;
            let found = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / count;
            assert!(mean.abs() < 4.0 * (variance / count).sqrt(), "{mean}");
            // Four standard errors of the variance of a normal distribution.
            assert!((found / variance - 1.0).abs() < 4.0 * (2.0 / count).sqrt(), "{found}");
            let within = weights.iter().filter(|w| w.abs() < variance.sqrt()).count() as f64;
            assert!((within / count - 0.6827).abs() < 0.02, "{within}");
        }
    }
}
