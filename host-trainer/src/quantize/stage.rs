//! The range of each feature, by what the first layer's outputs lose.

use ndarray::Array2;
use rayon::prelude::*;

use crate::data::{Shift, Stage, Subset};
use crate::network::{Dense, Layer, Network};
use crate::train::Threads;

/// Training rows that ranges are chosen by, at most, spread over all.
const ROWS: usize = 8192;

/// Shares of the rows that may lie beyond each end of a range, of which the best pair is taken.
const CLIPPED: [f64; 8] = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05];

/// Times that all features are gone through, each with the others as they were found.
const ROUNDS: usize = 2;

/// The weights of a row have this many steps from zero to the largest.
const WEIGHT_STEPS: f64 = 127.0;

/// The input stage of a quantized model, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenStage {
    /// The stage.
    pub stage: Stage,
    /// Of a million training rows, those that lie beyond the range of each feature.
    pub clipped: Vec<u32>,
    /// By how much rounding and clipping of each feature move the first layer's outputs: the mean of
    /// √|error|, to compare features with each other.
    pub losses: Vec<f64>,
}

/// A range of a feature, in what the network was trained on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    fn width(self) -> f64 {
        self.high - self.low
    }

    /// How far a value is moved by clipping.
    fn beyond(self, value: f64) -> f64 {
        (self.low - value).max(value - self.high).max(0.0)
    }
}

/// Chooses the range of each feature of a network for an input of `steps` steps, and returns the
/// stage with the network that computes the same behind it.
///
/// Narrow ranges clip, wide ones round coarsely, and a wide range of one feature makes its weights
/// large, which leaves few steps to the others' in the same row. Each feature takes the range for
/// which the outputs of the first layer lose least: the mean over the rows of √|error|. Squared
/// errors would be ruled by the few rows in the tail of a heavy-tailed feature, which keep their
/// distance then, while all other rows share a handful of steps.
///
/// # Shapes
/// The first layer of `network` is dense, and takes rows of `train` as [`Subset::gather`] gives them.
pub fn choose_stage(
    network: &Network<f32>,
    train: &Subset,
    steps: f64,
    threads: &Threads,
) -> Option<(ChosenStage, Network<f32>)> {
    let first = network.layers().next()?;
    let Layer::Dense(dense) = first.layer else { return None };
    let (weights, _) = dense.view(first.parameters);
    let rows = sample(train);
    let columns: Vec<Vec<f64>> = threads.install(|| {
        let sorted = |column: usize| {
            let mut values = rows.column(column).to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        (0..dense.inputs).into_par_iter().map(sorted).collect()
    });
    let weights = weights.mapv(f64::from);
    let chooser = Chooser {
        columns: &columns,
        weights: &weights,
        energies: (0..dense.inputs).map(|k| weights.column(k).dot(&weights.column(k))).collect(),
        steps,
    };
    let intervals = threads.install(|| chooser.choose());
    let losses = (0..dense.inputs).map(|k| chooser.loss(k, intervals[k], 0.0)).collect();
    let clipped = columns.iter().zip(&intervals).map(|(column, interval)| {
        let half_step = interval.width() / steps / 2.0;
        let count = column.iter().filter(|value| interval.beyond(**value) > half_step).count();
        (count as f64 / column.len() as f64 * 1e6).round() as u32
    });
    let clipped = clipped.collect();
    let stage = stage(train, &intervals);
    let staged = behind(network, dense, &intervals);
    Some((ChosenStage { stage, clipped, losses }, staged))
}

/// Rows spread over all training rows, as the network sees them. Shape: rows × features.
fn sample(train: &Subset) -> Array2<f64> {
    let count = ROWS.min(train.len());
    let mut rows = Array2::zeros((count, train.dataset().width()));
    for (index, mut row) in rows.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            train.gather(index * train.len() / count, Shift::NONE, row);
        }
    }
    rows
}

struct Chooser<'a> {
    /// The values of each feature, sorted.
    columns: &'a [Vec<f64>],
    /// Of the first layer. Shape: outputs × inputs.
    weights: &'a Array2<f64>,
    /// Σ w² of each input.
    energies: Vec<f64>,
    steps: f64,
}

