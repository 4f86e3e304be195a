//! Waits of chips for the memory of the weights, measured on hardware.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use model_format::{Layer, Model};
use thimble_support::foreign_text;

use super::{Chip, ChipError, NoTime, Time};

/// Measurements that were contributed.
const CONTRIBUTED: &str = include_str!("waits.toml");

/// Largest believable wait, in clocks per byte. Slow serial flash without a cache takes fewer.
const MOST: f64 = 1000.0;

/// Core clocks per byte of weights that chips wait for their memory, by the name of the chip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waits(BTreeMap<String, f64>);

/// Reason why a measurement is no wait of a chip.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WaitsError {
    /// The cycles of the model are not predicted.
    #[error("the cycles of the model on {chip} are not predicted: {reason}")]
    Time {
        /// Name of the chip.
        chip: &'static str,
        /// Reason.
        reason: NoTime,
    },
    /// The model has more than dense layers.
    #[error(
        "the model has {}, whose cycles are not predicted: install a model of dense layers alone", .0.join(" and ")
    )]
    Beside(Vec<&'static str>),
    /// The file is not one of waits.
    #[error("{place}: {problem}. `device bench --calibrate` writes such files")]
    File {
        /// Path of the file.
        place: String,
        /// Problem.
        problem: String,
    },
}

impl Waits {
    /// Returns the waits that are built into this program.
    ///
    /// # Errors
    /// [`ChipError::Figures`] if the built-in file is damaged.
    pub fn contributed() -> Result<Self, ChipError> {
        Self::parse(CONTRIBUTED).map_err(ChipError::Figures)
    }

    /// Reads waits from a file.
    ///
    /// # Errors
    /// [`WaitsError::File`] with the problem.
    pub fn read(path: &Path) -> Result<Self, WaitsError> {
        let fail = |problem: String| WaitsError::File {
            place: foreign_text::path(path).to_string(),
            problem,
        };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let waits: BTreeMap<String, f64> =
            toml::from_str(text).map_err(|error| error.message().to_string())?;
        for (name, clocks) in &waits {
            Chip::named(name).map_err(|error| error.to_string())?;
            if !(0.0..=MOST).contains(clocks) {
                return Err(format!(
                    "{name}: {clocks} clocks per byte are not between 0 and {MOST}"
                ));
            }
        }
        Ok(Waits(waits))
    }

    /// Formats the waits as TOML.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Core clocks per byte of weights that chips wait for their memory, on top of the \
             cycles of the\n# core. Written by `device bench --calibrate`.\n",
        );
        for (name, clocks) in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} = {clocks:?}");
        }
        text
    }

    /// Sets the wait of a chip, in clocks per byte.
    pub fn set(&mut self, chip: &Chip, clocks: f64) {
        self.0.insert(chip.name.to_string(), clocks);
    }

    /// Replaces waits by those of `newer`, where it has them.
    pub fn replaced_by(mut self, newer: Waits) -> Self {
        self.0.extend(newer.0);
        self
    }

    /// Returns the clocks that the chip waits in an inference, if they were measured.
    pub(super) fn clocks(&self, chip: &Chip, model: &Model<'_>) -> Option<u64> {
        let clocks = self.0.get(chip.name)?;
        Some((clocks * weight_bytes(model) as f64).round() as u64)
    }
}

/// Returns the clocks per byte of weights that a chip waits, rounded to a thousandth, from the measured
/// clocks of an inference for an input without zeros. The core leaves out zeros of hidden layers, so
/// that the wait is underestimated rather than overestimated; it is 0 if the core took less than
/// predicted.
///
/// # Errors
/// [`WaitsError`] if the cycles of the core are not predicted.
pub fn measured_wait(
    chip: &'static Chip,
    model: &Model<'_>,
    time: &Result<Time, NoTime>,
    clocks: f64,
) -> Result<f64, WaitsError> {
    let time = time.as_ref().map_err(|&reason| WaitsError::Time { chip: chip.name, reason })?;
    // A benchmark runs on quantized inputs.
    let beside: Vec<&str> =
        time.beside.iter().copied().filter(|part| *part != "the input stage").collect();
    if !beside.is_empty() {
        return Err(WaitsError::Beside(beside));
    }
    let waits = (clocks - time.cycles as f64).max(0.0);
    Ok((waits / weight_bytes(model).max(1) as f64 * 1e3).round() / 1e3)
}

/// Bytes of the weights of all layers.
fn weight_bytes(model: &Model<'_>) -> u64 {
    let bytes = model.layers().map(|layer| match layer {
        Layer::Dense(dense) => dense.weight_bytes().len() as u64,
        Layer::Table(_) | Layer::Softmax(_) => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{Core, pack};

    #[test]
    fn the_contributed_file_is_valid() {
        Waits::contributed().unwrap();
    }

    #[test]
    fn waits_are_read_as_they_were_written() {
        let mut waits = Waits::default();
        waits.set(Chip::named("RP2040").unwrap(), 0.412);
        waits.set(Chip::named("nRF52840").unwrap(), 0.0);
        assert_eq!(Waits::parse(&waits.to_toml()), Ok(waits));
        for (text, expected) in [
            ("RP2041 = 1.0\n", "RP2041"),
            ("RP2040 = -0.5\n", "not between"),
            ("RP2040 = nan\n", "not between"),
            ("RP2040 = \"fast\"\n", "expected"),
        ] {
            let problem = Waits::parse(text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_measurement_gives_back_the_time_that_was_measured() {
        let file = include_bytes!("../../../firmware/models/digits.thimble");
        let chip = Chip::named("nRF52840").unwrap();
        let packed = pack(&Model::parse(file).unwrap(), Core::CortexM4).unwrap();
        let model = Model::parse(&packed).unwrap();
        let time = chip.predict(&model).unwrap().time;
        let cycles = time.as_ref().unwrap().cycles;
        assert_eq!(time.as_ref().unwrap().waits, None, "not contributed");
        let clocks = cycles as f64 + 900.0;
        let mut waits = Waits::default();
        waits.set(chip, measured_wait(chip, &model, &time, clocks).unwrap());
        let time = chip.predict_with(&model, &waits).unwrap().time.unwrap();
        // Within the thousandth that the wait is rounded to.
        let rounding = weight_bytes(&model) as f64 / 2e3 + 1.0;
        let waited = time.waits.unwrap() as f64;
        assert!((waited - 900.0).abs() <= rounding, "{waited}");
        assert!((time.milliseconds() - (cycles as f64 + waited) / 64e3).abs() < 1e-9);
        let less = measured_wait(chip, &model, &Ok(time), 10.0);
        assert_eq!(less, Ok(0.0));
        let unknown = measured_wait(chip, &model, &Err(NoTime::Core), 10.0).unwrap_err();
        assert!(unknown.to_string().contains("not published"), "{unknown}");
        let beside = Time { cycles: 1, clock_mhz: 64, waits: None, beside: vec!["softmax"] };
        let error = measured_wait(chip, &model, &Ok(beside), 10.0).unwrap_err();
        assert!(error.to_string().contains("softmax"), "{error}");
    }
}
