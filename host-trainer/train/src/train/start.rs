//! The start of quantization-aware training.

use model_format::DataType;
use thimble_data::Splits;
use thimble_network::{Clipping, InputRanges, Network, Objective, Points};
use thimble_numeric::threads::Threads;

use super::aware::{Aware, AwareError, AwareSettings};
use super::{OptimizerSettings, Settings};
use crate::quantize::{has_own_ranges, input_ranges};

/// Start of quantization-aware training.
pub(super) struct Start {
    types: Vec<model_format::WeightType>,
    points: Points,
    clipping: Clipping,
    input: Option<InputRanges>,
    data_type: DataType,
    pub(super) float_epochs: usize,
    /// Optimizer of learned steps.
    optimizer: OptimizerSettings,
    /// Rows of weights of all dense layers.
    all_rows: usize,
}

impl Start {
    pub(super) fn new(
        (aware, data_type): (&AwareSettings, DataType),
        settings: &Settings,
        network: &Network<f32>,
        objective: Objective,
        splits: &Splits,
        threads: &Threads,
    ) -> Result<Self, AwareError> {
        let outputs = !has_own_ranges(network, objective, &splits.train);
        let (types, points) = aware.check(network, data_type, outputs, &settings.optimizer)?;
        Ok(Start {
            types,
            points,
            clipping: aware.clipping,
            input: input_ranges(&splits.train, data_type, threads),
            data_type,
            float_epochs: aware.float_epochs,
            optimizer: settings.optimizer,
            all_rows: network.dense_layers().map(|(dense, _)| dense.outputs).sum(),
        })
    }

    /// Returns the number of learned steps of weights.
    pub(super) fn rows(&self) -> usize {
        if self.clipping == Clipping::Learned { self.all_rows } else { 0 }
    }

    /// Returns how many numbers rounding adds to the state: ends of ranges, and learned steps.
    pub(super) fn numbers(&self) -> usize {
        2 * self.points.tracked() + self.rows()
    }

    pub(super) fn aware(&self, network: &Network<f32>) -> Aware<f32> {
        let Start { types, points, clipping, input, data_type, optimizer, .. } = self;
        let (points, input) = (points.clone(), input.clone());
        Aware::new(network, points, types, *clipping, input, *data_type, *optimizer)
    }
}
