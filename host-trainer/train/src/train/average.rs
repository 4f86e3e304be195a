//! Exponential moving average of the weights (Polyak and Juditsky, *Acceleration of stochastic
//! approximation by averaging*, 1992, with exponential weights, as Keras's `use_ema`).

use rayon::prelude::*;

use thimble_network::Network;
use thimble_numeric::vectorized::{Loop, vectorized};

/// Numbers per task.
const TASK: usize = 1 << 15;

/// A network whose parameters and running statistics follow those in training, with learned steps of
/// weights.
#[derive(Debug)]
pub(super) struct Average {
    momentum: f64,
    network: Network<f32>,
    /// Empty before rounding, and without learned steps.
    steps: Vec<f32>,
}

impl Average {
    /// Begins with the weights of a network.
    pub fn new(network: &Network<f32>, momentum: f64) -> Self {
        Average { momentum, network: network.clone(), steps: Vec::new() }
    }

    /// Returns the averaged network.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// Returns the averaged network for mutation.
    pub fn network_mut(&mut self) -> &mut Network<f32> {
        &mut self.network
    }

    /// Returns the averaged steps of weights, a parameter per row. Empty before rounding, and without
    /// learned steps.
    pub fn steps(&self) -> &[f32] {
        &self.steps
    }

    /// Begins to average steps of weights with these.
    pub fn begin_steps(&mut self, steps: &[f32]) {
        self.steps = steps.to_vec();
    }

    /// Adds the network after step `step`, counted from 1, with its learned steps of weights, or none.
    /// The momentum of early steps is smaller, (1 + step) / (10 + step), so that the initial weights
    /// are soon forgotten.
    pub fn follow(&mut self, network: &Network<f32>, steps: &[f32], step: usize) {
        let early = (1.0 + step as f64) / (10.0 + step as f64);
        let share = (1.0 - self.momentum.min(early)) as f32;
        add(share, network.parameters(), self.network.parameters_mut());
        add(share, network.state(), self.network.state_mut());
        add(share, steps, &mut self.steps);
    }
}

/// Moves `to` by `share` of its distance from `from`. Each number on its own: threads change no bit.
fn add(share: f32, from: &[f32], to: &mut [f32]) {
    let step = |(from, to): (&[f32], &mut [f32])| vectorized::<Follow, _>((share, from, to));
    match to.len() > TASK {
        true => from.par_chunks(TASK).zip(to.par_chunks_mut(TASK)).for_each(step),
        false => step((from, to)),
    }
}

struct Follow;

impl Loop<(f32, &[f32], &mut [f32])> for Follow {
    type Output = ();

    #[inline(always)]
    fn run((share, from, to): (f32, &[f32], &mut [f32])) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to += share * (from - *to));
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;

    #[test]
    fn early_steps_count_more_and_statistics_are_averaged_too() {
        let layers = [
            LayerSpec::Dense(DenseSpec::new(1, Activation::Linear)),
            LayerSpec::BatchNormalization { momentum: 0.9, epsilon: 1e-3 },
            LayerSpec::Activation(Activation::Relu),
            LayerSpec::Dense(DenseSpec::new(1, Activation::Linear)),
        ];
        let mut network = Network::<f32>::new(1, &layers, 1).unwrap();
        let fill = |network: &mut Network<f32>, value: f32| {
            network.parameters_mut().fill(value);
            network.state_mut().fill(value);
        };
        fill(&mut network, 0.0);
        let mut average = Average::new(&network, 0.25);
        average.begin_steps(&[0.0]);
        fill(&mut network, 8.0);
        // Momenta: 2/11, then 1/4, as 3/12 is, then 1/4.
        let mut expected = 0.0;
        for (step, momentum) in [(1, 2.0 / 11.0), (2, 0.25), (3, 0.25)] {
            average.follow(&network, &[8.0], step);
            expected = momentum * expected + (1.0 - momentum) * 8.0;
            let all = average.network().parameters().iter().chain(average.network().state());
            let all = all.chain(average.steps());
            for &value in all {
                // Each step rounds twice, numbers below 8.
                assert!((f64::from(value) - expected).abs() < 6.0 * 8.0 * f64::from(f32::EPSILON));
            }
        }
    }

    #[test]
    fn tasks_cover_all_numbers() {
        let from: Vec<f32> = (0..TASK + 3).map(|index| index as f32).collect();
        let mut to = vec![0.0; from.len()];
        add(1.0, &from, &mut to);
        assert_eq!(from, to);
    }
}