impl Chooser<'_> {
    fn choose(&self) -> Vec<Interval> {
        let features = 0..self.columns.len();
        let candidates: Vec<Vec<Interval>> =
            features.clone().into_par_iter().map(|k| self.candidates(k)).collect();
        // First as if weights were exact, then with what the weights of all others leave.
        let mut chosen: Vec<Interval> = features
            .clone()
            .into_par_iter()
            .map(|k| best(&candidates[k], |interval| self.loss(k, interval, 0.0)))
            .collect();
        for _ in 0..ROUNDS {
            for k in features.clone() {
                if let [_] = candidates[k].as_slice() {
                    continue;
                }
                let others = self.largest_without(k, &chosen);
                let energy = self.input_energy(&chosen);
                let column = self.weights.column(k);
                // The squared error of weights: each row's are rounded to steps of its largest.
                let weight_error = |interval: Interval| {
                    let squares = others.iter().zip(column).map(|(other, weight)| {
                        let largest = other.max(weight.abs() * interval.width() / 2.0);
                        (largest / WEIGHT_STEPS).powi(2) / 12.0
                    });
                    squares.sum::<f64>() * energy
                };
                chosen[k] =
                    best(&candidates[k], |interval| self.loss(k, interval, weight_error(interval)));
            }
        }
        chosen
    }

    /// The ranges of a feature that differ.
    fn candidates(&self, feature: usize) -> Vec<Interval> {
        let column = &self.columns[feature];
        let last = column.len() - 1;
        let mut skipped: Vec<usize> =
            CLIPPED.iter().map(|share| (share * column.len() as f64) as usize).collect();
        skipped.dedup();
        let mut found: Vec<Interval> = Vec::new();
        for &below in &skipped {
            for &above in &skipped {
                let (low, high) = (column[below.min(last)], column[last - above.min(last)]);
                let interval = Interval { low: low.min(high), high: high.max(low) };
                // A range of nothing ignores the feature: only what never changes.
                let is_empty = interval.width() <= 0.0 && column[0] < column[last];
                if !is_empty && !found.contains(&interval) {
                    found.push(interval);
                }
            }
        }
        found
    }

    /// The mean over the rows of √|error| of the first layer's sums: what rounding and clipping of a
    /// feature do to them, together with an error of other causes that has this square.
    fn loss(&self, feature: usize, interval: Interval, other: f64) -> f64 {
        let column = &self.columns[feature];
        let energy = self.energies[feature];
        let rounding = energy * (interval.width() / self.steps).powi(2) / 12.0 + other;
        let root = |square: f64| square.sqrt().sqrt();
        let start = column.partition_point(|value| *value < interval.low);
        let end = column.partition_point(|value| *value <= interval.high);
        let clipped = column[..start].iter().chain(&column[end.max(start)..]);
        let outside: f64 =
            clipped.map(|value| root(energy * interval.beyond(*value).powi(2) + rounding)).sum();
        let inside = end.saturating_sub(start) as f64 * root(rounding);
        (outside + inside) / column.len() as f64
    }

    /// The largest weight of each row behind the stage, but for those of a feature.
    fn largest_without(&self, feature: usize, chosen: &[Interval]) -> Vec<f64> {
        let largest = |row: ndarray::ArrayView1<'_, f64>| {
            let others = row.iter().zip(chosen).enumerate().filter(|(k, _)| *k != feature);
            others.fold(0.0_f64, |most, (_, (w, interval))| {
                most.max(w.abs() * interval.width() / 2.0)
            })
        };
        self.weights.rows().into_iter().map(largest).collect()
    }

    /// The mean of Σ v² over what the first layer sees, v in −1..=1.
    fn input_energy(&self, chosen: &[Interval]) -> f64 {
        let of = |(column, interval): (&Vec<f64>, &Interval)| {
            let half = interval.width() / 2.0;
            if half <= 0.0 {
                return 0.0;
            }
            let middle = (interval.low + interval.high) / 2.0;
            // A few dozen values are enough for a mean of squares of sorted ones.
            let every = column.len().div_ceil(64);
            let seen = column.iter().step_by(every);
            let squares = seen.clone().map(|x| ((x - middle) / half).clamp(-1.0, 1.0).powi(2));
            squares.sum::<f64>() / seen.count() as f64
        };
        self.columns.iter().zip(chosen).map(of).sum()
    }
}

/// The candidate that loses least, the first of equal ones.
fn best(candidates: &[Interval], loss: impl Fn(Interval) -> f64) -> Interval {
    let losses = candidates.iter().map(|interval| (*interval, loss(*interval)));
    let least = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    least.map_or(Interval { low: 0.0, high: 0.0 }, |(interval, _)| interval)
}

/// The stage in the features' own units, from ranges in what the network was trained on.
fn stage(train: &Subset, intervals: &[Interval]) -> Stage {
    let scaling = train.scaling();
    let ends = intervals.iter().enumerate().map(|(feature, interval)| {
        let (offset, factor) = scaling.map_or((0.0, 1.0), |scaling| {
            (f64::from(scaling.offsets[feature]), f64::from(scaling.factors[feature]))
        });
        let middle = (interval.low + interval.high) / 2.0;
        let half = interval.width() / 2.0;
        if half <= 0.0 || factor == 0.0 {
            return (offset as f32, 0.0);
        }
        ((offset + middle / factor) as f32, (factor / half) as f32)
    });
    let (offsets, factors) = ends.unzip();
    Stage { offsets, factors }
}

