//! Pruning while training: blocks of four weights, those of the block-sparse layout.

use std::cmp::Ordering;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use thimble_network::{Layer, Network};
use thimble_numeric::validators::{at_least_one, below_one, fraction};

/// Weights of a block: so many columns of a row.
const BLOCK: usize = 4;

/// Pruning settings: magnitude pruning with the polynomial schedule of Zhu and Gupta, *To prune, or
/// not to prune*, 2017, equation 1, as TensorFlow's `PolynomialDecay`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruning {
    /// Share of the blocks that are zero at the end.
    #[serde(deserialize_with = "below_one")]
    pub final_sparsity: f64,
    /// Share of the blocks that are zero at the beginning of pruning.
    #[serde(default, deserialize_with = "below_one")]
    pub initial_sparsity: f64,
    /// Beginning of pruning as a share of all steps.
    #[serde(default, deserialize_with = "fraction")]
    pub begin: f64,
    /// End of pruning as a share of all steps. The rest of the training makes up for the loss.
    #[serde(default = "end", deserialize_with = "fraction")]
    pub end: f64,
    /// Steps between two prunings.
    #[serde(default = "frequency", deserialize_with = "at_least_one")]
    pub frequency: usize,
}

fn end() -> f64 {
    0.6
}

fn frequency() -> usize {
    100
}

impl Pruning {
    /// Returns the problem of settings that do not go together.
    pub fn problem(&self) -> Option<String> {
        let Pruning { initial_sparsity, final_sparsity, begin, end, .. } = self;
        if initial_sparsity > final_sparsity {
            return Some(format!(
                "initial_sparsity = {initial_sparsity} is above final_sparsity = {final_sparsity}"
            ));
        }
        (begin > end).then(|| format!("begin = {begin} is after end = {end}"))
    }

    /// Returns the first step behind which nothing more is pruned.
    pub(super) fn last_step(&self, steps: usize) -> usize {
        ((self.end * steps as f64).round() as usize).max(1)
    }

    /// Returns the sparsity after step `step` of `steps`, counted from 1, if it is a step at which
    /// blocks are pruned.
    fn sparsity(&self, step: usize, steps: usize) -> Option<f64> {
        let (first, last) = ((self.begin * steps as f64).round() as usize, self.last_step(steps));
        if step < first || step > last || !(step.is_multiple_of(self.frequency) || step == last) {
            return None;
        }
        let rest = match last > first {
            true => 1.0 - (step - first) as f64 / (last - first) as f64,
            false => 0.0,
        };
        let (low, high) = (self.initial_sparsity, self.final_sparsity);
        Some(high + (low - high) * rest.powi(3))
    }
}

/// The blocks that are zero.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mask {
    pruning: Pruning,
    /// Per block, 0 for one that is zero, 1 for others.
    kept: Vec<f32>,
    layers: Vec<Weights>,
}

/// Weights of a layer that is pruned.
#[derive(Clone, Debug, PartialEq)]
struct Weights {
    /// Range in the network's parameters.
    parameters: Range<usize>,
    inputs: usize,
    /// Range of its blocks in the mask.
    blocks: Range<usize>,
}

impl Weights {
    /// Iterates over the blocks, as ranges of the network's parameters. The last one of a row may be
    /// shorter.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (inputs, end) = (self.inputs, self.parameters.end);
        let rows = self.parameters.clone().step_by(inputs);
        rows.flat_map(move |row| {
            let stop = (row + inputs).min(end);
            (row..stop).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(stop))
        })
    }
}

impl Mask {
    /// Creates a mask that keeps everything. All dense layers but the last are pruned: the few
    /// weights of the last decide directly.
    pub fn new(network: &Network<f32>, pruning: Pruning) -> Self {
        let (mut layers, mut start, mut count) = (Vec::new(), 0, 0);
        for view in network.layers() {
            if let Layer::Dense(dense) = view.layer {
                let blocks = dense.outputs * dense.inputs.div_ceil(BLOCK);
                layers.push(Weights {
                    parameters: start..start + dense.inputs * dense.outputs,
                    inputs: dense.inputs,
                    blocks: count..count + blocks,
                });
                count += blocks;
            }
            start += view.parameters.len();
        }
        if layers.len() > 1 {
            layers.pop();
        }
        let count = layers.last().map_or(0, |layer| layer.blocks.end);
        Mask { pruning, kept: vec![1.0; count], layers }
    }

    /// Returns 1 for each block that is kept, and 0 for others.
    pub fn kept(&self) -> &[f32] {
        &self.kept
    }

    /// Restores a saved mask. Returns `false` and changes nothing if it is not one of this network.
    pub fn load(&mut self, kept: &[f32]) -> bool {
        let fits = kept.len() == self.kept.len() && kept.iter().all(|&k| k == 0.0 || k == 1.0);
        if fits {
            self.kept.copy_from_slice(kept);
        }
        fits
    }

