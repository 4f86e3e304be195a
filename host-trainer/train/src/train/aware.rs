//! Quantization-aware training: settings, and the fake-quantized copy of the network in training.

use model_format::WeightType;
use serde::{Deserialize, Serialize};
use thimble_network::grid::{Range, WeightGrid};
use thimble_network::{
    Clipping, FakeQuantization, InputRanges, Network, NetworkError, Points, Real, RowScale,
    quantize_row,
};

use super::optimizer::OptimizerSettings;
use super::steps::Steps;

/// Momentum of the ranges of activations.
const MOMENTUM: f64 = 0.98;

/// Settings of quantization-aware training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwareSettings {
    /// Data types of the weights.
    pub weights: LayerTypes,
    /// Choice of the scale of each row of weights.
    #[serde(default)]
    pub clipping: Clipping,
    /// Epochs without rounding before those with it.
    #[serde(default)]
    pub float_epochs: usize,
}

/// Data types of the weights: one for all layers, or one per dense layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Names", into = "Names")]
pub enum LayerTypes {
    /// One for all dense layers.
    All(WeightType),
    /// One per dense layer, first to last.
    Each(Vec<WeightType>),
}

const EXPECTED: &str =
    "must be `int8`, `int4`, `int2` or `ternary`, or a list with one of these per dense layer";

/// [`LayerTypes`] as presets have them.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be `int8`, `int4`, `int2` or `ternary`, or a list with one of these per dense layer"
)]
enum Names {
    All(String),
    Each(Vec<String>),
}

impl TryFrom<Names> for LayerTypes {
    type Error = String;

