//! The choice of a quantization: what each way of it costs, on rows that are not test rows.

use model_format::{DataType, Model};
use serde_json::{Value, json};

use super::Error;
use crate::data::{Splits, Subset};
use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use crate::memory;
use crate::network::{Network, Objective};
use crate::preset::Preset;
use crate::quantize::{
    Activations, CalibrationMethod, DataTypes, Quantized, Recipe, Settings, quantize,
};
use crate::train::Threads;

/// Rows that are enough to see whether 8 bits will do.
const JUDGED_ROWS: usize = 10_000;

/// Memory that quantization takes for each parameter: copies in f32 and f64, the file, and the
/// models that are compared.
const BYTES_PER_PARAMETER: u64 = 32;

/// What quantization loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QuantizationLoss {
    /// Accuracy, from 0 to 1; negative when it gains some.
    Accuracy(f64),
    /// The mean squared error of the output that loses most, as a multiple of that of the float
    /// network.
    SquaredError(f64),
}

impl QuantizationLoss {
    /// Returns what the second loses beside the first.
    pub fn between(float: &Evaluation, quantized: &Evaluation) -> Self {
        // The output that loses most: in a sum the largest numbers would hide all others.
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

    /// Returns whether it is more than 0.1 points of accuracy, or 5 % of the squared error.
    pub fn is_large(self) -> bool {
        match self {
            QuantizationLoss::Accuracy(lost) => lost > 0.001 + 1e-9,
            QuantizationLoss::SquaredError(ratio) => ratio > 1.05,
        }
    }

    /// Returns it as a number to compare: smaller is better.
    fn rank(self) -> f64 {
        match self {
            QuantizationLoss::Accuracy(lost) => lost,
            QuantizationLoss::SquaredError(ratio) => ratio,
        }
    }
}

/// A way to quantize a network, with what it gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The way, in the words of the preset's keys.
    pub name: String,
    /// How ranges were chosen and weights were fitted.
    pub settings: Settings,
    /// What it loses on the judged rows.
    pub loss: QuantizationLoss,
    /// Accuracy on the judged rows, or the mean squared error.
    pub figure: f64,
    /// Bytes of the model.
    pub bytes: usize,
    /// Instructions of an inference on a Cortex-M4F, estimated.
    pub instructions: u64,
}

/// All ways that were tried, and which one was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The ways, in the order of their cost.
    pub attempts: Vec<Attempt>,
    /// The one that was taken, an index of `attempts`.
    pub taken: usize,
    /// Accuracy, or mean squared error, of the float network on the judged rows.
    pub float: f64,
    /// Which rows they were judged on: `validation` or `training`.
    pub judged: &'static str,
    /// How many there were.
    pub rows: usize,
    /// Outputs that have a squared error of their own; 0 for classes.
    pub outputs: usize,
    /// Where nothing keeps the loss small: which layer and which features lose most.
    pub culprits: Option<String>,
}

impl Choice {
    /// The way that was taken.
    pub fn taken(&self) -> &Attempt {
        &self.attempts[self.taken]
    }

    /// Returns all of it as JSON.
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

/// Returns the rows that choices are judged on: validation rows, or training rows where there are
/// none. Test rows choose nothing.
pub fn judged_rows(splits: &Splits) -> Subset {
    let rows = splits.validation.as_ref().unwrap_or(&splits.train);
    // Spread over all of them: files are often sorted.
    let count = rows.len().min(JUDGED_ROWS);
    let kept = (0..count).map(|index| rows.rows()[index * rows.len() / count]).collect();
    rows.with_rows(kept)
}

/// A trained network with all that is needed to quantize it.
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
    /// Why the first way that could not be taken at all could not.
    refused: Option<Error>,
}