/// The network that computes from staged rows what this one computes from the rows themselves.
fn behind(network: &Network<f32>, dense: &Dense, intervals: &[Interval]) -> Network<f32> {
    let mut network = network.clone();
    let parameters = &mut network.parameters_mut()[..dense.parameter_count()];
    let (weights, biases) = parameters.split_at_mut(dense.inputs * dense.outputs);
    for (row, bias) in weights.chunks_exact_mut(dense.inputs).zip(biases) {
        let mut moved = f64::from(*bias);
        for (weight, interval) in row.iter_mut().zip(intervals) {
            moved += f64::from(*weight) * (interval.low + interval.high) / 2.0;
            *weight = (f64::from(*weight) * interval.width() / 2.0) as f32;
        }
        *bias = moved as f32;
    }
    network
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use super::*;
    use crate::data::{Dataset, Features, Labels, Scaling, ScalingMethod};
    use crate::network::{Activation, DenseSpec, LayerSpec, Tape};

    /// Rows of these columns, standardized or not.
    fn rows(columns: &[Vec<f32>], method: ScalingMethod) -> Subset {
        let count = columns[0].len();
        let values = Array2::from_shape_fn((count, columns.len()), |(row, k)| columns[k][row]);
        let indices = (0..count).map(|row| (row % 2) as u16).collect();
        let labels = Labels { indices, names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![columns.len()], Features::Reals(values), labels);
        let subset = Subset::all(Arc::new(dataset.unwrap()));
        let scaling = Scaling::fit(method, &subset).map(Arc::new);
        subset.scaled(scaling)
    }

    /// Values of a bell curve, by adding up twelve even ones.
    fn bell(count: usize, mean: f32, deviation: f32, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut even = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut one = || (0..12).map(|_| even()).sum::<f32>() - 6.0;
        (0..count).map(|_| mean + deviation * one()).collect()
    }

    fn network(inputs: usize) -> Network<f32> {
        let layer = |units| LayerSpec::Dense(DenseSpec::new(units, Activation::Linear));
        Network::new(inputs, &[layer(8)], 5).unwrap()
    }

    fn chosen(rows: &Subset) -> (ChosenStage, Network<f32>) {
        let threads = Threads::new(NonZero::new(2)).unwrap();
        choose_stage(&network(rows.dataset().width()), rows, 254.0, &threads).unwrap()
    }

    #[test]
    fn a_network_behind_its_stage_computes_the_same() {
        let columns = [bell(500, 101_325.0, 120.0, 1), bell(500, 0.0, 1e-3, 2)];
        let rows = rows(&columns, ScalingMethod::Standard);
        let (found, staged) = chosen(&rows);
        let plain = network(2);
        let staged_rows = rows.clone().staged(Some(Arc::new(found.stage.clone())));
        let mut tapes = [(&plain, &rows), (&staged, &staged_rows)].map(|(network, rows)| {
            let mut tape = Tape::forward_only(network, rows.len());
            for (row, out) in tape.input_mut(rows.len()).chunks_exact_mut(2).enumerate() {
                rows.gather(row, Shift::NONE, out);
            }
            tape.forward(network, rows.len());
            tape.outputs(rows.len()).to_vec()
        });
        let [expected, outputs] = &mut tapes;
        let spread = expected.iter().fold(0.0_f32, |most, y| most.max(y.abs()));
        for (a, b) in expected.iter().zip(outputs) {
            // An f32 near 101,325 has steps of 1/128, 6.5e-5 of the deviation of 120.
            assert!((a - *b).abs() < 3e-4 * spread, "{a} {b}");
        }
    }

    #[test]
    fn each_feature_has_its_own_range() {
        let columns = [bell(2000, 1000.0, 300.0, 1), bell(2000, 0.0, 0.3, 2)];
        let (found, _) = chosen(&rows(&columns, ScalingMethod::None));
        let widths: Vec<f32> = found.stage.factors.iter().map(|factor| 2.0 / factor).collect();
        // Some deviations on each side, whatever the unit.
        assert!((1200.0..2700.0).contains(&widths[0]), "{widths:?}");
        assert!((1.2..2.7).contains(&widths[1]), "{widths:?}");
    }

    #[test]
    fn rare_outliers_are_clipped_and_counted() {
        let mut glitches = bell(4000, 20.0, 2.0, 1);
        for row in (7..4000).step_by(1000) {
            glitches[row] = 20_000.0;
        }
        let columns = [glitches, bell(4000, 0.0, 1.0, 2)];
        let (found, _) = chosen(&rows(&columns, ScalingMethod::None));
        let width = 2.0 / found.stage.factors[0];
        assert!(width < 30.0, "{width}");
        assert!((1000..5000).contains(&found.clipped[0]), "{:?}", found.clipped);
    }

    #[test]
    fn what_never_changes_is_ignored() {
        let columns = [vec![1_234_567.0; 50], bell(50, 0.0, 1.0, 2)];
        let (found, _) = chosen(&rows(&columns, ScalingMethod::Standard));
        assert_eq!(found.stage.factors[0], 0.0);
        assert!(found.stage.factors[1] > 0.0);
    }
}
