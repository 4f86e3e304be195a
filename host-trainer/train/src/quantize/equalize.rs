//! Cross-layer equalization: Nagel et al., *Data-free quantization through weight equalization and
//! bias correction*, 2019, section 4.1.

use thimble_data::Subset;
use thimble_network::{Activation, Dense, Layer, Network};
use thimble_numeric::threads::Threads;

use crate::evaluate::over_chunks;

/// Returns the same function with equalized channel ranges.
///
/// relu(s · x) = s · relu(x) for s > 0. Dividing an output by s and multiplying the next layer's
/// column of weights by s does not change the function. All outputs of a layer share one scale, so
/// a small output has few steps. s = √(a / w) balances the two, with a the largest magnitude of the
/// output on the training rows and w the largest magnitude of the column.
pub fn equalize(network: &Network<f32>, train: &Subset, threads: &Threads) -> Network<f32> {
    let mut network = network.clone();
    let layers: Vec<Layer> = network.layers().map(|view| *view.layer).collect();
    let largest = largest_outputs(&network, train, threads);
    let mut start = 0;
    for (index, layer) in layers.iter().enumerate() {
        let Layer::Dense(dense) = layer else { continue };
        let own = start..start + dense.parameter_count();
        start = own.end;
        // Leaky ReLU is a separate layer between the two, and is positively homogeneous too.
        let next = match layers.get(index + 1) {
            Some(Layer::Activation { activation: Activation::LeakyRelu(_), .. }) => index + 2,
            _ => index + 1,
        };
        let homogeneous = matches!(dense.activation, Activation::Linear | Activation::Relu);
        let (true, Some(Layer::Dense(following))) = (homogeneous, layers.get(next)) else {
            continue;
        };
        let (before, after) = network.parameters_mut().split_at_mut(own.end);
        rescale(dense, &mut before[own.start..], following, after, &largest[index]);
    }
    network
}

fn rescale(
    dense: &Dense,
    parameters: &mut [f32],
    following: &Dense,
    next_parameters: &mut [f32],
    largest: &[f32],
) {
    let (weights, biases) = parameters.split_at_mut(dense.inputs * dense.outputs);
    let next = &mut next_parameters[..following.inputs * following.outputs];
    for (channel, &output) in largest.iter().enumerate() {
        let column = next.iter().skip(channel).step_by(following.inputs);
        let weight = column.fold(0.0_f32, |most, w| most.max(w.abs()));
        let factor = (output / weight).sqrt();
        // An output that is always zero or never used stays unchanged.
        if !factor.is_normal() {
            continue;
        }
        let row = &mut weights[channel * dense.inputs..][..dense.inputs];
        row.iter_mut().for_each(|w| *w /= factor);
        biases[channel] /= factor;
        next.iter_mut().skip(channel).step_by(following.inputs).for_each(|w| *w *= factor);
    }
}

/// Returns the largest magnitude of each output of each layer.
fn largest_outputs(network: &Network<f32>, train: &Subset, threads: &Threads) -> Vec<Vec<f32>> {
    let widths: Vec<usize> = network.layers().map(|view| view.layer.outputs()).collect();
    let parts = over_chunks(network, train, threads, |tape, _, rows| {
        let of_layer = |(index, &width): (usize, &usize)| {
            let mut largest = vec![0.0_f32; width];
            for row in tape.activation(index + 1, rows).chunks_exact(width) {
                largest.iter_mut().zip(row).for_each(|(most, y)| *most = most.max(y.abs()));
            }
            largest
        };
        widths.iter().enumerate().map(of_layer).collect::<Vec<_>>()
    });
    let mut largest: Vec<Vec<f32>> = widths.iter().map(|&width| vec![0.0; width]).collect();
    for part in parts {
        for (largest, seen) in largest.iter_mut().zip(part) {
            largest.iter_mut().zip(seen).for_each(|(most, y)| *most = most.max(y));
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use ndarray::Array2;
    use thimble_data::{Dataset, Features, Labels};
    use thimble_network::{DenseSpec, LayerSpec, Tape};

    use super::*;

    #[test]
    fn channels_become_alike_and_the_function_stays() {
        let dense = |units, activation| LayerSpec::Dense(DenseSpec::new(units, activation));
        let layers = [
            dense(8, Activation::Relu),
            dense(8, Activation::Linear),
            LayerSpec::Activation(Activation::LeakyRelu(0.2)),
            dense(8, Activation::Linear),
            LayerSpec::Activation(Activation::Tanh),
            dense(2, Activation::Linear),
        ];
        let mut network = Network::<f32>::new(3, &layers, 1).unwrap();
        // Outputs of the first layer that differ by a factor of 2⁷.
        for channel in 0..8 {
            network.parameters_mut()[channel * 3..][..3]
                .iter_mut()
                .for_each(|w| *w *= (1 << channel) as f32);
        }
        let values = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 31 + j * 7) % 17) as f32 - 8.0);
        let labels = Labels { indices: vec![0; 60], names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![3], Features::Reals(values.clone()), labels);
        let subset = Subset::all(Arc::new(dataset.unwrap()));
        let threads = Threads::new(NonZero::new(1)).unwrap();
        let equal = equalize(&network, &subset, &threads);

        let outputs = |network: &Network<f32>| {
            let mut tape = Tape::forward_only(network, 60);
            tape.input_mut(60).copy_from_slice(values.as_slice().unwrap());
            tape.forward(network, 60);
            tape.outputs(60).to_vec()
        };
        for (a, b) in outputs(&network).iter().zip(outputs(&equal)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
        let spread = |network: &Network<f32>| {
            let largest = &largest_outputs(network, &subset, &threads)[0];
            let alive = || largest.iter().copied().filter(|y| *y > 0.0);
            alive().fold(0.0, f32::max) / alive().fold(f32::INFINITY, f32::min)
        };
        assert!(spread(&equal) < 0.3 * spread(&network), "{}", spread(&equal));
    }
}
