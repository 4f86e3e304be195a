//! Preparation of float networks for quantization: folding, input stage, equalization, output
//! ranges.

use std::sync::Arc;

use model_format::DataType;
use thimble_data::{Features, Stage, Subset, Targets};
use thimble_network::{Activation, FakeQuantization, Head, Layer, Network, Objective};
use thimble_numeric::threads::Threads;

use super::stage::{ChosenStage, choose_stage, given_stage};
use super::{QuantizeError, Settings, center_logits, equalize, fold};
use crate::evaluate::over_chunks;

/// A float network prepared for quantization: dense and activation layers only, after the model's
/// input stage, with scaled outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The network. Its inputs are those of [`rows`](Self::rows).
    pub network: Network<f32>,
    /// Input stage, which scales raw features to the network's inputs. `None` for pixels, which are
    /// used unscaled.
    pub stage: Option<ChosenStage>,
    /// For regression with a linear last layer, the range of each output, which the network scales
    /// to −1 to 1.
    pub outputs: Option<Vec<OutputRange>>,
}

/// The range of an output, in the unit of its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputRange {
    /// Value at an output of 0.
    pub middle: f64,
    /// Distance from the middle to the values at outputs of −1 and 1.
    pub half: f64,
}

impl Prepared {
    /// Returns rows with the input stage applied.
    pub fn rows(&self, rows: &Subset) -> Subset {
        match &self.stage {
            Some(chosen) => rows.clone().staged(Some(Arc::new(Stage::clone(&chosen.stage)))),
            None => rows.clone(),
        }
    }
}

/// Prepares a float network for quantization without changing its function. Folds batch
/// normalization, centers logits of softmax, chooses the input stage, equalizes channels if the
/// settings enable it, and scales regression outputs to per-output ranges.
///
/// `data_type` is that of the inputs. int16 inputs need less clipping.
///
/// A network with fake quantization keeps the codes of its weights: its input ranges are those of
/// the training, and neither logits nor channels are changed.
///
/// # Errors
/// [`QuantizeError::Network`] for a network that cannot be folded.
pub fn prepared(
    network: &Network<f32>,
    objective: Objective,
    train: &Subset,
    settings: Settings,
    data_type: DataType,
    threads: &Threads,
) -> Result<Prepared, QuantizeError> {
    let fake = network.fake_quantization();
    let mut network = fold(network)?;
    if fake.is_none() && objective.scoring_head() == Head::Softmax {
        network = center_logits(&network);
    }
    let mut prepared = Prepared { network, stage: None, outputs: None };
    if !takes_pixels(train) {
        let steps = 2.0 * half_steps(data_type);
        let ranges = fake.and_then(FakeQuantization::input);
        let chosen = match ranges {
            Some(ranges) => given_stage(&prepared.network, train, ranges, steps, threads),
            None => choose_stage(&prepared.network, train, steps, threads),
        };
        if let Some((stage, network)) = chosen {
            prepared = Prepared { network, stage: Some(stage), outputs: None };
        }
    }
    let rows = prepared.rows(train);
    if fake.is_none() && settings.equalization {
        prepared.network = equalize(&prepared.network, &rows, threads);
    }
    if has_own_ranges(&prepared.network, objective, train) {
        let ranges = output_ranges(&prepared.network, &rows, threads);
        prepared.network = with_outputs(&prepared.network, &ranges);
        prepared.outputs = Some(in_units(&ranges, train));
    }
    Ok(prepared)
}

/// Returns the number of steps on each side of zero.
pub(super) fn half_steps(data_type: DataType) -> f64 {
    match data_type {
        DataType::Int8 => 127.0,
        DataType::Int16 => 32767.0,
    }
}

/// Returns `true` if the inputs are unscaled pixels, which int8 represents exactly.
pub(super) fn takes_pixels(rows: &Subset) -> bool {
    matches!(rows.dataset().features(), Features::Bytes { .. }) && rows.scaling().is_none()
}

