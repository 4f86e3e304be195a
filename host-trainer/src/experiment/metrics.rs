//! Metrics of an experiment.

use serde_json::Value;

use super::Experiment;
use crate::report::{ModelMetrics, training_metrics};

/// Formats `metrics.json`.
pub fn metrics_json(experiment: &Experiment) -> String {
    format!("{:#}\n", metrics(experiment))
}

/// Returns the metrics of a run.
///
/// `float.test.accuracy` and `int8.test.accuracy` are shares from 0 to 1. `test` is named
/// `validation` where results are those of the validation rows. `int8` is named `int16` for a model
/// with int16 activations, and `mixed` for one with both. `train` and `validation` are those of the
/// kept epoch. `selection` contains the metrics of both networks on the selection rows: validation
/// rows, or training rows if there are none. Losses are computed on scaled targets where
/// `data.target_scaling` is not `none`; all other metrics are in the target's own unit.
pub fn metrics(experiment: &Experiment) -> Value {
    let Experiment { preset, outcome, float, int8, .. } = experiment;
    let mut value = training_metrics(preset, outcome, Some((experiment.splits.results, float)));
    let model = ModelMetrics {
        name: experiment.precision_name(),
        bytes: experiment.model_bytes().len(),
        scratch_bytes: experiment.scratch_bytes,
        macs: experiment.macs,
        float,
        quantized: int8,
        selection: &experiment.selection,
        choice: &experiment.choice,
        splits: &experiment.splits,
        threshold: experiment.objective.threshold.into(),
    };
    model.add_to(&mut value);
    value
}
