//! What a preset says.

use serde::{Deserialize, Serialize};

use crate::checked::width;
use crate::data::{HoldOut, Source};
use crate::network::{Activation, DenseSpec, Initializer, LayerSpec};
use crate::{quantize, train};

/// Everything about a training: written as TOML, read by [`Preset::read`], which checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What people call it, and the model that it makes.
    pub name: String,
    /// A line about it.
    #[serde(default)]
    pub description: String,
    /// Where everything random comes from.
    #[serde(default = "first_seed", deserialize_with = "seed")]
    pub seed: u64,
    /// What is learnt.
    pub data: DataSettings,
    /// What learns it.
    pub network: NetworkSettings,
    /// How it is learnt.
    pub training: train::Settings,
    /// How the network becomes int8.
    #[serde(default)]
    pub quantization: quantize::Settings,
}

/// What is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The dataset.
    pub dataset: Source,
    /// Rows set aside for the test, of a dataset that has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<HoldOut>,
    /// Rows of the rest set aside for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<HoldOut>,
}

/// What learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// The layers, first to last.
    pub layers: Vec<LayerSettings>,
}

/// A layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSettings {
    /// A dense layer.
    Dense(DenseSettings),
}

/// A dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseSettings {
    /// Number of outputs.
    #[serde(deserialize_with = "width")]
    pub units: usize,
    /// What is applied to each output.
    #[serde(default)]
    pub activation: Activation,
    /// How the weights begin; biases begin at zero.
    #[serde(default)]
    pub weights: Initializer,
}

impl NetworkSettings {
    /// The layers as the network takes them.
    pub fn specs(&self) -> Vec<LayerSpec> {
        let spec = |LayerSettings::Dense(dense): &LayerSettings| {
            LayerSpec::Dense(DenseSpec {
                units: dense.units,
                activation: dense.activation,
                weights: dense.weights,
            })
        };
        self.layers.iter().map(spec).collect()
    }

    /// Widths from the input to the output, such as `784-128-10`.
    pub fn shape(&self, inputs: usize) -> String {
        let widths = self.layers.iter().map(|LayerSettings::Dense(dense)| dense.units);
        let widths = std::iter::once(inputs).chain(widths);
        widths.map(|width| width.to_string()).collect::<Vec<_>>().join("-")
    }
}

fn first_seed() -> u64 {
    1
}

fn seed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = i64::deserialize(deserializer)?;
    u64::try_from(value)
        .map_err(|_| serde::de::Error::custom(format!("must be 0 or more, but is {value}")))
}
