//! Collection of a report's content: runs both networks over the test rows.

mod answers;
mod layers;
mod pass;
mod pictures;
mod plane;
mod precision_recall;
mod roc;
mod surface;
mod text;

use model_format::Model;
use serde_json::Value;

use super::findings::{Findings, Size};
use crate::data::{Results, Splits};
use crate::evaluate::{Evaluation, Int8Error};
use crate::network::{Network, Objective};
use crate::preset::Preset;
use crate::quantize::{DataTypes, Prepared};
use crate::report::feature_ranges;
use crate::report::{Column, layer_summaries, warnings};
use crate::threads::Threads;

/// Reason why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The model does not run on the data.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The model and the network are not of the same run.
    #[error(
        "the model has {model} layers with weights, and the network {network}. They are of two \
         runs. Train again"
    )]
    Layers {
        /// Number of layers with weights in the model.
        model: usize,
        /// Number of layers with weights in the network.
        network: usize,
    },
}

/// Input of a report: the files of a run, read or still in memory.
#[derive(Clone, Copy, Debug)]
pub struct RunParts<'a> {
    /// Preset.
    pub preset: &'a Preset,
    /// Origin of the data.
    pub origin: &'a str,
    /// Splits of the data.
    pub splits: &'a Splits,
    /// The trained network.
    pub network: &'a Network<f32>,
    /// The network in the form that was quantized: an input stage, then dense layers and
    /// activations.
    pub prepared: &'a Prepared,
    /// The quantized model.
    pub model: &'a Model<'a>,
    /// Loss function and interpretation of the outputs.
    pub objective: Objective,
    /// Evaluation of the float network on the test rows.
    pub float: &'a Evaluation,
    /// Evaluation of the quantized model on the test rows, by the engine.
    pub quantized: &'a Evaluation,
    /// The text of history.csv.
    pub history: &'a str,
    /// The content of metrics.json.
    pub metrics: &'a Value,
}

/// Runs both networks over the test rows, and gathers the content of a report.
///
/// # Errors
/// [`GatherError`] when network, model and data are not of the same run.
pub fn gather(parts: &RunParts<'_>, threads: &Threads) -> Result<Findings, GatherError> {
    let RunParts { preset, splits, network, model, .. } = *parts;
    let dataset = splits.train.dataset();
    let measured = pass::over_test_rows(parts, threads)?;
    let training = &parts.metrics["training"];
    let plane = match dataset.width() {
        2 => Some(plane::gather(parts, threads)?),
        _ => None,
    };
    let surface = surface::surface(parts, threads)?;
    let mut rows = vec![("training", splits.train.len())];
    rows.extend(splits.validation.iter().map(|subset| ("validation", subset.len())));
    if splits.results == Results::Test {
        rows.push(("test", splits.test.len()));
    }
    let data_type = DataTypes::name_of(model);
    let preset_toml = preset.to_toml();
    Ok(Findings {
        playground: None,
        results: splits.results.name(),
        name: preset.name.clone(),
        description: preset.description.trim_end_matches('.').to_string(),
        network: preset.network.shape(network.inputs()),
        dataset: dataset.name().to_string(),
        origin: parts.origin.to_string(),
        seed: preset.seed,
        interrupted: parts.metrics["interrupted"].as_bool().unwrap_or(false),
        epochs: training["epochs"].as_u64().unwrap_or(0) as usize,
        seconds_per_epoch: training["seconds_per_epoch"].as_f64().unwrap_or(f64::NAN),
        splits: rows,
        curves: text::curves(parts.history),
        kept_epoch: training["best_epoch"]
            .as_u64()
            .map(|epoch| epoch as usize)
            .filter(|&epoch| training["epochs"] != epoch),
        scaled_targets: splits.train.target_scaling().is_some(),
        warnings: warnings(
            splits,
            &[
                Column { title: "float", evaluation: parts.float },
                Column { title: data_type, evaluation: parts.quantized },
            ],
        ),
        task: answers::task(parts),
        samples: pictures::samples(&splits.train),
        scalings: pictures::scalings(&splits.train),
        architecture: layer_summaries(network),
        data_type,
        attempts: text::attempts(&parts.metrics["quantization"]),
        culprits: parts.metrics["quantization"]["culprits"].as_str().map(String::from),
        features: feature_ranges(model),
        size: Size {
            flash: model.file_len() as u64,
            scratch: model.scratch_len() as u64 * 4,
            macs: model.macs(),
            float: network.parameters().len() as u64 * 4,
        },
        layers: layers::findings(
            model,
            &layers::titles(network, &parts.prepared.network),
            measured,
        ),
        plane,
        surface,
        settings: text::settings(&preset_toml),
        preset: preset_toml,
    })
}
