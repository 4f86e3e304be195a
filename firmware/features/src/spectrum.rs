//! Frequencies of a window: the dominant one, and what lies in bands of an octave.

use crate::fourier::{Complex, half_turn, powers};
use crate::logarithm::log2;
use crate::summary::{Feature, Features, FeaturesMismatch, root};

/// Steps per cycle per sample that frequencies are given in: half the sampling rate, the most, is 5,000.
///
/// A frequency in Hz is this feature times the sampling rate in Hz, divided by 10,000.
pub const STEPS_PER_CYCLE: i16 = 10_000;

/// Longest window with features of frequencies, in samples.
pub const MAX_SPECTRUM_WINDOW: usize = 1024;

/// Most bands of a spectrum: the lowest of ten has a single frequency of the longest window.
pub const MAX_BANDS: u8 = 10;

/// Memory for the spectrum of windows of up to 2 · `BINS` samples: 12 · `BINS` bytes of RAM, and 8 · `BINS` bytes of flash
/// for a table. `BINS` is a power of two, at most 512: [`bins`] of the window's length.
///
/// A window's mean is removed, weighted like the samples, which are multiplied by the window of Welch (1967): 1 − t², where t
/// goes from −1, one sample before the first, to 1, one sample behind the last. It needs no table for each length. Behind the
/// samples follow zeros, up to a power of two.
///
/// # Example
/// ```
/// use thimble_features::{Feature, Features, Spectrum, bins};
///
/// const WINDOW: usize = 50;
/// let features = Features {
///     axes: 1,
///     each: &[Feature::DominantFrequency, Feature::LogBandRms { band: 1, of: 2 }],
///     magnitude: &[],
///     total: &[],
/// };
/// let mut spectrum = Spectrum::<{ bins(WINDOW) }>::new();
/// // A cycle in ten samples.
/// let cycle = [0, 59, 95, 95, 59, 0, -59, -95, -95, -59];
/// let samples: Vec<i16> = cycle.iter().copied().cycle().take(WINDOW).collect();
/// let mut out = [0; 2];
/// features.compute_with_spectrum(&samples, &mut spectrum, &mut out).expect("the lengths fit");
/// // A tenth of a cycle per sample, within a fifth of 1/64.
/// assert!((969..=1031).contains(&out[0]), "{out:?}");
/// ```
#[derive(Clone, Debug)]
pub struct Spectrum<const BINS: usize> {
    points: [Complex; BINS],
    total: [f32; BINS],
}

/// Returns the bins of a [`Spectrum`] for windows of so many samples: half of the next power of two.
pub const fn bins(window: usize) -> usize {
    if window <= 2 { 1 } else { window.next_power_of_two() / 2 }
}

/// Memory for spectra: a [`Spectrum`], or [`NoSpectrum`].
pub trait SpectrumMemory: sealed::Compute {}

/// No memory, for features of no frequencies: a program that uses nothing else contains no Fourier transform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoSpectrum;

mod sealed {
    use crate::summary::{Features, FeaturesMismatch};

    pub trait Compute {
        fn compute(
            &mut self,
            features: &Features<'_>,
            samples: &[i16],
            out: &mut [i16],
        ) -> Result<(), FeaturesMismatch>;
    }
}

/// Memory of a spectrum, and its table.
pub(crate) struct Lent<'a> {
    points: &'a mut [Complex],
    total: &'a mut [f32],
    turns: &'static [Complex],
}

impl<const BINS: usize> Spectrum<BINS> {
    const TURNS: [Complex; BINS] = half_turn();

    /// Creates memory. Other `BINS` than a power of two of at most 512 do not compile.
    pub const fn new() -> Self {
        const {
            assert!(
                BINS.is_power_of_two() && 2 * BINS <= MAX_SPECTRUM_WINDOW,
                "BINS must be a power of two of at most 512: bins(WINDOW) of the longest window"
            );
        }
        Spectrum { points: [[0.0; 2]; BINS], total: [0.0; BINS] }
    }
}

impl<const BINS: usize> Default for Spectrum<BINS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BINS: usize> sealed::Compute for Spectrum<BINS> {
    fn compute(
        &mut self,
        features: &Features<'_>,
        samples: &[i16],
        out: &mut [i16],
    ) -> Result<(), FeaturesMismatch> {
        let Spectrum { points, total } = self;
        features.compute_lent(samples, Lent { points, total, turns: &Self::TURNS }, out)
    }
}

impl<const BINS: usize> SpectrumMemory for Spectrum<BINS> {}

impl sealed::Compute for NoSpectrum {
    fn compute(
        &mut self,
        features: &Features<'_>,
        samples: &[i16],
        out: &mut [i16],
    ) -> Result<(), FeaturesMismatch> {
        features.compute(samples, out)
    }
}

impl SpectrumMemory for NoSpectrum {}

/// Spectra of the series of one window.
pub(crate) struct Lines<'a> {
    /// Powers of frequencies in the real parts, times `scale`: of half the sampling rate in the first point.
    points: &'a mut [Complex],
    total: &'a mut [f32],
    turns: &'static [Complex],
    /// Square of counts per unit of the powers: the powers of all frequencies add up to the variance.
    scale: f32,
}

