//! Synthetic accelerometer data of motions.
//!
//! Each window is one second of acceleration at 100 Hz, in g, of a sensor in a random orientation:
//! gravity, the motion of its class, and sensor noise. Features are computed from raw counts by the
//! firmware's own code, so that they are bit-identical on a device. Amplitudes and frequencies are
//! typical of everyday motion, not measured on people. A product should be trained on its own
//! recordings.

use std::f64::consts::TAU;

use ndarray::Array2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thimble_features::{COUNTS_PER_G, FEATURES, PARTS, RATE_HZ, Sample, WINDOW, features};
use thimble_numeric::validators::{at_least_one, not_negative};
use thimble_support::random::{Stream, stream};

use super::generate::normal_pair;
use super::{Dataset, Error, Features, Labels, Raw};

/// Settings of the motion dataset. All classes have the same number of windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Motion {
    /// Windows per class.
    #[serde(deserialize_with = "at_least_one")]
    pub windows_per_class: usize,
    /// Standard deviation of the sensor's noise, in g.
    #[serde(default = "usual_noise", deserialize_with = "not_negative")]
    pub noise: f64,
}

/// The classes, in the order of their indices.
pub const CLASSES: [&str; 5] = ["resting", "walking", "shaking", "circling", "tapping"];

/// Default noise in g. It is more than in the data sheet of the LIS3DH at 100 Hz, because hands
/// tremble.
fn usual_noise() -> f64 {
    0.01
}

type Vector = [f64; 3];

impl Motion {
    /// Generates windows from the seed and computes their features.
    pub(super) fn generate(&self, seed: u64) -> Result<Dataset, Error> {
        let mut generator = stream(seed, Stream::Data);
        let (mut counts, mut indices) = (Vec::new(), Vec::new());
        for _ in 0..self.windows_per_class {
            for class in 0..CLASSES.len() {
                counts.extend(features(&self.window(class, &mut generator)));
                indices.push(class as u16);
            }
        }
        let shape = (indices.len(), FEATURES);
        let values = Array2::from_shape_vec(shape, counts).map_err(|error| Error::Dataset {
            dataset: "motion".into(),
            problem: error.to_string(),
        })?;
        // One g is COUNTS_PER_G · PARTS counts of a feature.
        let most = f64::from(i16::MAX) / f64::from(COUNTS_PER_G * PARTS);
        let raw = Raw { counts: [-i16::MAX, i16::MAX], range: [-most, most] };
        let labels = Labels { indices, names: CLASSES.map(String::from).to_vec() };
        let features = Features::Counts { values, raw: vec![raw; FEATURES] };
        Dataset::new("motion", vec![FEATURES], features, labels)
    }

    /// Generates a recording of raw counts: consecutive windows of these classes.
    pub fn recording(&self, classes: &[usize], seed: u64) -> Vec<Sample> {
        let mut generator = stream(seed, Stream::Data);
        classes.iter().flat_map(|class| self.window(*class, &mut generator)).collect()
    }

    fn window(&self, class: usize, generator: &mut ChaCha8Rng) -> Vec<Sample> {
        let mut between = |low: f64, high: f64| low + (high - low) * generator.random::<f64>();
        // Gravity is along `up`; `a` and `b` are level.
        let [up, a, b] = directions([(); 3].map(|()| [(); 3].map(|()| between(-1.0, 1.0))));
        let phases = [(); 3].map(|()| between(0.0, TAU));
        let (turn, tremor) = (between(-0.15, 0.15), between(0.0, 0.03));
        let tremor_hz = between(8.0, 12.0);
        let act: Box<dyn Fn(f64) -> Vector> = match class {
            // Resting: only tremor.
            0 => Box::new(|_| [0.0; 3]),
            // Walking: a bounce with each step, and a sway with every second one.
            1 => {
                let (hz, bounce, sway) =
                    (between(1.5, 2.4), between(0.15, 0.45), between(0.04, 0.15));
                Box::new(move |t| {
                    let step = (TAU * hz * t + phases[0]).sin()
                        + 0.4 * (2.0 * TAU * hz * t + phases[1]).sin();
                    let side = (0.5 * TAU * hz * t + phases[2]).sin();
                    sum(scaled(up, bounce * step), scaled(a, sway * side))
                })
            }
            // Shaking: back and forth along one line.
            2 => {
                let (hz, strength) = (between(3.0, 6.5), between(0.7, 2.5));
                let [line, ..] = directions([[between(-1.0, 1.0), between(-1.0, 1.0), 0.5], a, b]);
                Box::new(move |t| {
                    let swing = (TAU * hz * t + phases[0]).sin();
                    let turn = 0.3 * (2.0 * TAU * hz * t + phases[1]).sin();
                    scaled(line, strength * (swing + turn))
                })
            }
            // Circling in a random plane.
            3 => {
                let (hz, strength, oval) =
                    (between(0.9, 2.2), between(0.25, 0.9), between(0.7, 1.0));
                let tilt = between(0.0, TAU / 4.0);
                let other = sum(scaled(b, tilt.cos()), scaled(up, tilt.sin()));
                Box::new(move |t| {
                    let (sine, cosine) = (TAU * hz * t + phases[0]).sin_cos();
                    sum(scaled(a, strength * cosine), scaled(other, strength * oval * sine))
                })
            }
            // Tapping: one to four knocks that ring for hundredths of a second.
            _ => {
                let knocks = [(); 4].map(|()| (between(0.0, 0.97), between(0.6, 2.5)));
                let count = between(1.0, 5.0) as usize;
                let (ring_hz, decay) = (between(25.0, 45.0), between(0.008, 0.02));
                Box::new(move |t| {
                    let ring = |(start, strength): (f64, f64)| {
                        let since = t - start;
                        let alive = f64::from(u8::from(since >= 0.0));
                        alive
                            * strength
                            * (-since.max(0.0) / decay).exp()
                            * (TAU * ring_hz * since).cos()
                    };
                    scaled(up, knocks.into_iter().take(count).map(ring).sum())
                })
            }
        };
        let mut sample = |n: usize| {
            let t = n as f64 / f64::from(RATE_HZ);
            // The orientation changes slowly.
            let gravity = sum(scaled(up, (turn * t).cos()), scaled(a, (turn * t).sin()));
            let trembling = scaled(b, tremor * (TAU * tremor_hz * t).sin());
            let seen = sum(sum(gravity, act(t)), trembling);
            seen.map(|g| {
                let g = g + self.noise * normal_pair(generator).0;
                // 12 bits.
                (g * f64::from(COUNTS_PER_G)).round().clamp(-2048.0, 2047.0) as i16
            })
        };
        (0..WINDOW).map(&mut sample).collect()
    }
}

