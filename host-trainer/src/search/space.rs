//! Search space: widths, depth, activation function, data types and learning rate.

use model_format::{DataType, WeightType};

use crate::network::{Activation, Clipping};
use crate::preset::{DenseSettings, LayerSettings, Preset};
use crate::quantize::Activations;
use crate::random::SplitMix;
use crate::train::{self, AwareSettings, LayerTypes, Schedule};

/// Widths of hidden layers are multiples of it: kernels take four rows at a time.
const STEP: usize = 4;

/// Largest width of a hidden layer.
const MOST_UNITS: usize = 512;

/// Range of the learning rate, as multiples of the preset's.
const RATES: [f64; 2] = [0.25, 4.0];

/// A network of the space with its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation function of the hidden layers.
    pub activation: Activation,
    /// Data type of the weights.
    pub weights: WeightType,
    /// Data type of the activations.
    pub activations: DataType,
    /// Learning rate before the schedule.
    pub learning_rate: f64,
}

/// The candidates of a search.
#[derive(Clone, Debug)]
pub struct Space {
    /// Preset of all settings that are not searched.
    base: Preset,
    /// Data types of weights.
    weights: Vec<WeightType>,
    /// Data types of activations.
    activations: Vec<DataType>,
    /// Largest width.
    most: usize,
}

impl Candidate {
    /// Returns the name of the network, such as `64-32-10 relu, int4`.
    pub fn text(&self, inputs: usize, outputs: usize) -> String {
        let activation = match self.hidden.is_empty() {
            true => String::new(),
            false => format!(" {}", self.activation.name()),
        };
        let wide = match self.activations {
            DataType::Int8 => "",
            DataType::Int16 => " with int16 activations",
        };
        format!("{}{activation}, {}{wide}", self.shape(inputs, outputs), self.weights.name())
    }

    /// Returns the widths from input to output, such as `64-32-10`.
    pub fn shape(&self, inputs: usize, outputs: usize) -> String {
        let widths = [&[inputs][..], &self.hidden, &[outputs]].concat();
        widths.iter().map(usize::to_string).collect::<Vec<_>>().join("-")
    }

    /// Returns the least bytes that the weights take.
    pub fn least_bytes(&self, inputs: usize, outputs: usize) -> u64 {
        let widths = [&[inputs][..], &self.hidden, &[outputs]].concat();
        let weights: usize = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let bits = match self.weights {
            WeightType::Int8 => 80,
            WeightType::Int4 => 40,
            WeightType::Int2 => 20,
            // Five to a byte.
            WeightType::Ternary => 16,
        };
        weights as u64 * bits / 80
    }
}

impl Space {
    /// Creates the space around a preset. `flash` bounds the widths. Cycles are not predicted for int16
    /// activations: with `timed`, there are none.
    pub fn new(base: Preset, inputs: usize, flash: u64, timed: bool) -> Self {
        let all = [WeightType::Int8, WeightType::Int4, WeightType::Int2, WeightType::Ternary];
        // int2 weights have no zero.
        let pruned = base.training.pruning.is_some();
        let weights = all.into_iter().filter(|of| !pruned || *of != WeightType::Int2);
        let activations = match base.quantization.activations {
            Activations::Int16 => vec![DataType::Int16],
            Activations::Auto if base.data.dataset.has_values() && !timed => {
                vec![DataType::Int8, DataType::Int16]
            }
            Activations::Auto | Activations::Int8 => vec![DataType::Int8],
        };
        let most = usize::try_from(flash * 5 / inputs.max(1) as u64).unwrap_or(MOST_UNITS);
        let most = most.clamp(STEP, MOST_UNITS);
        Space { weights: weights.collect(), base, activations, most }
    }

    /// Returns the candidate that is nearest to the preset.
    pub fn nearest(&self) -> Candidate {
        let dense: Vec<&DenseSettings> =
            self.base.network.layers.iter().filter_map(LayerSettings::dense).collect();
        let hidden = dense.split_last().map_or(&[][..], |(_, hidden)| hidden);
        let weights = match self.base.aware().map(|(aware, _)| &aware.weights) {
            Some(LayerTypes::All(all)) if self.weights.contains(all) => *all,
            _ => WeightType::Int8,
        };
        let separate = self.base.network.layers.iter().find_map(|layer| match layer {
            LayerSettings::Activation(activation) => Some(*activation),
            _ => None,
        });
        let activation = match hidden.first().map(|first| first.activation) {
            None => Activation::Relu,
            Some(Activation::Linear) => separate.unwrap_or_default(),
            Some(own) => own,
        };
        Candidate {
            hidden: hidden.iter().map(|layer| layer.units).collect(),
            activation,
            weights,
            activations: self.activations.first().copied().unwrap_or(DataType::Int8),
            learning_rate: self.base.training.optimizer.learning_rate(),
        }
    }

    /// Returns the smallest candidates: without hidden layers.
    pub fn smallest(&self) -> Vec<Candidate> {
        let mut all = Vec::new();
        for &weights in &self.weights {
            for &activations in &self.activations {
                let hidden = Vec::new();
                all.push(Candidate { hidden, weights, activations, ..self.nearest() });
            }
        }
        all
    }

