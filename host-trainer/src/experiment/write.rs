//! Output files of an experiment.

use clap::ValueEnum;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::metrics::metrics;
use super::{Experiment, Pages, Trained, levels, npy};
use crate::evaluate::Confusion;
use crate::foreign_text::spreadsheet_cell;
use crate::network::{Layer, Network};
use crate::pack::Core;
use crate::preset::Preset;
use crate::report::html::SURFACE;
use crate::report::{confusion_svg, curves_svg, training_metrics};
use crate::run_folder::{MANIFEST, NO_ROWS, RunFolder, RunFolderError, RunWriter, State};
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

    /// Names and descriptions of the files that [`write`](Self::write) writes; the last two only
    /// for classes.
    pub const FILES: [(&'static str, &'static str); 10] = [
        (Self::MODEL, "the int8 model"),
        ("weights.safetensors", "the float weights"),
        ("preset.toml", "all settings, to repeat the run"),
        ("history.csv", "loss and accuracy of each epoch"),
        (Self::METRICS, "all figures"),
        (MANIFEST, "hashes of the files above"),
        ("npy", "the float weights as NumPy arrays, inputs first"),
        ("curves.svg", "training curves"),
        ("confusion.svg", "confusion matrices"),
        ("confusion.csv", "their counts, and shares of each class"),
    ];

    /// Name and description of the file with the [`report`](Self::report).
    pub const REPORT: (&'static str, &'static str) = ("report.html", "all results, for a browser");

    /// Name and description of the page in three dimensions, of a network with two inputs.
    pub const SURFACE: (&'static str, &'static str) =
        (SURFACE, "data and both networks in three dimensions, for a browser");

    /// Writes all files into the folder.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write(&self, folder: &RunFolder, pages: Option<&Pages>) -> Result<(), RunFolderError> {
        let results = Some((self.splits.results, &self.float));
        let metrics = training_metrics(&self.preset, &self.outcome, results);
        let learnt = Learnt {
            preset: &self.preset,
            outcome: &self.outcome,
            metrics,
            data: &self.data,
            core: self.core,
        };
        self.write_model(&mut learnt.write(folder)?, pages)
    }

    /// Writes the files that are derived from the weights into a folder that already has these.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file that cannot be written.
    pub fn write_model(
        &self,
        writer: &mut RunWriter<'_>,
        pages: Option<&Pages>,
    ) -> Result<(), RunFolderError> {
        let files = ModelFiles {
            name: &self.preset.name,
            model: self.model_bytes(),
            metrics: &metrics(self),
            matrices: [
                ("float", &self.float.confusion),
                (self.precision_name(), &self.int8.confusion),
            ],
            pages,
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
        let results = Some((self.splits.results, &self.float));
        let metrics = training_metrics(&self.preset, &self.outcome, results);
        let Trained { preset, outcome, data, .. } = self;
        Learnt { preset, outcome, metrics, data, core }.write(folder)
    }
}

/// Writes preset and weights of a network without rows into the folder, replacing the files of an
/// earlier run.
///
/// # Errors
/// [`RunFolderError`] with the file that cannot be written.
pub fn write_without_rows(
    folder: &RunFolder,
    preset: &Preset,
    network: Network<f32>,
    core: Option<Core>,
) -> Result<(), RunFolderError> {
    let outcome = Outcome::without_training(network);
    let metrics = training_metrics(preset, &outcome, None);
    let learnt = Learnt { preset, outcome: &outcome, metrics, data: NO_ROWS, core };
    learnt.write(folder).map(drop)
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
        earlier.extend([Experiment::REPORT.0, SURFACE, Experiment::BATCHES]);
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
        folder.write_folder("npy", &npy::arrays(&self.outcome.network))?;
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
    pub pages: Option<&'a Pages>,
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
                folder.write("confusion.csv", confusion_csv(&self.matrices).as_bytes())?;
            }
            match self.pages {
                Some(pages) => pages.write(folder),
                // Those of an earlier model show other metrics.
                None => folder.remove(Experiment::REPORT.0).and_then(|()| folder.remove(SURFACE)),
            }
        };
        let pictures = pictures();
        // The run is complete without its pictures, which can be made again.
        writer.commit(State::Complete)?;
        pictures
    }
}

/// Formats confusion matrices as CSV: a line per network, true class and predicted class.
fn confusion_csv(matrices: &[(&str, &Confusion)]) -> String {
    let mut csv = String::from("network,true,predicted,rows,share\n");
    for (network, confusion) in matrices {
        let names: Vec<String> = confusion.names().iter().map(|name| csv_cell(name)).collect();
        for ((truth, taken), &count) in confusion.counts().indexed_iter() {
            let total = confusion.class_total(truth);
            let share = match total {
                0 => String::new(),
                total => format!("{:.4}", f64::from(count) / f64::from(total)),
            };
            csv += &format!("{network},{},{},{count},{share}\n", names[truth], names[taken]);
        }
    }
    csv
}

/// Quotes a cell where CSV requires it (RFC 4180), after the rule for spreadsheets.
fn csv_cell(text: &str) -> String {
    let text = spreadsheet_cell(text);
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

fn text(metrics: &Value) -> String {
    format!("{metrics:#}\n")
}

/// Serializes the dense layers as safetensors: `layers.N.weight` (outputs × inputs) and
/// `layers.N.bias`. Batch normalization is numbered separately: `normalizations.N.gamma`, `.beta`,
/// `.mean`, `.variance`. Quantization-aware training adds its [`levels`].
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
    let (levels, mut metadata) = levels::write(network);
    tensors.extend(levels);
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .filter_map(|(name, shape, data)| {
            // The bytes match the shape, so that every view is valid.
            Some((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).ok()?))
        })
        .collect();
    metadata.insert("format".to_string(), "thimble".to_string());
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
