//! Forward pass and backpropagation, with the memory that they need.

use super::dense::{Workspace, matrix};
use super::dropout::drop_values;
use super::fake_quantization::ends;
use super::{
    BatchScore, Layer, LayerView, Network, Noise, Objective, PackedOperand, Real, TargetRows,
};

/// Activations and gradients of one pass. Allocated once for the largest mini-batch, so that
/// training does not allocate. Each thread has its own.
#[derive(Clone, Debug)]
pub struct Tape<T> {
    /// The input, then the outputs of each layer. Each is rows × width.
    activations: Vec<Vec<T>>,
    /// Pre-activations of the dense layers whose activation needs them for its derivative, or that
    /// are rounded. Each is rows × width. Empty for other layers.
    pre_activations: Vec<Vec<T>>,
    /// The same as `activations`, rounded by fake quantization. Empty where nothing is rounded.
    rounded: Vec<Vec<T>>,
    /// Smallest and largest value at each tracked point of fake quantization, in the last training
    /// pass.
    seen: Vec<[T; 2]>,
    /// Gradient of the loss by the outputs of each layer. Each is rows × width.
    gradients: Vec<Vec<T>>,
    /// Gradients of γ and β, in the layout of the network's state.
    normalization_gradients: Vec<T>,
    /// Means and variances of the last training batch, in the layout of the network's state.
    statistics: Vec<T>,
    /// Key of the dropout masks of the last training pass.
    noise: Noise,
    rows: usize,
    /// Rows of the last backward pass.
    passed: usize,
    /// Packed input of each dense layer in the last backward pass. Empty for other layers.
    inputs: Vec<PackedOperand<T>>,
    workspace: Workspace<T>,
}

impl<T: Real> Tape<T> {
    /// Allocates memory for forward and backward passes of at most `rows` rows.
    pub fn new(network: &Network<T>, rows: usize) -> Self {
        let mut tape = Tape::forward_only(network, rows);
        tape.gradients =
            network.layers().map(|view| vec![T::zero(); rows * view.layer.outputs()]).collect();
        for (kept, view) in tape.pre_activations.iter_mut().zip(network.layers()) {
            if let Layer::Dense(dense) = view.layer
                && dense.activation.needs_input()
            {
                kept.resize(rows * dense.outputs, T::zero());
            }
        }
        tape.normalization_gradients = vec![T::zero(); network.state().len()];
        tape.statistics = vec![T::zero(); network.state().len()];
        tape.inputs = network.layers().map(|_| PackedOperand::default()).collect();
        tape
    }

    /// Allocates memory for forward passes of at most `rows` rows.
    pub fn forward_only(network: &Network<T>, rows: usize) -> Self {
        let widths: Vec<usize> = std::iter::once(network.inputs())
            .chain(network.layers().map(|view| view.layer.outputs()))
            .collect();
        let fake = network.fake_quantization();
        let points = |layer: usize| fake.map(|fake| fake.points().layers()[layer]);
        let rounded = |(index, width): (usize, usize)| {
            let is_rounded = match index.checked_sub(1) {
                None => fake.is_some_and(|fake| fake.input().is_some()),
                Some(layer) => points(layer).is_some_and(|layer| layer.outer.is_some()),
            };
            vec![T::zero(); if is_rounded { rows * width } else { 0 }]
        };
        let kept = |(index, view): (usize, LayerView<'_, T>)| {
            let is_rounded = points(index).is_some_and(|layer| layer.inner.is_some());
            vec![T::zero(); if is_rounded { rows * view.layer.outputs() } else { 0 }]
        };
        Tape {
            rounded: widths.iter().copied().enumerate().map(rounded).collect(),
            activations: widths.iter().map(|width| vec![T::zero(); rows * width]).collect(),
            pre_activations: network.layers().enumerate().map(kept).collect(),
            seen: vec![[T::zero(); 2]; fake.map_or(0, |fake| fake.points().tracked())],
            gradients: Vec::new(),
            normalization_gradients: Vec::new(),
            statistics: Vec::new(),
            noise: Noise::default(),
            rows,
            passed: 0,
            inputs: Vec::new(),
            workspace: Workspace::default(),
        }
    }