/// Returns `true` if each output can have its own range: regression outputs of a linear last layer.
pub(crate) fn has_own_ranges(network: &Network<f32>, objective: Objective, train: &Subset) -> bool {
    let is_linear = network.layers().last().is_some_and(|view| match view.layer {
        Layer::Dense(dense) => dense.activation == Activation::Linear,
        _ => false,
    });
    let has_values = matches!(train.dataset().targets(), Targets::Values(_));
    is_linear && has_values && objective.head == Head::None
}

/// Returns middle and half width of each output on the training rows, limited to the range of its
/// targets. Values beyond the targets are clipped.
fn output_ranges(network: &Network<f32>, rows: &Subset, threads: &Threads) -> Vec<OutputRange> {
    let width = network.outputs();
    let parts = over_chunks(network, rows, threads, |tape, _, count| {
        let mut ends = vec![[f64::INFINITY, f64::NEG_INFINITY]; width];
        for row in tape.outputs(count).chunks_exact(width) {
            for (ends, &y) in ends.iter_mut().zip(row) {
                *ends = [ends[0].min(y.into()), ends[1].max(y.into())];
            }
        }
        ends
    });
    let mut ends = vec![[f64::INFINITY, f64::NEG_INFINITY]; width];
    for part in parts {
        for (ends, seen) in ends.iter_mut().zip(part) {
            *ends = [ends[0].min(seen[0]), ends[1].max(seen[1])];
        }
    }
    let mut targets = vec![[f64::INFINITY, f64::NEG_INFINITY]; width];
    for position in 0..rows.len() {
        for (output, y) in scaled_targets(rows, position).enumerate() {
            let seen = &mut targets[output];
            *seen = [seen[0].min(y), seen[1].max(y)];
        }
    }
    let ranges = ends.into_iter().zip(targets).map(|([low, high], [least, most])| {
        let (low, high) = (low.max(least).min(most), high.min(most).max(least));
        OutputRange { middle: (low + high) / 2.0, half: (high - low) / 2.0 }
    });
    ranges
        .map(|range| match range.half > 0.0 && range.half.is_finite() {
            true => range,
            // A constant output, for which any scale works.
            false => OutputRange { half: range.middle.abs().max(1.0) * 1e-3, ..range },
        })
        .collect()
}

/// Returns the scaled targets of a row, on which the network was trained.
pub(super) fn scaled_targets(rows: &Subset, position: usize) -> impl Iterator<Item = f64> {
    let values = rows.values(position).map(|row| row.to_vec()).unwrap_or_default();
    let scaling = rows.target_scaling().cloned();
    values.into_iter().enumerate().map(move |(output, value)| match &scaling {
        Some(scaling) => {
            (f64::from(value) - f64::from(scaling.offsets[output]))
                * f64::from(scaling.factors[output])
        }
        None => value.into(),
    })
}

/// Returns the same network with outputs scaled from these ranges to −1 to 1.
fn with_outputs(network: &Network<f32>, ranges: &[OutputRange]) -> Network<f32> {
    let mut network = network.clone();
    let Some(Layer::Dense(dense)) = network.layers().last().map(|view| *view.layer) else {
        return network;
    };
    let start = network.parameters().len() - dense.parameter_count();
    let parameters = &mut network.parameters_mut()[start..];
    let (weights, biases) = parameters.split_at_mut(dense.inputs * dense.outputs);
    let rows = weights.chunks_exact_mut(dense.inputs).zip(biases).zip(ranges);
    for ((row, bias), range) in rows {
        row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) / range.half) as f32);
        *bias = ((f64::from(*bias) - range.middle) / range.half) as f32;
    }
    network
}

/// Converts ranges of scaled targets to the targets' own units.
fn in_units(ranges: &[OutputRange], train: &Subset) -> Vec<OutputRange> {
    let scaling = train.target_scaling();
    let range = |(output, range): (usize, &OutputRange)| {
        let (offset, factor) = scaling.map_or((0.0, 1.0), |scaling| {
            (f64::from(scaling.offsets[output]), f64::from(scaling.factors[output]))
        });
        OutputRange { middle: offset + range.middle / factor, half: range.half / factor }
    };
    ranges.iter().enumerate().map(range).collect()
}