    fn try_from(names: Names) -> Result<Self, String> {
        let named =
            |name: &String| WeightType::named(name).ok_or_else(|| format!("`{name}`: {EXPECTED}"));
        Ok(match names {
            Names::All(name) => LayerTypes::All(named(&name)?),
            Names::Each(names) => {
                LayerTypes::Each(names.iter().map(named).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl From<LayerTypes> for Names {
    fn from(types: LayerTypes) -> Self {
        let name = |weight_type: WeightType| weight_type.name().to_string();
        match types {
            LayerTypes::All(all) => Names::All(name(all)),
            LayerTypes::Each(each) => Names::Each(each.into_iter().map(name).collect()),
        }
    }
}

impl LayerTypes {
    /// Returns the data type of each of `count` dense layers, or `None` for a list of another
    /// length.
    pub fn of_layers(&self, count: usize) -> Option<Vec<WeightType>> {
        match self {
            LayerTypes::All(weight_type) => Some(vec![*weight_type; count]),
            LayerTypes::Each(each) if each.len() == count => Some(each.clone()),
            LayerTypes::Each(_) => None,
        }
    }
}

/// The fake-quantized copy of a network in training. Forward and backward passes run on it, and the
/// optimizer applies their gradients to the float weights: the straight-through estimator for
/// weights. Weights beyond the last level have their gradient as well. It moves them and, through
/// the scale of the row, all others. With learned steps they have none, but for ternary weights, and
/// the step has it.
#[derive(Clone, Debug)]
pub(super) struct Aware<T> {
    network: Network<T>,
    clipping: Clipping,
    /// Half widths of the input features. Empty for pixels.
    columns: Vec<T>,
    staged: Vec<T>,
    seen: Vec<[T; 2]>,
    /// Learned steps of the rows of weights.
    steps: Option<Steps<T>>,
}

impl<T: Real> Aware<T> {
    /// Creates the copy of a network. The optimizer is that of learned steps.
    ///
    /// # Shapes
    /// `types` has one entry per dense layer, `input` one range per feature.
    pub fn new(
        network: &Network<T>,
        points: Points,
        types: &[WeightType],
        clipping: Clipping,
        input: Option<InputRanges>,
        data_type: model_format::DataType,
        optimizer: OptimizerSettings,
    ) -> Self {
        let dense = network.dense_layers().map(|(dense, _)| *dense);
        let grid = |(weight_type, dense): (&WeightType, thimble_network::Dense)| WeightGrid {
            weight_type: *weight_type,
            scales: vec![1.0; dense.outputs],
        };
        let weights = types.iter().zip(dense).map(grid).collect();
        let halves = input.as_ref().map_or(&[][..], |input| input.halves.as_slice());
        let columns: Vec<T> = halves.iter().map(|&half| T::from_f32(half)).collect();
        let widest = network.dense_layers().map(|(dense, _)| dense.inputs).max().unwrap_or(0);
        let tracked = points.tracked();
        let mut copy = network.clone();
        let fake = FakeQuantization::new(points, weights, input, data_type);
        copy.set_fake_quantization(Some(fake));
        let steps = (clipping == Clipping::Learned)
            .then(|| Steps::new(network, types, &columns, optimizer));
        let mut aware = Aware {
            network: copy,
            clipping,
            columns,
            staged: vec![T::zero(); widest],
            seen: vec![[T::zero(); 2]; tracked],
            steps,
        };
        aware.quantize(network);
        aware
    }

    /// Returns the fake-quantized network.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// Returns the fake-quantized network.
    pub fn into_network(self) -> Network<T> {
        self.network
    }

    /// Returns the learned steps.
    pub fn steps(&self) -> Option<&Steps<T>> {
        self.steps.as_ref()
    }

    /// Returns the learned steps, for mutation.
    pub fn steps_mut(&mut self) -> Option<&mut Steps<T>> {
        self.steps.as_mut()
    }

    /// Copies parameters and state of the float network, and rounds the weights.
    pub fn quantize(&mut self, float: &Network<T>) {
        let steps = self.steps.take();
        let learned = steps.as_ref().map(|steps| (steps, steps.parameters()));
        self.quantize_with(float, learned);
        self.steps = steps;
    }

    /// Rounds the weights of an averaged network, with the average of learned steps.
    ///
    /// # Shapes
    /// One parameter per row of all dense layers, or none without learned steps.
    pub fn quantize_average(&mut self, float: &Network<T>, parameters: &[T]) {
        let steps = self.steps.take();
        self.quantize_with(float, steps.as_ref().map(|steps| (steps, parameters)));
        self.steps = steps;
    }

    fn quantize_with(&mut self, float: &Network<T>, learned: Option<(&Steps<T>, &[T])>) {
        self.network.parameters_mut().copy_from_slice(float.parameters());
        self.network.state_mut().copy_from_slice(float.state());
        let Some(mut fake) = self.network.take_fake_quantization() else { return };
        let grids = fake.weights_mut().iter_mut();
        for (layer, ((dense, range), grid)) in float.dense_ranges().zip(grids).enumerate() {
            let columns = if layer == 0 { self.columns.as_slice() } else { &[] };
            let weights = range.start..range.start + dense.inputs * dense.outputs;
            let from = float.parameters()[weights.clone()].chunks_exact(dense.inputs);
            let to = self.network.parameters_mut()[weights].chunks_exact_mut(dense.inputs);
            let mut given = learned.map(|(steps, parameters)| steps.scales(layer, parameters));
            for ((row, out), scale) in from.zip(to).zip(&mut grid.scales) {
                let staged = &mut self.staged[..dense.inputs];
                let given = given.as_mut().and_then(Iterator::next);
                let given = given.map_or(RowScale::Of(self.clipping), RowScale::Given);
                let found = quantize_row(row, columns, grid.weight_type, given, staged, out);
                // As precise as it is stored.
                *scale = (found.to_f64() as f32).into();
            }
        }
        self.network.put_fake_quantization(fake);
    }

    /// Moves the ranges of activations toward those of a batch, given the ends that each
    /// micro-batch has seen.
    pub fn follow<'a>(&mut self, micro_batches: impl Iterator<Item = &'a [[T; 2]]>)
    where
        T: 'a,
    {
        self.seen.fill([T::infinity(), T::neg_infinity()]);
        for seen in micro_batches {
            for (all, seen) in self.seen.iter_mut().zip(seen) {
                *all = [all[0].min(seen[0]), all[1].max(seen[1])];
            }
        }
        if let Some(fake) = self.network.fake_quantization_mut() {
            fake.follow(&self.seen, MOMENTUM);
        }
    }

    /// Returns the ends of the ranges of activations, for a checkpoint.
    pub fn ends(&self) -> Vec<f32> {
        let ranges = self.network.fake_quantization().map_or(&[][..], FakeQuantization::ranges);
        ranges.iter().flat_map(|range| [range.low(), range.high()]).collect()
    }

    /// Sets the ranges of activations and the learned steps to those of a checkpoint: first the ends,
    /// then the steps.
    pub fn set_numbers(&mut self, numbers: &[f32]) {
        let tracked = self.network.fake_quantization().map_or(0, |fake| fake.ranges().len());
        let (ends, steps) = numbers.split_at((2 * tracked).min(numbers.len()));
        self.set_ends(ends);
        if let Some(own) = &mut self.steps
            && own.parameters().len() == steps.len()
        {
            let steps: Vec<T> = steps.iter().map(|&step| T::from_f32(step)).collect();
            own.set_parameters(&steps);
        }
    }

    /// Sets the ranges of activations to those of a checkpoint.
    fn set_ends(&mut self, ends: &[f32]) {
        let (pairs, _) = ends.as_chunks::<2>();
        let ranges: Vec<Range> = pairs.iter().map(|&[low, high]| Range::new(low, high)).collect();
        if let Some(fake) = self.network.fake_quantization_mut()
            && fake.ranges().len() == ranges.len()
        {
            fake.set_ranges(&ranges);
        }
    }
}

/// Reasons why a network cannot be trained with fake quantization.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AwareError {
    /// A layer cannot be rounded as its model is.
    #[error("network.{0}")]
    Network(#[from] NetworkError),
    /// The list of data types has another length than the network.
    #[error(
        "quantization_aware.weights: {given} data types are given for {layers} dense layers: give \
         one per layer, or one for all"
    )]
    Layers {
        /// Data types of the list.
        given: usize,
        /// Dense layers of the network.
        layers: usize,
    },
    /// The optimizer cannot learn the steps of weights.
    #[error(
        "quantization_aware.clipping: steps of weights are not learned by `ftrl`, which begins \
         parameters at 0. Use another optimizer, or `clipping = \"mse\"`"
    )]
    Ftrl,
}

impl AwareSettings {
    /// Returns the data type of each dense layer and the points at which activations are rounded.
    ///
    /// # Errors
    /// [`AwareError`] for a network that cannot be trained with fake quantization.
    pub fn check<T: Real>(
        &self,
        network: &Network<T>,
        data_type: model_format::DataType,
        outputs: bool,
        optimizer: &OptimizerSettings,
    ) -> Result<(Vec<WeightType>, Points), AwareError> {
        if self.clipping == Clipping::Learned && matches!(optimizer, OptimizerSettings::Ftrl(_)) {
            return Err(AwareError::Ftrl);
        }
        let layers = network.dense_layers().count();
        let types = self.weights.of_layers(layers).ok_or_else(|| {
            let given = match &self.weights {
                LayerTypes::Each(each) => each.len(),
                LayerTypes::All(_) => 1,
            };
            AwareError::Layers { given, layers }
        })?;
        Ok((types, Points::new(network, data_type, outputs)?))
    }
}

#[cfg(test)]
mod tests {
    use model_format::DataType;
    use thimble_network::{
        Activation, DenseSpec, GradientMemory, GradientPlan, LayerSpec, Loss, Noise, Objective,
        Tape, TargetRows,
    };

