//! The network: layers, and all parameters in one flat array.

use std::ops::Range;

use thimble_support::random::{Stream, stream};

use super::spec::{check_places, split_head};
use super::{
    Activation, BatchNormalization, Dense, FakeQuantization, Head, LayerSpec, NetworkError,
    Penalty, Real,
};

/// A layer of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    /// Dense layer: weights, biases and an activation.
    Dense(Dense),
    /// Activation layer.
    Activation {
        /// The activation function.
        activation: Activation,
        /// Number of values.
        width: usize,
    },
    /// Dropout in training; the identity in inference.
    Dropout {
        /// Probability that a value is dropped.
        rate: f64,
        /// Number of values.
        width: usize,
    },
    /// Batch normalization.
    BatchNormalization(BatchNormalization),
}

impl Layer {
    /// Returns the number of outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Layer::Dense(dense) => dense.outputs,
            Layer::Activation { width, .. } | Layer::Dropout { width, .. } => *width,
            Layer::BatchNormalization(layer) => layer.width,
        }
    }
}

/// A layer and its ranges of the network's parameters and state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub layer: Layer,
    pub parameters: Range<usize>,
    /// Range of its running statistics.
    pub state: Range<usize>,
    pub name: Option<String>,
}

/// A layer with its parameters and state.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a, T> {
    /// The layer.
    pub layer: &'a Layer,
    /// Name from the preset.
    pub name: Option<&'a str>,
    /// Trainable parameters: weights and biases, or γ and β.
    pub parameters: &'a [T],
    /// Non-trainable state: running mean and variance.
    pub state: &'a [T],
}

/// A network of layers.
///
/// All parameters lie in one flat array. Optimizers, checkpoints and threads work on it without
/// knowing the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<T> {
    layers: Vec<Placed>,
    inputs: usize,
    head: Head,
    parameters: Vec<T>,
    state: Vec<T>,
    penalties: Vec<Penalty>,
    fake_quantization: Option<Box<FakeQuantization<T>>>,
}

impl<T: Real> Network<T> {
    /// Creates a network with initial weights from the seed. A sigmoid or softmax after the last
    /// layer becomes the output activation ([`head`](Self::head)).
    ///
    /// # Errors
    /// [`NetworkError`] for a network without a dense layer, for a layer without inputs or outputs,
    /// and for a layer that cannot be folded into a dense layer after training.
    pub fn new(inputs: usize, layers: &[LayerSpec], seed: u64) -> Result<Self, NetworkError> {
        let (layers, head) = split_head(layers);
        check_places(&layers)?;
        let mut generator = stream(seed, Stream::Weights);
        let mut network = Network {
            layers: Vec::new(),
            inputs,
            head,
            parameters: Vec::new(),
            state: Vec::new(),
            penalties: Vec::new(),
            fake_quantization: None,
        };
        let mut width = inputs;
        for (index, spec) in layers.iter().enumerate() {
            let start = network.parameters.len();
            let state_start = network.state.len();
            let mut name = None;
            let layer = match spec {
                LayerSpec::Dense(spec) => {
                    let dense =
                        Dense { inputs: width, outputs: spec.units, activation: spec.activation };
                    if dense.inputs == 0 || dense.outputs == 0 {
                        let Dense { inputs, outputs, .. } = dense;
                        return Err(NetworkError::Width { layer: index, inputs, outputs });
                    }
                    network.parameters.resize(start + dense.parameter_count(), T::zero());
                    let (weights, biases) =
                        network.parameters[start..].split_at_mut(dense.inputs * dense.outputs);
                    spec.weights.fill(weights, dense.inputs, dense.outputs, &mut generator);
                    spec.biases.fill(biases, dense.inputs, dense.outputs, &mut generator);
                    if spec.l1 > 0.0 || spec.l2 > 0.0 {
                        let weights = start..start + weights.len();
                        network.penalties.push(Penalty { weights, l1: spec.l1, l2: spec.l2 });
                    }
                    name = spec.name.clone();
                    width = dense.outputs;
                    Layer::Dense(dense)
                }
                LayerSpec::Activation(activation) => {
                    Layer::Activation { activation: *activation, width }
                }
                LayerSpec::Dropout(rate) => Layer::Dropout { rate: *rate, width },
                LayerSpec::BatchNormalization { momentum, epsilon } => {
                    let layer =
                        BatchNormalization { width, momentum: *momentum, epsilon: *epsilon };
                    // γ = 1, β = 0; running mean 0, running variance 1.
                    network.parameters.extend(std::iter::repeat_n(T::one(), width));
                    network.parameters.extend(std::iter::repeat_n(T::zero(), width));
                    network.state.extend(std::iter::repeat_n(T::zero(), width));
                    network.state.extend(std::iter::repeat_n(T::one(), width));
                    Layer::BatchNormalization(layer)
                }
            };
            network.layers.push(Placed {
                layer,
                parameters: start..network.parameters.len(),
                state: state_start..network.state.len(),
                name,
            });
        }
        Ok(network)
    }

