//! Preset types: data, network, training and quantization settings.

use model_format::DataType;
use serde::{Deserialize, Serialize};

use thimble_data::{
    Amount, Dataset, Error, Features, HoldOut, Loaded, Locations, Raw, ScalingMethod, Source,
    Splits, TestRows,
};
use thimble_network::{Activation, DenseSpec, Initializer, LayerSpec};
use thimble_numeric::validators::{
    below_one, not_negative, optional_at_least_one, positive, width,
};
use thimble_train::{quantize, train};

/// All settings of a training. [`Preset::read`] parses and checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Name of the preset and of its model.
    pub name: String,
    /// Description in one line.
    #[serde(default)]
    pub description: String,
    /// Seed of all random numbers.
    #[serde(default = "first_seed", deserialize_with = "seed")]
    pub seed: u64,
    /// Dataset, splits and scaling.
    pub data: DataSettings,
    /// Network architecture.
    pub network: NetworkSettings,
    /// Training settings.
    pub training: train::Settings,
    /// Quantization-aware training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization_aware: Option<train::AwareSettings>,
    /// Quantization settings.
    #[serde(default)]
    pub quantization: quantize::Settings,
}

/// Dataset, splits and scaling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The dataset.
    pub dataset: Source,
    /// Test split, for a dataset without its own, or another file. Without it, results are measured
    /// on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestRows>,
    /// Validation split, from the remaining rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<HoldOut>,
    /// Average pooling of images: side of the squares of pixels whose mean is one input.
    #[serde(
        default,
        deserialize_with = "optional_at_least_one",
        skip_serializing_if = "Option::is_none"
    )]
    pub pool: Option<usize>,
    /// Height and width to which images are averaged, as an alternative to `pool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Feature scaling, fitted on the training split or fixed. The default depends on the dataset,
    /// see [`DataSettings::scaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingMethod>,
    /// Scaling of regression targets for the loss, fitted on the training split. Predictions and
    /// metrics are in the target's own unit. The default depends on the network, see
    /// [`Preset::target_scaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_scaling: Option<ScalingMethod>,
    /// Calibration lines of raw ADC counts, one per feature or one for all. With them, the model
    /// takes raw counts, and features are converted to counts before training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<Raw>,
}

impl Preset {
    /// Returns the settings of quantization-aware training with the data type of activations: int16
    /// if the preset has `quantization.activations = "int16"`, else int8.
    pub fn aware(&self) -> Option<(&train::AwareSettings, DataType)> {
        let data_type = match self.quantization.activations {
            quantize::Activations::Int16 => DataType::Int16,
            quantize::Activations::Int8 | quantize::Activations::Auto => DataType::Int8,
        };
        Some((self.quantization_aware.as_ref()?, data_type))
    }

    /// Returns the scaling of regression targets for the loss, `data.target_scaling`. The default
    /// is `standard` for a linear last layer with a squared or absolute error. Otherwise it is
    /// `none`, because a bounded or one-sided activation implies unscaled targets.
    pub fn target_scaling(&self) -> ScalingMethod {
        let is_linear = self.network.last_activation() == Activation::Linear;
        match &self.data.target_scaling {
            Some(method) => method.clone(),
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
    /// Returns the feature scaling. By default, tables are standardized, and other features are not
    /// scaled.
    pub fn scaling(&self) -> ScalingMethod {
        self.scaling.clone().unwrap_or_else(|| self.dataset.default_scaling())
    }

    /// Returns the rows as raw ADC counts, with the share that saturated.
    fn counted(&self, dataset: Dataset) -> Result<Dataset, Error> {
        let mut intake = dataset.intake().cloned().unwrap_or_default();
        if let Features::Reals(values) = dataset.features() {
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

    /// Returns the test split of recordings without `test` and `validation`: a fifth of them.
    pub fn default_test(&self) -> Option<TestRows> {
        let is_default = self.dataset.has_recordings() && self.validation.is_none();
        is_default.then_some(TestRows::Recordings(Amount::Fraction(0.2)))
    }

    /// Splits the result of [`load`](Self::load). The same seed gives the same splits.
    ///
    /// # Errors
    /// Those of [`Splits::new`].
    pub fn split(&self, loaded: Loaded, seed: u64) -> Result<Splits, Error> {
        let test = self.test.clone().or_else(|| self.default_test());
        let test = test.as_ref().and_then(TestRows::hold_out);
        Splits::new(loaded, test, self.validation, seed)
    }

    /// Reads the dataset, or generates it from the seed, and converts it to raw ADC counts if `raw`
    /// is set.
    ///
    /// # Errors
    /// Those of [`Source::load`], and [`Error::Dataset`] if `raw` does not match the
    /// features.
    pub fn load(&self, locations: &Locations, seed: u64) -> Result<Loaded, Error> {
        let mut loaded = self.dataset.load(locations, seed)?;
        if let (Some(TestRows::File(file)), Source::Csv(table)) = (&self.test, &self.dataset) {
            loaded.test = Some(table.load_another(file, &loaded.train)?);
        }
        self.average(&mut loaded)?;
        if !self.raw.is_empty() {
            loaded.train = self.counted(loaded.train)?;
            loaded.test = loaded.test.map(|test| test.counted(&self.raw)).transpose()?;
        }
        Ok(loaded)
    }
}

/// Network architecture.
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
    /// Activation layer. A dense layer may also have its own activation.
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
    /// Activation function.
    #[serde(default)]
    pub activation: Activation,
    /// Initializer of the weights.
    #[serde(default)]
    pub weights: Initializer,
    /// Initializer of the biases.
    #[serde(default = "zeros")]
    pub biases: Initializer,
    /// L1 regularization: l1 · Σ |w| is added to the loss.
    #[serde(default, deserialize_with = "not_negative")]
    pub l1: f64,
    /// L2 regularization: l2 · Σ w² is added to the loss.
    #[serde(default, deserialize_with = "not_negative")]
    pub l2: f64,
    /// Name of the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Dropout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropoutSettings {
    /// Probability that a value is dropped.
    #[serde(deserialize_with = "below_one")]
    pub rate: f64,
}

/// Batch normalization.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNormalizationSettings {
    /// Momentum of the running averages.
    #[serde(default = "most", deserialize_with = "below_one")]
    pub momentum: f64,
    /// ε, added to the variance to keep the division finite.
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

    /// Returns the settings of a dense layer, or `None` for other layers.
    pub fn dense(&self) -> Option<&DenseSettings> {
        match self {
            LayerSettings::Dense(dense) => Some(dense),
            _ => None,
        }
    }
}

impl NetworkSettings {
    /// Converts to layer specifications.
    pub fn specs(&self) -> Vec<LayerSpec> {
        self.layers.iter().map(LayerSettings::spec).collect()
    }

    /// Returns the activation of the last layer.
    pub fn last_activation(&self) -> Activation {
        match self.layers.last() {
            Some(LayerSettings::Dense(dense)) => dense.activation,
            Some(LayerSettings::Activation(activation)) => *activation,
            _ => Activation::Linear,
        }
    }

    /// Formats the layer widths from input to output, such as `784-128-10`.
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
