//! Taking off logits what all of them have.

use crate::network::{Activation, Dense, Layer, Network};

/// The same network with a last layer whose weights and biases have a mean of zero over the
/// outputs.
///
/// Softmax of z + c is softmax of z, and the largest logit stays the largest: what all logits of a
/// row have in common says nothing, but it can be far larger than what tells them apart, and then
/// 8 bits would be spent on it. A last layer that is not linear is left as it is.
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

/// The last layer, if its outputs are sums as they are.
pub(super) fn linear_end(network: &Network<f32>) -> Option<Dense> {
    match network.layers().last()?.layer {
        Layer::Dense(dense) if dense.activation == Activation::Linear => Some(*dense),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{DenseSpec, Initializer, LayerSpec, Tape};

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
