//! Folding of batch normalization into dense layers, and removal of dropout.

use thimble_network::{Activation, DenseSpec, Layer, LayerSpec, Network, NetworkError};

/// Factor and offset of each value.
type Affine = Vec<(f64, f64)>;

/// A dense layer in `f64`, so that folding rounds only once.
struct Folded {
    inputs: usize,
    /// Outputs × inputs.
    weights: Vec<f64>,
    biases: Vec<f64>,
    activation: Activation,
}

impl Folded {
    /// Folds an affine function of the layer's inputs into the layer.
    fn after(&mut self, affine: &Affine) {
        for (row, bias) in self.weights.chunks_exact_mut(self.inputs).zip(&mut self.biases) {
            for (weight, (factor, offset)) in row.iter_mut().zip(affine) {
                *bias += *weight * offset;
                *weight *= factor;
            }
        }
    }

    /// Folds an affine function of the layer's outputs into the layer, which must be linear.
    fn before(&mut self, affine: &Affine) {
        let rows = self.weights.chunks_exact_mut(self.inputs).zip(&mut self.biases);
        for ((row, bias), (factor, offset)) in rows.zip(affine) {
            row.iter_mut().for_each(|weight| *weight *= factor);
            *bias = *bias * factor + offset;
        }
    }
}

/// Returns the function of a trained network without output activation, as dense layers and
/// activation layers. Dense layers are linear, ReLU or ReLU6. Other activations are separate
/// layers.
///
/// Batch normalization is folded into the dense layer before it, or, if an activation is in
/// between, into the one after it. Both are exact except for rounding to `f32`.
///
/// # Errors
/// [`NetworkError`] for a network that [`Network::new`] would reject.
pub fn fold(network: &Network<f32>) -> Result<Network<f32>, NetworkError> {
    let mut layers: Vec<Folded> = Vec::new();
    let mut pending: Option<Affine> = None;
    for view in network.layers() {
        match view.layer {
            Layer::Dense(dense) => {
                let (weights, biases) = dense.view(view.parameters);
                let mut folded = Folded {
                    inputs: dense.inputs,
                    weights: weights.iter().map(|&w| f64::from(w)).collect(),
                    biases: biases.iter().map(|&b| f64::from(b)).collect(),
                    activation: dense.activation,
                };
                if let Some(affine) = pending.take() {
                    folded.after(&affine);
                }
                layers.push(folded);
            }
            Layer::Activation { activation, .. } => {
                if let Some(last) = layers.last_mut() {
                    last.activation = *activation;
                }
            }
            Layer::Dropout { .. } => {}
            Layer::BatchNormalization(layer) => {
                let affine = layer.as_affine(view.parameters, view.state);
                match (layers.last_mut(), &mut pending) {
                    (Some(last), None) if last.activation == Activation::Linear => {
                        last.before(&affine);
                    }
                    (_, Some(pending)) => {
                        for ((factor, offset), (f, o)) in pending.iter_mut().zip(&affine) {
                            (*factor, *offset) = (*factor * f, *offset * f + o);
                        }
                    }
                    _ => pending = Some(affine),
                }
            }
        }
    }
    rebuild(network.inputs(), &layers)
}

fn rebuild(inputs: usize, layers: &[Folded]) -> Result<Network<f32>, NetworkError> {
    let mut specs = Vec::new();
    for layer in layers {
        let (own, behind) = match layer.activation {
            Activation::Linear | Activation::Relu | Activation::Relu6 => (layer.activation, None),
            other => (Activation::Linear, Some(other)),
        };
        specs.push(LayerSpec::Dense(DenseSpec::new(layer.biases.len(), own)));
        specs.extend(behind.map(LayerSpec::Activation));
    }
    let mut network = Network::new(inputs, &specs, 0)?;
    let numbers = layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases));
    network.parameters_mut().iter_mut().zip(numbers).for_each(|(p, &number)| *p = number as f32);
    Ok(network)
}

#[cfg(test)]
mod tests {
    use thimble_network::{Noise, Objective, Tape, TargetRows};

    use super::*;

    fn outputs(network: &Network<f32>, input: &[f32]) -> Vec<f32> {
        let rows = input.len() / network.inputs();
        let mut tape = Tape::forward_only(network, rows);
        tape.input_mut(rows).copy_from_slice(input);
        tape.forward(network, rows);
        tape.outputs(rows).to_vec()
    }

    #[test]
    fn a_folded_network_computes_the_same() {
        let dense = |units, activation| LayerSpec::Dense(DenseSpec::new(units, activation));
        let normalization = || LayerSpec::BatchNormalization { momentum: 0.5, epsilon: 1e-3 };
        let layers = [
            normalization(),
            dense(6, Activation::Linear),
            normalization(),
            LayerSpec::Activation(Activation::Tanh),
            LayerSpec::Dropout(0.3),
            dense(5, Activation::Relu),
            normalization(),
            LayerSpec::Dropout(0.3),
            dense(4, Activation::LeakyRelu(0.1)),
            dense(3, Activation::Softmax),
        ];
        let mut network = Network::<f32>::new(2, &layers, 3).unwrap();
        // γ, β and statistics as if it had been trained.
        for (index, value) in network.parameters_mut().iter_mut().enumerate() {
            *value += (index * 37 % 101) as f32 / 200.0 - 0.25;
        }
        let values: Vec<f32> = (0..40).map(|i| (i * 7919 % 1000) as f32 / 250.0 - 2.0).collect();
        let mut tape = Tape::new(&network, 20);
        tape.input_mut(20).copy_from_slice(&values);
        for step in 0..20 {
            tape.forward_training(&network, 20, Noise::of_step(1, step));
            let objective = Objective { head: network.head(), ..Objective::default() };
            tape.backward(&network, objective, TargetRows::Classes(&[0; 20]), 20, 1.0);
            let statistics = tape.statistics().to_vec();
            network.follow(&statistics);
        }
        let folded = fold(&network).unwrap();
        assert_eq!(folded.layers().len(), 6);
        let (exact, found) = (outputs(&network, &values), outputs(&folded, &values));
        for (a, b) in exact.iter().zip(&found) {
            // Some dozens of roundings of numbers below 10.
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
