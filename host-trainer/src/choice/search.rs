//! Search for a quantization: the loss of each candidate on rows that are not test rows.

use model_format::{DataType, Model};
use serde_json::{Value, json};

use super::ChoiceError;
use crate::data::{Splits, Subset};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::memory;
use crate::network::{Network, Objective};
use crate::preset::Preset;
use crate::quantize::weights::with_sparse_weights;
use crate::quantize::{
    Activations, CalibrationMethod, DataTypes, Quantized, Recipe, Settings, quantize,
};
use crate::threads::Threads;

/// Maximum number of rows on which candidates are evaluated.
const JUDGED_ROWS: usize = 10_000;

/// Memory for quantization per parameter: copies in f32 and f64, the file, and the compared models.
const BYTES_PER_PARAMETER: u64 = 32;

/// Loss of a quantization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QuantizationLoss {
    /// Loss of accuracy, from 0 to 1; negative for a gain.
    Accuracy(f64),
    /// Mean squared error of the output with the largest increase, as a multiple of the float
    /// network's.
    SquaredError(f64),
}

impl QuantizationLoss {
    /// Returns the loss of the quantized model relative to the float network.
    pub fn between(float: &Evaluation, quantized: &Evaluation) -> Self {
        // The output with the largest increase: in a sum the largest numbers would hide all others.
        let outputs = float.per_output.iter().zip(&quantized.per_output);
        let ratios = outputs.map(|(float, quantized)| {
            quantized.errors.mean_squared_error / float.errors.mean_squared_error
        });
        match ratios.reduce(f64::max) {
            Some(most) => QuantizationLoss::SquaredError(most),
            None => QuantizationLoss::Accuracy(
                float.confusion.accuracy() - quantized.confusion.accuracy(),
            ),
        }
    }

    /// Returns whether the loss is more than 0.1 points of accuracy, or 5 % of the squared error.
    pub fn is_large(self) -> bool {
        match self {
            QuantizationLoss::Accuracy(lost) => lost > 0.001 + 1e-9,
            QuantizationLoss::SquaredError(ratio) => ratio > 1.05,
        }
    }

    /// Returns a number for comparison; smaller is better.
    fn rank(self) -> f64 {
        match self {
            QuantizationLoss::Accuracy(lost) => lost,
            QuantizationLoss::SquaredError(ratio) => ratio,
        }
    }
}

/// A candidate quantization with its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Name of the candidate, in terms of the preset's keys.
    pub name: String,
    /// Settings of calibration and weight fitting.
    pub settings: Settings,
    /// Loss on the evaluation rows.
    pub loss: QuantizationLoss,
    /// Accuracy or mean squared error on the evaluation rows.
    pub figure: f64,
    /// Size of the model in bytes.
    pub bytes: usize,
    /// Estimated instructions of an inference on a Cortex-M4F.
    pub instructions: u64,
}

/// All evaluated candidates, and the selected one.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The candidates, in the order of their cost.
    pub attempts: Vec<Attempt>,
    /// Index of the selected candidate in `attempts`.
    pub taken: usize,
    /// Accuracy or mean squared error of the float network on the evaluation rows.
    pub float: f64,
    /// Split of the evaluation rows: `validation` or `training`.
    pub judged: &'static str,
    /// Number of evaluation rows.
    pub rows: usize,
    /// Number of outputs with a squared error of their own; 0 for classes.
    pub outputs: usize,
    /// The layer and the features that lose most, if no candidate has a small loss.
    pub culprits: Option<String>,
}

impl Choice {
    /// Returns the selected candidate.
    pub fn taken(&self) -> &Attempt {
        &self.attempts[self.taken]
    }

    /// Converts the choice to JSON.
    pub fn to_json(&self) -> Value {
        let attempt = |attempt: &Attempt| {
            let (key, lost) = match attempt.loss {
                QuantizationLoss::Accuracy(lost) => ("accuracy_lost", lost),
                QuantizationLoss::SquaredError(ratio) => ("squared_error_ratio", ratio),
            };
            json!({
                "name": attempt.name,
                key: lost,
                "bytes": attempt.bytes,
                "instructions_cortex_m4f_estimate": attempt.instructions,
            })
        };
        json!({
            "taken": self.taken().name,
            "settings": self.taken().settings,
            "judged_on": self.judged,
            "judged_rows": self.rows,
            "attempts": self.attempts.iter().map(attempt).collect::<Vec<_>>(),
            "culprits": self.culprits,
        })
    }
}

/// Returns the rows for the evaluation of candidates: validation rows, or training rows if there
/// are none. Test rows select nothing.
pub fn judged_rows(splits: &Splits) -> Subset {
    let rows = splits.validation.as_ref().unwrap_or(&splits.train);
    // Evenly spread, because files are often sorted.
    let count = rows.len().min(JUDGED_ROWS);
    let kept = (0..count).map(|index| rows.rows()[index * rows.len() / count]).collect();
    rows.with_rows(kept)
}