    /// Draws a candidate.
    pub fn draw(&self, random: &mut SplitMix) -> Candidate {
        let depth = match below(random, 10) {
            0 => 0,
            1..=5 => 1,
            6..=8 => 2,
            _ => 3,
        };
        Candidate {
            hidden: (0..depth).map(|_| self.width(random)).collect(),
            activation: self.activation(random),
            weights: self.weights[below(random, self.weights.len())],
            activations: self.activations[below(random, self.activations.len())],
            learning_rate: self.rate(random),
        }
    }

    /// Returns a candidate that differs from another one in one or two settings.
    pub fn mutate(&self, from: &Candidate, random: &mut SplitMix) -> Candidate {
        let mut to = from.clone();
        for _ in 0..=below(random, 2) {
            match below(random, 6) {
                0 | 1 if !to.hidden.is_empty() => {
                    let place = below(random, to.hidden.len());
                    let factor = f64::from(2.0 * random.unit() - 1.0).exp2();
                    to.hidden[place] = self.rounded(to.hidden[place] as f64 * factor);
                }
                2 if !to.hidden.is_empty() && below(random, 2) == 0 => {
                    to.hidden.pop();
                }
                0..=2 if to.hidden.len() < 3 => to.hidden.push(self.width(random)),
                3 => to.weights = self.weights[below(random, self.weights.len())],
                4 => to.activation = self.activation(random),
                _ => {
                    let factor = f64::from(2.0 * random.unit() - 1.0).exp2();
                    to.learning_rate = self.rounded_rate(to.learning_rate * factor);
                }
            }
        }
        to
    }

    /// Returns the preset of a candidate, trained for this number of epochs.
    ///
    /// # Errors
    /// [`crate::preset::Error`] if the base preset's settings do not fit the candidate.
    pub fn preset(
        &self,
        candidate: &Candidate,
        epochs: usize,
    ) -> Result<Preset, crate::preset::Error> {
        let mut preset = self.base.clone();
        preset.network.layers = self.layers(candidate);
        scale_epochs(&mut preset.training, epochs);
        let share = epochs as f64 / self.base.training.epochs as f64;
        let own = self.base.quantization_aware.as_ref();
        let float_epochs = own.map_or(0.0, |own| own.float_epochs as f64 * share) as usize;
        let clipping = own.map_or(Clipping::default(), |own| own.clipping);
        let weights = LayerTypes::All(candidate.weights);
        preset.quantization_aware = (own.is_some() || candidate.weights != WeightType::Int8)
            .then_some(AwareSettings { weights, clipping, float_epochs });
        preset.quantization.activations = match candidate.activations {
            DataType::Int8 => Activations::Int8,
            DataType::Int16 => Activations::Int16,
        };
        preset.training.optimizer.set_learning_rate(candidate.learning_rate);
        // Checks all settings against each other.
        preset.with_settings(&[format!("training.epochs={epochs}")])
    }

    /// Returns the layers of a candidate: those of the base preset, with its first hidden layer, its
    /// normalization and dropout included, once per hidden layer of the candidate. A candidate of the
    /// base preset's widths and activation function has the layers of the base preset.
    fn layers(&self, candidate: &Candidate) -> Vec<LayerSettings> {
        let layers = &self.base.network.layers;
        let nearest = self.nearest();
        if (&candidate.hidden, candidate.activation) == (&nearest.hidden, nearest.activation) {
            return layers.clone();
        }
        let dense = |layer: &LayerSettings| layer.dense().is_some();
        let (Some(first), Some(last)) =
            (layers.iter().position(dense), layers.iter().rposition(dense))
        else {
            return layers.clone();
        };
        let next = layers[first + 1..].iter().position(dense).map(|place| first + 1 + place);
        let block = &layers[first..next.unwrap_or(first + 1)];
        let separate = block.iter().any(|layer| matches!(layer, LayerSettings::Activation(_)));
        let own = candidate.activation;
        let with_units = |units: usize| {
            block.iter().map(move |layer| match layer {
                LayerSettings::Dense(dense) => {
                    let activation = if separate { dense.activation } else { own };
                    LayerSettings::Dense(DenseSettings {
                        units,
                        activation,
                        name: None,
                        ..dense.clone()
                    })
                }
                LayerSettings::Activation(_) => LayerSettings::Activation(own),
                other => other.clone(),
            })
        };
        let hidden = candidate.hidden.iter().flat_map(|&units| with_units(units));
        [&layers[..first], &hidden.collect::<Vec<_>>(), &layers[last..]].concat()
    }

    /// Draws a width, uniform on a logarithmic scale.
    fn width(&self, random: &mut SplitMix) -> usize {
        let ratio = self.most as f64 / STEP as f64;
        self.rounded(STEP as f64 * ratio.powf(f64::from(random.unit())))
    }

    fn rounded(&self, units: f64) -> usize {
        ((units / STEP as f64).round() as usize * STEP).clamp(STEP, self.most.max(STEP))
    }

