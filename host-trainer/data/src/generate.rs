//! Synthetic datasets: spirals for classification, surfaces for regression.

use std::f64::consts::{PI, TAU};

use ndarray::Array2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thimble_numeric::validators::{at_least_one, finite, not_negative, positive};
use thimble_support::random::{Stream, stream};

use super::{Dataset, Error, Features, Labels, Values};

/// Spiral arms around a center, in two dimensions. Point i = 0 … n − 1 of arm k is at
///
/// - radius r = `gap` + the i-th smallest of n draws of U(0, `radius`),
/// - angle θ = 0.5 + 2πk / `arms` + `screw` · i + U(0, `noise`), in radians,
///
/// and has the coordinates (r cos θ, r sin θ) and the class k mod `classes`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spirals {
    /// Number of arms A.
    #[serde(default = "six", deserialize_with = "at_least_one")]
    pub arms: usize,
    /// Points per arm n.
    #[serde(default = "hundred", deserialize_with = "at_least_one")]
    pub points_per_arm: usize,
    /// Number of classes.
    #[serde(default = "two", deserialize_with = "at_least_one")]
    pub classes: usize,
    /// Range of the noise of the angle, in radians.
    #[serde(default = "tenth", deserialize_with = "not_negative")]
    pub noise: f64,
    /// Turn of an arm, in radians per point.
    #[serde(default = "hundredth", deserialize_with = "finite")]
    pub screw: f64,
    /// Smallest radius.
    #[serde(default = "tenth", deserialize_with = "not_negative")]
    pub gap: f64,
    /// Range of the radius above the gap.
    #[serde(default = "one", deserialize_with = "positive")]
    pub radius: f64,
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
    /// sin x · sin y + 0.1 · (x² + y²).
    EggCrate,
    /// e^(−r²/4) · cos 2r, with r² = x² + y².
    Ripple,
}

impl Function {
    /// Returns the function's value.
    pub fn value(self, x: f64, y: f64) -> f64 {
        let square = x * x + y * y;
        match self {
            Function::EggCrate => x.sin() * y.sin() + 0.1 * square,
            Function::Ripple => (-square / 4.0).exp() * (2.0 * square.sqrt()).cos(),
        }
    }
}

/// Angle of the first point of the first arm, in radians.
const FIRST_ANGLE: f64 = 0.5;

fn six() -> usize {
    6
}

fn hundred() -> usize {
    100
}

fn two() -> usize {
    2
}

fn one() -> f64 {
    1.0
}

fn tenth() -> f64 {
    0.1
}

fn hundredth() -> f64 {
    0.01
}

