//! What a preset says.

use serde::{Deserialize, Serialize};

use thimble_train::data::{
    self, HoldOut, Loaded, Locations, Raw, ScalingMethod, Source, Splits, TestRows,
};
use thimble_train::network::{Activation, DenseSpec, Initializer, LayerSpec};
use thimble_train::validators::{below_one, not_negative, positive, width};
use thimble_train::{quantize, train};

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The dataset.
    pub dataset: Source,
    /// Rows set aside for the test, of a dataset that has none of its own, or the rows of another
    /// file. Without them, results are measured on the validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRows>,
    /// Rows of the rest set aside for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<HoldOut>,
    /// How features are scaled, fitted on the training rows; where it is not given, as suits the
    /// dataset: see [`DataSettings::scaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingMethod>,
    /// How targets that are numbers are scaled for the loss, fitted on the training rows; predictions
    /// and figures are in the target's own unit. `None`: see [`Preset::target_scaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_scaling: Option<ScalingMethod>,
    /// What sensors count for the features, one entry for each or one for all: the model then takes
    /// counts, and rows are counted before they are learnt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<Raw>,
}

impl Preset {
    /// How targets that are numbers are scaled for the loss: what `data.target_scaling` says. By
    /// default `standard` where a last layer without activation meets a squared or absolute error;
    /// else `none`, since an activation that is bounded or one-sided was chosen for the targets as
    /// they are.
    pub fn target_scaling(&self) -> ScalingMethod {
        let is_linear = self.network.last_activation() == Activation::Linear;
        match self.data.target_scaling {
            Some(method) => method,
            None if self.data.dataset.has_values()
                && is_linear
                && self.training.loss.is_distance() =>
            {
                ScalingMethod::Standard
            }
            None => ScalingMethod::None,
        }
    }
}

impl DataSettings {
    /// How features are scaled: as given, else tables are standardized, and all else is left as
    /// it is.
    pub fn scaling(&self) -> ScalingMethod {
        self.scaling.unwrap_or_else(|| self.dataset.default_scaling())
    }

    /// The rows as sensors count them, with the share that lies beyond their range.
    fn counted(&self, dataset: data::Dataset) -> Result<data::Dataset, data::Error> {
        let mut intake = dataset.intake().cloned().unwrap_or_default();
        if let data::Features::Reals(values) = dataset.features() {
            let rows = values.nrows() as f64;
            let columns = values.columns().into_iter().enumerate();
            let share = |(feature, column): (usize, ndarray::ArrayView1<'_, f32>)| {
                let raw = self.raw.get(feature).or(self.raw.first());
                let [low, high] = raw.map_or([f64::NEG_INFINITY, f64::INFINITY], |raw| {
                    let [a, b] = raw.range;
                    [a.min(b) - raw.slope().abs() / 2.0, a.max(b) + raw.slope().abs() / 2.0]
                });
                let beyond = column.iter().filter(|&&v| !(low..=high).contains(&f64::from(v)));
                beyond.count() as f64 / rows
            };
            intake.clipped = columns.map(share).collect();
        }
        Ok(dataset.counted(&self.raw)?.with_intake(std::sync::Arc::new(intake)))
    }

    /// Splits what [`load`](Self::load) gave; the same seed takes the same rows.
    ///
    /// # Errors
    /// Those of [`Splits::new`].
    pub fn split(&self, loaded: Loaded, seed: u64) -> Result<Splits, data::Error> {
        let test = self.test.as_ref().and_then(TestRows::hold_out);
        Splits::new(loaded, test, self.validation, seed)
    }

