//! Windows of recordings: features of runs of samples, computed by the device's own code.

use std::sync::Arc;

use model_format::limits::MAX_WIDTH;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use thimble_features::{
    Feature, Features as DeviceFeatures, MAX_BANDS, MAX_SPECTRUM_WINDOW, PARTS, Spectrum, bins,
};
use thimble_numeric::validators::at_least_one;
use thimble_support::foreign_text::shown;

use super::window_feature::{BAND_RMS, LOG_BAND_RMS, WindowFeature, described, is_saturated};
use super::{Dataset, Error, FeatureLabel, Features, Labels, Raw};

/// Windows over time series, and the features of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Samples per window.
    #[serde(deserialize_with = "at_least_one")]
    pub length: usize,
    /// Samples from the start of a window to the start of the next. Half of `length` is usual.
    #[serde(deserialize_with = "at_least_one")]
    pub step: usize,
    /// Features of each axis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<WindowFeature>,
    /// Features of √(x² + y² + …) of each sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub magnitude: Vec<WindowFeature>,
    /// Features of the axes in total: the root of the sum of squares over the axes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub total: Vec<WindowFeature>,
    /// Number of bands of the spectrum, for `band_rms` and `log_band_rms`. The last is from a quarter to
    /// half the sampling rate, each before it an octave lower, and the first begins at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bands: Option<u8>,
}

/// A recording: samples in a row, of one class or of several after each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Recording {
    /// Name for messages.
    pub name: String,
    /// Class and counts, samples × axes, of each stretch of one class.
    pub stretches: Vec<(u16, Vec<i16>)>,
}

/// Recordings of a dataset's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRecordings {
    /// Recording of each row, an index into `names`.
    pub of_rows: Vec<u32>,
    /// Name of each recording.
    pub names: Vec<String>,
}

/// The sensor behind the counts of recordings.
pub(super) struct Sensor<'a> {
    /// Names of the axes.
    pub axes: &'a [String],
    /// Real value per count.
    pub resolution: f64,
    /// Unit of the real value, which may be empty.
    pub unit: &'a str,
    /// Remedy for features that saturate.
    pub remedy: &'static str,
}

/// Features of a window of samples of so many axes.
#[derive(Clone, Debug)]
pub struct WindowFeatures {
    axes: usize,
    each: Vec<Feature>,
    magnitude: Vec<Feature>,
    total: Vec<Feature>,
}

impl WindowFeatures {
    fn on_device(&self) -> DeviceFeatures<'_> {
        let WindowFeatures { axes, each, magnitude, total } = self;
        DeviceFeatures { axes: *axes, each, magnitude, total }
    }

    /// Returns the number of features.
    pub fn count(&self) -> usize {
        self.on_device().count()
    }

    /// Computes the features of a window, samples × axes; `None` if it has no whole samples.
    pub fn compute(&self, samples: &[i16]) -> Option<Vec<i16>> {
        let mut spectrum = Spectrum::<{ bins(MAX_SPECTRUM_WINDOW) }>::new();
        let mut features = vec![0; self.count()];
        self.on_device().compute_with_spectrum(samples, &mut spectrum, &mut features).ok()?;
        Some(features)
    }
}

impl Windows {
    /// Returns the features of a window of samples of so many axes.
    pub fn features(&self, axes: usize) -> WindowFeatures {
        let bands = self.bands.unwrap_or(0);
        let [each, magnitude, total] = [&self.each, &self.magnitude, &self.total].map(|list| {
            list.iter().flat_map(|named| named.features(bands)).collect::<Vec<Feature>>()
        });
        WindowFeatures { axes, each, magnitude, total }
    }

    /// Returns a problem of the settings that does not depend on the data.
    pub fn problem(&self) -> Option<String> {
        let lists = [("each", &self.each), ("magnitude", &self.magnitude), ("total", &self.total)];
        for (key, list) in lists {
            let twice = list.iter().enumerate().find(|(at, name)| list[..*at].contains(name));
            if let Some((_, twice)) = twice {
                return Some(format!("{key} has `{}` twice: name it once", twice.name()));
            }
        }
        if lists.iter().all(|(_, list)| list.is_empty()) {
            return Some("no feature is named: give each, magnitude or total a list".into());
        }
        self.problem_of_spectrum()
    }

