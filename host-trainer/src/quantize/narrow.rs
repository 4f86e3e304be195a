//! Ranges that are decided by what comes after them.

use model_format::Precision;

use super::logits::{clips_logits, logit_range};
use super::{Calibration, Range};
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
pub(super) fn narrow(
    calibration: &mut Calibration,
    folded: &Network<f32>,
    objective: Objective,
    train: &Subset,
    precision: Precision,
    threads: &Threads,
) {
    let within = |most: f32| Range::new(-most, most);
    let (tanh, logistic) = match precision {
        Precision::Int8 => (TANH_INT8, LOGISTIC_INT8),
        Precision::Int16 => (TANH_INT16, LOGISTIC_INT16),
    };
    let limits: Vec<Option<Range>> = folded
        .layers()
        .skip(1)
        .map(|view| match view.layer {
            Layer::Activation { activation: Activation::Tanh, .. } => Some(within(tanh)),
            Layer::Activation { activation: Activation::Sigmoid, .. } => Some(within(logistic)),
            _ => None,
        })
        .chain([match (objective.head, train.dataset().targets()) {
            (Head::Sigmoid, _) => Some(within(logistic)),
            (Head::None, Targets::Values(values)) => {
                let mut range = Range::ZERO;
                values.values.iter().for_each(|&value| range.include(value));
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
    if let (true, Some(last)) =
        (clips_logits(folded, objective, precision), calibration.layers.last_mut())
    {
        *last = logit_range(folded, train, threads);
    }
}
