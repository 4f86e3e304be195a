//! Input ranges: chooses the range of each feature by the error of the first layer's outputs.

use model_format::DataType;
use ndarray::Array2;
use rayon::prelude::*;
use thimble_data::{Features, Shift, Stage, Subset};
use thimble_network::{Dense, InputRanges, Layer, Network};
use thimble_numeric::threads::Threads;

use super::prepare::{half_steps, takes_pixels};

/// Maximum number of training rows for the choice, at regular intervals.
const ROWS: usize = 8192;

/// Candidate clipping rates at each end of a range.
const CLIPPED: [f64; 8] = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05];

/// Rounds of coordinate descent over all features.
const ROUNDS: usize = 2;

/// Steps of a row's weights from zero to the largest.
const WEIGHT_STEPS: f64 = 127.0;

/// The input stage of a quantized model, with its clipping rates and errors.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenStage {
    /// The stage.
    pub stage: Stage,
    /// Clipping rate of each feature in parts per million of the training rows.
    pub clipped: Vec<u32>,
    /// Error of rounding and clipping per feature, from 0 to 1: the mean over the rows of e / (e +
    /// t).
    pub losses: Vec<f64>,
}

/// A range of a feature, in the units of the network's inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    fn width(self) -> f64 {
        self.high - self.low
    }

    /// Returns the clipping error of a value.
    fn beyond(self, value: f64) -> f64 {
        (self.low - value).max(value - self.high).max(0.0)
    }
}

/// Chooses the range of each feature for an input of `steps` steps. Returns the input stage and the
/// network that computes the same function after it.
///
/// Narrow ranges clip, and wide ranges round coarsely. A wide range also makes the feature's
/// weights large, which leaves few steps to the other weights of a row. Each feature has the range
/// with the least error of the first layer's sums. The error is the mean over the rows of e / (e +
/// t), with e the error of the sums by rounding and clipping the feature, and t their change by its
/// usual deviation from the median. The rounding error of the weights is added in the same form.
/// This error is bounded per row. Squared errors would be dominated by the few rows in the tail of
/// a heavy-tailed feature, and leave a handful of steps to all other rows.
///
/// # Shapes
/// The first layer of `network` is dense. Its inputs are rows of [`Subset::gather`].
pub fn choose_stage(
    network: &Network<f32>,
    train: &Subset,
    steps: f64,
    threads: &Threads,
) -> Option<(ChosenStage, Network<f32>)> {
    let dense = first_dense(network)?;
    let (weights, _) = dense.view(&network.parameters()[..dense.parameter_count()]);
    let columns = columns(train, threads);
    let weights = weights.mapv(f64::from);
    let chooser = Chooser::new(&columns, &weights, steps);
    let intervals = wide_enough(threads.install(|| chooser.choose()), train, steps);
    Some(with_intervals(network, &dense, train, &chooser, &intervals))
}

/// Returns the ranges of the input features for quantization-aware training, which is to fit the
/// weights to them: those for equal weights of all features, relative to their usual deviations.
/// `None` for pixels, which are exact.
pub(crate) fn input_ranges(
    train: &Subset,
    data_type: DataType,
    threads: &Threads,
) -> Option<InputRanges> {
    if takes_pixels(train) {
        return None;
    }
    let steps = 2.0 * half_steps(data_type);
    let columns = columns(train, threads);
    let weight = |column: &Vec<f64>| match usual_deviation(column) {
        usual if usual > 0.0 => 1.0 / usual,
        _ => 0.0,
    };
    let weights: Vec<f64> = columns.iter().map(weight).collect();
    let weights = Array2::from_shape_vec((1, columns.len()), weights).ok()?;
    let chooser = Chooser::new(&columns, &weights, steps);
    let intervals = wide_enough(threads.install(|| chooser.choose()), train, steps);
    let middle = |interval: &Interval| ((interval.low + interval.high) / 2.0) as f32;
    Some(InputRanges {
        middles: intervals.iter().map(middle).collect(),
        halves: intervals.iter().map(|interval| (interval.width() / 2.0) as f32).collect(),
    })
}

