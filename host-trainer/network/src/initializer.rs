//! Weight initializers: Xavier (Glorot), He, LeCun, orthogonal, plain distributions, constants.

use std::f64::consts::TAU;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thimble_numeric::validators::{finite, positive};

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
    /// Uniform in ±√(3 / inputs): LeCun et al., *Efficient backprop*, 1998, equation 16.
    LecunUniform,
    /// Normal with variance 1 / inputs, of the same paper.
    LecunNormal,
    /// Uniform in \[first, second).
    #[serde(deserialize_with = "ordered")]
    Uniform(f64, f64),
    /// Normal with this mean and standard deviation.
    #[serde(deserialize_with = "normal_parameters")]
    Normal(f64, f64),
    /// Normal with this mean and standard deviation, where numbers more than two deviations from
    /// the mean are drawn again, as Keras's `TruncatedNormal`.
    #[serde(deserialize_with = "normal_parameters")]
    TruncatedNormal(f64, f64),
    /// Random orthonormal rows (or columns, if there are fewer), times this gain: Saxe et al.,
    /// *Exact solutions to the nonlinear dynamics of learning in deep linear networks*, 2014.
    Orthogonal(#[serde(deserialize_with = "positive")] f64),
    /// All this number.
    Constant(#[serde(deserialize_with = "finite")] f64),
    /// All one.
    Ones,
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
        let normal = |mean: f64, variance: f64| (mean, variance.sqrt());
        let (mean, deviation) = match self {
            Initializer::XavierUniform => {
                return uniform(weights, symmetric(6.0 / (inputs + outputs) as f64), generator);
            }
            Initializer::HeUniform => {
                return uniform(weights, symmetric(6.0 / inputs as f64), generator);
            }
            Initializer::LecunUniform => {
                return uniform(weights, symmetric(3.0 / inputs as f64), generator);
            }
            Initializer::Uniform(low, high) => return uniform(weights, (low, high), generator),
            Initializer::Orthogonal(gain) => return orthogonal(weights, inputs, gain, generator),
            Initializer::Constant(value) => return weights.fill(T::from_f64(value)),
            Initializer::Ones => return weights.fill(T::one()),
            Initializer::Zeros => return weights.fill(T::zero()),
            Initializer::XavierNormal => normal(0.0, 2.0 / (inputs + outputs) as f64),
            Initializer::HeNormal => normal(0.0, 2.0 / inputs as f64),
            Initializer::LecunNormal => normal(0.0, 1.0 / inputs as f64),
            Initializer::Normal(mean, deviation)
            | Initializer::TruncatedNormal(mean, deviation) => (mean, deviation),
        };
        let limit = match self {
            Initializer::TruncatedNormal(..) => TRUNCATED_AT,
            _ => f64::INFINITY,
        };
        let mut numbers = StandardNormal { generator, other: None };
        for weight in weights {
            *weight = T::from_f64(mean + deviation * numbers.next_within(limit));
        }
    }
}

/// Standard deviations from the mean where the truncated normal distribution ends.
const TRUNCATED_AT: f64 = 2.0;

/// Returns the range ±√`square`.
fn symmetric(square: f64) -> (f64, f64) {
    (-square.sqrt(), square.sqrt())
}

fn uniform<T: Real>(weights: &mut [T], (low, high): (f64, f64), generator: &mut ChaCha8Rng) {
    for weight in weights {
        // Middle and radius, so that a symmetric range is sampled exactly symmetrically.
        let (middle, radius) = (0.5 * (low + high), 0.5 * (high - low));
        *weight = T::from_f64(middle + (2.0 * unit(generator) - 1.0) * radius);
    }
}

/// Returns a uniform number in \[0, 1) of 24 bits, which is exact in an `f32` and the same for
/// every type.
fn unit(generator: &mut ChaCha8Rng) -> f64 {
    f64::from(generator.random::<u32>() >> 8) / f64::from(1 << 24)
}

/// Standard normal numbers by the Box–Muller transform, two at a time.
struct StandardNormal<'a> {
    generator: &'a mut ChaCha8Rng,
    other: Option<f64>,
}

impl StandardNormal<'_> {
    fn next(&mut self) -> f64 {
        if let Some(other) = self.other.take() {
            return other;
        }
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - unit(self.generator)).ln()).sqrt();
        let (sine, cosine) = (TAU * unit(self.generator)).sin_cos();
        self.other = Some(radius * sine);
        radius * cosine
    }

    /// Returns the next number of at most this magnitude.
    fn next_within(&mut self, limit: f64) -> f64 {
        loop {
            let number = self.next();
            if number.abs() <= limit {
                return number;
            }
        }
    }
}

