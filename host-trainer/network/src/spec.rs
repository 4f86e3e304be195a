//! Layer specifications and their checks.

use super::{Activation, Head, Initializer};

/// Specification of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// A dense layer.
    Dense(DenseSpec),
    /// Activation layer.
    Activation(Activation),
    /// Dropout with this rate.
    Dropout(f64),
    /// Batch normalization.
    BatchNormalization {
        /// Momentum of the running averages.
        momentum: f64,
        /// ε, added to the variance to keep the division finite.
        epsilon: f64,
    },
}

/// Specification of a dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSpec {
    /// Number of outputs.
    pub units: usize,
    /// Activation function.
    pub activation: Activation,
    /// Initializer of the weights.
    pub weights: Initializer,
    /// Initializer of the biases.
    pub biases: Initializer,
    /// L1 regularization factor.
    pub l1: f64,
    /// L2 regularization factor.
    pub l2: f64,
    /// Name of the layer.
    pub name: Option<String>,
}

impl DenseSpec {
    /// Returns a layer with Xavier-uniform weights, zero biases, no regularization and no name.
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

/// Errors of a network's layers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The network has no dense layer.
    #[error("a network needs at least one dense layer")]
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
    /// A layer is at a position where it cannot be quantized.
    #[error("layer {layer}: {problem}")]
    Place {
        /// The layer, counted from 0.
        layer: usize,
        /// Problem and remedy.
        problem: &'static str,
    },
}

/// Splits off the sigmoid or softmax after the last layer as the output activation.
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

/// Checks that all layers can be folded into dense layers after training.
pub(super) fn check_places(layers: &[LayerSpec]) -> Result<(), NetworkError> {
    let dense = |layer: &LayerSpec| matches!(layer, LayerSpec::Dense(_));
    if !layers.iter().any(dense) {
        return Err(NetworkError::NoLayer);
    }
    // `true` while the value is a linear function of the last dense layer's inputs.
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