impl Spirals {
    /// Generates the points from the seed.
    pub(super) fn generate(&self, seed: u64) -> Result<Dataset, Error> {
        let mut generator = stream(seed, Stream::Data);
        let (mut coordinates, mut indices) = (Vec::new(), Vec::new());
        for arm in 0..self.arms {
            let start = FIRST_ANGLE + TAU * arm as f64 / self.arms as f64;
            let mut unit = || generator.random::<f64>();
            let mut radii: Vec<f64> =
                (0..self.points_per_arm).map(|_| unit() * self.radius).collect();
            radii.sort_by(f64::total_cmp);
            for (point, radius) in radii.into_iter().enumerate() {
                let radius = self.gap + radius;
                let angle = start + self.screw * point as f64 + unit() * self.noise;
                coordinates.extend([(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]);
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
        points_per_arm: 50,
        classes: 2,
        noise: 0.0,
        screw: 0.02,
        gap: 0.2,
        radius: 1.0,
    };

    fn points(dataset: &Dataset) -> &Array2<f32> {
        let Features::Reals(points) = dataset.features() else { panic!("reals") };
        points
    }

    /// Radius and angle, from −π to π, of each point.
    fn polar(dataset: &Dataset) -> Vec<(f64, f64)> {
        let point = |p: ndarray::ArrayView1<'_, f32>| {
            let (x, y) = (f64::from(p[0]), f64::from(p[1]));
            (x.hypot(y), y.atan2(x))
        };
        points(dataset).rows().into_iter().map(point).collect()
    }

    /// Difference of two angles, from −π to π.
    fn turn(from: f64, to: f64) -> f64 {
        let difference = (to - from).rem_euclid(TAU);
        if difference > PI { difference - TAU } else { difference }
    }

    #[test]
    fn radii_grow_along_an_arm_and_angles_by_the_screw() {
        let spirals = SPIRALS.generate(1).unwrap();
        assert_eq!((spirals.rows(), spirals.classes()), (200, 2));
        for (row, (radius, angle)) in polar(&spirals).into_iter().enumerate() {
            let (arm, point) = (row / 50, row % 50);
            let expected = 0.5 + TAU * arm as f64 / 4.0 + 0.02 * point as f64;
            assert!(turn(expected, angle).abs() < 1e-5, "{row}: {angle} {expected}");
            assert!((0.2..=1.2).contains(&radius), "{row}: {radius}");
        }
        let radii: Vec<f64> = polar(&spirals).into_iter().map(|(radius, _)| radius).collect();
        assert!(radii.chunks(50).all(|arm| arm.windows(2).all(|pair| pair[0] <= pair[1] + 1e-6)));
        let labels = spirals.labels().unwrap();
        assert!(labels.indices.chunks(50).map(|arm| arm[0]).eq([0, 1, 0, 1]));
    }

    #[test]
    fn radii_and_noise_are_uniform_and_the_seed_decides() {
        let noisy = Spirals { points_per_arm: 2500, noise: 0.3, screw: 0.0, ..SPIRALS };
        let made = noisy.generate(1).unwrap();
        let polar = polar(&made);
        // Four standard errors of the mean of 10,000 uniform numbers.
        let close = |mean: f64, range: f64| {
            (mean - range / 2.0).abs() < 4.0 * range / 12_f64.sqrt() / 100.0
        };
        let mean = |of: &dyn Fn(usize) -> f64| (0..10_000).map(of).sum::<f64>() / 1e4;
        assert!(close(mean(&|row| polar[row].0 - 0.2), 1.0));
        let noise = |row: usize| turn(0.5 + TAU * (row / 2500) as f64 / 4.0, polar[row].1);
        assert!(close(mean(&noise), 0.3));
        assert!((0..10_000).all(|row| (-1e-5..=0.3 + 1e-5).contains(&noise(row))));
        assert_eq!(made, noisy.generate(1).unwrap());
        assert_ne!(made, noisy.generate(2).unwrap());
    }

    #[test]
    fn defaults_are_those_of_the_course() {
        let spirals: Spirals = toml::from_str("").unwrap();
        let expected = Spirals {
            arms: 6,
            points_per_arm: 100,
            classes: 2,
            noise: 0.1,
            screw: 0.01,
            gap: 0.1,
            radius: 1.0,
        };
        assert_eq!(spirals, expected);
    }

    #[test]
    fn a_surface_has_the_values_of_its_function() {
        let surface = Surface { function: Function::EggCrate, points: 50, radius: 4.0, noise: 0.0 };
        let made = surface.generate(1).unwrap();
        let super::super::Targets::Values(values) = made.targets() else { panic!("values") };
        for (point, value) in points(&made).rows().into_iter().zip(values.values.column(0)) {
            assert!(point.iter().all(|c| c.abs() <= 4.0));
            let bowl = 0.1 * (point[0] * point[0] + point[1] * point[1]);
            assert!((value - point[0].sin() * point[1].sin() - bowl).abs() < 1e-5);
        }
        assert_eq!(Function::Ripple.value(0.0, 0.0), 1.0);
        let at_five = (-25_f64 / 4.0).exp() * 10_f64.cos();
        assert!((Function::Ripple.value(3.0, -4.0) - at_five).abs() < 1e-15);
    }
}
