//! The memory of one pass forward and back through a network.

use super::{BatchScore, Loss, Network, Real};

/// Everything that a pass needs beside the parameters, made once for the largest batch, so that
/// training allocates nothing. Each thread has its own.
#[derive(Clone, Debug)]
pub struct Tape<T> {
    /// The input, then the outputs of each layer. Shape of each: rows × width.
    activations: Vec<Vec<T>>,
    /// Gradient of the loss by the outputs of each layer. Shape of each: rows × width.
    gradients: Vec<Vec<T>>,
    /// Gradient by the parameters, laid out as those are.
    parameter_gradients: Vec<T>,
    rows: usize,
}

impl<T: Real> Tape<T> {
    /// For passes forward and back of at most so many rows.
    pub fn new(network: &Network<T>, rows: usize) -> Self {
        let mut tape = Tape::forward_only(network, rows);
        tape.gradients = network
            .layers()
            .map(|(dense, _)| vec![T::zero(); rows * dense.outputs])
            .collect();
        tape.parameter_gradients = vec![T::zero(); network.parameters().len()];
        tape
    }

    /// For passes forward of at most so many rows.
    pub fn forward_only(network: &Network<T>, rows: usize) -> Self {
        let widths = std::iter::once(network.inputs())
            .chain(network.layers().map(|(dense, _)| dense.outputs));
        Tape {
            activations: widths.map(|width| vec![T::zero(); rows * width]).collect(),
            gradients: Vec::new(),
            parameter_gradients: Vec::new(),
            rows,
        }
    }

    /// The most rows of a pass.
    pub fn capacity(&self) -> usize {
        self.rows
    }

    /// The input of a pass of so many rows, to be filled. Shape: rows × inputs.
    pub fn input_mut(&mut self, rows: usize) -> &mut [T] {
        let width = self.activations[0].len() / self.rows;
        &mut self.activations[0][..rows * width]
    }

    /// Outputs of a layer (the input for 0) of the last pass forward. Shape: rows × width.
    pub fn activation(&self, layer: usize, rows: usize) -> &[T] {
        let buffer = &self.activations[layer];
        &buffer[..buffer.len() / self.rows * rows]
    }

    /// Outputs of the last pass forward. Shape: rows × outputs.
    pub fn outputs(&self, rows: usize) -> &[T] {
        self.activation(self.activations.len() - 1, rows)
    }

    /// Computes all layers for the first `rows` rows of the input.
    pub fn forward(&mut self, network: &Network<T>, rows: usize) {
        for (index, layer) in network.placed().iter().enumerate() {
            let (before, after) = self.activations.split_at_mut(index + 1);
            layer.dense.forward(
                &network.parameters()[layer.parameters.clone()],
                &before[index][..rows * layer.dense.inputs],
                &mut after[0][..rows * layer.dense.outputs],
            );
        }
    }

    /// Scores the outputs of the last pass forward, and computes the gradient of
    /// `weight` · (sum of losses) by every parameter.
    pub fn backward(
        &mut self,
        network: &Network<T>,
        loss: Loss,
        labels: &[u16],
        weight: T,
    ) -> BatchScore {
        let rows = labels.len();
        let last = network.placed().len() - 1;
        let width = network.outputs();
        let outputs = &self.activations[last + 1][..rows * width];
        let gradient = &mut self.gradients[last][..rows * width];
        let score = loss.score(outputs, width, labels, weight, gradient);
        for (index, layer) in network.placed().iter().enumerate().rev() {
            let (inputs, outputs) = (rows * layer.dense.inputs, rows * layer.dense.outputs);
            let (earlier, later) = self.gradients.split_at_mut(index);
            layer.dense.backward(
                &network.parameters()[layer.parameters.clone()],
                &self.activations[index][..inputs],
                &self.activations[index + 1][..outputs],
                &mut later[0][..outputs],
                &mut self.parameter_gradients[layer.parameters.clone()],
                earlier.last_mut().map(|gradient| &mut gradient[..inputs]),
            );
        }
        score
    }