/// Fills a matrix (outputs × inputs) with orthonormal vectors times `gain`: its rows, or its columns
/// if these are longer. A Gaussian matrix is orthogonalized by Gram and Schmidt's method, twice, so
/// that rounding does not add up (Giraud et al., *The loss of orthogonality in the Gram-Schmidt
/// process*, 2005).
fn orthogonal<T: Real>(weights: &mut [T], inputs: usize, gain: f64, generator: &mut ChaCha8Rng) {
    let outputs = weights.len() / inputs;
    let (count, length) = (inputs.min(outputs), inputs.max(outputs));
    let mut numbers = StandardNormal { generator, other: None };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| numbers.next()).collect();
        for _ in 0..2 {
            for earlier in &basis {
                let along = dot(&vector, earlier);
                vector.iter_mut().zip(earlier).for_each(|(v, e)| *v -= along * e);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        // A vector that lies nearly in the span of the others is drawn again.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|v| *v /= norm);
            basis.push(vector);
        }
    }
    for (output, row) in weights.chunks_exact_mut(inputs).enumerate() {
        for (input, weight) in row.iter_mut().enumerate() {
            let number = match outputs <= inputs {
                true => basis[output][input],
                false => basis[input][output],
            };
            *weight = T::from_f64(gain * number);
        }
    }
}

fn normal_parameters<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<(f64, f64), D::Error> {
    let (mean, deviation) = <(f64, f64)>::deserialize(deserializer)?;
    match mean.is_finite() && deviation > 0.0 && deviation.is_finite() {
        true => Ok((mean, deviation)),
        false => Err(serde::de::Error::custom(format!(
            "must be mean and standard deviation, the latter above 0, but is [{mean}, {deviation}]"
        ))),
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
    use thimble_support::random::{Stream, stream};

    use super::*;

    #[test]
    fn uniform_weights_fill_their_range_and_no_more() {
        let mut weights = vec![0.0_f64; 10_000];
        for (initializer, low, high) in [
            (Initializer::XavierUniform, -(6.0_f64 / 300.0).sqrt(), (6.0_f64 / 300.0).sqrt()),
            (Initializer::HeUniform, -(6.0_f64 / 100.0).sqrt(), (6.0_f64 / 100.0).sqrt()),
            (Initializer::LecunUniform, -(3.0_f64 / 100.0).sqrt(), (3.0_f64 / 100.0).sqrt()),
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
        for (initializer, value) in [
            (Initializer::Zeros, 0.0),
            (Initializer::Ones, 1.0),
            (Initializer::Constant(-0.25), -0.25),
        ] {
            initializer.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
            assert!(weights.iter().all(|&w| w == value));
        }
    }

    #[test]
    fn normal_weights_have_their_variance() {
        let mut weights = vec![0.0_f64; 10_001];
        for (initializer, middle, variance) in [
            (Initializer::XavierNormal, 0.0, 2.0 / 300.0),
            (Initializer::HeNormal, 0.0, 2.0 / 100.0),
            (Initializer::LecunNormal, 0.0, 1.0 / 100.0),
            (Initializer::Normal(3.0, 0.5), 3.0, 0.25),
        ] {
            initializer.fill(&mut weights, 100, 200, &mut stream(1, Stream::Weights));
            weights.iter_mut().for_each(|weight| *weight -= middle);
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

    #[test]
    fn truncated_normal_weights_end_at_two_deviations() {
        let mut weights = vec![0.0_f64; 10_000];
        let initializer = Initializer::TruncatedNormal(1.0, 0.5);
        initializer.fill(&mut weights, 100, 100, &mut stream(1, Stream::Weights));
        let most = weights.iter().fold(0.0_f64, |most, w| most.max((w - 1.0).abs()));
        assert!(most <= 1.0 && most > 0.98, "{most}");
        // The standard deviation of the truncated distribution is 0.8796 of the other's.
        let variance = weights.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() / 1e4;
        assert!((variance.sqrt() / (0.5 * 0.879_626) - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn orthogonal_weights_are_orthonormal_times_the_gain() {
        for (inputs, outputs) in [(12, 7), (7, 12), (9, 9), (1, 4)] {
            let mut weights = vec![0.0_f64; inputs * outputs];
            let initializer = Initializer::Orthogonal(2.0);
            initializer.fill(&mut weights, inputs, outputs, &mut stream(1, Stream::Weights));
            let count = inputs.min(outputs);
            let at = |vector: usize, place: usize| match outputs <= inputs {
                true => weights[vector * inputs + place],
                false => weights[place * inputs + vector],
            };
            for a in 0..count {
                for b in 0..count {
                    let dot: f64 = (0..inputs.max(outputs)).map(|i| at(a, i) * at(b, i)).sum();
                    let expected = if a == b { 4.0 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-13, "{a} {b}: {dot}");
                }
            }
        }
    }
}
