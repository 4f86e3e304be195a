//! Synthetic datasets: spirals for classification, surfaces for regression.

use std::f64::consts::{PI, TAU};

use ndarray::Array2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thimble_support::random::{Stream, stream};

use super::{Dataset, Error, Features, Labels, Values};
use crate::validators::{at_least_one, not_negative, positive};

/// Spiral arms around a center, in two dimensions. Point i of n on arm a, with t = i / (n − 1), is
/// at radius `gap` + t · (`radius` − `gap`) and angle 2π · (a / `arms` + `screw` · t). Normal noise
/// is added to each coordinate. Arm a is of class a mod `classes`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spirals {
    /// Number of arms.
    #[serde(deserialize_with = "at_least_one")]
    pub arms: usize,
    /// Points per arm.
    #[serde(deserialize_with = "at_least_one")]
    pub points_per_arm: usize,
    /// Number of classes.
    #[serde(deserialize_with = "at_least_one")]
    pub classes: usize,
    /// Turns from the inner to the outer end.
    #[serde(default = "one")]
    pub screw: f64,
    /// Radius of the inner end.
    #[serde(default = "tenth", deserialize_with = "not_negative")]
    pub gap: f64,
    /// Radius of the outer end.
    #[serde(default = "one", deserialize_with = "positive")]
    pub radius: f64,
    /// Standard deviation of the noise.
    #[serde(default, deserialize_with = "not_negative")]
    pub noise: f64,
}

/// A surface: points of a function of two variables on a square around zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surface {
    /// The function.
    pub function: Function,
    /// Number of points, uniform on the square.
    #[serde(deserialize_with = "at_least_one")]
    pub points: usize,
    /// Half the side of the square.
    #[serde(deserialize_with = "positive")]
    pub radius: f64,
    /// Standard deviation of the noise on the value.
    #[serde(default, deserialize_with = "not_negative")]
    pub noise: f64,
}

/// Function of two variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// sin x · sin y.
    EggCrate,
    /// e^(−(x² + y²) / 2).
    RadialGaussian,
}

impl Function {
    /// Returns the function's value.
    pub fn value(self, x: f64, y: f64) -> f64 {
        match self {
            Function::EggCrate => x.sin() * y.sin(),
            Function::RadialGaussian => (-0.5 * (x * x + y * y)).exp(),
        }
    }
}

fn one() -> f64 {
    1.0
}

fn tenth() -> f64 {
    0.1
}

impl Spirals {
    /// Generates the points from the seed.
    pub(super) fn generate(&self, seed: u64) -> Result<Dataset, Error> {
        let mut generator = stream(seed, Stream::Data);
        let (mut coordinates, mut indices) = (Vec::new(), Vec::new());
        let last = (self.points_per_arm.max(2) - 1) as f64;
        for arm in 0..self.arms {
            for point in 0..self.points_per_arm {
                let t = point as f64 / last;
                let radius = self.gap + t * (self.radius - self.gap);
                let angle = TAU * (arm as f64 / self.arms as f64 + self.screw * t);
                let (noise_x, noise_y) = normal_pair(&mut generator);
                coordinates.push((radius * angle.cos() + self.noise * noise_x) as f32);
                coordinates.push((radius * angle.sin() + self.noise * noise_y) as f32);
                indices.push((arm % self.classes) as u16);
            }
        }
        let names = (0..self.classes).map(|class| class.to_string()).collect();
        dataset("spirals", coordinates, Labels { indices, names })
    }
}

impl Surface {
    /// Generates the points from the seed.
    pub(super) fn generate(&self, seed: u64) -> Result<Dataset, Error> {
        let mut generator = stream(seed, Stream::Data);
        let (mut coordinates, mut values) = (Vec::new(), Vec::new());
        for _ in 0..self.points {
            let mut place = || (2.0 * generator.random::<f64>() - 1.0) * self.radius;
            let (x, y) = (place(), place());
            let noise = self.noise * normal_pair(&mut generator).0;
            coordinates.extend([x as f32, y as f32]);
            values.push((self.function.value(x, y) + noise) as f32);
        }
        let values = Values {
            values: matrix("surface", values, 1)?,
            names: vec!["z".to_string()],
            units: vec![String::new()],
        };
        dataset("surface", coordinates, values)
    }
}

