//! Learned steps of weights: one parameter per row of weights, with its optimizer.

use std::ops::Range;

use model_format::WeightType;
use thimble_network::{Network, Real, Scalar, first_scale, scale_gradient, scale_unit};

use super::optimizer::{Optimizer, OptimizerSettings};

/// Smallest parameter. Its inverse is finite in f32.
const LEAST: f64 = 1e-30;

/// Steps of all rows of weights of a network. The parameter of a row is its scale over the
/// [unit](scale_unit) of its layer, and positive.
#[derive(Clone, Debug)]
pub(super) struct Steps<T> {
    layers: Vec<LayerRows<T>>,
    /// Factors of the columns of the first layer. Empty for pixels.
    columns: Vec<T>,
    parameters: Vec<T>,
    optimizer: Optimizer<T>,
}

/// Rows of a dense layer.
#[derive(Clone, Debug)]
struct LayerRows<T> {
    weight_type: WeightType,
    inputs: usize,
    /// Weights among the network's parameters.
    weights: Range<usize>,
    /// Index of the first row among the rows of all layers.
    first_row: usize,
    unit: T,
}

impl<T: Real> Steps<T> {
    /// Creates the first steps for the weights of a network.
    ///
    /// # Shapes
    /// `types` has one entry per dense layer, `columns` one factor per input, or none.
    pub fn new(
        network: &Network<T>,
        types: &[WeightType],
        columns: &[T],
        optimizer: OptimizerSettings,
    ) -> Self {
        let (mut layers, mut parameters) = (Vec::new(), Vec::new());
        for (&weight_type, (dense, range)) in types.iter().zip(network.dense_ranges()) {
            let weights = range.start..range.start + dense.inputs * dense.outputs;
            let columns = if layers.is_empty() { columns } else { &[] };
            let rows = network.parameters()[weights.clone()].chunks_exact(dense.inputs);
            let means: Vec<f64> = rows.map(|row| mean(row, columns)).collect();
            let all = means.iter().sum::<f64>() / means.len() as f64;
            // A layer of zeros begins as if its weights were of the usual size.
            let usual = if all > 0.0 { all } else { 1.0 / (dense.inputs as f64).sqrt() };
            let unit = scale_unit(weight_type, dense.inputs);
            let first_row = parameters.len();
            parameters.extend(means.iter().map(|&mean| {
                let mean = if mean > 0.0 { mean } else { usual };
                T::from_f64((first_scale(weight_type, mean) / unit).max(LEAST))
            }));
            let inputs = dense.inputs;
            let unit = T::from_f64(unit);
            layers.push(LayerRows { weight_type, inputs, weights, first_row, unit });
        }
        let optimizer = Optimizer::new(optimizer.without_decay(), parameters.len());
        Steps { layers, columns: columns.to_vec(), parameters, optimizer }
    }

    /// Returns the parameters, one per row of all dense layers.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// Sets the parameters.
    ///
    /// # Shapes
    /// One per row of all dense layers.
    pub fn set_parameters(&mut self, parameters: &[T]) {
        self.parameters.copy_from_slice(parameters);
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> &Optimizer<T> {
        &self.optimizer
    }

    /// Returns the optimizer, to restore a checkpoint.
    pub fn optimizer_mut(&mut self) -> &mut Optimizer<T> {
        &mut self.optimizer
    }

    /// Returns the scales of a dense layer's rows with these parameters, those of all layers.
    pub fn scales<'a>(
        &'a self,
        layer: usize,
        parameters: &'a [T],
    ) -> impl Iterator<Item = T> + use<'a, T> {
        let of = |layer: &LayerRows<T>| {
            let rows = layer.weights.len() / layer.inputs;
            (layer.first_row..layer.first_row + rows, layer.unit)
        };
        let (rows, unit) = self.layers.get(layer).map_or((0..0, T::one()), of);
        parameters[rows].iter().map(move |&parameter| parameter * unit)
    }

    /// Appends the gradients of the parameters of all rows in a block of weights, and sets the
    /// gradients of clipped weights to zero, as [`scale_gradient`] does. Blocks of biases and of other layers have no rows.
    /// `decay` is the factor by which the weights were multiplied since they were rounded.
    ///
    /// # Shapes
    /// `weights` and `gradients` are whole rows, from this index on among the network's parameters.
    pub fn add_gradients(
        &self,
        first: usize,
        weights: &[T],
        gradients: &mut [T],
        decay: T,
        out: &mut Vec<T>,
    ) {
        let of = self.layers.iter().enumerate().find(|(_, l)| l.weights.contains(&first));
        let Some((index, layer)) = of else { return };
        let columns = if index == 0 { self.columns.as_slice() } else { &[] };
        let row = layer.first_row + (first - layer.weights.start) / layer.inputs;
        let rows = weights.chunks_exact(layer.inputs).zip(gradients.chunks_exact_mut(layer.inputs));
        for ((weights, gradients), &parameter) in rows.zip(&self.parameters[row..]) {
            let scale = parameter * layer.unit * decay;
            let gradient = scale_gradient(weights, columns, layer.weight_type, scale, gradients);
            out.push(gradient * layer.unit);
        }
    }

    /// Applies the optimizer. A parameter is at most halved, so that it stays positive.
    ///
    /// # Shapes
    /// One gradient per row of all dense layers, in order, in any division into slices.
    pub fn step<'a>(&mut self, gradients: impl Iterator<Item = &'a [T]>, learning_rate: f64)
    where
        T: 'a,
    {
        let half = T::from_f64(0.5);
        let (rule, mut piece) = self.optimizer.begin_step(&mut self.parameters, learning_rate);
        let mut from = 0;
        for gradients in gradients {
            for gradient in gradients {
                let least = (half * piece.parameters[from]).max(T::from_f64(LEAST));
                rule.apply(&mut piece, from, std::slice::from_ref(gradient));
                let parameter = &mut piece.parameters[from];
                // NaN stays NaN, so that divergence does not go unnoticed.
                *parameter = if *parameter < least { least } else { *parameter };
                from += 1;
            }
        }
    }
}