/// A trained network with everything that quantization needs.
struct Task<'a> {
    preset: &'a Preset,
    network: &'a Network<f32>,
    objective: Objective,
    splits: &'a Splits,
    judged: Subset,
    float: Evaluation,
    threads: &'a Threads,
    threshold: f64,
    found: Vec<(Quantized, Attempt)>,
    /// Reason why the first impossible candidate was refused.
    refused: Option<ChoiceError>,
}

impl Task<'_> {
    /// Quantizes with these settings and evaluates the model. An impossible candidate is skipped,
    /// since another may be possible.
    fn consider(&mut self, name: impl Into<String>, settings: Settings, data_types: DataTypes) {
        if let Err(error) = self.attempt(name, settings, data_types) {
            self.refused.get_or_insert(error);
        }
    }

    /// Quantizes with these settings and evaluates the model.
    fn attempt(
        &mut self,
        name: impl Into<String>,
        settings: Settings,
        data_types: DataTypes,
    ) -> Result<(), ChoiceError> {
        let recipe = Recipe { settings, data_types, threshold: self.threshold };
        let quantized = quantize(
            &self.preset.name,
            self.network,
            self.objective,
            &self.splits.train,
            &recipe,
            self.threads,
        )?;
        let model = Model::parse(&quantized.bytes)?;
        let evaluation = evaluate_int8(&model, &self.judged, self.threads)?;
        let attempt = Attempt {
            name: name.into(),
            settings,
            loss: QuantizationLoss::between(&self.float, &evaluation),
            figure: figure(&evaluation),
            bytes: quantized.bytes.len(),
            instructions: estimated_instructions(&model),
        };
        self.found.push((quantized, attempt));
        Ok(())
    }

    fn last_is_good(&self) -> bool {
        self.found.last().is_some_and(|(_, attempt)| !attempt.loss.is_large())
    }

    /// Evaluates candidates, the cheapest first, until the loss is small.
    fn search(&mut self) {
        let network = self.network;
        let settings = self.preset.quantization;
        let int8 = DataTypes::all(DataType::Int8, network);
        self.consider("int8", settings, int8.clone());
        let mse = Settings { calibration: CalibrationMethod::Mse, ..settings };
        let ways = [
            ("calibration = \"mse\"", mse),
            ("bias_correction", Settings { bias_correction: true, ..settings }),
            ("equalization", Settings { equalization: true, ..settings }),
            ("refit", Settings { refit: true, ..settings }),
            ("refit, equalization", Settings { refit: true, equalization: true, ..settings }),
            ("refit, calibration = \"mse\"", Settings { refit: true, ..mse }),
        ];
        for (name, way) in ways {
            if self.last_is_good() {
                return;
            }
            if way != settings {
                self.consider(format!("int8, {name}"), way, int8.clone());
            }
        }
        if self.last_is_good() {
            return;
        }
        // One tensor of 16 bits, with the best of the settings.
        let (best, with) = self.best_settings(&ways);
        let places = network.dense_layers().count() + 1;
        if places <= MOST_PLACES {
            for place in 0..places {
                let name = match place {
                    0 => format!("int16 for the input{with}"),
                    layer => format!("int16 for the outputs of dense layer {}{with}", layer - 1),
                };
                self.consider(name, best, DataTypes::one_wide(place, network));
            }
        }
        if self.found.iter().any(|(_, attempt)| !attempt.loss.is_large()) {
            return;
        }
        let int16 = DataTypes::all(DataType::Int16, network);
        self.consider("int16", settings, int16.clone());
        if !self.last_is_good() && !settings.refit {
            self.consider("int16, refit", Settings { refit: true, ..settings }, int16);
        }
    }

    /// Returns the settings of the candidate with the smallest loss so far, and their suffix for
    /// names.
    fn best_settings(&self, ways: &[(&str, Settings)]) -> (Settings, String) {
        let least = self.found.iter().min_by(|a, b| a.1.loss.rank().total_cmp(&b.1.loss.rank()));
        let name = least.map_or("", |(_, attempt)| attempt.name.as_str());
        let way = ways.iter().find(|(way, _)| name.strip_prefix("int8, ") == Some(*way));
        match way {
            Some((way, settings)) => (*settings, format!(", {way}")),
            None => (self.preset.quantization, String::new()),
        }
    }

    /// Selects the cheapest candidate with a small loss, or the one with the smallest loss.
    fn take(self) -> (Quantized, Choice) {
        let Task { preset, splits, judged, float, network, mut found, .. } = self;
        let cost = |attempt: &Attempt| (attempt.instructions, attempt.bytes);
        let good = found.iter().enumerate().filter(|(_, (_, attempt))| !attempt.loss.is_large());
        let cheapest = good.min_by_key(|(_, (_, attempt))| cost(attempt));
        let least = || {
            let ranks = found.iter().enumerate();
            ranks.min_by(|a, b| a.1.1.loss.rank().total_cmp(&b.1.1.loss.rank()))
        };
        let is_good = cheapest.is_some();
        let taken = cheapest.or_else(least).map_or(0, |(index, _)| index);
        // With fixed settings no other candidate was evaluated, so that there is no comparison.
        let is_search = preset.quantization.activations == Activations::Auto
            && network.fake_quantization().is_none();
        let culprits = (is_search && !is_good).then(|| culprits(&found, splits, network));
        let attempts = found.iter().map(|(_, attempt)| attempt.clone()).collect();
        let choice = Choice {
            attempts,
            taken,
            float: figure(&float),
            judged: if splits.validation.is_some() { "validation" } else { "training" },
            rows: judged.len(),
            outputs: float.per_output.len(),
            culprits,
        };
        (found.swap_remove(taken).0, choice)
    }
}