    /// Returns the maximum rows of a pass.
    pub fn capacity(&self) -> usize {
        self.rows
    }

    /// Returns the input of a pass, to be filled. It is `rows` × inputs.
    pub fn input_mut(&mut self, rows: usize) -> &mut [T] {
        let width = self.activations[0].len() / self.rows;
        &mut self.activations[0][..rows * width]
    }

    /// Returns the outputs of a layer in the last forward pass. Layers count from 1; 0 is the
    /// input. The slice is `rows` × width.
    pub fn activation(&self, layer: usize, rows: usize) -> &[T] {
        let buffer = either(&self.rounded[layer], &self.activations[layer]);
        &buffer[..buffer.len() / self.rows * rows]
    }

    /// Returns the outputs of the last layer in the last forward pass, before the output
    /// activation. The slice is `rows` × outputs.
    pub fn outputs(&self, rows: usize) -> &[T] {
        self.activation(self.activations.len() - 1, rows)
    }

    /// Runs the forward pass in inference mode on the first `rows` rows of the input.
    pub fn forward(&mut self, network: &Network<T>, rows: usize) {
        self.round_input(network, rows);
        for (index, placed) in network.placed().iter().enumerate() {
            let parameters = &network.parameters()[placed.parameters.clone()];
            let (before, after) = self.activations.split_at_mut(index + 1);
            let width = placed.layer.outputs();
            let output = &mut after[0][..rows * width];
            let input = either(&self.rounded[index], &before[index]);
            let input = &input[..input.len() / self.rows * rows];
            let fake = network.fake_quantization();
            let roundings = fake.map(|fake| fake.roundings()[index]);
            let points = fake.map(|fake| fake.points().layers()[index]);
            let inner = roundings.and_then(|layer| layer.inner);
            match &placed.layer {
                Layer::Dense(dense) if points.is_some_and(|layer| layer.inner.is_some()) => {
                    let kept = &mut self.pre_activations[index][..rows * width];
                    let round = |kept: &mut [T]| {
                        inner.iter().for_each(|rounding| rounding.apply(kept));
                    };
                    let workspace = &mut self.workspace;
                    dense.forward_rounding(parameters, input, kept, output, workspace, round);
                }
                Layer::Dense(dense) => {
                    dense.forward(parameters, input, output, &mut self.workspace);
                }
                Layer::Activation { activation, width } => activation.apply(*width, input, output),
                Layer::Dropout { .. } => output.copy_from_slice(input),
                Layer::BatchNormalization(layer) => {
                    layer.forward(
                        parameters,
                        &network.state()[placed.state.clone()],
                        input,
                        output,
                    );
                }
            }
            if points.is_some_and(|layer| layer.outer.is_some()) {
                let rounded = &mut self.rounded[index + 1][..rows * width];
                rounded.copy_from_slice(output);
                let rounding = roundings.and_then(|layer| layer.outer);
                rounding.iter().for_each(|rounding| rounding.apply(rounded));
            }
        }
    }

    /// Rounds the input by fake quantization.
    fn round_input(&mut self, network: &Network<T>, rows: usize) {
        if let (Some(fake), [first, ..]) = (network.fake_quantization(), &mut *self.rounded)
            && !first.is_empty()
        {
            let count = rows * network.inputs();
            fake.round_input(&self.activations[0][..count], &mut first[..count]);
        }
    }

