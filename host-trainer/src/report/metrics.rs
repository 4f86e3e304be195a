//! `metrics.json`: results of a run in machine-readable form.

use serde_json::{Value, json};

use super::aware::different_rows;
use super::summary::Column;
use super::warnings::warnings;
use crate::choice::{Choice, Selection};
use crate::data::{Results, Splits};
use crate::evaluate::{Confusion, Evaluation, OutputRegression};
use crate::network::BatchScore;
use crate::preset::Preset;
use crate::train::Outcome;

/// Returns the metrics of a run before quantization, with results if there are rows.
pub fn training_metrics(
    preset: &Preset,
    outcome: &Outcome<f32>,
    results: Option<(Results, &Evaluation)>,
) -> Value {
    let kept = outcome.kept_epoch();
    let mut value = json!({
        "preset": preset.name,
        "dataset": preset.data.dataset.name(),
        "network": preset.network.shape(outcome.network.inputs()),
        "seed": preset.seed,
        "interrupted": outcome.interrupted,
        "training": {
            "epochs": outcome.history.epochs.len(),
            "best_epoch": outcome.best_epoch,
            "kept_epoch": kept.map(|record| record.epoch),
            "target_scaling": preset.target_scaling(),
            "threads": outcome.workers,
            "seconds": outcome.history.epochs.iter().map(|record| record.seconds).sum::<f64>(),
            "seconds_per_epoch": outcome.history.seconds_per_epoch(),
        },
        "float": {
            "parameters": outcome.network.parameters().len(),
            "train": kept.map(|record| score(&record.train)),
        },
    });
    if let Some((results, float)) = results {
        value["float"][results.name()] = evaluation(float);
        let validated = kept.and_then(|record| record.validation);
        if let (Some(score), Results::Test) = (validated, results) {
            value["float"]["validation"] = self::score(&score);
        }
    }
    value
}

/// Returns the results in the metrics of a network: on test rows, or on validation rows if there
/// are none.
pub fn results_of(network: &Value) -> &Value {
    match network.get("test") {
        Some(test) => test,
        None => &network["validation"],
    }
}

/// A quantized model and its metrics.
#[derive(Clone, Copy, Debug)]
pub struct ModelMetrics<'a> {
    /// Data type of its activations: `int8`, `int16` or `mixed`.
    pub name: &'static str,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Scratch memory in bytes.
    pub scratch_bytes: usize,
    /// Multiply-accumulates per inference.
    pub macs: u64,
    /// Evaluation of the float network on the rows of the results.
    pub float: &'a Evaluation,
    /// Evaluation of the model on these rows.
    pub quantized: &'a Evaluation,
    /// Evaluations on the selection rows.
    pub selection: &'a Selection,
    /// The evaluated quantization candidates.
    pub choice: &'a Choice,
    /// Splits of the data.
    pub splits: &'a Splits,
    /// Probability above which the second of two classes is predicted.
    pub threshold: f64,
}

impl ModelMetrics<'_> {
    /// Adds the metrics to those of a training, replacing those of an earlier model.
    pub fn add_to(&self, metrics: &mut Value) {
        if let Some(figures) = metrics.as_object_mut() {
            for name in ["int8", "int16", "mixed"] {
                figures.shift_remove(name);
            }
        }
        let columns = [
            Column { title: "float", evaluation: self.float },
            Column { title: self.name, evaluation: self.quantized },
        ];
        metrics[self.name] = json!({
            "model_bytes": self.bytes,
            "scratch_bytes": self.scratch_bytes,
            "macs": self.macs,
            self.splits.results.name(): evaluation(self.quantized),
        });
        metrics["selection"] = json!({
            "part": self.selection.part,
            "float": evaluation(&self.selection.float),
            self.name: evaluation(&self.selection.int8),
        });
        metrics["warnings"] = json!(warnings(self.splits, &columns));
        metrics["quantization"] = self.choice.to_json();
        if let Some(rows) = different_rows(self.float, self.quantized) {
            metrics["quantization"]["different_rows"] = json!(rows);
        }
        if self.float.confusion.names().len() == 2 {
            metrics["threshold"] = figure(self.threshold);
        }
    }
}

/// Returns a number, or null if it is not finite, since JSON has no NaN.
fn figure(value: f64) -> Value {
    json!(Some(value).filter(|value| value.is_finite()))
}

fn score(score: &BatchScore) -> Value {
    let mut value = json!({ "loss": figure(score.loss()), "data_loss": figure(score.data_loss()) });
    match score.mean_absolute_error() {
        Some(error) => value["mean_absolute_error"] = figure(error),
        None => value["accuracy"] = figure(score.accuracy()),
    }
    value
}

/// Returns the metrics of a network on some rows.
pub fn evaluation(evaluation: &Evaluation) -> Value {
    let mut value = match &evaluation.regression {
        Some(errors) => json!({
            "mean_squared_error": figure(errors.mean_squared_error),
            "mean_absolute_error": figure(errors.mean_absolute_error),
            "r_squared": figure(errors.r_squared),
            "rows": evaluation.outputs.len() / evaluation.width.max(1),
            "outputs": evaluation.per_output.iter().map(output).collect::<Vec<_>>(),
        }),
        None => classification(&evaluation.confusion),
    };
    if let Some(ranking) = &evaluation.ranking {
        let auc = ranking.auc.iter().map(|&auc| figure(auc)).collect::<Vec<_>>();
        value["area_under_roc"] = json!(auc);
        let average_precision = ranking.average_precision.iter().map(|&area| figure(area));
        value["average_precision"] = json!(average_precision.collect::<Vec<_>>());
        value["top_k"] = json!(ranking.top_k);
        value["log_loss"] = figure(ranking.log_loss);
        value["calibration_error"] = figure(ranking.calibration_error);
    }
    for (name, loss) in [("loss", evaluation.loss), ("data_loss", evaluation.data_loss)] {
        if let Some(loss) = loss {
            value[name] = figure(loss);
        }
    }
    value
}

fn output(output: &OutputRegression) -> Value {
    json!({
        "name": output.name,
        "unit": output.unit,
        "mean_squared_error": figure(output.errors.mean_squared_error),
        "mean_absolute_error": figure(output.errors.mean_absolute_error),
        "r_squared": figure(output.errors.r_squared),
    })
}

fn classification(confusion: &Confusion) -> Value {
    type Figure = fn(&Confusion, usize) -> f64;
    let by_class = |of: Figure| {
        let names = confusion.names().iter().enumerate();
        Value::Object(
            names.map(|(class, name)| (name.clone(), figure(of(confusion, class)))).collect(),
        )
    };
    let rows = confusion.counts().rows();
    json!({
        "accuracy": confusion.accuracy(),
        "correct": confusion.correct(),
        "rows": confusion.total(),
        "balanced_accuracy": figure(confusion.balanced_accuracy()),
        "classes": confusion.names(),
        "precision": figure(confusion.macro_mean(Confusion::precision)),
        "recall": figure(confusion.macro_mean(Confusion::recall)),
        "f1": figure(confusion.macro_mean(Confusion::f1)),
        "class_accuracy": by_class(Confusion::class_accuracy),
        "class_recall": by_class(Confusion::recall),
        "class_precision": by_class(Confusion::precision),
        "class_f1": by_class(Confusion::f1),
        "confusion": rows.into_iter().map(|row| json!(row.to_vec())).collect::<Vec<_>>(),
    })
}