impl<'a> Lines<'a> {
    /// Takes memory for windows of so many samples; `None` if it is too small.
    pub(crate) fn new(memory: Lent<'a>, window: usize) -> Option<Self> {
        let Lent { points, total, turns } = memory;
        let bins = bins(window);
        let (points, total) = (points.get_mut(..bins)?, total.get_mut(..bins)?);
        total.fill(0.0);
        Some(Lines { points, total, turns, scale: 0.0 })
    }

    /// Replaces the spectrum by that of this series of so many samples.
    pub(crate) fn set(&mut self, mut series: impl Iterator<Item = f32>, window: usize) {
        for point in self.points.iter_mut() {
            *point = [series.next().unwrap_or(0.0), series.next().unwrap_or(0.0)];
        }
        self.transform(window);
    }

    /// Replaces so many samples by their spectrum.
    fn transform(&mut self, window: usize) {
        // The weights: 1 − t².
        let (step, first) = (2.0 / (window as f32 + 1.0), 1.0 - window as f32);
        let weight = |index: usize| {
            let t = (first / 2.0 + index as f32) * step;
            1.0 - t * t
        };
        let (mut sum, mut all, mut squares) = (0.0, 0.0, 0.0);
        for (index, value) in self.points.as_flattened().iter().take(window).enumerate() {
            let weight = weight(index);
            sum += weight * value;
            all += weight;
            squares += weight * weight;
        }
        let mean = sum / all;
        let samples = self.points.as_flattened_mut().iter_mut().take(window);
        for (index, value) in samples.enumerate() {
            *value = (*value - mean) * weight(index);
        }
        powers(self.points, self.turns);
        // Parseval: the squares of the samples are the powers of all frequencies, positive and negative, by their number. Powers
        // are four times too large.
        let frequencies = 2 * self.points.len();
        self.scale = 0.25 / (frequencies as f32 * squares);
    }

    /// Adds the spectrum to the total.
    pub(crate) fn add_to_total(&mut self) {
        for (total, point) in self.total.iter_mut().zip(self.points.iter()) {
            *total += point[0];
        }
    }

    /// Replaces the spectrum by the total.
    pub(crate) fn set_total(&mut self) {
        for (total, point) in self.total.iter().zip(self.points.iter_mut()) {
            point[0] = *total;
        }
    }

    /// Power of a frequency, from 1.
    fn power(&self, frequency: usize) -> f32 {
        let index = if frequency == self.points.len() { 0 } else { frequency };
        self.points.get(index).map_or(0.0, |point| point[0])
    }

    /// Mean square of the series in a band of frequencies, above the first and up to the last.
    fn mean_square(&self, above: usize, last: usize) -> f32 {
        let mut sum = 0.0;
        for frequency in above + 1..=last {
            // Half the sampling rate has no negative frequency beside it.
            let sides = if frequency == self.points.len() { 1.0 } else { 2.0 };
            sum += sides * self.power(frequency);
        }
        sum * self.scale
    }

    /// Returns a feature of frequencies; `None` for a band that there is not, and for other features.
    pub(crate) fn feature(&self, kind: Feature) -> Option<i16> {
        let exists = |band: u8, of: u8| (1..=of).contains(&band) && of <= MAX_BANDS;
        match kind {
            Feature::DominantFrequency => Some(self.dominant_frequency()),
            Feature::BandRms { band, of } if exists(band, of) => Some(self.band(band, of)),
            Feature::LogBandRms { band, of } if exists(band, of) => Some(log2(self.band(band, of))),
            _ => None,
        }
    }

    /// Root mean square in band `band`, from 1, of `of` octaves, in steps of features.
    fn band(&self, band: u8, of: u8) -> i16 {
        // Half of the frequencies are in the last band, half of the others in that before, all that are left in the first.
        let end = |band: u8| match of.checked_sub(band) {
            _ if band == 0 => 0,
            Some(halvings) => self.points.len().checked_shr(halvings.into()).unwrap_or(0),
            None => self.points.len(),
        };
        root(self.mean_square(end(band.saturating_sub(1)), end(band)))
    }

    /// Frequency of the largest power, in steps per cycle per sample; 0 if the series hardly varies: if its root mean square
    /// rounds to 0.
    ///
    /// Between frequencies it is the vertex of the parabola through the largest power and its two neighbors: for a tone of at
    /// least three cycles in the window within a fifth of their distance.
    fn dominant_frequency(&self) -> i16 {
        let bins = self.points.len();
        if root(self.mean_square(0, bins)) == 0 {
            return 0;
        }
        let (mut at, mut most) = (1, self.power(1));
        for frequency in 2..=bins {
            let power = self.power(frequency);
            if power > most {
                (at, most) = (frequency, power);
            }
        }
        // The power of frequency 0 is 0; the spectrum is symmetric to half the sampling rate.
        let below = if at == 1 { 0.0 } else { self.power(at - 1) };
        let above = if at == bins { below } else { self.power(at + 1) };
        let curvature = (most - below) + (most - above);
        let offset = if curvature > 0.0 { 0.5 * (above - below) / curvature } else { 0.0 };
        let cycles = (at as f32 + offset) / (2 * bins) as f32;
        // At most 5,000.
        (cycles * f32::from(STEPS_PER_CYCLE) + 0.5) as i16
    }
}

#[cfg(test)]
#[path = "spectrum_tests.rs"]
mod tests;
