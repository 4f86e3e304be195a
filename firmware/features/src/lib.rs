//! Features of a window of acceleration: twelve numbers that describe a motion; and images of fewer
//! pixels ([`Area`]).
//!
//! The trainer computes them for the rows of a dataset, the device for what its accelerometer
//! or its camera measures, with this code and to the same bits.
//!
//! # Example
//! ```
//! use thimble_features::Window;
//!
//! let mut window = Window::<2>::new();
//! assert_eq!(window.push([0, 0, 500]), None);
//! let features = window.push([0, 0, 500]).expect("the window is full");
//! assert_eq!(features[6], 4 * 500, "the mean along z, in quarters of a count");
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod area;

pub use area::{Area, AreaMismatch};
use heapless::Vec;
use micromath::F32Ext;

/// The acceleration along x, y, z, in counts of the sensor.
pub type Sample = [i16; 3];

/// Samples in a window: one second, at [`RATE_HZ`].
pub const WINDOW: usize = 100;

/// Samples per second.
pub const RATE_HZ: u32 = 100;

/// Counts per g: 2 mg a count, as the data sheet of the LIS3DH has it for ±4 g at high resolution.
pub const COUNTS_PER_G: i16 = 500;

/// Features of a window: mean, root mean square and peak, of x, of y, of z, and of the magnitude of
/// the three together.
pub const FEATURES: usize = 12;

/// Parts of a sensor's count that the features count in: they are finer than a sample.
///
/// Of samples of 12 bits, −2048 to 2047, no feature exceeds 16,384 of them.
pub const PARTS: i16 = 4;

/// Samples in a row, as many as features are taken of.
#[derive(Clone, Debug, Default)]
pub struct Window<const N: usize> {
    samples: Vec<Sample, N>,
}

impl<const N: usize> Window<N> {
    /// A window without samples.
    pub const fn new() -> Self {
        Window { samples: Vec::new() }
    }

    /// Forgets all samples: those that follow do not follow in time.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// Adds a sample. When it is the last that the window has room for, gives the features, and
    /// begins a new window.
    pub fn push(&mut self, sample: Sample) -> Option<[i16; FEATURES]> {
        // There is room, unless the window holds nothing at all.
        let _ = self.samples.push(sample);
        if !self.samples.is_full() || N == 0 {
            return None;
        }
        let features = features(&self.samples);
        self.samples.clear();
        Some(features)
    }
}

/// The features of these samples, at least one.
///
/// Only additions, products, quotients and comparisons of f32, one after the other, and the square
/// root of micromath, within 5 % of the exact one: every core and every computer gives the same
/// bits.
pub fn features(samples: &[Sample]) -> [i16; FEATURES] {
    let axis = |axis: usize| {
        let along = move |sample: &Sample| sample.get(axis).copied().map_or(0.0, f32::from);
        summary(samples.iter().map(along))
    };
    let magnitude = summary(samples.iter().map(|sample| {
        let [x, y, z] = sample.map(f32::from);
        F32Ext::sqrt(x * x + y * y + z * z)
    }));
    let ([a, b, c], [d, e, f], [g, h, i], [j, k, l]) = (axis(0), axis(1), axis(2), magnitude);
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// The mean; the root of the mean square, and the largest magnitude, of what differs from it.
fn summary(series: impl Iterator<Item = f32> + Clone) -> [i16; 3] {
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    for value in series.clone() {
        sum += value;
        count += 1.0;
    }
    let mean = sum / count;
    let (mut squares, mut peak) = (0.0f32, 0.0f32);
    for value in series {
        let difference = value - mean;
        squares += difference * difference;
        peak = peak.max(difference.abs());
    }
    [mean, F32Ext::sqrt(squares / count), peak].map(counted)
}

/// To the nearest count, ties away from zero.
fn counted(value: f32) -> i16 {
    let half = if value < 0.0 { -0.5 } else { 0.5 };
    // A cast saturates.
    (value * f32::from(PARTS) + half) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_come_when_the_window_is_full() {
        let mut window = Window::<4>::new();
        for sample in [[1, 10, 0], [3, 10, 0], [1, 10, 0]] {
            assert_eq!(window.push(sample), None);
        }
        let features = window.push([7, 10, 0]).unwrap();
        // x: mean 3, deviations −2, 0, −2, 4, whose squares sum to 24.
        assert_eq!((features[0], features[2]), (12, 16));
        let exact = 4.0 * 6f32.sqrt();
        assert!((f32::from(features[1]) - exact).abs() < 0.05 * exact + 0.5, "{features:?}");
        // y stands still, z is nothing.
        assert_eq!(features[3..9], [40, 0, 0, 0, 0, 0]);
        assert!((40..50).contains(&features[9]), "{features:?}");
        assert_eq!(window.push([1, 1, 1]), None, "a new window has begun");
        window.clear();
        assert_eq!(window.samples.len(), 0);
    }

    #[test]
    fn the_ends_of_12_bits_fit() {
        let samples: std::vec::Vec<Sample> =
            (0..100).map(|n| if n % 100 == 0 { [2047; 3] } else { [-2048; 3] }).collect();
        let features = features(&samples);
        assert!(features.iter().all(|feature| feature.unsigned_abs() <= 16_384), "{features:?}");
        assert!(features[2] > 16_000, "{features:?}");
    }

    #[test]
    fn negative_means_round_as_positive_ones() {
        assert_eq!(
            [0.0, 0.124, 0.125, -0.125, 1e9, -1e9].map(counted),
            [0, 0, 1, -1, 32767, -32768]
        );
    }
}