    /// Reads the dataset, or makes it from the seed; as sensors count it, where they do.
    ///
    /// # Errors
    /// Those of [`Source::load`], and [`data::Error::Dataset`] when `raw` does not fit.
    pub fn load(&self, locations: &Locations, seed: u64) -> Result<Loaded, data::Error> {
        let mut loaded = self.dataset.load(locations, seed)?;
        if let (Some(TestRows::File(file)), Source::Csv(table)) = (&self.test, &self.dataset) {
            loaded.test = Some(table.load_another(file, &loaded.train)?);
        }
        if !self.raw.is_empty() {
            loaded.train = self.counted(loaded.train)?;
            loaded.test = loaded.test.map(|test| test.counted(&self.raw)).transpose()?;
        }
        Ok(loaded)
    }
}

/// What learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// The layers, first to last.
    pub layers: Vec<LayerSettings>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerSettings {
    /// A dense layer.
    Dense(DenseSettings),
    /// A function of each value; a dense layer may also have it itself.
    Activation(Activation),
    /// Dropout.
    Dropout(DropoutSettings),
    /// Batch normalization.
    BatchNormalization(BatchNormalizationSettings),
}

/// A dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseSettings {
    /// Number of outputs.
    #[serde(deserialize_with = "width")]
    pub units: usize,
    /// What is applied to each output.
    #[serde(default)]
    pub activation: Activation,
    /// How the weights begin.
    #[serde(default)]
    pub weights: Initializer,
    /// How the biases begin.
    #[serde(default = "zeros")]
    pub biases: Initializer,
    /// Penalty on the magnitudes of the weights: l1 · Σ |w| is added to the loss.
    #[serde(default, deserialize_with = "not_negative")]
    pub l1: f64,
    /// Penalty on the squares of the weights: l2 · Σ w² is added to the loss.
    #[serde(default, deserialize_with = "not_negative")]
    pub l2: f64,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Dropout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropoutSettings {
    /// Probability of each value to be dropped.
    #[serde(deserialize_with = "below_one")]
    pub rate: f64,
}

/// Batch normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormalizationSettings {
    /// How much of a running average stays at each step.
    #[serde(default = "most", deserialize_with = "below_one")]
    pub momentum: f64,
    /// Keeps the division by small variances finite.
    #[serde(default = "thousandth", deserialize_with = "positive")]
    pub epsilon: f64,
}

fn zeros() -> Initializer {
    Initializer::Zeros
}

fn most() -> f64 {
    0.99
}

fn thousandth() -> f64 {
    1e-3
}

impl LayerSettings {
    fn spec(&self) -> LayerSpec {
        match self {
            LayerSettings::Dense(dense) => LayerSpec::Dense(DenseSpec {
                units: dense.units,
                activation: dense.activation,
                weights: dense.weights,
                biases: dense.biases,
                l1: dense.l1,
                l2: dense.l2,
                name: dense.name.clone(),
            }),
            LayerSettings::Activation(activation) => LayerSpec::Activation(*activation),
            LayerSettings::Dropout(dropout) => LayerSpec::Dropout(dropout.rate),
            LayerSettings::BatchNormalization(BatchNormalizationSettings { momentum, epsilon }) => {
                LayerSpec::BatchNormalization { momentum: *momentum, epsilon: *epsilon }
            }
        }
    }

    /// It as a dense layer, if it is one.
    pub fn dense(&self) -> Option<&DenseSettings> {
        match self {
            LayerSettings::Dense(dense) => Some(dense),
            _ => None,
        }
    }
}

impl NetworkSettings {
    /// The layers as the network takes them.
    pub fn specs(&self) -> Vec<LayerSpec> {
        self.layers.iter().map(LayerSettings::spec).collect()
    }

    /// What is applied to the last layer's outputs.
    pub fn last_activation(&self) -> Activation {
        match self.layers.last() {
            Some(LayerSettings::Dense(dense)) => dense.activation,
            Some(LayerSettings::Activation(activation)) => *activation,
            _ => Activation::Linear,
        }
    }

    /// Widths from the input to the output, such as `784-128-10`.
    pub fn shape(&self, inputs: usize) -> String {
        let dense = self.layers.iter().filter_map(LayerSettings::dense);
        let widths = dense.map(|dense| dense.units);
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
