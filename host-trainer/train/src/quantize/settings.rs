//! What a preset says about quantization.

use serde::{Deserialize, Serialize};

use crate::validators::percentile;

/// How a network is quantized.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How the range of an activation is chosen.
    #[serde(default)]
    pub calibration: CalibrationMethod,
    /// How fine activations are.
    #[serde(default)]
    pub activations: Activations,
    /// Whether channels are made more alike first, by cross-layer equalization.
    #[serde(default)]
    pub equalization: bool,
    /// Whether biases make up for what rounding does to the means of outputs.
    #[serde(default)]
    pub bias_correction: bool,
    /// Whether weights and biases are fitted anew to make up for what quantization does before and
    /// within their layer; it corrects biases, too.
    #[serde(default)]
    pub refit: bool,
    /// Training rows that the model carries with their outputs, for a device to test itself with.
    #[serde(default = "default_self_tests", deserialize_with = "self_tests")]
    pub self_tests: usize,
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
        }
    }
}

/// How fine activations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// 256 steps.
    Int8,
    /// 65,536 steps: what regression and little networks need.
    Int16,
    /// The cheapest way that loses at most 0.1 points of accuracy or 5 % of the squared error on the
    /// validation rows (on training rows where there are none): 8 bits, 8 bits with weights or
    /// ranges fitted to it, 16 bits for some activations, or for all.
    #[default]
    Auto,
}

/// How the range of an activation is chosen from its values on training data.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// From the smallest to the largest value.
    #[default]
    MinMax,
    /// As makes the mean squared error of rounding and clipping least.
    Mse,
    /// From the (100 − p)th to the pth percentile: rare values are clipped, so that all others
    /// get finer steps.
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