    use super::*;
    use crate::train::optimizer::SgdSettings;

    fn dense(units: usize, activation: Activation) -> LayerSpec {
        LayerSpec::Dense(DenseSpec::new(units, activation))
    }

    fn aware(network: &Network<f64>, types: &[WeightType]) -> Aware<f64> {
        let points = Points::new(network, DataType::Int8, true).unwrap();
        Aware::new(network, points, types, Clipping::Mean, None, DataType::Int8, sgd())
    }

    fn sgd() -> OptimizerSettings {
        let (learning_rate, momentum, nesterov) = (0.1, 0.0, false);
        OptimizerSettings::Sgd(SgdSettings { learning_rate, momentum, nesterov })
    }

    /// Gradients of all parameters in the last passes of a tape.
    fn gradients(network: &Network<f64>, tape: &Tape<f64>) -> Vec<f64> {
        let (mut all, mut memory) = (Vec::new(), GradientMemory::default());
        let span = 0..network.parameters().len();
        GradientPlan::new(network).sum(std::iter::once(tape), span, &mut memory, |_, some| {
            all.extend_from_slice(some);
        });
        all
    }

    #[test]
    fn gradients_pass_the_rounding_by_hand() {
        let layers = [dense(2, Activation::Relu), dense(1, Activation::Linear)];
        let mut network = Network::<f64>::new(2, &layers, 1).unwrap();
        network.parameters_mut().copy_from_slice(&[0.9, -0.3, 0.2, 0.8, 0.0, 0.0, 0.5, -0.5, 0.0]);
        let mut aware = aware(&network, &[WeightType::Ternary; 2]);
        // Levels at 1.2 times the mean magnitude of each row, borders at half of that.
        let expected = [0.72, 0.0, 0.0, 0.6, 0.0, 0.0, 0.6, -0.6, 0.0];
        for (found, expected) in aware.network().parameters().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        // Hidden values 0.72 and 1.2 in steps of 1/255 up to 1: the second is clipped.
        aware.set_ends(&[0.0, 1.0, -1.0, 1.0]);
        let mut tape = Tape::new(aware.network(), 1);
        tape.input_mut(1).copy_from_slice(&[1.0, 2.0]);
        tape.forward_training(aware.network(), 1, Noise::default());
        let objective = Objective { loss: Loss::MeanSquaredError, ..Objective::default() };
        let targets = TargetRows::Values(&[0.0]);
        let score = tape.backward(aware.network(), objective, targets, 1, 1.0);
        let hidden = 184.0 / 255.0;
        let output = 0.6 * (hidden - 1.0);
        // The scale of the range is an f32.
        let tolerance = f64::from(f32::EPSILON);
        assert!((score.loss() - output * output).abs() < tolerance);
        let slope = 2.0 * output;
        let expected = [
            0.6 * slope,
            2.0 * 0.6 * slope,
            0.0,
            0.0,
            0.6 * slope,
            0.0,
            hidden * slope,
            slope,
            slope,
        ];
        for (found, expected) in gradients(aware.network(), &tape).iter().zip(expected) {
            assert!((found - expected).abs() < tolerance, "{found} {expected}");
        }
    }

