//! Gradients of the loss by every parameter, against central differences.

use thimble_network::{
    Activation, DenseSpec, GradientMemory, GradientPlan, LayerSpec, Loss, Network, Noise,
    Objective, Tape, TargetRows,
};

/// A dense layer with this number of units.
fn dense(units: usize, activation: Activation) -> LayerSpec {
    LayerSpec::Dense(DenseSpec::new(units, activation))
}

/// Batch normalization.
fn normalization() -> LayerSpec {
    LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 }
}

const NOISE: Noise = Noise { key: 5, first_row: 0 };

/// Inputs and targets of a small batch, the same on every run.
struct Sample {
    rows: usize,
    input: Vec<f64>,
    labels: Vec<u16>,
    values: Vec<f64>,
    /// Weight of each class, or none.
    class_weights: Vec<f64>,
}

impl Sample {
    fn new(rows: usize, network: &Network<f64>) -> Self {
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f64 / 500.0 - 1.0;
        let classes = network.outputs().max(2);
        Sample {
            rows,
            input: (0..rows * network.inputs()).map(value).collect(),
            labels: (0..rows).map(|row| (row * 7 % classes) as u16).collect(),
            values: (7..7 + rows * network.outputs()).map(value).collect(),
            class_weights: Vec::new(),
        }
    }

    fn targets(&self, loss: Loss) -> TargetRows<'_, f64> {
        match loss {
            _ if !self.class_weights.is_empty() => {
                TargetRows::WeightedClasses(&self.labels, &self.class_weights)
            }
            Loss::SparseCategoricalCrossEntropy | Loss::BinaryCrossEntropy => {
                TargetRows::Classes(&self.labels)
            }
            _ => TargetRows::Values(&self.values),
        }
    }

    fn pass(&self, network: &Network<f64>, objective: Objective) -> (f64, Tape<f64>) {
        let mut tape = Tape::new(network, self.rows);
        tape.input_mut(self.rows).copy_from_slice(&self.input);
        tape.forward_training(network, self.rows, NOISE);
        let targets = self.targets(objective.loss);
        let score = tape.backward(network, objective, targets, self.rows, 1.0);
        (score.loss_sum, tape)
    }
}

/// Gradient by every parameter, from the last pass back.
fn parameter_gradients(network: &Network<f64>, tape: &Tape<f64>) -> Vec<f64> {
    let mut all = Vec::new();
    let (span, mut memory) = (0..network.parameters().len(), GradientMemory::default());
    GradientPlan::new(network).sum(std::iter::once(tape), span, &mut memory, |_, gradients| {
        all.extend_from_slice(gradients);
    });
    all
}

fn objective(network: &Network<f64>, loss: Loss, label_smoothing: f64) -> Objective {
    Objective { loss, label_smoothing, head: network.head(), ..Objective::default() }
}

/// Holds every gradient of a network against the central difference of the loss.
///
/// A central difference with step h is off by h²/6 · |f‴| and by ε·|f|/h of rounding. With
/// h = ε^(1/3) both are about ε^(2/3): the tolerance is that, times a bound for |f| and |f‴|.
/// Inputs and weights are below 2, losses below 40, and third derivatives of the cross-entropy
/// by a parameter at most the cube of what multiplies it (below 4 here) a row, so 64 a row.
fn check(layers: &[LayerSpec], inputs: usize, loss: Loss, label_smoothing: f64) {
    check_weighted(layers, inputs, loss, label_smoothing, &[]);
}

/// The same with classes of these weights, which may multiply the tolerance by their largest.
fn check_weighted(
    layers: &[LayerSpec],
    inputs: usize,
    loss: Loss,
    label_smoothing: f64,
    class_weights: &[f64],
) {
    let rows = 5;
    let mut network = Network::<f64>::new(inputs, layers, 3).unwrap();
    // Biases away from zero, so that their gradients are tested where they act.
    for (index, parameter) in network.parameters_mut().iter_mut().enumerate() {
        *parameter += ((index * 37) % 101) as f64 / 1000.0 - 0.05;
    }
    let objective = objective(&network, loss, label_smoothing);
    let class_weights = class_weights.to_vec();
    let most = class_weights.iter().copied().fold(1.0, f64::max);
    let sample = Sample { class_weights, ..Sample::new(rows, &network) };
    let gradients = parameter_gradients(&network, &sample.pass(&network, objective).1);
    assert!(gradients.iter().any(|g| g.abs() > 1e-2), "there must be something to check");

    let step = f64::EPSILON.cbrt();
    let tolerance = f64::EPSILON.powf(2.0 / 3.0) * (64.0 * rows as f64 / 6.0 + 40.0) * most;
    for (index, gradient) in gradients.iter().enumerate() {
        let mut at = |offset: f64| {
            let before = network.parameters()[index];
            network.parameters_mut()[index] = before + offset;
            let loss = sample.pass(&network, objective).0;
            network.parameters_mut()[index] = before;
            loss
        };
        let difference = (at(step) - at(-step)) / (2.0 * step);
        assert!(
            (gradient - difference).abs() <= tolerance,
            "{layers:?} {loss:?}: parameter {index}: gradient {gradient}, central difference \
             {difference}"
        );
    }
}