    /// Returns the number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the number of outputs.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |placed| placed.layer.outputs())
    }

    /// Returns the output activation.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Iterates over the layers, first to last, each with its parameters and state.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = LayerView<'_, T>> {
        self.layers.iter().map(|placed| LayerView {
            layer: &placed.layer,
            name: placed.name.as_deref(),
            parameters: &self.parameters[placed.parameters.clone()],
            state: &self.state[placed.state.clone()],
        })
    }

    /// Iterates over the dense layers, first to last, each with its weights and biases.
    pub fn dense_layers(&self) -> impl Iterator<Item = (&Dense, &[T])> {
        self.layers.iter().filter_map(|placed| match &placed.layer {
            Layer::Dense(dense) => Some((dense, &self.parameters[placed.parameters.clone()])),
            _ => None,
        })
    }

    /// Returns the trainable parameters, layer by layer. A dense layer has weights (outputs ×
    /// inputs), then biases.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// Returns the trainable parameters for mutation.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    /// Multiplies the weights of all dense layers, but no biases.
    pub fn scale_weights(&mut self, factor: T) {
        for placed in &self.layers {
            if let Layer::Dense(dense) = &placed.layer {
                let start = placed.parameters.start;
                let weights = start..start + dense.inputs * dense.outputs;
                self.parameters[weights].iter_mut().for_each(|weight| *weight *= factor);
            }
        }
    }

    /// Returns the non-trainable state: running means and variances.
    pub fn state(&self) -> &[T] {
        &self.state
    }

    /// Returns the non-trainable state for mutation.
    pub fn state_mut(&mut self) -> &mut [T] {
        &mut self.state
    }

    /// Returns the levels of weights and the ranges of activations, if quantization-aware training
    /// made the network. Its forward passes then round activations as the quantized model does.
    pub fn fake_quantization(&self) -> Option<&FakeQuantization<T>> {
        self.fake_quantization.as_deref()
    }

    /// Returns the fake quantization for mutation.
    pub fn fake_quantization_mut(&mut self) -> Option<&mut FakeQuantization<T>> {
        self.fake_quantization.as_deref_mut()
    }

    /// Sets the fake quantization, whose points are those of this network.
    pub fn set_fake_quantization(&mut self, fake: Option<FakeQuantization<T>>) {
        self.fake_quantization = fake.map(Box::new);
    }

    /// Takes the fake quantization, to be put back.
    pub fn take_fake_quantization(&mut self) -> Option<Box<FakeQuantization<T>>> {
        self.fake_quantization.take()
    }

    /// Puts back the fake quantization.
    pub fn put_fake_quantization(&mut self, fake: Box<FakeQuantization<T>>) {
        self.fake_quantization = Some(fake);
    }

    /// Iterates over the dense layers, first to last, each with its range of the parameters.
    pub fn dense_ranges(&self) -> impl Iterator<Item = (Dense, Range<usize>)> {
        self.layers.iter().filter_map(|placed| match placed.layer {
            Layer::Dense(dense) => Some((dense, placed.parameters.clone())),
            _ => None,
        })
    }

    /// Returns the sum of all weight penalties, which Keras adds to the loss.
    pub fn penalty(&self) -> f64 {
        self.penalties.iter().map(|penalty| penalty.value(&self.parameters)).sum()
    }

    /// Returns the L1 and L2 penalties of the dense layers.
    pub fn penalties(&self) -> &[Penalty] {
        &self.penalties
    }

    /// Updates the running means and variances with the statistics of a mini-batch, in the layout
    /// of the state.
    pub fn follow(&mut self, statistics: &[T]) {
        for placed in &self.layers {
            if let Layer::BatchNormalization(layer) = &placed.layer {
                let range = placed.state.clone();
                layer.follow(&mut self.state[range.clone()], &statistics[range]);
            }
        }
    }

    /// Returns the multiply-accumulate operations of the forward pass per row.
    pub fn macs(&self) -> usize {
        self.dense_layers().map(|(dense, _)| dense.inputs * dense.outputs).sum()
    }

    /// Returns the floating-point operations of a training step per row: forward pass, weight
    /// gradients, and input gradients, which the first layer does not need.
    pub fn training_flops(&self) -> usize {
        let first = match self.layers.first().map(|placed| &placed.layer) {
            Some(Layer::Dense(dense)) => dense.inputs * dense.outputs,
            _ => 0,
        };
        2 * (3 * self.macs() - first)
    }

    pub(super) fn placed(&self) -> &[Placed] {
        &self.layers
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::DenseSpec;
    use super::*;

    /// A dense layer with this number of units.
    pub fn dense(units: usize, activation: Activation) -> LayerSpec {
        LayerSpec::Dense(DenseSpec::new(units, activation))
    }

    /// Batch normalization.
    pub fn normalization() -> LayerSpec {
        LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 }
    }

    #[test]
    fn layers_follow_one_another_in_the_parameters() {
        let layers = [
            dense(3, Activation::Linear),
            normalization(),
            LayerSpec::Activation(Activation::Tanh),
            LayerSpec::Dropout(0.5),
            dense(2, Activation::Linear),
        ];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        assert_eq!(network.parameters().len(), 5 * 3 + 2 * 3 + 4 * 2);
        assert_eq!(network.parameters()[15..21], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(network.state(), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!((network.inputs(), network.outputs(), network.macs()), (4, 2, 18));
        assert_eq!(network.training_flops(), 2 * (2 * 12 + 3 * 6));
        let (first, parameters) = network.dense_layers().next().unwrap();
        let (weights, biases) = first.view(parameters);
        assert_eq!(weights.dim(), (3, 4));
        assert_eq!(biases, [0.0; 3]);
        assert_eq!((network.layers().len(), network.dense_layers().count()), (5, 2));
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let layers = [dense(3, Activation::Linear)];
        let weights = |seed| Network::<f32>::new(4, &layers, seed).unwrap();
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
    }

    #[test]
    fn a_sigmoid_or_softmax_at_the_end_is_the_head() {
        let head = |last: &[LayerSpec]| {
            let layers = [&[dense(3, Activation::Sigmoid)], last].concat();
            let network = Network::<f32>::new(4, &layers, 1).unwrap();
            assert_eq!(network.dense_layers().nth(1).unwrap().0.activation, Activation::Linear);
            network.head()
        };
        assert_eq!(head(&[dense(2, Activation::Linear)]), Head::None);
        assert_eq!(head(&[dense(2, Activation::Softmax)]), Head::Softmax);
        let separate = LayerSpec::Activation(Activation::Sigmoid);
        assert_eq!(head(&[dense(2, Activation::Linear), separate]), Head::Sigmoid);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_layer() {
        assert_eq!(Network::<f32>::new(4, &[], 1), Err(NetworkError::NoLayer));
        let zero = [dense(3, Activation::Relu), dense(0, Activation::Linear)];
        let error = Network::<f32>::new(4, &zero, 1).unwrap_err();
        assert_eq!(error, NetworkError::Width { layer: 1, inputs: 3, outputs: 0 });
        let message =
            |layers: &[LayerSpec]| Network::<f32>::new(4, layers, 1).unwrap_err().to_string();
        let relu = || dense(3, Activation::Relu);
        let tanh = || LayerSpec::Activation(Activation::Tanh);
        assert!(message(&[tanh(), relu()]).starts_with("layer 0: an activation needs"));
        assert!(message(&[relu(), tanh()]).starts_with("layer 1: an activation needs"));
        assert!(message(&[relu(), normalization()]).starts_with("layer 1: batch normalization"));
        let dropped = message(&[relu(), LayerSpec::Dropout(0.5)]);
        assert!(dropped.starts_with("layer 1: dropout behind the last dense layer"), "{dropped}");
    }
}