    #[test]
    fn gradients_of_what_is_not_rounded_equal_central_differences() {
        let layers = [
            dense(4, Activation::Linear),
            LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 },
            LayerSpec::Activation(Activation::Tanh),
            dense(3, Activation::Linear),
        ];
        let mut network = Network::<f64>::new(5, &layers, 3).unwrap();
        let types = [WeightType::Int4, WeightType::Int2];
        let rows = 6;
        let input: Vec<f64> = (0..rows * 5).map(|k| (k * 37 % 101) as f64 / 50.0 - 1.0).collect();
        let pass = |network: &Network<f64>| {
            // Ranges are not set, so that activations are not rounded.
            let aware = aware(network, &types);
            let mut tape = Tape::new(aware.network(), rows);
            tape.input_mut(rows).copy_from_slice(&input);
            tape.forward_training(aware.network(), rows, Noise::default());
            let objective = Objective::default();
            let targets = TargetRows::Classes(&[0, 1, 2, 1, 0, 2]);
            let score = tape.backward(aware.network(), objective, targets, rows, 1.0);
            (score.loss_sum, gradients(aware.network(), &tape))
        };
        let (_, gradients) = pass(&network);
        let step = f64::EPSILON.cbrt();
        // Biases, γ and β: weights are rounded, and their loss is not smooth.
        let smooth = (20..24).chain(24..32).chain(32 + 12..32 + 15);
        for index in smooth {
            let mut at = |offset: f64| {
                let before = network.parameters()[index];
                network.parameters_mut()[index] = before + offset;
                let loss = pass(&network).0;
                network.parameters_mut()[index] = before;
                loss
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            // As for the gradients of other networks: ε^(2/3) times a bound for |f| and |f‴|.
            let tolerance = f64::EPSILON.powf(2.0 / 3.0) * (64.0 * rows as f64 / 6.0 + 40.0);
            assert!((gradients[index] - difference).abs() < tolerance, "{index}");
        }
    }

    #[test]
    fn ranges_follow_the_batches() {
        let network = Network::<f64>::new(1, &[dense(1, Activation::Linear)], 1).unwrap();
        let mut aware = aware(&network, &[WeightType::Int8]);
        assert_eq!(aware.ends(), [0.0, 0.0]);
        aware.follow([[[-1.0, 0.5]].as_slice(), &[[-0.5, 2.0]]].into_iter());
        assert_eq!(aware.ends(), [-1.0, 2.0]);
        aware.follow([[[-3.0, 1.0]].as_slice()].into_iter());
        let expected = [-1.0 - 0.02 * 2.0, 2.0 - 0.02].map(|end| end as f32);
        assert_eq!(aware.ends(), expected);
    }

    #[test]
    fn lists_need_one_type_per_layer() {
        let settings: AwareSettings = toml::from_str("weights = [\"int4\", \"ternary\"]").unwrap();
        let network = Network::<f64>::new(2, &[dense(1, Activation::Linear)], 1).unwrap();
        let error = settings.check(&network, DataType::Int8, true, &sgd()).unwrap_err();
        assert_eq!(error, AwareError::Layers { given: 2, layers: 1 });
        let wrong = toml::from_str::<AwareSettings>("weights = \"int3\"").unwrap_err().to_string();
        assert!(wrong.contains("must be `int8`, `int4`, `int2` or `ternary`"), "{wrong}");
    }
}
