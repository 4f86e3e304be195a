//! Ranges that are decided by what comes after them.

use model_format::DataType;

use super::logits::{clips_logits, logit_range};
use super::prepare::scaled_targets;
use super::{Calibration, DataTypes, Range};
use crate::data::{Subset, Targets};
use crate::network::{Activation, Head, Layer, Network, Objective};
use crate::train::Threads;

/// What tanh of int8 takes: beyond, its table gives −1 or 127/128, whatever comes.
const TANH_INT8: f32 = 3.2;
/// What tanh of int16 takes: beyond, it is ±1 within two steps of 1/32768.
const TANH_INT16: f32 = 5.5;
/// What the logistic function of int8 takes: beyond, its table gives 0 or 255/256.
const LOGISTIC_INT8: f32 = 6.3;
/// What the logistic function of int16 takes.
const LOGISTIC_INT16: f32 = 11.0;

/// Narrows the ranges of what is bounded by what comes after it: the inputs of tanh and sigmoid by
/// where these are flat, values by those that are to be learnt, int8 logits by their probabilities.
pub(super) fn clamp_ranges(
    calibration: &mut Calibration,
    folded: &Network<f32>,
    objective: Objective,
    train: &Subset,
    data_types: &DataTypes,
    threads: &Threads,
) {
    let within = |most: f32| Range::new(-most, most);
    let of_layers = data_types.of_layers(folded, objective);
    let bound = |layer: usize, int8: f32, int16: f32| match of_layers.get(layer) {
        Some(DataType::Int16) => Some(within(int16)),
        _ => Some(within(int8)),
    };
    let limits: Vec<Option<Range>> = folded
        .layers()
        .enumerate()
        .skip(1)
        .map(|(layer, view)| match view.layer {
            Layer::Activation { activation: Activation::Tanh, .. } => {
                bound(layer - 1, TANH_INT8, TANH_INT16)
            }
            Layer::Activation { activation: Activation::Sigmoid, .. } => {
                bound(layer - 1, LOGISTIC_INT8, LOGISTIC_INT16)
            }
            _ => None,
        })
        .chain([match (objective.scoring_head(), train.dataset().targets()) {
            (Head::Sigmoid, _) => {
                bound(of_layers.len().saturating_sub(1), LOGISTIC_INT8, LOGISTIC_INT16)
            }
            (Head::None, Targets::Values(_)) => {
                let mut range = Range::ZERO;
                let rows = 0..train.len();
                rows.flat_map(|row| scaled_targets(train, row))
                    .for_each(|value| range.include(value as f32));
                Some(range)
            }
            _ => None,
        }])
        .collect();
    for (range, limit) in calibration.layers.iter_mut().zip(limits) {
        if let Some(limit) = limit {
            *range = range.intersection(limit);
        }
    }
    if let (true, Some(last)) = (
        clips_logits(folded, objective, data_types.last(folded, objective)),
        calibration.layers.last_mut(),
    ) {
        *last = logit_range(folded, train, threads);
    }
}
