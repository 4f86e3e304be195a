//! `metrics.json`: what a run reached, for programs.

use serde_json::{Value, json};

use crate::evaluate::Evaluation;
use crate::experiment::Experiment;

/// The metrics of a run. `float.test.accuracy` and `int8.test.accuracy` are shares from 0 to 1.
pub fn metrics_json(experiment: &Experiment) -> String {
    let Experiment { preset, outcome, float, int8, .. } = experiment;
    let last = outcome.history.epochs.last();
    let mut value = json!({
        "preset": preset.name,
        "dataset": preset.data.dataset.name(),
        "network": preset.network.shape(outcome.network.inputs()),
        "seed": preset.seed,
        "interrupted": outcome.interrupted,
        "training": {
            "epochs": outcome.history.epochs.len(),
            "threads": outcome.workers,
            "seconds": outcome.history.epochs.iter().map(|record| record.seconds).sum::<f64>(),
            "seconds_per_epoch": outcome.history.seconds_per_epoch(),
        },
        "float": {
            "parameters": outcome.network.parameters().len(),
            "train": last.map(|record| json!({
                "accuracy": record.train.accuracy(),
                "loss": record.train.loss(),
            })),
            "test": evaluation(float),
        },
        "int8": {
            "model_bytes": experiment.model_bytes().len(),
            "scratch_bytes": experiment.scratch_bytes,
            "macs": experiment.macs,
            "test": evaluation(int8),
        },
    });
    if let Some(score) = last.and_then(|record| record.validation) {
        value["float"]["validation"] =
            json!({ "accuracy": score.accuracy(), "loss": score.loss() });
    }
    format!("{value:#}\n")
}

fn evaluation(evaluation: &Evaluation) -> Value {
    let confusion = &evaluation.confusion;
    let classes = confusion.names().iter().enumerate().map(|(class, name)| {
        // JSON has no NaN: a class without rows has no accuracy.
        (name.clone(), json!(Some(confusion.class_accuracy(class)).filter(|a| a.is_finite())))
    });
    let rows = confusion.counts().rows();
    let mut value = json!({
        "accuracy": confusion.accuracy(),
        "correct": confusion.correct(),
        "rows": confusion.total(),
        "class_accuracy": Value::Object(classes.collect()),
        "confusion": rows.into_iter().map(|row| json!(row.to_vec())).collect::<Vec<_>>(),
    });
    if let Some(loss) = evaluation.loss {
        value["loss"] = json!(loss);
    }
    value
}