    /// Gradient by every parameter, from the last pass back.
    pub fn parameter_gradients(&self) -> &[T] {
        &self.parameter_gradients
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;
    use crate::network::model::tests::dense;

    /// Input and labels of a small batch, the same on every run.
    fn batch(rows: usize, inputs: usize, classes: usize) -> (Vec<f64>, Vec<u16>) {
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f64 / 500.0 - 1.0;
        let labels = (0..rows).map(|row| (row * 7 % classes) as u16).collect();
        ((0..rows * inputs).map(value).collect(), labels)
    }

    fn loss_at(network: &Network<f64>, input: &[f64], labels: &[u16]) -> f64 {
        let mut tape = Tape::new(network, labels.len());
        tape.input_mut(labels.len()).copy_from_slice(input);
        tape.forward(network, labels.len());
        tape.backward(network, Loss::SparseCategoricalCrossEntropy, labels, 1.0).loss_sum
    }

    /// The largest difference between a gradient and the central difference of the loss, for
    /// every parameter of a network, and the error that the difference itself may have.
    ///
    /// A central difference with step h is off by h²/6 · |f‴| and by ε·|f|/h of rounding. With
    /// h = ε^(1/3) both are about ε^(2/3): the tolerance is that, times a bound for |f| and |f‴|.
    /// Inputs and weights are below 2, losses below 40, and third derivatives of the cross-entropy
    /// by a parameter at most the cube of what multiplies it (below 4 here) a row, so 64 a row.
    fn check(layers: &[super::super::LayerSpec], inputs: usize) {
        let rows = 5;
        let mut network = Network::<f64>::new(inputs, layers, 3).unwrap();
        // Biases away from zero, so that their gradients are tested where they act.
        for (index, parameter) in network.parameters_mut().iter_mut().enumerate() {
            *parameter += ((index * 37) % 101) as f64 / 1000.0 - 0.05;
        }
        let (input, labels) = batch(rows, inputs, network.outputs());
        let mut tape = Tape::new(&network, rows);
        tape.input_mut(rows).copy_from_slice(&input);
        tape.forward(&network, rows);
        tape.backward(&network, Loss::SparseCategoricalCrossEntropy, &labels, 1.0);
        let gradients = tape.parameter_gradients().to_vec();
        assert!(gradients.iter().any(|g| g.abs() > 1e-2), "there must be something to check");

        let step = f64::EPSILON.cbrt();
        let tolerance = f64::EPSILON.powf(2.0 / 3.0) * (64.0 * rows as f64 / 6.0 + 40.0);
        for (index, gradient) in gradients.iter().enumerate() {
            let mut at = |offset: f64| {
                let before = network.parameters()[index];
                network.parameters_mut()[index] = before + offset;
                let loss = loss_at(&network, &input, &labels);
                network.parameters_mut()[index] = before;
                loss
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (gradient - difference).abs() <= tolerance,
                "parameter {index}: gradient {gradient}, central difference {difference}"
            );
        }
    }

    #[test]
    fn gradients_equal_central_differences() {
        assert!(f64::EPSILON.powf(2.0 / 3.0) * 100.0 < 1e-8, "no loose tolerance");
        check(&[dense(3, Activation::Linear)], 4);
        check(&[dense(7, Activation::Relu), dense(3, Activation::Linear)], 4);
        check(
            &[
                dense(6, Activation::Relu),
                dense(5, Activation::Linear),
                dense(4, Activation::Relu),
                dense(3, Activation::Linear),
            ],
            5,
        );
        check(&[dense(5, Activation::Relu), dense(3, Activation::Relu)], 4);
    }

    #[test]
    fn a_smaller_batch_uses_the_front_of_the_memory() {
        let layers = [dense(4, Activation::Relu), dense(3, Activation::Linear)];
        let network = Network::<f64>::new(2, &layers, 1).unwrap();
        let (input, labels) = batch(3, 2, 3);
        let (mut large, mut small) = (Tape::new(&network, 9), Tape::new(&network, 3));
        for tape in [&mut large, &mut small] {
            tape.input_mut(3).copy_from_slice(&input);
            tape.forward(&network, 3);
        }
        assert_eq!(large.activation(2, 3), small.activation(2, 3));
        let loss = Loss::SparseCategoricalCrossEntropy;
        let score = large.backward(&network, loss, &labels, 1.0);
        assert_eq!(score, small.backward(&network, loss, &labels, 1.0));
        assert_eq!(large.parameter_gradients(), small.parameter_gradients());
    }
}
