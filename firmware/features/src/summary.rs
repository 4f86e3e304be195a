//! Features of a window of samples: statistics of each axis and of the magnitude.

use micromath::F32Ext;

use crate::logarithm::log2;
use crate::spectrum::{Lent, Lines, SpectrumMemory};

/// Steps per unit of the sensor that features are given in: they are finer than a sample.
///
/// Features saturate at 32,767 steps: mean, deviation, root mean square and absolute deviation of one axis do
/// not for samples of −8,191 to 8,191, the others for samples of 12 bits, −2048 to 2047, but for
/// [`RmsSecondDifference`](Feature::RmsSecondDifference) of a signal that jumps from end to end at every sample.
pub const PARTS: i16 = 4;

/// A statistic of a window, of one axis, of the magnitude or of all axes in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Mean, in quarters of a count.
    Mean,
    /// Standard deviation: root mean square of the differences from the mean, in quarters of a count.
    Deviation,
    /// Root mean square, in quarters of a count.
    Rms,
    /// Mean absolute difference from the mean, in quarters of a count.
    AbsoluteDeviation,
    /// Largest difference from the mean, in quarters of a count.
    Peak,
    /// Root mean square of the differences of neighboring samples, in quarters of a count.
    RmsDifference,
    /// Root mean square of the second differences, x₊₁ − 2x + x₋₁, in quarters of a count.
    RmsSecondDifference,
    /// Crossings of the mean: how often neighboring samples lie on its two sides. A number.
    Crossings,
    /// Binary logarithm of the standard deviation, see [`log2`].
    LogDeviation,
    /// Binary logarithm of the root mean square.
    LogRms,
    /// Binary logarithm of the mean absolute difference from the mean.
    LogAbsoluteDeviation,
    /// Binary logarithm of the largest difference from the mean.
    LogPeak,
    /// Binary logarithm of the root mean square of the differences of neighboring samples.
    LogRmsDifference,
    /// Binary logarithm of the root mean square of the second differences.
    LogRmsSecondDifference,
    /// Frequency with the largest power, in 10,000ths of a cycle per sample, 0 to 5,000; 0 if the series hardly varies. In
    /// total, that of the sum of the powers of all axes. It needs a [`Spectrum`](crate::Spectrum), like bands.
    DominantFrequency,
    /// Root mean square of the part of the series within a band of frequencies, the root of its energy per sample, in
    /// quarters of a count.
    BandRms {
        /// Number of the band, from 1, the lowest.
        band: u8,
        /// Number of bands, at most [`MAX_BANDS`](crate::MAX_BANDS). The last is from a quarter to half the sampling rate, each
        /// before it an octave lower, and the first begins at 0.
        of: u8,
    },
    /// Binary logarithm of [`BandRms`](Feature::BandRms).
    LogBandRms {
        /// Number of the band, from 1, the lowest.
        band: u8,
        /// Number of bands.
        of: u8,
    },
}

impl Feature {
    /// Returns `true` for features that need a [`Spectrum`](crate::Spectrum).
    pub const fn needs_spectrum(self) -> bool {
        matches!(
            self,
            Feature::DominantFrequency | Feature::BandRms { .. } | Feature::LogBandRms { .. }
        )
    }
}

/// The features of a window: which statistics of each axis, of the magnitude, and of the axes in
/// total.
///
/// The magnitude is √(x² + y² + …) of each sample. A statistic in total is the root of the sum of its
/// squares over the axes, of crossings the sum. The magnitude does not change when the sensor is
/// turned, and neither do the deviation, the root mean square and those of differences in total.
///
/// # Example
/// ```
/// use thimble_features::{Feature, Features};
///
/// let features = Features {
///     axes: 2,
///     each: &[Feature::Mean, Feature::Peak],
///     magnitude: &[],
///     total: &[],
/// };
/// let mut out = [0; 4];
/// // Two samples of two axes.
/// features.compute(&[1, 10, 3, 10], &mut out).expect("the lengths fit");
/// assert_eq!(out, [4 * 2, 4, 4 * 10, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features<'a> {
    /// Number of axes of a sample.
    pub axes: usize,
    /// Features of each axis.
    pub each: &'a [Feature],
    /// Features of the magnitude.
    pub magnitude: &'a [Feature],
    /// Features of the axes in total.
    pub total: &'a [Feature],
}