/// Returns the input stage with these ranges, and the network that computes the same function after
/// it.
///
/// # Shapes
/// As [`choose_stage`]; one range per feature.
pub(super) fn given_stage(
    network: &Network<f32>,
    train: &Subset,
    ranges: &InputRanges,
    steps: f64,
    threads: &Threads,
) -> Option<(ChosenStage, Network<f32>)> {
    let dense = first_dense(network)?;
    let (weights, _) = dense.view(&network.parameters()[..dense.parameter_count()]);
    let columns = columns(train, threads);
    let weights = weights.mapv(f64::from);
    let chooser = Chooser::new(&columns, &weights, steps);
    let ends = ranges.middles.iter().zip(&ranges.halves);
    let intervals: Vec<Interval> = ends
        .map(|(&middle, &half)| (f64::from(middle), f64::from(half)))
        .map(|(middle, half)| Interval { low: middle - half, high: middle + half })
        .collect();
    Some(with_intervals(network, &dense, train, &chooser, &intervals))
}

fn first_dense(network: &Network<f32>) -> Option<Dense> {
    match network.layers().next()?.layer {
        Layer::Dense(dense) => Some(*dense),
        _ => None,
    }
}

/// Returns the values of each feature in a sample of rows, sorted.
fn columns(train: &Subset, threads: &Threads) -> Vec<Vec<f64>> {
    let rows = sample(train);
    let sorted = |column: usize| {
        let mut values = rows.column(column).to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    threads.install(|| (0..rows.ncols()).into_par_iter().map(sorted).collect())
}

/// Widens ranges that a channel of counts cannot represent.
fn wide_enough(mut intervals: Vec<Interval>, train: &Subset, steps: f64) -> Vec<Interval> {
    for (interval, least) in intervals.iter_mut().zip(min_widths(train, steps)) {
        // Skipped for a constant feature.
        if interval.width() > 0.0 && interval.width() < least {
            let middle = (interval.low + interval.high) / 2.0;
            *interval = Interval { low: middle - least / 2.0, high: middle + least / 2.0 };
        }
    }
    intervals
}

fn with_intervals(
    network: &Network<f32>,
    dense: &Dense,
    train: &Subset,
    chooser: &Chooser<'_>,
    intervals: &[Interval],
) -> (ChosenStage, Network<f32>) {
    let (columns, steps) = (chooser.columns, chooser.steps);
    let losses = (0..dense.inputs).map(|k| chooser.loss(k, intervals[k])).collect();
    let clipped = columns.iter().zip(intervals).map(|(column, interval)| {
        let half_step = interval.width() / steps / 2.0;
        let count = column.iter().filter(|value| interval.beyond(**value) > half_step).count();
        (count as f64 / column.len() as f64 * 1e6).round() as u32
    });
    let clipped = clipped.collect();
    let stage = stage(train, intervals);
    let staged = behind(network, dense, intervals);
    (ChosenStage { stage, clipped, losses }, staged)
}

/// Returns the narrowest range of each feature that a channel of counts can represent. Its
/// multiplier must stay below 2¹⁴ input steps per count.
fn min_widths(train: &Subset, steps: f64) -> Vec<f64> {
    let dataset = train.dataset();
    let slope = |feature: usize| match dataset.features() {
        Features::Counts { raw, .. } => raw[feature].slope().abs(),
        Features::Bytes { scale, .. } => f64::from(*scale),
        Features::Reals(_) => 0.0,
    };
    let factor = |feature: usize| train.scaling().map_or(1.0, |s| f64::from(s.factors[feature]));
    let most = f64::from(1 << 14) / 1.01;
    (0..dataset.width()).map(|k| slope(k) * factor(k) * steps / most).collect()
}

/// Returns training rows at regular intervals, as inputs of the network. Rows × features.
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

/// Returns the median absolute deviation of the values that differ from the median. If most values
/// are equal, the others carry the information.
fn usual_deviation(sorted: &[f64]) -> f64 {
    let median = sorted[sorted.len() / 2];
    let mut distances: Vec<f64> =
        sorted.iter().map(|value| (value - median).abs()).filter(|d| *d > 0.0).collect();
    if distances.is_empty() {
        return 0.0;
    }
    let middle = distances.len() / 2;
    *distances.select_nth_unstable_by(middle, f64::total_cmp).1
}

struct Chooser<'a> {
    /// The values of each feature, sorted.
    columns: &'a [Vec<f64>],
    /// Weights of the first layer, outputs × inputs.
    weights: &'a Array2<f64>,
    /// Σ w² of each input.
    energies: Vec<f64>,
    /// Usual deviation of each feature from its median.
    usual: Vec<f64>,
    steps: f64,
}

