//! Output files of an experiment.

use std::collections::HashMap;

use clap::ValueEnum;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::{Experiment, Trained};
use crate::evaluate::Confusion;
use crate::network::{Layer, Network};
use crate::pack::Core;
use crate::preset::Preset;
use crate::report::{confusion_svg, curves_svg, metrics, training_metrics};
use crate::run_folder::{MANIFEST, RunFolder, RunFolderError, RunWriter, State};
use crate::train::Outcome;

/// Files that every run has: preset, weights and history.
pub(super) const LEARNT: [&str; 3] = ["preset.toml", "weights.safetensors", "history.csv"];

impl Experiment {
    /// Name of the model file.
    pub const MODEL: &'static str = "model.thimble";

    /// Name of the file with the losses of batches, written if `training.log_every` is set.
    pub const BATCHES: &'static str = "batches.csv";

    /// Name of the metrics file.
    pub const METRICS: &'static str = "metrics.json";

    /// Names and descriptions of the files that [`write`](Self::write) writes; the last one only
    /// for classes.
    pub const FILES: [(&'static str, &'static str); 8] = [
        (Self::MODEL, "the int8 model"),
        ("weights.safetensors", "the float weights"),
        ("preset.toml", "all settings, to repeat the run"),
        ("history.csv", "loss and accuracy of each epoch"),
        (Self::METRICS, "all figures"),
        (MANIFEST, "hashes of the files above"),
        ("curves.svg", "training curves"),
        ("confusion.svg", "confusion matrices"),
    ];

    /// Name and description of the file with the [`report`](Self::report).
    pub const REPORT: (&'static str, &'static str) = ("report.html", "all results, for a browser");

    /// Writes all files into the folder.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, folder: &RunFolder, report: Option<&str>) -> Result<(), RunFolderError> {
        let metrics = training_metrics(&self.preset, &self.outcome, &self.float, &self.splits);
        let learnt = Learnt {
            preset: &self.preset,
            outcome: &self.outcome,
            metrics,
            data: &self.data,
            core: self.core,
        };
        self.write_model(&mut learnt.write(folder)?, report)
    }

    /// Writes the files that are derived from the weights into a folder that already has these.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write_model(
        &self,
        writer: &mut RunWriter<'_>,
        report: Option<&str>,
    ) -> Result<(), RunFolderError> {
        let files = ModelFiles {
            name: &self.preset.name,
            model: self.model_bytes(),
            metrics: &metrics(self),
            matrices: [
                ("float", &self.float.confusion),
                (self.precision_name(), &self.int8.confusion),
            ],
            report,
        };
        files.write(writer)
    }

    /// Returns whether the targets are classes, not values.
    pub fn has_classes(&self) -> bool {
        !self.float.confusion.names().is_empty()
    }
}

impl Trained {
    /// Writes preset, weights and history into the folder, replacing those of an earlier run.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write<'a>(
        &self,
        folder: &'a RunFolder,
        core: Option<Core>,
    ) -> Result<RunWriter<'a>, RunFolderError> {
        let metrics = training_metrics(&self.preset, &self.outcome, &self.float, &self.splits);
        let Trained { preset, outcome, data, .. } = self;
        Learnt { preset, outcome, metrics, data, core }.write(folder)
    }
}

/// Results of training to be written.
struct Learnt<'a> {
    preset: &'a Preset,
    outcome: &'a Outcome<f32>,
    metrics: Value,
    data: &'a str,
    core: Option<Core>,
}

impl Learnt<'_> {
    fn write<'a>(&self, folder: &'a RunFolder) -> Result<RunWriter<'a>, RunFolderError> {
        let mut earlier = Experiment::FILES.map(|(name, _)| name).to_vec();
        earlier.extend([Experiment::REPORT.0, Experiment::BATCHES]);
        let core = self.core.and_then(|core| core.to_possible_value());
        let core = core.map(|value| value.get_name().to_string());
        let mut writer = RunWriter::begin(folder, self.data.to_string(), core, &earlier)?;
        let history = &self.outcome.history;
        // The most expensive file first: it fits if the disk becomes full.
        writer.write("weights.safetensors", &safetensors(&self.outcome.network))?;
        writer.write("preset.toml", self.preset.to_toml().as_bytes())?;
        writer.write("history.csv", history.to_csv().as_bytes())?;
        writer.write(Experiment::METRICS, text(&self.metrics).as_bytes())?;
        writer.commit(State::Trained)?;
        if self.preset.training.log_every.is_some() {
            folder.write(Experiment::BATCHES, history.batches_to_csv().as_bytes())?;
        }
        folder.write("curves.svg", curves_svg(&self.preset.name, history).as_bytes())?;
        Ok(writer)
    }
}

