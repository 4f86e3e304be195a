//! Knowledge distillation: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network*,
//! 2015.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use thimble_data::{Area, Averager};
use thimble_network::{Head, Network, Tape};
use thimble_numeric::validators::{fraction, positive};

/// Distillation settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// Folders of the runs whose networks are the teachers. The mean of their probabilities is the
    /// target.
    #[serde(default)]
    pub teachers: Vec<PathBuf>,
    /// Divisor of all logits in the loss by the teachers' probabilities.
    #[serde(default = "temperature", deserialize_with = "positive")]
    pub temperature: f64,
    /// Share of that loss; the rest is the loss by the labels.
    #[serde(default = "weight", deserialize_with = "fraction")]
    pub weight: f64,
}

fn temperature() -> f64 {
    2.0
}

fn weight() -> f64 {
    0.7
}

impl Distillation {
    /// Returns the default settings for these teachers.
    pub fn by(teachers: Vec<PathBuf>) -> Self {
        Distillation { teachers, temperature: temperature(), weight: weight() }
    }
}

/// A trained network whose probabilities another one learns.
#[derive(Clone, Debug)]
pub struct Teacher {
    /// The network. Its outputs are logits of the same classes.
    pub network: Network<f32>,
    /// Averaging of images to its inputs, or `None` if it takes the images as they are.
    pub area: Option<Area>,
}

/// Teachers with what they need to answer.
#[derive(Debug)]
pub(super) struct Ensemble {
    teachers: Vec<(Network<f32>, Option<Averager>)>,
    temperature: f32,
}

/// Memory of one thread.
#[derive(Debug)]
pub(super) struct EnsembleMemory {
    tapes: Vec<Tape<f32>>,
    line: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Ensemble {
    /// Creates an ensemble for images of so many channels.
    pub fn new(teachers: &[Teacher], channels: usize, temperature: f64) -> Self {
        let averager = |area: Area| Averager::new(area, channels);
        let teachers = teachers.iter().map(|t| (t.network.clone(), t.area.map(averager))).collect();
        Ensemble { teachers, temperature: temperature as f32 }
    }

    /// Allocates memory for at most `rows` rows.
    pub fn memory(&self, rows: usize) -> EnsembleMemory {
        let tape =
            |(network, _): &(Network<f32>, Option<Averager>)| Tape::forward_only(network, rows);
        let tapes = self.teachers.iter().map(tape).collect();
        EnsembleMemory { tapes, line: Vec::new(), probabilities: Vec::new() }
    }

    /// Hands an image to all teachers, as row `row` of their next answer.
    ///
    /// # Shapes
    /// `image` has the size that the areas start from.
    pub fn take(&self, row: usize, image: &[f32], memory: &mut EnsembleMemory) {
        let EnsembleMemory { tapes, line, .. } = memory;
        for ((network, averager), tape) in self.teachers.iter().zip(tapes) {
            let width = network.inputs();
            let input = tape.input_mut(row + 1);
            let input = &mut input[row * width..];
            match averager {
                Some(averager) => averager.reals(image, line, input),
                None => input.copy_from_slice(image),
            }
        }
    }

    /// Writes the mean probabilities of the teachers for the rows taken, at the temperature.
    ///
    /// # Shapes
    /// `out` is rows × classes.
    pub fn answer(
        &self,
        rows: usize,
        classes: usize,
        memory: &mut EnsembleMemory,
        out: &mut [f32],
    ) {
        let EnsembleMemory { tapes, probabilities, .. } = memory;
        out.fill(0.0);
        let share = 1.0 / self.teachers.len() as f32;
        for ((network, _), tape) in self.teachers.iter().zip(tapes) {
            tape.forward(network, rows);
            let logits = tape.outputs(rows).chunks_exact(classes);
            for (logits, out) in logits.zip(out.chunks_exact_mut(classes)) {
                probabilities.clear();
                probabilities.extend(logits.iter().map(|logit| logit / self.temperature));
                Head::Softmax.apply(probabilities);
                out.iter_mut().zip(&*probabilities).for_each(|(sum, p)| *sum += share * p);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;

    /// A network of two inputs and these weights for two logits, without biases.
    fn linear(weights: [f32; 4]) -> Network<f32> {
        let layer = LayerSpec::Dense(DenseSpec::new(2, Activation::Linear));
        let mut network = Network::new(2, &[layer], 1).unwrap();
        network.parameters_mut()[..4].copy_from_slice(&weights);
        network
    }

    #[test]
    fn probabilities_are_averaged_at_the_temperature() {
        // Logits 2 · ln 3 and 0 for the first row of one teacher, equal ones of the other.
        let double = 2.0 * 3_f32.ln();
        let teachers = [
            Teacher { network: linear([double, 0.0, 0.0, 0.0]), area: None },
            Teacher { network: linear([0.0; 4]), area: None },
        ];
        let ensemble = Ensemble::new(&teachers, 1, 2.0);
        let (mut memory, mut out) = (ensemble.memory(2), [f32::NAN; 4]);
        ensemble.take(0, &[1.0, 0.0], &mut memory);
        ensemble.take(1, &[0.0, 5.0], &mut memory);
        ensemble.answer(2, 2, &mut memory, &mut out);
        for (found, expected) in out.iter().zip([0.625, 0.375, 0.5, 0.5]) {
            assert!((found - expected).abs() < 1e-6, "{out:?}");
        }
    }

    #[test]
    fn images_are_averaged_to_the_inputs_of_a_teacher() {
        let area = Some(Area { from: [2, 2], to: [1, 2] });
        let teachers = [Teacher { network: linear([3_f32.ln(), 0.0, 0.0, 0.0]), area }];
        let ensemble = Ensemble::new(&teachers, 1, 1.0);
        let (mut memory, mut out) = (ensemble.memory(1), [f32::NAN; 2]);
        ensemble.take(0, &[0.5, 9.0, 1.5, 9.0], &mut memory);
        ensemble.answer(1, 2, &mut memory, &mut out);
        assert!((out[0] - 0.75).abs() < 1e-6, "{out:?}");
    }
}