/// The window has no whole samples, there is not one place per feature, a feature needs a
/// [`Spectrum`](crate::Spectrum) for longer windows, or a band does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeaturesMismatch;

impl Features<'_> {
    /// Returns the number of features of a window.
    pub const fn count(&self) -> usize {
        self.axes * self.each.len() + self.magnitude.len() + self.total.len()
    }

    /// Returns `true` if a feature needs a [`Spectrum`](crate::Spectrum).
    pub fn need_spectrum(&self) -> bool {
        need_spectrum(self.each) || need_spectrum(self.magnitude) || need_spectrum(self.total)
    }

    /// Computes the features of a window, of which none needs a spectrum.
    ///
    /// Only additions, products, quotients and comparisons of f32, one after the other, and the
    /// square root of micromath, within 6.1 % of the exact one: every core and every computer gives
    /// the same bits.
    ///
    /// # Shapes
    /// `samples` is samples × axes. `out` has the features of each axis, one axis after the other,
    /// then those of the magnitude, then those in total.
    ///
    /// # Errors
    /// [`FeaturesMismatch`] if a length is another, if there is no sample, or if a feature needs a
    /// spectrum. `out` has no meaning then.
    pub fn compute(&self, samples: &[i16], out: &mut [i16]) -> Result<(), FeaturesMismatch> {
        self.compute_in::<false>(samples, None, out)
    }

    /// Computes the features of a window as [`compute`](Self::compute) does, those of frequencies in this
    /// [`Spectrum`](crate::Spectrum). What it contained before has no effect, and neither has its size.
    ///
    /// # Shapes
    /// Those of [`compute`](Self::compute).
    ///
    /// # Errors
    /// [`FeaturesMismatch`] if a length is another, if there is no sample, if the window is too long for the spectrum, and for a
    /// band that there is not. `out` has no meaning then.
    pub fn compute_with_spectrum<S: SpectrumMemory>(
        &self,
        samples: &[i16],
        spectrum: &mut S,
        out: &mut [i16],
    ) -> Result<(), FeaturesMismatch> {
        spectrum.compute(self, samples, out)
    }

    /// The same with the parts of a spectrum: one function for spectra of all sizes, compiled with this crate.
    pub(crate) fn compute_lent(
        &self,
        samples: &[i16],
        memory: Lent<'_>,
        out: &mut [i16],
    ) -> Result<(), FeaturesMismatch> {
        self.compute_in::<true>(samples, Some(memory), out)
    }

    fn compute_in<const SPECTRUM: bool>(
        &self,
        samples: &[i16],
        memory: Option<Lent<'_>>,
        out: &mut [i16],
    ) -> Result<(), FeaturesMismatch> {
        let axes = self.axes;
        let fits = axes > 0
            && !samples.is_empty()
            && samples.len().is_multiple_of(axes)
            && out.len() == self.count();
        if !fits {
            return Err(FeaturesMismatch);
        }
        let window = samples.len() / axes;
        // Without memory for a spectrum, all that needs one is dead code.
        let needs = |features| SPECTRUM && need_spectrum(features);
        let (axes_need, magnitude_needs) =
            (needs(self.each) || needs(self.total), needs(self.magnitude));
        let mut lines = match memory.filter(|_| axes_need || magnitude_needs) {
            Some(memory) => Some(Lines::new(memory, window).ok_or(FeaturesMismatch)?),
            None => None,
        };
        let mut out = out.iter_mut();
        let mut put = |found: &Summary, lines: Option<&Lines<'_>>, kinds: &[Feature]| {
            for (kind, out) in kinds.iter().zip(&mut out) {
                *out = found
                    .feature(*kind)
                    .or_else(|| lines?.feature(*kind))
                    .ok_or(FeaturesMismatch)?;
            }
            Ok(())
        };
        let mut total = Summary::default();
        if !self.each.is_empty() || !self.total.is_empty() {
            for axis in 0..axes {
                let series = samples.iter().skip(axis).step_by(axes);
                let series = series.map(|&count| f32::from(count));
                if let Some(lines) = lines.as_mut().filter(|_| axes_need) {
                    lines.set(series.clone(), window);
                    lines.add_to_total();
                }
                let found = summary(series);
                put(&found, lines.as_ref(), self.each)?;
                total.add(&found);
            }
        }
        if !self.magnitude.is_empty() {
            let series = samples.chunks_exact(axes).map(|sample| {
                let squares = sample.iter().map(|&x| f32::from(x) * f32::from(x));
                F32Ext::sqrt(squares.fold(0.0, |sum, square| sum + square))
            });
            if let Some(lines) = lines.as_mut().filter(|_| magnitude_needs) {
                lines.set(series.clone(), window);
            }
            put(&summary(series), lines.as_ref(), self.magnitude)?;
        }
        if let Some(lines) = &mut lines {
            lines.set_total();
        }
        put(&total, lines.as_ref(), self.total)
    }
}