fn scaled(v: Vector, factor: f64) -> Vector {
    v.map(|x| x * factor)
}

fn sum(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|axis| a[axis] + b[axis])
}

fn dot(a: Vector, b: Vector) -> f64 {
    (0..3).map(|axis| a[axis] * b[axis]).sum()
}

/// Returns three orthonormal vectors by the Gram–Schmidt process. The first has the direction of
/// the first vector.
fn directions(vectors: [Vector; 3]) -> [Vector; 3] {
    let mut found: Vec<Vector> = Vec::new();
    // The axes replace vectors that are too short or linearly dependent.
    let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for vector in vectors.into_iter().chain(axes) {
        let rest = found.iter().fold(vector, |rest, f| sum(rest, scaled(*f, -dot(rest, *f))));
        let length = dot(rest, rest).sqrt();
        if length > 0.05 && found.len() < 3 {
            found.push(scaled(rest, 1.0 / length));
        }
    }
    std::array::from_fn(|index| found.get(index).copied().unwrap_or(axes[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOTION: Motion = Motion { windows_per_class: 40, noise: 0.01 };

    fn magnitudes(class: usize) -> Vec<f64> {
        let samples = MOTION.recording(&[class; 20], 1);
        let magnitude = |sample: &Sample| {
            let g = sample.map(|count| f64::from(count) / f64::from(COUNTS_PER_G));
            dot(g, g).sqrt()
        };
        samples.iter().map(magnitude).collect()
    }

    #[test]
    fn gravity_is_one_g_and_classes_differ_in_strength() {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let resting = magnitudes(0);
        assert!((mean(&resting) - 1.0).abs() < 0.01, "{}", mean(&resting));
        let spread = |class: usize| {
            let values = magnitudes(class);
            let middle = mean(&values);
            mean(&values.iter().map(|v| (v - middle).powi(2)).collect::<Vec<f64>>()).sqrt()
        };
        let [resting, walking, shaking, circling, tapping] = [0, 1, 2, 3, 4].map(spread);
        assert!(resting < 0.03, "{resting}");
        assert!(resting * 4.0 < walking && walking < shaking, "{walking} {shaking}");
        assert!(resting < tapping && circling > 0.1, "{tapping} {circling}");
    }

    #[test]
    fn features_are_those_of_the_firmware_and_the_seed_decides() {
        let made = MOTION.generate(3).unwrap();
        assert_eq!((made.rows(), made.width(), made.classes()), (200, FEATURES, 5));
        assert_eq!(made, MOTION.generate(3).unwrap());
        assert_ne!(made, MOTION.generate(4).unwrap());
        let Features::Counts { values, raw } = made.features() else { panic!("counts") };
        let samples = MOTION.recording(&[0, 1], 3);
        assert_eq!(values.row(1).to_vec(), features(&samples[WINDOW..]));
        // 2,000 of a feature's counts are a g.
        assert!((raw[0].real(2000) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn directions_are_at_right_angles() {
        for vectors in [[[1.0, 2.0, 3.0], [0.0, 1.0, -1.0], [4.0, 0.0, 1.0]], [[0.0; 3]; 3]] {
            let [a, b, c] = directions(vectors);
            for (x, y, expected) in
                [(a, a, 1.0), (b, b, 1.0), (c, c, 1.0), (a, b, 0.0), (b, c, 0.0)]
            {
                assert!((dot(x, y) - expected).abs() < 1e-9, "{x:?} {y:?}");
            }
        }
    }
}
