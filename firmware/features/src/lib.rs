//! Features of a window of samples ([`Features`]), such as those of an accelerometer, and images of
//! fewer pixels ([`Area`]).
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
mod logarithm;
mod summary;

pub use area::{Area, AreaMismatch};
use heapless::Vec;
pub use logarithm::{STEPS_PER_OCTAVE, log2};
pub use summary::{Feature, Features, FeaturesMismatch, PARTS};

/// The acceleration along x, y, z, in counts of the sensor.
pub type Sample = [i16; 3];

/// Samples in a window: one second, at [`RATE_HZ`].
pub const WINDOW: usize = 100;

/// Samples per second.
pub const RATE_HZ: u32 = 100;

/// Counts per g: 2 mg a count, as the data sheet of the LIS3DH has it for ±4 g at high resolution.
pub const COUNTS_PER_G: i16 = 500;

/// Number of features of a motion: mean, standard deviation and peak, of x, of y, of z, and of the
/// magnitude of the three together.
pub const FEATURES: usize = 12;

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

/// Features of a motion: mean, standard deviation and peak.
pub const MOTION: Features<'static> =
    Features { axes: 3, each: &MOTION_KINDS, magnitude: &MOTION_KINDS, total: &[] };

const MOTION_KINDS: [Feature; 3] = [Feature::Mean, Feature::Deviation, Feature::Peak];

/// The features [`MOTION`] of these samples, at least one; of none they are 0.
pub fn features(samples: &[Sample]) -> [i16; FEATURES] {
    let mut out = [0; FEATURES];
    // Three axes and three statistics always fit; without a sample the zeros stay.
    let _ = MOTION.compute(samples.as_flattened(), &mut out);
    out
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
}