    /// Runs the forward pass in training mode: with dropout, and with the mini-batch's own mean and
    /// variance in batch normalization. Needs a tape made by [`new`](Self::new).
    pub fn forward_training(&mut self, network: &Network<T>, rows: usize, noise: Noise) {
        self.noise = noise;
        self.round_input(network, rows);
        for (index, placed) in network.placed().iter().enumerate() {
            let parameters = &network.parameters()[placed.parameters.clone()];
            let (before, after) = self.activations.split_at_mut(index + 1);
            let width = placed.layer.outputs();
            let output = &mut after[0][..rows * width];
            let input = either(&self.rounded[index], &before[index]);
            let input = &input[..input.len() / self.rows * rows];
            let fake = network.fake_quantization();
            let roundings = fake.map(|fake| fake.roundings()[index]);
            let points = fake.map(|fake| fake.points().layers()[index]);
            let inner = roundings.and_then(|layer| layer.inner);
            match &placed.layer {
                Layer::Dense(dense) if points.is_some_and(|layer| layer.inner.is_some()) => {
                    let kept = &mut self.pre_activations[index][..rows * width];
                    let place = points.and_then(|layer| layer.inner?.tracked());
                    let seen = place.and_then(|place| self.seen.get_mut(place));
                    let round = |kept: &mut [T]| {
                        seen.into_iter().for_each(|seen| *seen = ends(kept));
                        inner.iter().for_each(|rounding| rounding.apply(kept));
                    };
                    let workspace = &mut self.workspace;
                    dense.forward_rounding(parameters, input, kept, output, workspace, round);
                }
                Layer::Dense(dense) if dense.activation.needs_input() => {
                    let kept = &mut self.pre_activations[index][..rows * width];
                    dense.forward_keeping(parameters, input, kept, output, &mut self.workspace);
                }
                Layer::Dense(dense) => {
                    dense.forward(parameters, input, output, &mut self.workspace);
                }
                Layer::Activation { activation, width } => activation.apply(*width, input, output),
                Layer::Dropout { rate, .. } => {
                    drop_values(*rate, noise, index, width, input, output);
                }
                Layer::BatchNormalization(layer) => {
                    let statistics = &mut self.statistics[placed.state.clone()];
                    layer.forward_training(parameters, statistics, input, output);
                }
            }
            let place = points.and_then(|layer| layer.outer?.tracked());
            if let Some(seen) = place.and_then(|place| self.seen.get_mut(place)) {
                *seen = ends(output);
            }
            if points.is_some_and(|layer| layer.outer.is_some()) {
                let rounded = &mut self.rounded[index + 1][..rows * width];
                rounded.copy_from_slice(output);
                let rounding = roundings.and_then(|layer| layer.outer);
                rounding.iter().for_each(|rounding| rounding.apply(rounded));
            }
        }
    }

    /// Computes loss and metrics of the last training pass, and backpropagates the gradient of
    /// `weight` · (sum of losses) to the outputs of each layer. The parameter gradients follow from
    /// these.
    ///
    /// With fake quantization, gradients pass the rounding of activations by the straight-through
    /// estimator. The loss is that of outputs that are not rounded.
    pub fn backward(
        &mut self,
        network: &Network<T>,
        objective: Objective,
        targets: TargetRows<'_, T>,
        rows: usize,
        weight: T,
    ) -> BatchScore {
        self.passed = rows;
        let last = network.placed().len() - 1;
        let width = network.outputs();
        let outputs = &self.activations[last + 1][..rows * width];
        let gradient = &mut self.gradients[last][..rows * width];
        let score = objective.score(outputs, width, targets, weight, gradient);
        for (index, placed) in network.placed().iter().enumerate().rev() {
            let exact = &self.activations[index];
            let inputs = exact.len() / self.rows * rows;
            let outputs = rows * placed.layer.outputs();
            let input = &either(&self.rounded[index], exact)[..inputs];
            let output = &self.activations[index + 1][..outputs];
            let (earlier, later) = self.gradients.split_at_mut(index);
            let gradient = &mut later[0][..outputs];
            let input_gradient = earlier.last_mut().map(|gradient| &mut gradient[..inputs]);
            let parameters = &network.parameters()[placed.parameters.clone()];
            match &placed.layer {
                Layer::Dense(dense) => {
                    T::pack(matrix(input, dense.inputs), &mut self.inputs[index]);
                    let workspace = &mut self.workspace;
                    let kept = &self.pre_activations[index];
                    let kept = &kept[..kept.len().min(outputs)];
                    dense.backward(parameters, kept, output, gradient, input_gradient, workspace);
                }
                Layer::Activation { activation, width } => {
                    if let Some(input_gradient) = input_gradient {
                        input_gradient.copy_from_slice(gradient);
                        activation.backward(*width, input, output, input_gradient);
                    }
                }
                Layer::Dropout { rate, width } => {
                    if let Some(input_gradient) = input_gradient {
                        drop_values(*rate, self.noise, index, *width, gradient, input_gradient);
                    }
                }
                Layer::BatchNormalization(layer) => {
                    let statistics = &self.statistics[placed.state.clone()];
                    let gradients = &mut self.normalization_gradients[placed.state.clone()];
                    layer.backward(
                        parameters,
                        statistics,
                        input,
                        gradient,
                        gradients,
                        input_gradient,
                    );
                }
            }
            let before = index.checked_sub(1);
            let fake = network.fake_quantization();
            let rounding = fake.and_then(|fake| fake.roundings()[before?].outer);
            if let (Some(rounding), Some(gradient)) = (rounding, earlier.last_mut()) {
                rounding.backward(&self.activations[index][..inputs], &mut gradient[..inputs]);
            }
        }
        score
    }

