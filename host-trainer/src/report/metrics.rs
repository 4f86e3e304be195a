//! `metrics.json`: what a run reached, for programs.

use serde_json::{Value, json};

use crate::evaluate::{Confusion, Evaluation};
use crate::experiment::Experiment;
use crate::network::BatchScore;
use crate::preset::Preset;
use crate::train::Outcome;

/// The text of `metrics.json`.
pub fn metrics_json(experiment: &Experiment) -> String {
    format!("{:#}\n", metrics(experiment))
}

/// The metrics of a run. `float.test.accuracy` and `int8.test.accuracy` are shares from 0 to 1;
/// `int8` is named `int16` for a model
/// whose activations are, and `mixed` for one of both.
pub fn metrics(experiment: &Experiment) -> Value {
    let Experiment { preset, outcome, float, int8, .. } = experiment;
    let mut value = training_metrics(preset, outcome, float);
    let name = experiment.precision_name();
    value[name] = model_metrics(
        experiment.model_bytes().len(),
        experiment.scratch_bytes,
        experiment.macs,
        int8,
    );
    value["quantization"] = experiment.choice.to_json();
    value
}

/// The metrics of a run before its network is quantized.
pub fn training_metrics(preset: &Preset, outcome: &Outcome<f32>, float: &Evaluation) -> Value {
    let last = outcome.history.epochs.last();
    let mut value = json!({
        "preset": preset.name,
        "dataset": preset.data.dataset.name(),
        "network": preset.network.shape(outcome.network.inputs()),
        "seed": preset.seed,
        "interrupted": outcome.interrupted,
        "training": {
            "epochs": outcome.history.epochs.len(),
            "best_epoch": outcome.best_epoch,
            "threads": outcome.workers,
            "seconds": outcome.history.epochs.iter().map(|record| record.seconds).sum::<f64>(),
            "seconds_per_epoch": outcome.history.seconds_per_epoch(),
        },
        "float": {
            "parameters": outcome.network.parameters().len(),
            "train": last.map(|record| score(&record.train)),
            "test": evaluation(float),
        },
    });
    if let Some(score) = last.and_then(|record| record.validation) {
        value["float"]["validation"] = self::score(&score);
    }
    value
}

/// The metrics of a quantized model.
pub fn model_metrics(
    model_bytes: usize,
    scratch_bytes: usize,
    macs: u64,
    test: &Evaluation,
) -> Value {
    json!({
        "model_bytes": model_bytes,
        "scratch_bytes": scratch_bytes,
        "macs": macs,
        "test": evaluation(test),
    })
}

/// A figure, or nothing where there is none: JSON has no NaN.
fn figure(value: f64) -> Value {
    json!(Some(value).filter(|value| value.is_finite()))
}

fn score(score: &BatchScore) -> Value {
    let mut value = json!({ "loss": figure(score.loss()) });
    match score.mean_absolute_error() {
        Some(error) => value["mean_absolute_error"] = figure(error),
        None => value["accuracy"] = figure(score.accuracy()),
    }
    value
}

/// How well a network does on some rows.
pub fn evaluation(evaluation: &Evaluation) -> Value {
    let mut value = match &evaluation.regression {
        Some(errors) => json!({
            "mean_squared_error": figure(errors.mean_squared_error),
            "mean_absolute_error": figure(errors.mean_absolute_error),
            "r_squared": figure(errors.r_squared),
            "rows": evaluation.outputs.len() / evaluation.width.max(1),
        }),
        None => classification(&evaluation.confusion),
    };
    if let Some(ranking) = &evaluation.ranking {
        let auc = ranking.auc.iter().map(|&auc| figure(auc)).collect::<Vec<_>>();
        value["area_under_roc"] = json!(auc);
        value["top_k"] = json!(ranking.top_k);
        value["calibration_error"] = figure(ranking.calibration_error);
    }
    if let Some(loss) = evaluation.loss {
        value["loss"] = figure(loss);
    }
    value
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
        "precision": figure(confusion.macro_mean(Confusion::precision)),
        "recall": figure(confusion.macro_mean(Confusion::recall)),
        "f1": figure(confusion.macro_mean(Confusion::f1)),
        "class_accuracy": by_class(Confusion::class_accuracy),
        "class_precision": by_class(Confusion::precision),
        "class_f1": by_class(Confusion::f1),
        "confusion": rows.into_iter().map(|row| json!(row.to_vec())).collect::<Vec<_>>(),
    })
}