/// Returns the mean magnitude of a row, of each weight times the factor of its column.
fn mean<T: Real>(row: &[T], columns: &[T]) -> f64 {
    let factor = |column: usize| columns.get(column).map_or(1.0, |factor| Scalar::to_f64(*factor));
    let magnitudes = row.iter().enumerate().map(|(k, w)| Scalar::to_f64(w.abs()) * factor(k));
    magnitudes.sum::<f64>() / row.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;
    use crate::train::optimizer::SgdSettings;

    fn network(weights: &[f64]) -> Network<f64> {
        let layers = [2, 1].map(|units| LayerSpec::Dense(DenseSpec::new(units, Activation::Relu)));
        let mut network = Network::new(2, &layers, 1).unwrap();
        network.parameters_mut()[..weights.len()].copy_from_slice(weights);
        network
    }

    fn sgd() -> OptimizerSettings {
        let (learning_rate, momentum, nesterov) = (0.1, 0.0, false);
        OptimizerSettings::Sgd(SgdSettings { learning_rate, momentum, nesterov })
    }

    fn scales(steps: &Steps<f64>, layer: usize) -> Vec<f64> {
        steps.scales(layer, steps.parameters()).collect()
    }

    #[test]
    fn first_steps_are_those_of_the_paper() {
        let network = network(&[0.5, -1.5, 0.0, 0.0, 0.0, 0.0, 0.3, 0.1]);
        let steps = Steps::new(&network, &[WeightType::Ternary; 2], &[], sgd());
        // 2 · mean |w|; the row of zeros has the layer's mean.
        let expected = [2.0, 1.0, 0.4];
        let found = [scales(&steps, 0), scales(&steps, 1)].concat();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        // Columns are factors of the first layer alone.
        let steps = Steps::new(&network, &[WeightType::Ternary; 2], &[2.0, 0.0], sgd());
        assert!((scales(&steps, 0)[0] - 1.0).abs() < 1e-15);
        assert!((scales(&steps, 1)[0] - 0.4).abs() < 1e-15);
    }

    #[test]
    fn descent_moves_steps_by_the_scaled_gradient() {
        for (weight_type, most, distance) in
            [(WeightType::Int8, 127.0, 1.0), (WeightType::Int2, 1.5, 2.0)]
        {
            let weights = [0.5, -1.5, 0.0, 0.25];
            let network = network(&weights);
            let mut steps = Steps::new(&network, &[weight_type; 2], &[], sgd());
            let before = scales(&steps, 0);
            let mut passed = [1.0, -2.0, 4.0, 3.0];
            let mut found = Vec::new();
            steps.add_gradients(0, &weights, &mut passed, 1.0, &mut found);
            let mut of_scale = [[1.0, -2.0], [4.0, 3.0]];
            let of_scale: Vec<f64> = (0..2)
                .map(|row| {
                    let weights = &weights[2 * row..][..2];
                    scale_gradient(weights, &[], weight_type, before[row], &mut of_scale[row])
                })
                .collect();
            // Biases have no rows.
            steps.add_gradients(4, &[0.0; 2], &mut [1.0; 2], 1.0, &mut found);
            assert_eq!(found.len(), 2);
            found.push(0.0);
            steps.step(std::iter::once(found.as_slice()), 0.01);
            // δ ← δ − η · g · ∂L/∂δ, with the scale s = δ / distance and ∂L/∂δ = ∂L/∂s / distance.
            let g = 1.0 / f64::sqrt(2.0 * most);
            for ((before, after), gradient) in before.iter().zip(scales(&steps, 0)).zip(of_scale) {
                let step = before * distance - 0.01 * g * gradient / distance;
                assert!((after * distance - step).abs() < 1e-14, "{after} {step}");
            }
        }
    }

    #[test]
    fn steps_stay_positive_and_nan_is_not_hidden() {
        let network = network(&[0.5, -1.5, 0.0, 0.0, 0.0, 0.0, 0.3, 0.1]);
        let mut steps = Steps::new(&network, &[WeightType::Int4; 2], &[], sgd());
        let before = steps.parameters().to_vec();
        steps.step([[1e9, f64::NAN].as_slice(), &[0.0]].into_iter(), 0.1);
        assert_eq!(steps.parameters()[0], before[0] / 2.0);
        assert!(steps.parameters()[1].is_nan());
        assert_eq!(steps.parameters()[2], before[2]);
        for _ in 0..1000 {
            steps.step([[1e9, 0.0, 0.0].as_slice()].into_iter(), 0.1);
        }
        assert_eq!(steps.parameters()[0], LEAST);
    }
}
