//! Quantization settings of a preset.

use serde::{Deserialize, Serialize};

use thimble_numeric::validators::percentile;

/// Quantization settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Calibration method of activation ranges.
    #[serde(default)]
    pub calibration: CalibrationMethod,
    /// Data type of activations.
    #[serde(default)]
    pub activations: Activations,
    /// Enables cross-layer equalization.
    #[serde(default)]
    pub equalization: bool,
    /// Enables bias correction, which restores the mean of each output.
    #[serde(default)]
    pub bias_correction: bool,
    /// Enables refitting of weights and biases, which compensates for the quantization error of
    /// earlier layers and of the layer's own weights. It includes bias correction.
    #[serde(default)]
    pub refit: bool,
    /// Number of self-tests in the model: inputs with their outputs, for a device to check itself.
    #[serde(default = "default_self_tests", deserialize_with = "self_tests")]
    pub self_tests: usize,
    /// Source of their inputs.
    #[serde(default)]
    pub self_test_inputs: SelfTestInputs,
}

/// The same as an empty `[quantization]` table.
impl Default for Settings {
    fn default() -> Self {
        Settings {
            calibration: CalibrationMethod::default(),
            activations: Activations::default(),
            equalization: false,
            bias_correction: false,
            refit: false,
            self_tests: default_self_tests(),
            self_test_inputs: SelfTestInputs::default(),
        }
    }
}

/// Source of the inputs of self-tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTestInputs {
    /// Training rows, which people know; each takes as many bytes as an input.
    #[default]
    Rows,
    /// Bytes of the layers in the model file; each takes two or three bytes.
    File,
}

/// Data type of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// 8 bits, 256 steps.
    Int8,
    /// 16 bits, 65,536 steps, for regression and small networks.
    Int16,
    /// The cheapest option that loses at most 0.1 points of accuracy, or adds at most 5 % to the
    /// squared error, on the validation split (on the training split if there is none). The options
    /// are 8 bits, 8 bits with refitted weights or ranges, 16 bits for some activations, and 16
    /// bits for all.
    #[default]
    Auto,
}

/// Calibration method: how the range of an activation follows from its values on training data.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// Smallest to largest value.
    #[default]
    MinMax,
    /// The range with the least mean squared error of rounding and clipping.
    Mse,
    /// From the (100 − p)th to the pth percentile. Outliers are clipped, so that all other values
    /// have finer steps.
    Percentile(#[serde(deserialize_with = "percentile")] f64),
}

fn default_self_tests() -> usize {
    4
}

fn self_tests<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(deserializer)?;
    match count <= model_format::limits::MAX_SELF_TESTS {
        true => Ok(count),
        false => Err(serde::de::Error::custom(format!(
            "must be at most {}, as many as a model can carry, but is {count}",
            model_format::limits::MAX_SELF_TESTS
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_an_empty_table() {
        let empty: Settings = toml::from_str("").unwrap();
        assert_eq!(Settings::default(), empty);
        assert_eq!(empty.self_tests, 4);
    }
}