/// Maximum number of tensors that are individually tried with 16 bits.
const MOST_PLACES: usize = 9;

/// Quantizes a trained network as its preset defines. A network with fake quantization is quantized
/// as it was trained. `auto` evaluates candidates until the loss is
/// small, and selects the cheapest such one.
///
/// # Errors
/// [`ChoiceError`] when a model is refused.
pub fn quantize_network(
    preset: &Preset,
    network: &Network<f32>,
    objective: Objective,
    splits: &Splits,
    threads: &Threads,
) -> Result<(Quantized, Choice), ChoiceError> {
    network.check_finite()?;
    let parameters = network.parameters().len() as u64;
    let remedy = "Close other programs, or quantize it on a machine with more memory";
    memory::check("quantizing this network", parameters * BYTES_PER_PARAMETER, remedy)?;
    let judged = judged_rows(splits);
    let float = evaluate_float(network, &judged, objective, threads);
    let mut task = Task {
        preset,
        network,
        objective,
        splits,
        judged,
        float,
        threads,
        threshold: objective.threshold.into(),
        found: Vec::new(),
        refused: None,
    };
    let all = |data_type| DataTypes::all(data_type, network);
    if let Some(fake) = network.fake_quantization() {
        task.attempt("as trained", preset.quantization, all(fake.data_type()))?;
        return Ok(task.take());
    }
    match preset.quantization.activations {
        Activations::Auto => task.search(),
        Activations::Int8 => task.attempt("int8", preset.quantization, all(DataType::Int8))?,
        Activations::Int16 => task.attempt("int16", preset.quantization, all(DataType::Int16))?,
    }
    match task.refused.take() {
        Some(error) if task.found.is_empty() => Err(error),
        _ => {
            let (mut quantized, choice) = task.take();
            if preset.training.pruning.is_some() {
                quantized.bytes = with_sparse_weights(&quantized.bytes)?;
            }
            Ok((quantized, choice))
        }
    }
}

/// Returns the accuracy or the mean squared error.
fn figure(evaluation: &Evaluation) -> f64 {
    match evaluation.regression {
        Some(regression) => regression.mean_squared_error,
        None => evaluation.confusion.accuracy(),
    }
}

/// Estimates the instructions of an inference on a Cortex-M4F: 0.95 per multiply-accumulate, 30 per
/// row and 1,050 per layer. Fitted to the measurements of `tests/run counts` for 784-128-10,
/// 64-32-10, 12-16-16-5 and 1-16-16-1 with dense inputs.
fn estimated_instructions(model: &Model<'_>) -> u64 {
    let layer = |layer: model_format::Layer<'_>| {
        let wide = layer.input().data_type == DataType::Int16;
        let macs = layer.macs() as f64 * if wide { 0.96 } else { 0.95 };
        let rows = layer.outputs() as f64 * if layer.macs() > 0 { 30.0 } else { 8.0 };
        macs + rows + if layer.macs() > 0 { 1050.0 } else { 60.0 }
    };
    model.layers().map(layer).sum::<f64>().round() as u64
}

/// Names the layer and the features that lose most.
fn culprits(found: &[(Quantized, Attempt)], splits: &Splits, network: &Network<f32>) -> String {
    let wide = found.iter().filter(|(_, a)| a.name.starts_with("int16 for "));
    let helps = wide.min_by(|a, b| a.1.loss.rank().total_cmp(&b.1.loss.rank()));
    let mut text = match helps {
        Some((_, attempt)) => {
            let place = attempt.name.trim_start_matches("int16 for ");
            format!("of single tensors, 16 bits help most for {place}")
        }
        None => {
            format!(
                "its {} dense layers were not tried individually",
                network.dense_layers().count()
            )
        }
    };
    let stage = found.first().and_then(|(quantized, _)| quantized.prepared.stage.as_ref());
    if let Some(stage) = stage {
        let labels = splits.train.dataset().feature_labels();
        let mut worst: Vec<(usize, f64)> = stage.losses.iter().copied().enumerate().collect();
        worst.sort_by(|a, b| b.1.total_cmp(&a.1));
        let name = |&(feature, _): &(usize, f64)| match labels.get(feature) {
            Some(label) => format!("`{}`", label.name),
            None => feature.to_string(),
        };
        let names: Vec<String> = worst.iter().take(3).map(name).collect();
        text +=
            &format!("; of the features, rounding and clipping lose most of {}", names.join(", "));
    }
    text
}