fn need_spectrum(features: &[Feature]) -> bool {
    features.iter().any(|feature| feature.needs_spectrum())
}

/// Statistics of a series, in counts. Those that are roots are kept as squares.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    mean: f32,
    variance: f32,
    power: f32,
    absolute_deviation: f32,
    peak: f32,
    first_differences: f32,
    second_differences: f32,
    crossings: i16,
    /// Whether mean, absolute deviation and peak are sums of squares.
    is_total: bool,
}

fn summary(series: impl Iterator<Item = f32> + Clone) -> Summary {
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    for value in series.clone() {
        sum += value;
        count += 1.0;
    }
    let mut found = Summary { mean: sum / count, ..Summary::default() };
    let (mut last, mut last_step) = (None::<f32>, None::<f32>);
    for value in series {
        let difference = value - found.mean;
        found.variance += difference * difference;
        found.power += value * value;
        found.absolute_deviation += difference.abs();
        found.peak = found.peak.max(difference.abs());
        if let Some(last) = last {
            let step = difference - last;
            found.first_differences += step * step;
            if let Some(last_step) = last_step {
                found.second_differences += (step - last_step) * (step - last_step);
            }
            last_step = Some(step);
            let crosses = (difference < 0.0) != (last < 0.0);
            found.crossings = found.crossings.saturating_add(i16::from(crosses));
        }
        last = Some(difference);
    }
    found.variance /= count;
    found.power /= count;
    found.absolute_deviation /= count;
    // Where there are no differences, the sum is 0.
    found.first_differences /= (count - 1.0).max(1.0);
    found.second_differences /= (count - 2.0).max(1.0);
    found
}

impl Summary {
    /// Adds an axis to the total.
    fn add(&mut self, axis: &Summary) {
        self.is_total = true;
        self.mean += axis.mean * axis.mean;
        self.variance += axis.variance;
        self.power += axis.power;
        self.absolute_deviation += axis.absolute_deviation * axis.absolute_deviation;
        self.peak += axis.peak * axis.peak;
        self.first_differences += axis.first_differences;
        self.second_differences += axis.second_differences;
        self.crossings = self.crossings.saturating_add(axis.crossings);
    }

    /// Returns a feature, or `None` for one of frequencies.
    fn feature(&self, kind: Feature) -> Option<i16> {
        let plain = |value: f32| if self.is_total { root(value) } else { counted(value) };
        Some(match kind {
            Feature::Mean => plain(self.mean),
            Feature::Deviation => root(self.variance),
            Feature::Rms => root(self.power),
            Feature::AbsoluteDeviation => plain(self.absolute_deviation),
            Feature::Peak => plain(self.peak),
            Feature::RmsDifference => root(self.first_differences),
            Feature::RmsSecondDifference => root(self.second_differences),
            Feature::Crossings => self.crossings,
            Feature::LogDeviation => log2(root(self.variance)),
            Feature::LogRms => log2(root(self.power)),
            Feature::LogAbsoluteDeviation => log2(plain(self.absolute_deviation)),
            Feature::LogPeak => log2(plain(self.peak)),
            Feature::LogRmsDifference => log2(root(self.first_differences)),
            Feature::LogRmsSecondDifference => log2(root(self.second_differences)),
            Feature::DominantFrequency | Feature::BandRms { .. } | Feature::LogBandRms { .. } => {
                return None;
            }
        })
    }
}

/// Root of a square in counts, in steps of features.
pub(crate) fn root(square: f32) -> i16 {
    counted(F32Ext::sqrt(square))
}

