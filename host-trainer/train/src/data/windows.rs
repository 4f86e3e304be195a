//! Windows of recordings: features of runs of samples, computed by the device's own code.

use std::sync::Arc;

use model_format::limits::MAX_WIDTH;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use thimble_features::{Feature, Features as WindowFeatures, PARTS, STEPS_PER_OCTAVE};
use thimble_support::foreign_text::shown;

use super::{Dataset, Error, FeatureLabel, Features, Labels, Raw};
use crate::validators::at_least_one;

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
}

/// A feature of a window by its name in a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WindowFeature(pub Feature);

/// Features and their names.
const NAMES: [(&str, Feature); 14] = [
    ("mean", Feature::Mean),
    ("deviation", Feature::Deviation),
    ("rms", Feature::Rms),
    ("absolute_deviation", Feature::AbsoluteDeviation),
    ("peak", Feature::Peak),
    ("rms_difference", Feature::RmsDifference),
    ("rms_second_difference", Feature::RmsSecondDifference),
    ("crossings", Feature::Crossings),
    ("log_deviation", Feature::LogDeviation),
    ("log_rms", Feature::LogRms),
    ("log_absolute_deviation", Feature::LogAbsoluteDeviation),
    ("log_peak", Feature::LogPeak),
    ("log_rms_difference", Feature::LogRmsDifference),
    ("log_rms_second_difference", Feature::LogRmsSecondDifference),
];

impl WindowFeature {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, feature)| *feature == self.0).map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for WindowFeature {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match NAMES.iter().find(|(own, _)| *own == name) {
            Some((_, feature)) => Ok(WindowFeature(*feature)),
            None => {
                let names = NAMES.map(|(name, _)| name).join(", ");
                Err(format!("`{}` is no feature of a window. There are: {names}", shown(&name)))
            }
        }
    }
}

impl From<WindowFeature> for String {
    fn from(feature: WindowFeature) -> String {
        feature.name().to_string()
    }
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
}

impl Windows {
    /// Returns a problem of the settings that does not depend on the data.
    pub fn problem(&self) -> Option<String> {
        let lists = [("each", &self.each), ("magnitude", &self.magnitude), ("total", &self.total)];
        for (key, list) in lists {
            let twice = list.iter().enumerate().find(|(at, name)| list[..*at].contains(name));
            if let Some((_, twice)) = twice {
                return Some(format!("{key} has `{}` twice: name it once", twice.name()));
            }
        }
        let is_empty = lists.iter().all(|(_, list)| list.is_empty());
        is_empty.then(|| "no feature is named: give each, magnitude or total a list".into())
    }

    /// Computes the features of all windows.
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
    ) -> Result<Dataset, Error> {
        let fail = |problem: String| Error::Dataset { dataset: name.to_string(), problem };
        if let Some(problem) = self.problem() {
            return Err(fail(problem));
        }
        let axes = sensor.axes.len();
        let [each, magnitude, total] = [&self.each, &self.magnitude, &self.total]
            .map(|list| list.iter().map(|feature| feature.0).collect::<Vec<Feature>>());
        let features = WindowFeatures { axes, each: &each, magnitude: &magnitude, total: &total };
        let width = features.count();
        if width == 0 || width > MAX_WIDTH {
            return Err(fail(format!(
                "{width} features of a window, but a model takes 1 to {MAX_WIDTH}: name others"
            )));
        }
        let (mut counts, mut indices, mut of_rows) = (Vec::new(), Vec::new(), Vec::new());
        let mut row = vec![0; width];
        for (number, recording) in recordings.iter().enumerate() {
            let before = indices.len();
            for (class, samples) in &recording.stretches {
                let length = self.length.saturating_mul(axes);
                let step = self.step.saturating_mul(axes);
                for window in samples.windows(length).step_by(step) {
                    features
                        .compute(window, &mut row)
                        .map_err(|_| fail("its windows do not have whole samples".to_string()))?;
                    counts.extend_from_slice(&row);
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
        let axes = sensor.axes.iter().map(|axis| (axis.as_str(), &each));
        let series = axes.chain([("magnitude", &magnitude), ("total", &total)]);
        let described = series.flat_map(|(series, kinds)| {
            kinds.iter().map(move |&kind| described(series, kind, sensor))
        });
        let (feature_labels, raw): (Vec<FeatureLabel>, Vec<Raw>) = described.unzip();
        let names = recordings.iter().map(|recording| recording.name.clone()).collect();
        let labels = Labels { indices, names: classes };
        let dataset = Dataset::new(name, vec![width], Features::Counts { values, raw }, labels)?;
        let recordings = Arc::new(RowRecordings { of_rows, names });
        Ok(dataset.with_feature_labels(feature_labels)?.with_recordings(recordings))
    }
}

/// Returns name, unit and calibration line of a feature.
fn described(series: &str, kind: Feature, sensor: &Sensor<'_>) -> (FeatureLabel, Raw) {
    let most = f64::from(i16::MAX);
    let (step, unit) = match kind {
        Feature::Mean
        | Feature::Deviation
        | Feature::Rms
        | Feature::AbsoluteDeviation
        | Feature::RmsSecondDifference
        | Feature::Peak
        | Feature::RmsDifference => (sensor.resolution / f64::from(PARTS), sensor.unit),
        Feature::Crossings => (1.0, ""),
        Feature::LogDeviation
        | Feature::LogRms
        | Feature::LogAbsoluteDeviation
        | Feature::LogPeak
        | Feature::LogRmsDifference
        | Feature::LogRmsSecondDifference => (1.0 / f64::from(STEPS_PER_OCTAVE), ""),
    };
    let name = format!("{series}_{}", WindowFeature(kind).name());
    let raw = Raw { counts: [-i16::MAX, i16::MAX], range: [-most * step, most * step] };
    (FeatureLabel { name, unit: unit.to_string() }, raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(windows: &Windows, recordings: &[Recording]) -> Result<Dataset, String> {
        let axes = ["x".to_string(), "y".to_string()];
        let sensor = Sensor { axes: &axes, resolution: 2.0, unit: "mg" };
        let classes = vec!["a".into(), "b".into()];
        windows.cut("d", recordings, classes, &sensor).map_err(|error| error.to_string())
    }

    fn windows(length: usize, step: usize) -> Windows {
        let each = vec![WindowFeature(Feature::Mean), WindowFeature(Feature::Crossings)];
        Windows { length, step, each, magnitude: vec![], total: vec![] }
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
                Windows { total: vec![WindowFeature(Feature::Peak); 2], ..windows(2, 1) },
                vec![long],
                "total has `peak` twice",
            ),
            (windows(2, 1), vec![], "nothing to learn"),
        ] {
            let message = cut(&windows, &recordings).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let unknown = WindowFeature::try_from("kurtosis".to_string()).unwrap_err();
        assert!(unknown.contains("`kurtosis` is no feature") && unknown.contains("log_peak"));
    }
}
