//! Narrower ranges for inputs of tanh and sigmoid, for regression outputs and for logits.

use model_format::DataType;
use thimble_data::{Subset, Targets};
use thimble_network::grid::Range;
use thimble_network::{Activation, Head, Layer, Network, Objective};
use thimble_numeric::threads::Threads;

use super::logits::{clips_logits, logit_range};
use super::prepare::scaled_targets;
use super::{Calibration, DataTypes};

/// Narrows ranges: inputs of tanh and sigmoid to where these are not flat, regression outputs to
/// the range of targets, and int8 logits to the range with the least cross-entropy.
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
    let bound = |layer: usize, activation: Activation| {
        let data_type = of_layers.get(layer).copied().unwrap_or(DataType::Int8);
        activation.input_limit(data_type).map(within)
    };
    let limits: Vec<Option<Range>> = folded
        .layers()
        .enumerate()
        .skip(1)
        .map(|(layer, view)| match view.layer {
            Layer::Activation { activation, .. } => bound(layer - 1, *activation),
            _ => None,
        })
        .chain([match (objective.scoring_head(), train.dataset().targets()) {
            (Head::Sigmoid, _) => bound(of_layers.len().saturating_sub(1), Activation::Sigmoid),
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
