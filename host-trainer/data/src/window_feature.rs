//! Features of windows in presets: names, units and calibration lines.

use serde::{Deserialize, Serialize};
use thimble_features::{Feature, PARTS, STEPS_PER_CYCLE, STEPS_PER_OCTAVE, log2};
use thimble_support::foreign_text::shown;

use super::windows::Sensor;
use super::{FeatureLabel, Raw};

/// A name of features in a preset: one feature, or one per band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WindowFeature {
    /// One feature. Those of bands are below.
    One(Feature),
    /// [`Feature::BandRms`] of each band.
    BandRms,
    /// [`Feature::LogBandRms`] of each band.
    LogBandRms,
}

/// Features and their names.
const NAMES: [(&str, Feature); 15] = [
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
    ("dominant_frequency", Feature::DominantFrequency),
];
pub(super) const BAND_RMS: &str = "band_rms";
pub(super) const LOG_BAND_RMS: &str = "log_band_rms";

impl WindowFeature {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            WindowFeature::One(own) => name_of(own),
            WindowFeature::BandRms => BAND_RMS,
            WindowFeature::LogBandRms => LOG_BAND_RMS,
        }
    }

    /// Returns the features of this name, of so many bands.
    pub(super) fn features(self, bands: u8) -> Vec<Feature> {
        let of_bands =
            |feature: fn(u8, u8) -> Feature| (1..=bands).map(|band| feature(band, bands)).collect();
        match self {
            WindowFeature::One(feature) => vec![feature],
            WindowFeature::BandRms => of_bands(|band, of| Feature::BandRms { band, of }),
            WindowFeature::LogBandRms => of_bands(|band, of| Feature::LogBandRms { band, of }),
        }
    }

    pub(super) fn is_of_bands(self) -> bool {
        matches!(self, WindowFeature::BandRms | WindowFeature::LogBandRms)
    }

    pub(super) fn needs_spectrum(self) -> bool {
        self.is_of_bands() || matches!(self, WindowFeature::One(own) if own.needs_spectrum())
    }
}

/// Returns the name of a feature in a preset.
fn name_of(feature: Feature) -> &'static str {
    match feature {
        Feature::BandRms { .. } => BAND_RMS,
        Feature::LogBandRms { .. } => LOG_BAND_RMS,
        _ => NAMES.iter().find(|(_, own)| *own == feature).map_or("", |(name, _)| name),
    }
}

impl TryFrom<String> for WindowFeature {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match NAMES.iter().find(|(own, _)| *own == name) {
            Some((_, feature)) => Ok(WindowFeature::One(*feature)),
            None if name == BAND_RMS => Ok(WindowFeature::BandRms),
            None if name == LOG_BAND_RMS => Ok(WindowFeature::LogBandRms),
            None => {
                let names = NAMES.map(|(name, _)| name).join(", ");
                Err(format!(
                    "`{}` is no feature of a window. There are: {names}, {BAND_RMS}, {LOG_BAND_RMS}",
                    shown(&name)
                ))
            }
        }
    }
}

impl From<WindowFeature> for String {
    fn from(feature: WindowFeature) -> String {
        feature.name().to_string()
    }
}

/// Returns name, unit and calibration line of a feature.
pub(super) fn described(series: &str, kind: Feature, sensor: &Sensor<'_>) -> (FeatureLabel, Raw) {
    let most = f64::from(i16::MAX);
    let (step, unit) = match Measure::of(kind) {
        Measure::Sensor => (sensor.resolution / f64::from(PARTS), sensor.unit),
        Measure::Number => (1.0, ""),
        Measure::Frequency => (1.0 / f64::from(STEPS_PER_CYCLE), "cycles/sample"),
        Measure::Octaves => (1.0 / f64::from(STEPS_PER_OCTAVE), ""),
    };
    let name = match kind {
        Feature::BandRms { band, .. } | Feature::LogBandRms { band, .. } => {
            format!("{series}_{}_{band}", name_of(kind))
        }
        _ => format!("{series}_{}", name_of(kind)),
    };
    let raw = Raw { counts: [-i16::MAX, i16::MAX], range: [-most * step, most * step] };
    (FeatureLabel { name, unit: unit.to_string() }, raw)
}

/// Returns `true` for a value at the end of the range of a feature of the sensor's unit, beyond which features saturate.
pub(super) fn is_saturated(kind: Feature, value: i16) -> bool {
    match Measure::of(kind) {
        Measure::Number | Measure::Frequency => false,
        Measure::Octaves => value == log2(i16::MAX),
        Measure::Sensor => value.unsigned_abs() >= i16::MAX.unsigned_abs(),
    }
}

/// Unit of a feature.
enum Measure {
    /// The sensor's unit.
    Sensor,
    /// A number of crossings.
    Number,
    /// Cycles per sample.
    Frequency,
    /// Binary logarithms of the sensor's unit.
    Octaves,
}

impl Measure {
    fn of(kind: Feature) -> Self {
        match kind {
            Feature::Mean
            | Feature::Deviation
            | Feature::Rms
            | Feature::AbsoluteDeviation
            | Feature::Peak
            | Feature::RmsDifference
            | Feature::RmsSecondDifference
            | Feature::BandRms { .. } => Measure::Sensor,
            Feature::Crossings => Measure::Number,
            Feature::DominantFrequency => Measure::Frequency,
            Feature::LogDeviation
            | Feature::LogRms
            | Feature::LogAbsoluteDeviation
            | Feature::LogPeak
            | Feature::LogRmsDifference
            | Feature::LogRmsSecondDifference
            | Feature::LogBandRms { .. } => Measure::Octaves,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, _) in NAMES {
            let named = WindowFeature::try_from(name.to_string()).unwrap();
            assert_eq!((named.name(), named.is_of_bands()), (name, false));
            assert_eq!(named.features(3).len(), 1);
        }
        for name in [BAND_RMS, LOG_BAND_RMS] {
            let named = WindowFeature::try_from(name.to_string()).unwrap();
            assert_eq!((named.name(), named.features(3).len()), (name, 3));
            assert!(named.is_of_bands() && named.needs_spectrum());
        }
        let unknown = WindowFeature::try_from("kurtosis".to_string()).unwrap_err();
        assert!(unknown.contains("`kurtosis` is no feature") && unknown.contains("log_band_rms"));
    }

    #[test]
    fn features_have_units_of_the_sensor() {
        let sensor = Sensor { axes: &["x".to_string()], resolution: 2.0, unit: "mg", remedy: "" };
        for (feature, name, unit, count, real) in [
            (Feature::Mean, "x_mean", "mg", 4, 2.0),
            (Feature::Crossings, "x_crossings", "", 7, 7.0),
            (Feature::LogPeak, "x_log_peak", "", 256, 1.0),
            (Feature::DominantFrequency, "x_dominant_frequency", "cycles/sample", 5000, 0.5),
            (Feature::BandRms { band: 2, of: 3 }, "x_band_rms_2", "mg", 4, 2.0),
            (Feature::LogBandRms { band: 1, of: 3 }, "x_log_band_rms_1", "", 512, 2.0),
        ] {
            let (label, raw) = described("x", feature, &sensor);
            assert_eq!((label.name.as_str(), label.unit.as_str()), (name, unit));
            assert!((raw.real(count) - real).abs() < 1e-9, "{name}");
        }
    }
}