impl<'a> Chooser<'a> {
    fn new(columns: &'a [Vec<f64>], weights: &'a Array2<f64>, steps: f64) -> Self {
        let energy = |k: usize| weights.column(k).dot(&weights.column(k));
        Chooser {
            columns,
            weights,
            energies: (0..columns.len()).map(energy).collect(),
            usual: columns.iter().map(|column| usual_deviation(column)).collect(),
            steps,
        }
    }

    fn choose(&self) -> Vec<Interval> {
        let features = 0..self.columns.len();
        let candidates: Vec<Vec<Interval>> =
            features.clone().into_par_iter().map(|k| self.candidates(k)).collect();
        // First with exact weights, then with the rounding errors of all weights.
        let mut chosen: Vec<Interval> = features
            .clone()
            .into_par_iter()
            .map(|k| best(&candidates[k], |interval| self.loss(k, interval)))
            .collect();
        let total = self.total_deviation();
        for _ in 0..ROUNDS {
            for k in features.clone() {
                if let [_] = candidates[k].as_slice() {
                    continue;
                }
                let others = self.largest_without(k, &chosen);
                let energy = self.input_energy(&chosen);
                let column = self.weights.column(k);
                // Weights of a row are rounded to steps of the largest.
                let weight_loss = |interval: Interval| {
                    let squares = others.iter().zip(column).map(|(other, weight)| {
                        let largest = other.max(weight.abs() * interval.width() / 2.0);
                        (largest / WEIGHT_STEPS).powi(2) / 12.0
                    });
                    let error = (squares.sum::<f64>() * energy).sqrt();
                    error / (error + total)
                };
                chosen[k] =
                    best(&candidates[k], |interval| self.loss(k, interval) + weight_loss(interval));
            }
        }
        chosen
    }