    fn activation(&self, random: &mut SplitMix) -> Activation {
        match below(random, 8) {
            0 => Activation::Relu6,
            1 => Activation::Tanh,
            2 => Activation::HardSilu,
            3 => self.nearest().activation,
            _ => Activation::Relu,
        }
    }

    /// Draws a learning rate, uniform on a logarithmic scale.
    fn rate(&self, random: &mut SplitMix) -> f64 {
        let [low, high] = RATES;
        let factor = low * (high / low).powf(f64::from(random.unit()));
        self.rounded_rate(self.base.training.optimizer.learning_rate() * factor)
    }

    /// Rounds a learning rate to two digits, within the range.
    fn rounded_rate(&self, rate: f64) -> f64 {
        let own = self.base.training.optimizer.learning_rate();
        let rate = rate.clamp(own * RATES[0], own * RATES[1]);
        format!("{rate:.1e}").parse().unwrap_or(rate)
    }
}

/// Sets the number of epochs; all periods in epochs keep their share of the training.
fn scale_epochs(training: &mut train::Settings, epochs: usize) {
    let share = epochs as f64 / training.epochs as f64;
    let scaled = |count: usize| ((count as f64 * share).round() as usize).max(1);
    training.epochs = epochs;
    training.warm_up_epochs *= share;
    match &mut training.schedule {
        Schedule::CosineRestarts(restarts) => {
            restarts.first_epochs = scaled(restarts.first_epochs);
        }
        Schedule::Step(step) => step.epochs = scaled(step.epochs),
        // They span the training.
        Schedule::Constant | Schedule::Cosine | Schedule::OneCycle(_) => {}
    }
    if let Some(stopping) = &mut training.early_stopping {
        stopping.patience = scaled(stopping.patience);
    }
    if let Some(reducing) = &mut training.reduce_lr_on_plateau {
        reducing.patience = scaled(reducing.patience);
    }
}

/// Returns an index below `count`, which is at least 1.
fn below(random: &mut SplitMix, count: usize) -> usize {
    (random.bits() % count.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::find;

    #[test]
    fn the_nearest_candidate_is_the_preset() {
        let base = find("digits").unwrap().with_settings(&["quantization.activations=int8".into()]);
        let base = base.unwrap();
        let space = Space::new(base.clone(), 64, 16384, false);
        let nearest = space.nearest();
        assert_eq!(nearest.text(64, 10), "64-32-10 relu, int8");
        assert_eq!(space.preset(&nearest, base.training.epochs).unwrap(), base);
    }

    #[test]
    fn layers_and_periods_are_like_the_presets() {
        let text = r#"
name = "x"
[data]
dataset = "digits"
test = { stratified = { fraction = 0.2 } }
[network]
layers = [
    { dropout = { rate = 0.1 } },
    { dense = { units = 16 } },
    { batch_normalization = {} },
    { activation = "tanh" },
    { dense = { units = 8 } },
    { dense = { units = 10 } },
]
[training]
epochs = 90
batch_size = 32
schedule = { step = { epochs = 30, factor = 0.5 } }
early_stopping = { patience = 20, monitor = "loss" }
optimizer = { sgd = { learning_rate = 0.1 } }
"#;
        let space = Space::new(Preset::read(text, "test").unwrap(), 64, 16384, false);
        let nearest = space.nearest();
        assert_eq!(nearest.activation, Activation::Tanh);
        let candidate = Candidate {
            hidden: vec![12, 20],
            activation: Activation::Relu,
            learning_rate: 0.25,
            ..nearest
        };
        let own = space.preset(&space.nearest(), 90).unwrap();
        assert_eq!(own.network, space.base.network);
        let preset = space.preset(&candidate, 10).unwrap();
        let units = |layer: &LayerSettings| layer.dense().map(|dense| dense.units);
        let layers = &preset.network.layers;
        let all: Vec<_> = layers.iter().filter_map(units).collect();
        assert_eq!((layers.len(), all), (8, vec![12, 20, 10]));
        assert_eq!(layers[6], LayerSettings::Activation(Activation::Relu));
        assert_eq!(layers[4].dense().unwrap().activation, Activation::Linear);
        let training = &preset.training;
        assert_eq!(
            training.schedule,
            Schedule::Step(train::StepSettings { epochs: 3, factor: 0.5 })
        );
        assert_eq!(training.early_stopping.as_ref().unwrap().patience, 2);
        assert_eq!(training.optimizer.learning_rate(), 0.25);
    }

    #[test]
    fn every_candidate_is_a_preset() {
        for (name, timed) in [("digits", false), ("motion", true), ("u-eggcrate", false)] {
            let base = find(name).unwrap();
            let space = Space::new(base, 64, 16384, timed);
            let mut random = SplitMix::new(1);
            let mut candidate = space.nearest();
            for _ in 0..200 {
                let other = space.mutate(&candidate, &mut random);
                candidate = space.draw(&mut random);
                for candidate in [&other, &candidate] {
                    space.preset(candidate, 2).unwrap();
                    assert!(!timed || candidate.activations == DataType::Int8);
                    assert!(candidate.hidden.len() <= 3, "{candidate:?}");
                }
            }
        }
    }
}
