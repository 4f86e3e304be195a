//! Figures of layers, and of the quality of a quantized model.

use model_format::{Dense, Model, WeightLayout};
use serde::Serialize;

use super::source::Source;
use crate::evaluate::Evaluation;
use crate::network::Network;
use crate::quantize::weights::{dense_layers, real_weights, signal_to_noise};
use crate::report::{Cell, Table, grouped, percent, significant};

/// Weight statistics of a dense layer.
#[derive(Debug, Serialize)]
pub(super) struct LayerFigures {
    layer: usize,
    inputs: usize,
    outputs: usize,
    weights: &'static str,
    bytes: usize,
    /// In dB; `None` where the weights are exact.
    sqnr_db: Option<f64>,
    sqnr_db_before: Option<f64>,
}

pub(super) fn layers(
    source: &Source,
    before: &Model<'_>,
    after: &Model<'_>,
) -> anyhow::Result<Vec<LayerFigures>> {
    let quantized = Model::parse(&source.quantized)?;
    let mut floats = source.reference.iter().flat_map(Network::dense_layers);
    let triples = dense_layers(&quantized).zip(dense_layers(before).zip(dense_layers(after)));
    let figures = triples.enumerate().map(|(layer, (quantized, (then, now)))| {
        let float = floats.next().map(|(dense, parameters)| dense.view(parameters).0);
        let ratio = |dense: &Dense<'_>| {
            let weights = real_weights(dense);
            let decibels = match float {
                Some(float) => {
                    let rows = float.rows().into_iter();
                    signal_to_noise(rows.map(|row| row.into_iter().map(|w| f64::from(*w))), weights)
                }
                None => signal_to_noise(real_weights(&quantized), weights),
            };
            Some(decibels).filter(|decibels| decibels.is_finite())
        };
        let weights = match now.layout {
            WeightLayout::Sparse => "sparse int8",
            layout => layout.weight_type().name(),
        };
        LayerFigures {
            layer,
            inputs: now.inputs(),
            outputs: now.outputs(),
            weights,
            bytes: now.flash_len(),
            sqnr_db: ratio(&now),
            sqnr_db_before: ratio(&then),
        }
    });
    Ok(figures.collect())
}

pub(super) fn layers_text(layers: &[LayerFigures]) -> String {
    let mut table =
        Table::new(["layer", "inputs", "outputs", "weights", "bytes", "SQNR", "before"]);
    let ratio = |decibels: Option<f64>| match decibels {
        Some(decibels) => format!("{decibels:.1} dB"),
        None => "exact".to_string(),
    };
    for layer in layers {
        table.row([
            Cell::from(layer.layer.to_string()),
            grouped(layer.inputs as u64).into(),
            grouped(layer.outputs as u64).into(),
            layer.weights.into(),
            grouped(layer.bytes as u64).into(),
            ratio(layer.sqnr_db).into(),
            ratio(layer.sqnr_db_before).into(),
        ]);
    }
    table.lines().join("\n") + "\n\n"
}

/// Text for accuracy or squared error: float network, int8 weights, final weights.
pub(super) fn quality(evaluations: [Option<&Evaluation>; 3], rows: usize) -> String {
    if evaluations.iter().all(Option::is_none) {
        return String::new();
    }
    let figure = |evaluation: &Evaluation| match &evaluation.regression {
        Some(regression) => significant(regression.mean_squared_error),
        None => percent(evaluation.confusion.accuracy()),
    };
    let name = match evaluations.iter().flatten().any(|e| e.regression.is_some()) {
        true => "mean squared error",
        false => "accuracy",
    };
    let mut table = Table::new([
        format!("on {} rows that are not test rows", grouped(rows as u64)),
        String::new(),
    ]);
    for (title, evaluation) in ["float", "int8 weights", "these weights"].iter().zip(evaluations) {
        if let Some(evaluation) = evaluation {
            table.row([Cell::from(format!("{name}, {title}")), figure(evaluation).into()]);
        }
    }
    table.lines().join("\n") + "\n\n"
}
