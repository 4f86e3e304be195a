//! Features of a window of samples ([`Features`]), such as those of an accelerometer, and images of
//! fewer pixels ([`Area`]).
//!
//! The trainer computes them for the rows of a dataset, the device for what its accelerometer
//! or its camera measures, with this code and to the same bits.
//!
//! # Example
//! ```
//! use thimble_features::{ACTIVITY, ACTIVITY_STEP, ACTIVITY_WINDOW, Window};
//!
//! // Windows of two seconds of three axes, a new one every second.
//! let mut window = Window::<3, ACTIVITY_WINDOW>::new(ACTIVITY_STEP);
//! for _ in 1..ACTIVITY_WINDOW {
//!     assert_eq!(window.push([0, 0, 500]), None);
//! }
//! let samples = window.push([0, 0, 500]).expect("the window is full");
//! let mut features = [0; 8];
//! ACTIVITY.compute(samples, &mut features).expect("as many as there are");
//! assert_eq!(features[7], 0, "neighboring samples do not differ");
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod area;
mod fourier;
mod logarithm;
mod spectrum;
mod summary;
mod window;

pub use area::{Area, AreaMismatch};
pub use logarithm::{STEPS_PER_OCTAVE, log2};
pub use spectrum::{
    MAX_BANDS, MAX_SPECTRUM_WINDOW, NoSpectrum, STEPS_PER_CYCLE, Spectrum, SpectrumMemory, bins,
};
pub use summary::{Feature, Features, FeaturesMismatch, PARTS};
pub use window::Window;

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

/// Features of the preset `motion`, whose windows are generated: mean, standard deviation and peak.
pub const MOTION: Features<'static> =
    Features { axes: 3, each: &MOTION_KINDS, magnitude: &MOTION_KINDS, total: &[] };

const MOTION_KINDS: [Feature; 3] = [Feature::Mean, Feature::Deviation, Feature::Peak];

/// Features of the preset `activity`, of windows of [`ACTIVITY_WINDOW`] samples.
pub const ACTIVITY: Features<'static> = Features {
    axes: 3,
    each: &[],
    magnitude: &[
        Feature::LogDeviation,
        Feature::LogPeak,
        Feature::LogAbsoluteDeviation,
        Feature::LogRmsDifference,
        Feature::LogRmsSecondDifference,
        Feature::Crossings,
    ],
    total: &[Feature::LogDeviation, Feature::LogRmsDifference],
};

/// Samples in a window of the preset `activity`: two seconds at 26 Hz.
pub const ACTIVITY_WINDOW: usize = 52;

/// Samples from the start of a window of the preset `activity` to the start of the next.
pub const ACTIVITY_STEP: usize = 26;

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
    fn features_by_hand() {
        let features = features(&[[1, 10, 0], [3, 10, 0], [1, 10, 0], [7, 10, 0]]);
        // x: mean 3, deviations −2, 0, −2, 4, whose squares sum to 24.
        assert_eq!((features[0], features[2]), (12, 16));
        let exact = 4.0 * 6f32.sqrt();
        assert!((f32::from(features[1]) - exact).abs() < 0.05 * exact + 0.5, "{features:?}");
        // y stands still, z is nothing.
        assert_eq!(features[3..9], [40, 0, 0, 0, 0, 0]);
        assert!((40..50).contains(&features[9]), "{features:?}");
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
