//! The layers that a network is to have, and whether it can.

use super::{Activation, Head, Initializer};

/// A layer that is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// A dense layer.
    Dense(DenseSpec),
    /// A function of each value.
    Activation(Activation),
    /// Dropout, with this probability.
    Dropout(f64),
    /// Batch normalization.
    BatchNormalization {
        /// How much of a running average stays at each step.
        momentum: f64,
        /// Keeps the division by small variances finite.
        epsilon: f64,
    },
}

/// A dense layer that is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSpec {
    /// Number of outputs.
    pub units: usize,
    /// What is applied to each output.
    pub activation: Activation,
    /// How the weights begin.
    pub weights: Initializer,
    /// How the biases begin.
    pub biases: Initializer,
    /// Penalty on the magnitudes of the weights.
    pub l1: f64,
    /// Penalty on the squares of the weights.
    pub l2: f64,
    /// What people call the layer.
    pub name: Option<String>,
}

impl DenseSpec {
    /// A layer with weights by Xavier, biases of zero, no penalty and no name.
    pub fn new(units: usize, activation: Activation) -> Self {
        DenseSpec {
            units,
            activation,
            weights: Initializer::XavierUniform,
            biases: Initializer::Zeros,
            l1: 0.0,
            l2: 0.0,
            name: None,
        }
    }
}

/// Why a network cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// There is no dense layer.
    #[error("a network has at least one dense layer")]
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
    /// A layer stands where it cannot.
    #[error("layer {layer}: {problem}")]
    Place {
        /// The layer, counted from 0.
        layer: usize,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
}

/// The layers without the sigmoid or softmax behind the last one.
pub(super) fn split_head(layers: &[LayerSpec]) -> (Vec<LayerSpec>, Head) {
    let mut layers = layers.to_vec();
    let head = |activation| match activation {
        Activation::Sigmoid => Some(Head::Sigmoid),
        Activation::Softmax => Some(Head::Softmax),
        _ => None,
    };
    match layers.last_mut() {
        Some(LayerSpec::Dense(dense)) => {
            if let Some(head) = head(dense.activation) {
                dense.activation = Activation::Linear;
                return (layers, head);
            }
        }
        Some(LayerSpec::Activation(activation)) => {
            if let Some(head) = head(*activation) {
                layers.pop();
                return (layers, head);
            }
        }
        _ => {}
    }
    (layers, Head::None)
}

/// Checks that all layers can become parts of dense ones once the network is trained.
pub(super) fn check_places(layers: &[LayerSpec]) -> Result<(), NetworkError> {
    let dense = |layer: &LayerSpec| matches!(layer, LayerSpec::Dense(_));
    if !layers.iter().any(dense) {
        return Err(NetworkError::NoLayer);
    }
    // Whether what comes in is still a linear function of a dense layer's inputs.
    let mut linear = false;
    for (index, layer) in layers.iter().enumerate() {
        let fail = |problem| Err(NetworkError::Place { layer: index, problem });
        match layer {
            LayerSpec::Dense(spec) => {
                linear = spec.activation == Activation::Linear;
            }
            LayerSpec::Activation(_) if !linear => {
                return fail(
                    "an activation needs a linear dense layer before it, or batch normalization \
                     behind one",
                );
            }
            LayerSpec::Activation(activation) => linear = *activation == Activation::Linear,
            LayerSpec::Dropout(_) => {
                if !layers[index..].iter().any(dense) {
                    return fail("dropout behind the last dense layer drops answers: leave it out");
                }
            }
            LayerSpec::BatchNormalization { .. } => {
                if !linear && !layers[index..].iter().any(dense) {
                    return fail(
                        "batch normalization behind an activation needs a dense layer after it: \
                         put it between the dense layer and its activation",
                    );
                }
            }
        }
    }
    Ok(())
}