    /// Returns, from the last backward pass, the input of a dense layer (rows × inputs) and its
    /// ∂L/∂pre-activation (rows × outputs). Layers count from 0.
    pub(super) fn layer_pass(&self, layer: usize) -> (&PackedOperand<T>, &[T]) {
        let gradient = &self.gradients[layer];
        (&self.inputs[layer], &gradient[..gradient.len() / self.rows * self.passed])
    }

    /// Returns the gradients of γ and β of all batch normalizations from the last backward pass, in
    /// the layout of the network's state.
    pub(super) fn normalization_gradients(&self) -> &[T] {
        &self.normalization_gradients
    }

    /// Returns the smallest and the largest value at each tracked point of fake quantization, in the
    /// last training pass.
    pub fn seen(&self) -> &[[T; 2]] {
        &self.seen
    }

    /// Returns means and variances of the last training pass, in the layout of the network's state.
    pub fn statistics(&self) -> &[T] {
        &self.statistics
    }
}

/// Returns the rounded values, or the exact ones where nothing is rounded.
fn either<'a, T>(rounded: &'a [T], exact: &'a [T]) -> &'a [T] {
    if rounded.is_empty() { exact } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{dense, normalization};
    use crate::{Activation, LayerSpec};

    const NOISE: Noise = Noise { key: 5, first_row: 0 };

    /// Inputs of some rows, the same on every run.
    fn input(rows: usize, network: &Network<f64>) -> Vec<f64> {
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f64 / 500.0 - 1.0;
        (0..rows * network.inputs()).map(value).collect()
    }

    #[test]
    fn once_trained_nothing_is_dropped_and_averages_normalize() {
        let layers = [
            dense(4, Activation::Linear),
            normalization(),
            LayerSpec::Activation(Activation::Relu),
            LayerSpec::Dropout(0.5),
            dense(3, Activation::Linear),
        ];
        let mut network = Network::<f64>::new(2, &layers, 1).unwrap();
        let mut tape = Tape::new(&network, 6);
        tape.input_mut(6).copy_from_slice(&input(6, &network));
        tape.forward_training(&network, 6, NOISE);
        let in_training = tape.activation(2, 6).to_vec();
        // Following one batch for ever, the averages become its statistics.
        let statistics = tape.statistics().to_vec();
        (0..2000).for_each(|_| network.follow(&statistics));
        tape.forward(&network, 6);
        for (a, b) in in_training.iter().zip(tape.activation(2, 6)) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        assert_eq!(tape.activation(3, 6), tape.activation(4, 6));
    }

    #[test]
    fn a_smaller_batch_uses_the_front_of_the_memory() {
        let layers = [dense(4, Activation::Relu), dense(3, Activation::Linear)];
        let network = Network::<f64>::new(2, &layers, 1).unwrap();
        let (mut large, mut small) = (Tape::new(&network, 9), Tape::new(&network, 3));
        for tape in [&mut large, &mut small] {
            tape.input_mut(3).copy_from_slice(&input(3, &network));
            tape.forward(&network, 3);
        }
        assert_eq!(large.activation(2, 3), small.activation(2, 3));
        let targets = TargetRows::Classes(&[0, 1, 2]);
        let score = large.backward(&network, Objective::default(), targets, 3, 1.0);
        assert_eq!(score, small.backward(&network, Objective::default(), targets, 3, 1.0));
        for layer in 0..2 {
            let ((_, large), (_, small)) = (large.layer_pass(layer), small.layer_pass(layer));
            assert!(large == small && large.iter().any(|gradient| *gradient != 0.0));
        }
    }
}