    /// Returns the distinct candidate ranges of a feature.
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
                // An empty range ignores the feature, so only a constant one may have it.
                let is_empty = interval.width() <= 0.0 && column[0] < column[last];
                if !is_empty && !found.contains(&interval) {
                    found.push(interval);
                }
            }
        }
        found
    }

    /// Returns the mean over the rows of e / (e + t), with e the rounding and clipping error of a
    /// value, and t the usual deviation of the feature. The weights scale both by the same factor.
    fn loss(&self, feature: usize, interval: Interval) -> f64 {
        let column = &self.columns[feature];
        let usual = self.usual[feature];
        if usual <= 0.0 {
            return 0.0;
        }
        let rounding = interval.width() / self.steps / 4.0;
        let lost = |error: f64| error / (error + usual);
        let start = column.partition_point(|value| *value < interval.low);
        let end = column.partition_point(|value| *value <= interval.high).max(start);
        let clipped = column[..start].iter().chain(&column[end..]);
        let outside: f64 = clipped.map(|value| lost(interval.beyond(*value) + rounding)).sum();
        let inside = (end - start) as f64 * lost(rounding);
        (outside + inside) / column.len() as f64
    }

    /// Returns the mean change of the sums by the deviations of all features from their medians.
    fn total_deviation(&self) -> f64 {
        let square = |(column, energy): (&Vec<f64>, &f64)| {
            let median = column[column.len() / 2];
            let deviations = column.iter().map(|value| (value - median).abs());
            energy * (deviations.sum::<f64>() / column.len() as f64).powi(2)
        };
        let squares: f64 = self.columns.iter().zip(&self.energies).map(square).sum();
        squares.sqrt().max(f64::MIN_POSITIVE)
    }

    /// Returns the largest weight of each row after the input stage, without that of a feature.
    fn largest_without(&self, feature: usize, chosen: &[Interval]) -> Vec<f64> {
        let largest = |row: ndarray::ArrayView1<'_, f64>| {
            let others = row.iter().zip(chosen).enumerate().filter(|(k, _)| *k != feature);
            others.fold(0.0_f64, |most, (_, (w, interval))| {
                most.max(w.abs() * interval.width() / 2.0)
            })
        };
        self.weights.rows().into_iter().map(largest).collect()
    }

    /// Returns the mean of Σ v² over the inputs of the first layer, with v in −1..=1.
    fn input_energy(&self, chosen: &[Interval]) -> f64 {
        let of = |(column, interval): (&Vec<f64>, &Interval)| {
            let half = interval.width() / 2.0;
            if half <= 0.0 {
                return 0.0;
            }
            let middle = (interval.low + interval.high) / 2.0;
            // The values are sorted, so a few dozen of them suffice for the mean square.
            let every = column.len().div_ceil(64);
            let seen = column.iter().step_by(every);
            let squares = seen.clone().map(|x| ((x - middle) / half).clamp(-1.0, 1.0).powi(2));
            squares.sum::<f64>() / seen.count() as f64
        };
        self.columns.iter().zip(chosen).map(of).sum()
    }
}

/// Returns the candidate with the least error, the first of equal ones.
fn best(candidates: &[Interval], loss: impl Fn(Interval) -> f64) -> Interval {
    let losses = candidates.iter().map(|interval| (*interval, loss(*interval)));
    let least = losses.min_by(|a, b| a.1.total_cmp(&b.1));
    least.map_or(Interval { low: 0.0, high: 0.0 }, |(interval, _)| interval)
}

/// Returns the input stage in the features' own units.
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

/// Returns the network that computes the same function after the input stage.
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

    use thimble_data::{Dataset, Labels, ScalingMethod};
    use thimble_network::{Activation, DenseSpec, LayerSpec, Tape};

    use super::*;

    /// Rows of these columns, standardized or not.
    fn rows(columns: &[Vec<f32>], method: ScalingMethod) -> Subset {
        let count = columns[0].len();
        let values = Array2::from_shape_fn((count, columns.len()), |(row, k)| columns[k][row]);
        let indices = (0..count).map(|row| (row % 2) as u16).collect();
        let labels = Labels { indices, names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![columns.len()], Features::Reals(values), labels);
        let subset = Subset::all(Arc::new(dataset.unwrap()));
        let scaling = method.fit(&subset).map(Arc::new);
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
        let mut seen = [0.0_f32; 2];
        for (row, (a, b)) in expected.chunks(8).zip(outputs.chunks(8)).enumerate() {
            staged_rows.gather(row, Shift::NONE, &mut seen);
            // Clipped rows are moved.
            if seen.iter().all(|v| v.abs() < 1.0) {
                for (a, b) in a.iter().zip(b) {
                    // An f32 near 101,325 has steps of 1/128, 6.5e-5 of the deviation of 120.
                    assert!((a - b).abs() < 3e-4 * spread, "{a} {b}");
                }
            }
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
        // A bell curve has little to clip.
        assert!(found.clipped[1] <= 3000, "{:?}", found.clipped);
    }

    #[test]
    fn what_never_changes_is_ignored() {
        let columns = [vec![1_234_567.0; 50], bell(50, 0.0, 1.0, 2)];
        let (found, _) = chosen(&rows(&columns, ScalingMethod::Standard));
        assert_eq!(found.stage.factors[0], 0.0);
        assert!(found.stage.factors[1] > 0.0);
    }
}