    /// Prunes more blocks after step `step` of `steps`, counted from 1, if the schedule has it: in
    /// each layer those with the smallest mean magnitude, the first of equal ones.
    pub fn tighten(&mut self, parameters: &[f32], step: usize, steps: usize) {
        let Some(sparsity) = self.pruning.sparsity(step, steps) else { return };
        for layer in &self.layers {
            let kept = &mut self.kept[layer.blocks.clone()];
            let mut blocks: Vec<(f32, usize)> = (layer.blocks().zip(&*kept).enumerate())
                .map(|(index, (block, &kept))| {
                    let count = block.len() as f32;
                    let sum: f32 = parameters[block].iter().map(|weight| weight.abs()).sum();
                    // What is pruned stays so.
                    (if kept == 0.0 { -1.0 } else { sum / count }, index)
                })
                .collect();
            let count = (sparsity * blocks.len() as f64).round() as usize;
            let order = |a: &(f32, usize), b: &(f32, usize)| match a.0.total_cmp(&b.0) {
                Ordering::Equal => a.1.cmp(&b.1),
                other => other,
            };
            if count > 0 && count <= blocks.len() {
                blocks.select_nth_unstable_by(count - 1, order);
                blocks[..count].iter().for_each(|&(_, index)| kept[index] = 0.0);
            }
        }
    }

    /// Sets the weights of all pruned blocks to zero.
    pub fn apply(&self, parameters: &mut [f32]) {
        for layer in &self.layers {
            for (block, &kept) in layer.blocks().zip(&self.kept[layer.blocks.clone()]) {
                if kept == 0.0 {
                    parameters[block].fill(0.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;

    const PRUNING: Pruning =
        Pruning { final_sparsity: 0.5, initial_sparsity: 0.1, begin: 0.1, end: 0.5, frequency: 10 };

    #[test]
    fn sparsity_follows_the_cube() {
        // From step 10 to step 50 of 100.
        assert_eq!(PRUNING.sparsity(9, 100), None);
        assert_eq!(PRUNING.sparsity(15, 100), None);
        let close = |step, expected: f64| {
            let found = PRUNING.sparsity(step, 100).unwrap();
            assert!((found - expected).abs() < 1e-15, "{step}: {found}");
        };
        close(10, 0.1);
        close(30, 0.5 - 0.4 / 8.0);
        close(50, 0.5);
        assert_eq!(PRUNING.sparsity(60, 100), None);
        // The end comes, whatever the frequency.
        let odd = Pruning { frequency: 7, ..PRUNING };
        assert_eq!(odd.sparsity(50, 100), Some(0.5));
    }

    #[test]
    fn the_smallest_blocks_go_and_stay_gone() {
        // Two rows of six columns: blocks of 4 and 2. The last layer stays.
        let dense = |units| LayerSpec::Dense(DenseSpec::new(units, Activation::Relu));
        let layers = [dense(2), dense(1)];
        let mut network = Network::<f32>::new(6, &layers, 1).unwrap();
        let weights = [5.0, 5.0, -5.0, 5.0, 1.0, -3.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0];
        let parameters = network.parameters_mut();
        parameters.fill(0.125);
        parameters[..12].copy_from_slice(&weights);
        let mut mask = Mask::new(&network, PRUNING);
        assert_eq!(mask.kept(), [1.0; 4]);
        mask.tighten(network.parameters(), 50, 100);
        // Mean magnitudes 5, 2, 1, 9.
        assert_eq!(mask.kept(), [1.0, 0.0, 0.0, 1.0]);
        mask.apply(network.parameters_mut());
        let expected = [5.0, 5.0, -5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0];
        assert_eq!(network.parameters()[..12], expected);
        assert!(network.parameters()[12..].iter().all(|&p| p == 0.125));
        // Pruned blocks stay so, even if others are smaller now.
        network.parameters_mut()[..12].fill(0.0);
        network.parameters_mut()[4] = 100.0;
        mask.tighten(network.parameters(), 50, 100);
        assert_eq!(mask.kept(), [1.0, 0.0, 0.0, 1.0]);
        assert!(!mask.load(&[1.0; 3]) && !mask.load(&[0.5; 4]) && mask.load(&[1.0; 4]));
    }

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        assert_eq!(PRUNING.problem(), None);
        let back = Pruning { begin: 0.7, ..PRUNING };
        assert!(back.problem().unwrap().contains("begin = 0.7 is after end = 0.5"));
        let less = Pruning { initial_sparsity: 0.6, ..PRUNING };
        assert!(less.problem().unwrap().contains("is above final_sparsity"));
    }
}