impl Task<'_> {
    /// Quantizes in one way, and judges the model; a way that cannot be taken is passed over, since
    /// another may.
    fn consider(&mut self, name: impl Into<String>, settings: Settings, data_types: DataTypes) {
        if let Err(error) = self.attempt(name, settings, data_types) {
            self.refused.get_or_insert(error);
        }
    }

    /// Quantizes in one way, and judges the model.
    fn attempt(
        &mut self,
        name: impl Into<String>,
        settings: Settings,
        data_types: DataTypes,
    ) -> Result<(), Error> {
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

    /// Tries everything that there is, the cheapest first, until the loss is small.
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

    /// The settings of the attempt that lost least so far, and how a name says that it has them.
    fn best_settings(&self, ways: &[(&str, Settings)]) -> (Settings, String) {
        let least = self.found.iter().min_by(|a, b| a.1.loss.rank().total_cmp(&b.1.loss.rank()));
        let name = least.map_or("", |(_, attempt)| attempt.name.as_str());
        let way = ways.iter().find(|(way, _)| name.strip_prefix("int8, ") == Some(*way));
        match way {
            Some((way, settings)) => (*settings, format!(", {way}")),
            None => (self.preset.quantization, String::new()),
        }
    }

    /// The cheapest that loses little, or the one that loses least.
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
        // Where one way was asked for, no other was tried, and nothing can be said of them.
        let is_search = preset.quantization.activations == Activations::Auto;
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

/// Places that are tried with 16 bits one by one, at most.
const MOST_PLACES: usize = 9;

/// Quantizes a trained network as its preset asks for; `auto` tries what there is until the loss is
/// small, and takes the cheapest way.
///
/// # Errors
/// [`Error`] when a model is refused.
pub fn quantize_network(
    preset: &Preset,
    network: &Network<f32>,
    objective: Objective,
    splits: &Splits,
    threads: &Threads,
) -> Result<(Quantized, Choice), Error> {
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
    match preset.quantization.activations {
        Activations::Auto => task.search(),
        Activations::Int8 => task.attempt("int8", preset.quantization, all(DataType::Int8))?,
        Activations::Int16 => task.attempt("int16", preset.quantization, all(DataType::Int16))?,
    }
    match task.refused.take() {
        Some(error) if task.found.is_empty() => Err(error),
        _ => Ok(task.take()),
    }
}

/// Accuracy, or the mean squared error.
fn figure(evaluation: &Evaluation) -> f64 {
    match evaluation.regression {
        Some(regression) => regression.mean_squared_error,
        None => evaluation.confusion.accuracy(),
    }
}

/// Instructions of an inference on a Cortex-M4F: 0.95 per multiply-accumulate, 30 per row and 1,050
/// per layer, fitted to what `tests/run counts` measures for 784-128-10, 64-32-10, 12-16-16-5 and
/// 1-16-16-1 with dense inputs.
fn estimated_instructions(model: &Model<'_>) -> u64 {
    let layer = |layer: model_format::Layer<'_>| {
        let wide = layer.input().data_type == DataType::Int16;
        let macs = layer.macs() as f64 * if wide { 0.96 } else { 0.95 };
        let rows = layer.outputs() as f64 * if layer.macs() > 0 { 30.0 } else { 8.0 };
        macs + rows + if layer.macs() > 0 { 1050.0 } else { 60.0 }
    };
    model.layers().map(layer).sum::<f64>().round() as u64
}

/// The layer and the features that lose most.
fn culprits(found: &[(Quantized, Attempt)], splits: &Splits, network: &Network<f32>) -> String {
    let wide = found.iter().filter(|(_, a)| a.name.starts_with("int16 for "));
    let helps = wide.min_by(|a, b| a.1.loss.rank().total_cmp(&b.1.loss.rank()));
    let mut text = match helps {
        Some((_, attempt)) => {
            let place = attempt.name.trim_start_matches("int16 for ");
            format!("of single places, 16 bits help most for {place}")
        }
        None => {
            format!("its {} dense layers were not tried one by one", network.dense_layers().count())
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