#[test]
fn gradients_of_dense_layers_equal_central_differences() {
    assert!(f64::EPSILON.powf(2.0 / 3.0) * 100.0 < 1e-8, "no loose tolerance");
    let loss = Loss::SparseCategoricalCrossEntropy;
    check(&[dense(3, Activation::Linear)], 4, loss, 0.0);
    for activation in [
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.2),
        Activation::Elu(0.7),
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::HardSilu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid(0.2),
        Activation::Exponential,
    ] {
        check(&[dense(7, activation), dense(3, Activation::Linear)], 4, loss, 0.0);
        let last = [dense(6, Activation::Linear), dense(5, activation), dense(4, activation)];
        check(&[&last[..], &[dense(3, Activation::Softmax)]].concat(), 5, loss, 0.1);
    }
    check(&[dense(5, Activation::Relu), dense(3, Activation::Relu)], 4, loss, 0.0);
    // A softmax within the network, of a layer and behind batch normalization.
    check(&[dense(6, Activation::Softmax), dense(3, Activation::Linear)], 4, loss, 0.0);
    let softmax = || LayerSpec::Activation(Activation::Softmax);
    let separate = [
        dense(5, Activation::Linear),
        normalization(),
        softmax(),
        normalization(),
        dense(3, Activation::Softmax),
    ];
    check(&separate, 4, loss, 0.1);
}

#[test]
fn gradients_of_weighted_classes_equal_central_differences() {
    let weights = [0.25, 5.0, 2.0];
    let hidden = || dense(7, Activation::Tanh);
    for loss in
        [Loss::SparseCategoricalCrossEntropy, Loss::BinaryCrossEntropy, Loss::MeanSquaredError]
    {
        let layers = [hidden(), dense(3, Activation::Linear)];
        check_weighted(&layers, 4, loss, 0.0, &weights);
    }
    let one = [hidden(), dense(1, Activation::Sigmoid)];
    check_weighted(&one, 4, Loss::BinaryCrossEntropy, 0.1, &weights);
    check_weighted(&one, 4, Loss::MeanSquaredError, 0.0, &weights);
}

#[test]
fn gradients_of_losses_equal_central_differences() {
    for loss in [
        Loss::SparseCategoricalCrossEntropy,
        Loss::CategoricalCrossEntropy,
        Loss::BinaryCrossEntropy,
        Loss::MeanSquaredError,
        Loss::MeanAbsoluteError,
    ] {
        for (outputs, last) in [
            (3, Activation::Linear),
            (3, Activation::Sigmoid),
            (1, Activation::Linear),
            (1, Activation::Sigmoid),
        ] {
            let smoothing = if loss.is_categorical() { 0.2 } else { 0.0 };
            if outputs == 1 && loss.is_categorical() {
                // One class: nothing to learn.
                continue;
            }
            check(&[dense(6, Activation::Tanh), dense(outputs, last)], 4, loss, smoothing);
        }
    }
    check(&[dense(1, Activation::Sigmoid)], 4, Loss::BinaryCrossEntropy, 0.2);
}

#[test]
fn gradients_of_dropout_and_normalization_equal_central_differences() {
    let loss = Loss::SparseCategoricalCrossEntropy;
    let tanh = || LayerSpec::Activation(Activation::Tanh);
    let last = || dense(3, Activation::Linear);
    check(&[dense(8, Activation::Tanh), LayerSpec::Dropout(0.4), last()], 4, loss, 0.0);
    check(&[LayerSpec::Dropout(0.3), dense(8, Activation::Tanh), last()], 4, loss, 0.0);
    check(&[dense(6, Activation::Linear), normalization(), tanh(), last()], 4, loss, 0.0);
    check(&[dense(6, Activation::Tanh), normalization(), last()], 4, loss, 0.0);
    check(&[normalization(), dense(6, Activation::Tanh), last(), normalization()], 4, loss, 0.0);
}
