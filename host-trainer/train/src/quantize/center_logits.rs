//! Centering of logits: subtracts their mean, which softmax ignores.

use thimble_network::{Activation, Dense, Layer, Network};

/// Returns the same network with a last layer whose weights and biases have zero mean over the
/// outputs.
///
/// softmax(z + c) = softmax(z), and the argmax is the same. The common mean of a row's logits
/// carries no information, but it can be far larger than their differences, and would then use most
/// of the 8 bits. A last layer that is not linear is unchanged.
pub fn center_logits(network: &Network<f32>) -> Network<f32> {
    let mut network = network.clone();
    let Some(dense) = linear_end(&network) else { return network };
    let start = network.parameters().len() - dense.parameter_count();
    let parameters = &mut network.parameters_mut()[start..];
    let (weights, biases) = parameters.split_at_mut(dense.inputs * dense.outputs);
    for (values, columns) in [(weights, dense.inputs), (biases, 1)] {
        for column in 0..columns {
            let all = values.iter().skip(column).step_by(columns);
            let sum: f64 = all.map(|&value| f64::from(value)).sum();
            let mean = (sum / dense.outputs as f64) as f32;
            values.iter_mut().skip(column).step_by(columns).for_each(|value| *value -= mean);
        }
    }
    network
}

/// Returns the last layer if it is dense and linear.
pub(super) fn linear_end(network: &Network<f32>) -> Option<Dense> {
    match network.layers().last()?.layer {
        Layer::Dense(dense) if dense.activation == Activation::Linear => Some(*dense),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{DenseSpec, Initializer, LayerSpec, Tape};

    use super::*;

    #[test]
    fn logits_lose_what_they_share_and_nothing_else() {
        let spec = |units, activation| {
            LayerSpec::Dense(DenseSpec {
                weights: Initializer::Uniform(1.0, 2.0),
                ..DenseSpec::new(units, activation)
            })
        };
        let layers = [spec(8, Activation::Relu), spec(3, Activation::Linear)];
        let network = Network::<f32>::new(4, &layers, 1).unwrap();
        let centered = center_logits(&network);
        let logits = |network: &Network<f32>| {
            let mut tape = Tape::forward_only(network, 1);
            tape.input_mut(1).copy_from_slice(&[0.5, 1.0, 0.25, 0.75]);
            tape.forward(network, 1);
            tape.outputs(1).to_vec()
        };
        let (before, after) = (logits(&network), logits(&centered));
        let shared = before[0] - after[0];
        assert!(shared > 10.0 && after.iter().sum::<f32>().abs() < 1e-4, "{before:?} {after:?}");
        for (before, after) in before.iter().zip(&after) {
            assert!((before - after - shared).abs() < 1e-4);
        }
        // A relu at the end is no logit.
        let last = Network::<f32>::new(4, &[spec(3, Activation::Relu)], 1).unwrap();
        assert_eq!(center_logits(&last), last);
    }
}