/// Files to be written that are derived from weights and data.
pub(super) struct ModelFiles<'a> {
    pub name: &'a str,
    pub model: &'a [u8],
    pub metrics: &'a Value,
    pub matrices: [(&'a str, &'a Confusion); 2],
    pub report: Option<&'a str>,
}

impl ModelFiles<'_> {
    /// Files that are removed from the manifest before they are written.
    pub const NAMES: [&'static str; 2] = [Experiment::MODEL, Experiment::METRICS];

    pub fn write(&self, writer: &mut RunWriter<'_>) -> Result<(), RunFolderError> {
        let manifest = writer.manifest().clone();
        *writer = RunWriter::reopen(writer.folder(), manifest, &Self::NAMES)?;
        writer.write(Experiment::MODEL, self.model)?;
        writer.write(Experiment::METRICS, text(self.metrics).as_bytes())?;
        let folder = writer.folder();
        let has_classes = !self.matrices[0].1.names().is_empty();
        let pictures = || {
            if has_classes {
                let picture = confusion_svg(self.name, &self.matrices);
                folder.write("confusion.svg", picture.as_bytes())?;
            }
            match self.report {
                Some(report) => folder.write(Experiment::REPORT.0, report.as_bytes()),
                // A report of an earlier model shows other metrics.
                None => folder.remove(Experiment::REPORT.0),
            }
        };
        let pictures = pictures();
        // The run is complete without its pictures, which can be made again.
        writer.commit(State::Complete)?;
        pictures
    }
}

fn text(metrics: &Value) -> String {
    format!("{metrics:#}\n")
}

/// Serializes the dense layers as safetensors: `layers.N.weight` (outputs × inputs) and
/// `layers.N.bias`. Batch normalization is numbered separately: `normalizations.N.gamma`, `.beta`,
/// `.mean`, `.variance`.
fn safetensors(network: &Network<f32>) -> Vec<u8> {
    let bytes = |values: &mut dyn Iterator<Item = &f32>| {
        values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
    };
    let mut tensors = Vec::new();
    for (index, (dense, parameters)) in network.dense_layers().enumerate() {
        let (weights, biases) = dense.view(parameters);
        let shape = vec![dense.outputs, dense.inputs];
        tensors.push((format!("layers.{index}.weight"), shape, bytes(&mut weights.iter())));
        tensors.push((
            format!("layers.{index}.bias"),
            vec![dense.outputs],
            bytes(&mut biases.iter()),
        ));
    }
    let normalizations = network.layers().filter_map(|view| match view.layer {
        Layer::BatchNormalization(layer) => Some((layer, view)),
        _ => None,
    });
    for (index, (layer, view)) in normalizations.enumerate() {
        let (gamma, beta) = view.parameters.split_at(layer.width);
        let (mean, variance) = view.state.split_at(layer.width);
        for (name, values) in
            [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)]
        {
            let name = format!("normalizations.{index}.{name}");
            tensors.push((name, vec![layer.width], bytes(&mut values.iter())));
        }
    }
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .filter_map(|(name, shape, data)| {
            // The bytes match the shape, so that every view is valid.
            Some((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).ok()?))
        })
        .collect();
    let metadata = HashMap::from([("format".to_string(), "thimble".to_string())]);
    // Serialization could only fail for a duplicate name or a wrong length, which do not occur
    // here.
    safetensors::serialize(views, Some(metadata)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::network::{Activation, DenseSpec, LayerSpec};

    #[test]
    fn weights_come_back_from_the_file() {
        let layer = |units| LayerSpec::Dense(DenseSpec::new(units, Activation::Linear));
        let network = Network::<f32>::new(3, &[layer(4), layer(2)], 1).unwrap();
        let file = safetensors(&network);
        let tensors = SafeTensors::deserialize(&file).unwrap();
        assert_eq!(tensors.names().len(), 4);
        let weight = tensors.tensor("layers.1.weight").unwrap();
        assert_eq!((weight.shape(), weight.dtype()), ([2, 4].as_slice(), Dtype::F32));
        let (dense, parameters) = network.dense_layers().nth(1).unwrap();
        let (weights, _) = dense.view(parameters);
        let expected: Vec<u8> = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(weight.data(), expected);
    }
}