/// To the nearest quarter of a count, ties away from zero.
fn counted(value: f32) -> i16 {
    let half = if value < 0.0 { -0.5 } else { 0.5 };
    // A cast saturates.
    (value * f32::from(PARTS) + half) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Feature; 14] = [
        Feature::Mean,
        Feature::Deviation,
        Feature::Rms,
        Feature::AbsoluteDeviation,
        Feature::Peak,
        Feature::RmsDifference,
        Feature::RmsSecondDifference,
        Feature::Crossings,
        Feature::LogDeviation,
        Feature::LogRms,
        Feature::LogAbsoluteDeviation,
        Feature::LogPeak,
        Feature::LogRmsDifference,
        Feature::LogRmsSecondDifference,
    ];

    /// All features of one axis.
    fn single(samples: &[i16]) -> [i16; 14] {
        let mut out = [0; 14];
        let features = Features { axes: 1, each: &ALL, magnitude: &[], total: &[] };
        features.compute(samples, &mut out).unwrap();
        out
    }

    fn assert_near(found: i16, exact: f32) {
        // micromath replaces √(1 + m) by 1 + m/2, which is at most 6.07 % more; half a quarter is
        // rounded.
        assert!((f32::from(found) - 4.0 * exact).abs() <= 0.243 * exact + 0.5, "{found} {exact}");
    }

    #[test]
    fn statistics_by_hand() {
        // Mean 3; differences −2, 0, −2, 4; steps 2, −2, 6; second differences −4, 8.
        let found = single(&[1, 3, 1, 7]);
        assert_eq!((found[0], found[3], found[4], found[7]), (12, 8, 16, 3));
        assert_near(found[1], 6f32.sqrt());
        assert_near(found[2], 15f32.sqrt());
        assert_near(found[5], (44f32 / 3.0).sqrt());
        assert_near(found[6], 40f32.sqrt());
    }

    #[test]
    fn logarithms_are_those_of_the_linear_features() {
        let found = single(&[100, -900, 350, 20, 7]);
        for (log, linear) in (8..14).zip(1..7) {
            assert_eq!(found[log], log2(found[linear]), "{linear}");
        }
    }

    #[test]
    fn axes_magnitude_and_total_follow_each_other() {
        let (each, rest) = (&ALL[..], &[Feature::Mean, Feature::Deviation, Feature::Crossings]);
        let features = Features { axes: 2, each, magnitude: rest, total: rest };
        let mut both = [0; 34];
        assert_eq!(features.count(), both.len());
        features.compute(&[3, 4, -3, 4, 30, 40], &mut both).unwrap();
        assert_eq!(both[..14], single(&[3, -3, 30]));
        assert_eq!(both[14..28], single(&[4, 4, 40]));
        // The magnitude is 5, 5, 50: a mean of 20, a variance of 450. Roots within 6.1 % put 50 within
        // 3.05 and 5 within 0.31, the difference 30 within 2.3 (7.5 %), and the root of the
        // differences' squares within 6.1 % again.
        assert_near(both[28], 20.0);
        let deviation = f32::from(both[29]) / 4.0 / 450f32.sqrt();
        assert!((0.925 * 0.939..=1.075 * 1.061).contains(&deviation), "{deviation}");
        assert_eq!(both[30], 1);
        // The means are 10 and 16, the variances 206 and 288, the crossings 1 and 1.
        assert_near(both[31], 356f32.sqrt());
        assert_near(both[32], 494f32.sqrt());
        assert_eq!(both[33], 2);
    }

    #[test]
    fn one_sample_and_the_extremes_have_features() {
        let one = single(&[5]);
        assert_eq!((one[0], &one[3..8]), (20, &[0; 5][..]));
        assert_near(one[2], 5.0);
        let most = single(&[i16::MIN, i16::MAX]);
        assert_eq!((most[0], most[4]), (-2, i16::MAX), "features saturate");
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut out = [0; 2];
        for (axes, samples, places) in
            [(0, &[1, 2][..], 0), (2, &[1, 2, 3], 2), (2, &[], 2), (2, &[1, 2], 1)]
        {
            let features = Features { axes, each: &ALL[..1], magnitude: &[], total: &[] };
            assert_eq!(features.compute(samples, &mut out[..places]), Err(FeaturesMismatch));
        }
    }

    #[test]
    fn negative_means_round_as_positive_ones() {
        assert_eq!(
            [0.0, 0.124, 0.125, -0.125, 1e9, -1e9].map(counted),
            [0, 0, 1, -1, 32767, -32768]
        );
    }
}