    /// Returns a problem of frequencies and bands.
    fn problem_of_spectrum(&self) -> Option<String> {
        let mut named = [&self.each, &self.magnitude, &self.total].into_iter().flatten();
        let of_bands = named.clone().find(|feature| feature.is_of_bands());
        let spectral = named.find(|feature| feature.needs_spectrum());
        if let Some(name) = spectral.filter(|_| self.length > MAX_SPECTRUM_WINDOW) {
            return Some(format!(
                "length is {}, but `{}` takes windows of at most {MAX_SPECTRUM_WINDOW} samples: lower it, \
                 or leave the feature out",
                self.length,
                name.name()
            ));
        }
        // The lowest band has at least one frequency of the transform.
        let most = (bins(self.length).ilog2() + 1).min(MAX_BANDS.into());
        match (of_bands, self.bands) {
            (Some(name), None) => Some(format!(
                "`{}` needs the number of bands: set bands to 1 to {most}",
                name.name()
            )),
            (Some(_), Some(bands)) if bands == 0 || u32::from(bands) > most => Some(format!(
                "bands is {bands}, but windows of {} samples have 1 to {most} bands of an octave: set \
                 another",
                self.length
            )),
            (None, Some(_)) => Some(format!(
                "bands is set, but no feature has bands: name {BAND_RMS} or {LOG_BAND_RMS}, or leave \
                 bands out"
            )),
            _ => None,
        }
    }

