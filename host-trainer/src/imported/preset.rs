//! The preset of an imported network: its layers, and settings for further training.

use anyhow::Context;

use super::Import;
use crate::network::{Head, Initializer, LayerSpec};
use crate::preset::{
    BatchNormalizationSettings, DataSettings, DenseSettings, DropoutSettings, LayerSettings, Preset,
};
use crate::train::Settings;

/// Meaning of the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Scores of classes.
    Classes,
    /// Numbers.
    Values,
}

impl Import {
    /// Returns the meaning of the outputs: classes behind a softmax or a single sigmoid, or if their
    /// names are known.
    pub fn meaning(&self) -> Meaning {
        let network = &self.network;
        let is_probability = match network.head() {
            Head::Softmax => true,
            Head::Sigmoid => network.outputs() == 1,
            Head::None => false,
        };
        match is_probability || self.classes || self.labels.is_some() {
            true => Meaning::Classes,
            false => Meaning::Values,
        }
    }

    /// Returns the names of the classes in the order of the outputs.
    pub(super) fn class_names(&self) -> Vec<String> {
        let count = self.network.outputs().max(2);
        self.labels.clone().unwrap_or_else(|| (0..count).map(|class| class.to_string()).collect())
    }
}

/// Training settings of an imported network, for fine-tuning.
const TRAINING: &str = r#"
epochs = 10
batch_size = 8
optimizer = { adam = { learning_rate = 0.0001 } }
"#;

/// Returns the preset of a network for this data.
pub(super) fn preset(
    import: &Import,
    data: DataSettings,
    meaning: Meaning,
) -> anyhow::Result<Preset> {
    let head = import.network.head();
    let loss = match (meaning, head) {
        (_, Head::Softmax) => "sparse_categorical_cross_entropy",
        (Meaning::Values, _) => "mean_squared_error",
        (Meaning::Classes, Head::Sigmoid) => "binary_cross_entropy",
        (Meaning::Classes, Head::None) => match import.network.outputs() {
            1 => "mean_squared_error",
            _ => "sparse_categorical_cross_entropy",
        },
    };
    let training: Settings = toml::from_str(&format!("loss = \"{loss}\"\n{TRAINING}"))
        .context("the training settings of an import")?;
    let layers = import.layers.iter().map(layer).collect();
    let preset = Preset {
        name: import.name.clone(),
        description: import.description.clone(),
        seed: 1,
        data,
        network: crate::preset::NetworkSettings { layers },
        training,
        quantization: Default::default(),
        quantization_aware: None,
    };
    // Checked as one that a user writes.
    Ok(Preset::read(&preset.to_toml(), "the imported network")?)
}

fn layer(spec: &LayerSpec) -> LayerSettings {
    match spec {
        LayerSpec::Dense(dense) => LayerSettings::Dense(DenseSettings {
            units: dense.units,
            activation: dense.activation,
            weights: dense.weights,
            biases: Initializer::Zeros,
            l1: dense.l1,
            l2: dense.l2,
            name: dense.name.clone(),
        }),
        LayerSpec::Activation(activation) => LayerSettings::Activation(*activation),
        LayerSpec::Dropout(rate) => LayerSettings::Dropout(DropoutSettings { rate: *rate }),
        LayerSpec::BatchNormalization { momentum, epsilon } => {
            LayerSettings::BatchNormalization(BatchNormalizationSettings {
                momentum: *momentum,
                epsilon: *epsilon,
            })
        }
    }
}
