//! A network: layers, and one flat array with all their numbers.

use std::ops::Range;

use super::{Activation, Dense, Initializer, Real};
use crate::random::{Stream, stream};

/// A layer that is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayerSpec {
    /// A dense layer.
    Dense(DenseSpec),
}

/// A dense layer that is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseSpec {
    /// Number of outputs.
    pub units: usize,
    /// What is applied to each output.
    pub activation: Activation,
    /// How the weights begin; biases begin at zero.
    pub weights: Initializer,
}

/// Why a network cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// There is no layer.
    #[error("a network has at least one layer")]
    NoLayer,
    /// A layer has no input or no output.
    #[error("layer {layer}: {inputs} inputs and {outputs} outputs: both must be at least 1")]
    Width {
        /// The layer, counted from 0.
        layer: usize,
        /// Its inputs.
        inputs: usize,
        /// Its outputs.
        outputs: usize,
    },
}

/// A layer with its place among the parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub dense: Dense,
    pub parameters: Range<usize>,
}

/// A network of layers.
///
/// All weights and biases lie in one flat array, so that optimizers, checkpoints and threads need
/// not know what a layer is.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<T> {
    layers: Vec<Placed>,
    parameters: Vec<T>,
}

impl<T: Real> Network<T> {
    /// A network with the weights that the seed draws.
    ///
    /// # Errors
    /// [`NetworkError`] for a network without layers, or a layer without inputs or outputs.
    pub fn new(inputs: usize, layers: &[LayerSpec], seed: u64) -> Result<Self, NetworkError> {
        if layers.is_empty() {
            return Err(NetworkError::NoLayer);
        }
        let mut generator = stream(seed, Stream::Weights);
        let mut network = Network { layers: Vec::new(), parameters: Vec::new() };
        let mut width = inputs;
        for (layer, LayerSpec::Dense(spec)) in layers.iter().enumerate() {
            let dense = Dense { inputs: width, outputs: spec.units, activation: spec.activation };
            if dense.inputs == 0 || dense.outputs == 0 {
                let Dense { inputs, outputs, .. } = dense;
                return Err(NetworkError::Width { layer, inputs, outputs });
            }
            let start = network.parameters.len();
            let end = start + dense.parameter_count();
            network.parameters.resize(end, T::zero());
            let weights = &mut network.parameters[start..start + dense.inputs * dense.outputs];
            spec.weights.fill(weights, dense.inputs, dense.outputs, &mut generator);
            network.layers.push(Placed { dense, parameters: start..end });
            width = dense.outputs;
        }
        Ok(network)
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.dense.inputs)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.dense.outputs)
    }

    /// The layers, first to last, each with its parameters.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = (&Dense, &[T])> {
        self.layers.iter().map(|layer| (&layer.dense, &self.parameters[layer.parameters.clone()]))
    }

    /// All weights and biases: of each layer, weights (outputs × inputs), then biases.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// All weights and biases, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    /// Multiply-accumulates of one row, forward.
    pub fn macs(&self) -> usize {
        self.layers.iter().map(|layer| layer.dense.inputs * layer.dense.outputs).sum()
    }

    /// Floating-point operations of one training step for one row: forward, gradient of the
    /// weights, and gradient of the inputs, which the first layer does not need.
    pub fn training_flops(&self) -> usize {
        let first = self.layers.first().map_or(0, |layer| layer.dense.inputs * layer.dense.outputs);
        2 * (3 * self.macs() - first)
    }

    pub(super) fn placed(&self) -> &[Placed] {
        &self.layers
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A relu layer of this width, or a linear one at the end.
    pub fn dense(units: usize, activation: Activation) -> LayerSpec {
        LayerSpec::Dense(DenseSpec { units, activation, weights: Initializer::XavierUniform })
    }

    #[test]
    fn layers_follow_one_another_in_the_parameters() {
        let layers = [dense(3, Activation::Relu), dense(2, Activation::Linear)];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        assert_eq!(network.parameters().len(), 5 * 3 + 4 * 2);
        assert_eq!((network.inputs(), network.outputs(), network.macs()), (4, 2, 18));
        assert_eq!(network.training_flops(), 2 * (2 * 12 + 3 * 6));
        let (first, parameters) = network.layers().next().unwrap();
        let (weights, biases) = first.view(parameters);
        assert_eq!(weights.dim(), (3, 4));
        assert_eq!(biases, [0.0; 3]);
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let layers = [dense(3, Activation::Linear)];
        let weights = |seed| Network::<f32>::new(4, &layers, seed).unwrap();
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
    }

    #[test]
    fn nothing_wide_is_refused() {
        assert_eq!(Network::<f32>::new(4, &[], 1), Err(NetworkError::NoLayer));
        let zero = [dense(3, Activation::Relu), dense(0, Activation::Linear)];
        let error = Network::<f32>::new(4, &zero, 1).unwrap_err();
        assert_eq!(error, NetworkError::Width { layer: 1, inputs: 3, outputs: 0 });
    }
}