fn dataset(
    name: &str,
    coordinates: Vec<f32>,
    targets: impl Into<super::Targets>,
) -> Result<Dataset, Error> {
    Dataset::new(name, vec![2], Features::Reals(matrix(name, coordinates, 2)?), targets)
}

fn matrix(name: &str, values: Vec<f32>, width: usize) -> Result<Array2<f32>, Error> {
    let shape = (values.len() / width, width);
    Array2::from_shape_vec(shape, values)
        .map_err(|error| Error::Dataset { dataset: name.to_string(), problem: error.to_string() })
}

/// Returns two standard normal numbers by the Box–Muller transform.
pub(super) fn normal_pair(generator: &mut ChaCha8Rng) -> (f64, f64) {
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - generator.random::<f64>()).ln()).sqrt();
    let (sine, cosine) = (2.0 * PI * generator.random::<f64>()).sin_cos();
    (radius * cosine, radius * sine)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPIRALS: Spirals = Spirals {
        arms: 4,
        points_per_arm: 3,
        classes: 2,
        screw: 0.5,
        gap: 0.2,
        radius: 1.0,
        noise: 0.0,
    };

    fn points(dataset: &Dataset) -> &Array2<f32> {
        let Features::Reals(points) = dataset.features() else { panic!("reals") };
        points
    }

    #[test]
    fn arms_begin_at_the_gap_and_wind_to_the_radius() {
        let spirals = SPIRALS.generate(1).unwrap();
        assert_eq!((spirals.rows(), spirals.classes()), (12, 2));
        let close = |row: usize, x: f32, y: f32| {
            let point = points(&spirals).row(row);
            assert!((point[0] - x).abs() < 1e-6 && (point[1] - y).abs() < 1e-6, "{point}");
        };
        // The first arm turns by half: 0.2 at 0°, 0.6 at 90°, 1 at 180°; the second is ahead by 90°.
        close(0, 0.2, 0.0);
        close(1, 0.0, 0.6);
        close(2, -1.0, 0.0);
        close(3, 0.0, 0.2);
        let labels = spirals.labels().unwrap();
        assert_eq!(labels.indices, [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn noise_has_its_deviation_and_the_seed_decides() {
        let noisy = Spirals { points_per_arm: 2500, noise: 0.1, ..SPIRALS };
        let exact = Spirals { noise: 0.0, ..noisy }.generate(1).unwrap();
        let made = noisy.generate(1).unwrap();
        let squares = (points(&made) - points(&exact)).mapv(|d| f64::from(d) * f64::from(d));
        // Four standard errors of a variance from 20,000 numbers.
        assert!((squares.mean().unwrap() / 0.01 - 1.0).abs() < 0.04);
        assert_eq!(made, noisy.generate(1).unwrap());
        assert_ne!(made, noisy.generate(2).unwrap());
    }

    #[test]
    fn a_surface_has_the_values_of_its_function() {
        let surface = Surface { function: Function::EggCrate, points: 50, radius: 4.0, noise: 0.0 };
        let made = surface.generate(1).unwrap();
        let super::super::Targets::Values(values) = made.targets() else { panic!("values") };
        for (point, value) in points(&made).rows().into_iter().zip(values.values.column(0)) {
            assert!(point.iter().all(|c| c.abs() <= 4.0));
            assert!((value - point[0].sin() * point[1].sin()).abs() < 1e-6);
        }
        assert_eq!(Function::RadialGaussian.value(0.0, 0.0), 1.0);
        assert!((Function::RadialGaussian.value(1.0, 1.0) - (-1_f64).exp()).abs() < 1e-15);
    }
}