    /// Computes the features of all windows. Returns notes for the user, too: of features that saturate.
    ///
    /// # Errors
    /// [`Error::Dataset`] for invalid settings, and if no stretch of a recording is as long as a
    /// window.
    pub(super) fn cut(
        &self,
        name: &str,
        recordings: &[Recording],
        classes: Vec<String>,
        sensor: &Sensor<'_>,
    ) -> Result<(Dataset, Vec<String>), Error> {
        let fail = |problem: String| Error::Dataset { dataset: name.to_string(), problem };
        if let Some(problem) = self.problem() {
            return Err(fail(problem));
        }
        let axes = sensor.axes.len();
        let features = self.features(axes);
        let width = features.count();
        if width == 0 || width > MAX_WIDTH {
            return Err(fail(format!(
                "{width} features of a window, but a model takes 1 to {MAX_WIDTH}: name others"
            )));
        }
        let (mut counts, mut indices, mut of_rows) = (Vec::new(), Vec::new(), Vec::new());
        for (number, recording) in recordings.iter().enumerate() {
            let before = indices.len();
            for (class, samples) in &recording.stretches {
                let length = self.length.saturating_mul(axes);
                let step = self.step.saturating_mul(axes);
                for window in samples.windows(length).step_by(step) {
                    let row = features
                        .compute(window)
                        .ok_or_else(|| fail("its windows do not have whole samples".to_string()))?;
                    counts.extend(row);
                    indices.push(*class);
                    of_rows.push(number as u32);
                }
            }
            if indices.len() == before {
                let longest = recording.stretches.iter().map(|(_, samples)| samples.len() / axes);
                let longest = longest.max().unwrap_or(0);
                let stretch = match recording.stretches.len() {
                    0 | 1 => String::new(),
                    _ => " of one class in a row".to_string(),
                };
                return Err(fail(format!(
                    "recording `{}` has {longest} samples{stretch}, but a window has {}. Lower the \
                     window's length, or leave the recording out",
                    shown(&recording.name),
                    self.length
                )));
            }
        }
        let values = Array2::from_shape_vec((indices.len(), width), counts)
            .map_err(|error| fail(error.to_string()))?;
        let axes = sensor.axes.iter().map(|axis| (axis.as_str(), &features.each));
        let others = [("magnitude", &features.magnitude), ("total", &features.total)];
        let kinds = axes
            .chain(others)
            .flat_map(|(series, kinds)| kinds.iter().map(move |&kind| (series, kind)));
        let (mut feature_labels, mut raw, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for ((series, kind), column) in kinds.zip(values.columns()) {
            let (label, of_feature): (FeatureLabel, Raw) = described(series, kind, sensor);
            let saturated = column.iter().filter(|value| is_saturated(kind, **value)).count();
            if saturated > 0 {
                notes.push(format!(
                    "warning: `{}` saturates in {:.2} % of the windows, as it would on the device: it is \
                     beyond {} counts of the sensor. {}",
                    shown(&label.name),
                    100.0 * saturated as f64 / column.len() as f64,
                    f64::from(i16::MAX) / f64::from(PARTS),
                    sensor.remedy
                ));
            }
            feature_labels.push(label);
            raw.push(of_feature);
        }
        let names = recordings.iter().map(|recording| recording.name.clone()).collect();
        let labels = Labels { indices, names: classes };
        let dataset = Dataset::new(name, vec![width], Features::Counts { values, raw }, labels)?;
        let recordings = Arc::new(RowRecordings { of_rows, names });
        Ok((dataset.with_feature_labels(feature_labels)?.with_recordings(recordings), notes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(windows: &Windows, recordings: &[Recording]) -> Result<Dataset, String> {
        cut_with_notes(windows, recordings).map(|(dataset, _)| dataset)
    }

    fn cut_with_notes(
        windows: &Windows,
        recordings: &[Recording],
    ) -> Result<(Dataset, Vec<String>), String> {
        let axes = ["x".to_string(), "y".to_string()];
        let sensor = Sensor { axes: &axes, resolution: 2.0, unit: "mg", remedy: "Do this" };
        let classes = vec!["a".into(), "b".into()];
        windows.cut("d", recordings, classes, &sensor).map_err(|error| error.to_string())
    }

    #[test]
    fn features_that_saturate_are_noted_by_column_and_share() {
        let kinds = [Feature::Mean, Feature::Peak, Feature::LogPeak, Feature::Crossings];
        let each = kinds.map(WindowFeature::One).to_vec();
        let windows = Windows { each, ..windows(2, 2) };
        // Four windows: x is at its ends in the first, y below in the last.
        let first = [8191, 0, -8191, 0, 5, 0, 9, 0, 5, 8191, 9, -8000, 1, -8191, 1, -8191];
        let (_, notes) = cut_with_notes(&windows, &[recording("p", &[(0, &first)])]).unwrap();
        let names: Vec<&str> = notes.iter().filter_map(|note| note.split('`').nth(1)).collect();
        assert_eq!(names, [] as [&str; 0], "8,191 counts fit: {notes:?}");
        let (least, most) = (i16::MIN, i16::MAX);
        let second = [most, 0, least, 0, 5, 0, 9, 0, 5, 0, 9, 0, 1, least, 1, least];
        let (_, notes) = cut_with_notes(&windows, &[recording("p", &[(0, &second)])]).unwrap();
        let names: Vec<&str> = notes.iter().filter_map(|note| note.split('`').nth(1)).collect();
        assert_eq!(names, ["x_peak", "x_log_peak", "y_mean"]);
        for note in &notes {
            assert!(
                note.contains("in 25.00 % of the windows") && note.ends_with("Do this"),
                "{note}"
            );
        }
    }

    fn windows(length: usize, step: usize) -> Windows {
        let each = vec![WindowFeature::One(Feature::Mean), WindowFeature::One(Feature::Crossings)];
        Windows { length, step, each, magnitude: vec![], total: vec![], bands: None }
    }

    fn recording(name: &str, stretches: &[(u16, &[i16])]) -> Recording {
        let stretches = stretches.iter().map(|(class, samples)| (*class, samples.to_vec()));
        Recording { name: name.into(), stretches: stretches.collect() }
    }

    #[test]
    fn windows_overlap_within_a_stretch_and_never_across() {
        let first = recording("p", &[(0, &[1, 10, 3, 10, 5, 10]), (1, &[7, 0, 9, 4, 8, 8])]);
        let second = recording("q", &[(1, &[0, 0, 2, 2])]);
        let data = cut(&windows(2, 1), &[first, second]).unwrap();
        let Features::Counts { values, raw } = data.features() else { panic!("counts") };
        assert_eq!(values.column(0).to_vec(), [8, 16, 32, 34, 4]);
        assert_eq!(values.column(1).to_vec(), [1, 1, 1, 1, 1]);
        assert_eq!(data.labels().unwrap().indices, [0, 0, 1, 1, 1]);
        assert_eq!(data.recordings().unwrap().of_rows, [0, 0, 0, 0, 1]);
        let labels = data.feature_labels();
        assert_eq!((labels[0].name.as_str(), labels[0].unit.as_str()), ("x_mean", "mg"));
        assert_eq!((labels[3].name.as_str(), labels[3].unit.as_str()), ("y_crossings", ""));
        // A mean of 4 counts of 2 mg, and a number of crossings.
        assert!((raw[0].real(16) - 8.0).abs() < 1e-9 && (raw[1].real(3) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn settings_and_recordings_that_do_not_fit_are_refused() {
        let long = recording("p", &[(0, &[1, 2, 3, 4])]);
        let short = recording("walk.csv", &[(0, &[1, 2]), (1, &[1, 2])]);
        for (windows, recordings, expected) in [
            (windows(3, 1), vec![long.clone()], "recording `p` has 2 samples, but a window has 3"),
            (
                windows(2, 1),
                vec![long.clone(), short],
                "`walk.csv` has 1 samples of one class in a row, but a window has 2. Lower",
            ),
            (Windows { each: vec![], ..windows(2, 1) }, vec![long.clone()], "no feature is named"),
            (
                Windows { total: vec![WindowFeature::One(Feature::Peak); 2], ..windows(2, 1) },
                vec![long],
                "total has `peak` twice",
            ),
            (windows(2, 1), vec![], "nothing to learn"),
        ] {
            let message = cut(&windows, &recordings).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    fn spectral(length: usize, bands: Option<u8>, total: &[WindowFeature]) -> Windows {
        Windows { each: vec![], total: total.to_vec(), bands, ..windows(length, length) }
    }

    #[test]
    fn bands_are_features_of_their_own() {
        let samples: Vec<i16> = (0..16).flat_map(|n| [100 * (n % 2), 3 * n]).collect();
        let windows = spectral(
            16,
            Some(2),
            &[WindowFeature::One(Feature::DominantFrequency), WindowFeature::LogBandRms],
        );
        let data = cut(&windows, &[recording("p", &[(0, &samples)])]).unwrap();
        let names: Vec<&str> =
            data.feature_labels().iter().map(|label| label.name.as_str()).collect();
        assert_eq!(
            names,
            ["total_dominant_frequency", "total_log_band_rms_1", "total_log_band_rms_2"]
        );
        let Features::Counts { values, .. } = data.features() else { panic!("counts") };
        // x alternates: half the sampling rate, a root mean square of 50 counts, whose root is up to 6.1 % too large. y rises.
        assert_eq!(values[(0, 0)], 5000);
        let of_quarters =
            |least, most| thimble_features::log2(least)..=thimble_features::log2(most);
        assert!(of_quarters(196, 212).contains(&values[(0, 2)]), "{values}");
        assert!(of_quarters(20, 60).contains(&values[(0, 1)]), "{values}");
        let text = toml::to_string(&windows).unwrap();
        assert!(text.contains("total = [\"dominant_frequency\", \"log_band_rms\"]"), "{text}");
        assert_eq!(toml::from_str::<Windows>(&text).unwrap(), windows);
    }

    #[test]
    fn windows_without_such_a_spectrum_are_refused() {
        let frequency = WindowFeature::One(Feature::DominantFrequency);
        for (windows, expected) in [
            (
                spectral(1025, None, &[frequency]),
                "`dominant_frequency` takes windows of at most 1024",
            ),
            (
                spectral(52, None, &[WindowFeature::BandRms]),
                "`band_rms` needs the number of bands: set bands to 1 to 6",
            ),
            (
                spectral(52, Some(7), &[WindowFeature::BandRms]),
                "bands is 7, but windows of 52 samples have 1 to 6",
            ),
            (spectral(52, Some(0), &[WindowFeature::LogBandRms]), "bands is 0"),
            (spectral(52, Some(4), &[frequency]), "bands is set, but no feature has bands"),
        ] {
            let problem = windows.problem().unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
        assert_eq!(spectral(1024, Some(10), &[WindowFeature::BandRms]).problem(), None);
        assert_eq!(spectral(1025, None, &[WindowFeature::One(Feature::Mean)]).problem(), None);
    }
}
