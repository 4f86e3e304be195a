//! Calibration range of logits by cross-entropy: Nagel et al., *A white paper on neural network
//! quantization*, 2021 (<https://arxiv.org/abs/2106.08295>), section 3.1, "cross entropy".

use model_format::DataType;
use rayon::prelude::*;
use thimble_data::Subset;
use thimble_network::grid::Range;
use thimble_network::{Head, Network, Objective};
use thimble_numeric::threads::Threads;

use super::center_logits::linear_end;
use super::cross_entropy::{LeastCost, LogitRows};
use crate::evaluate::over_chunks;

/// Maximum number of logits for calibration, from rows at regular intervals.
const LOGITS: usize = 1 << 17;

/// Number of candidates per end of the range.
const SHARES: i32 = 64;

/// Every n-th candidate is computed first.
const FIRST: i32 = 8;

/// Rounds of coordinate descent: each chooses one end with the other fixed, then the other.
const ROUNDS: usize = 2;

/// Returns `true` if a model of this network has int8 logits, whose range clips improbable classes.
pub fn clips_logits(network: &Network<f32>, objective: Objective, data_type: DataType) -> bool {
    objective.scoring_head() == Head::Softmax
        && data_type == DataType::Int8
        && linear_end(network).is_some()
}

/// Returns the range of int8 logits with the least cross-entropy between the float network's
/// probabilities and those of the quantized logits.
///
/// Most of the distance from the smallest to the largest logit is irrelevant, because it only makes
/// an improbable class more improbable. Clipping such logits leaves finer steps to the logits that
/// distinguish classes.
pub(super) fn logit_range(network: &Network<f32>, train: &Subset, threads: &Threads) -> Range {
    let width = network.outputs();
    let every = (train.len() * width).div_ceil(LOGITS).max(1);
    let chosen = |start: usize, rows: usize| {
        (0..rows).filter(move |row| (start + row).is_multiple_of(every))
    };
    let parts = over_chunks(network, train, threads, |tape, start, rows| {
        let outputs = tape.outputs(rows);
        let row = |row: usize| outputs[row * width..][..width].iter().copied();
        chosen(start, rows).flat_map(row).collect::<Vec<f32>>()
    });
    let logits = parts.concat();
    threads.install(|| min_cross_entropy(&logits, width))
}

/// # Shapes
/// `logits`: rows × `width`.
fn min_cross_entropy(logits: &[f32], width: usize) -> Range {
    let mut all = Range::ZERO;
    logits.iter().for_each(|&logit| all.include(logit));
    let rows = LogitRows::new(logits, width, all);
    let mut best = all;
    let least = LeastCost::default();
    let choose = |range: &(dyn Fn(f32) -> Range + Sync)| -> Range {
        let cost = |&step: &i32| {
            let range = range(step as f32 / SHARES as f32);
            (rows.cross_entropy(range, &least), step, range)
        };
        // Some shares first: the least of their costs ends the computation of others early.
        let (mut first, mut others) = (Vec::new(), Vec::new());
        (1..=SHARES).for_each(|step| match step % FIRST {
            0 => first.push(step),
            _ => others.push(step),
        });
        let mut candidates: Vec<(f64, i32, Range)> = first.par_iter().map(cost).collect();
        candidates.par_extend(others.par_iter().map(cost));
        // The widest of equally good ranges.
        let least = candidates.into_iter().min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        least.map_or(all, |(_, _, range)| range)
    };
    rows.cross_entropy(all, &least);
    // The fixed ends of the last choices. The same end again would give the same choice again.
    let mut fixed = (None, None);
    for _ in 0..ROUNDS {
        if fixed.0.replace(best.low()) != Some(best.low()) {
            best = choose(&|share| Range::new(best.low(), all.high() * share));
        }
        if fixed.1.replace(best.high()) != Some(best.high()) {
            best = choose(&|share| Range::new(all.low() * share, best.high()));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn min_max(logits: &[f32]) -> Range {
        let mut range = Range::ZERO;
        logits.iter().for_each(|&logit| range.include(logit));
        range
    }

    /// Quantizes a logit to 8 bits of a range and back.
    fn rounded(logit: f32, range: Range) -> f32 {
        let q = range.quantization();
        let nearest = (logit / q.scale).round() + q.zero_point as f32;
        q.dequantize(nearest.clamp(-128.0, 127.0) as i16)
    }

    /// From −1 to 1, without a pattern that a step could fit.
    fn random(index: usize) -> f32 {
        ((index * 7919 + 13) % 1009) as f32 / 504.0 - 1.0
    }

    #[test]
    fn what_is_improbable_in_any_case_is_clipped() {
        // Two classes that are close, and one that is far below both, farther in some rows.
        let row =
            |row: usize| [2.0 * random(row), 2.0 * random(row + 500), -60.0 + 30.0 * random(row)];
        let logits: Vec<f32> = (0..500).flat_map(row).collect();
        let range = min_cross_entropy(&logits, 3);
        assert!(range.low() > -20.0 && range.low() < -2.0, "{range:?}");
        assert!(range.high() > 1.7, "{range:?}");
    }

    #[test]
    fn a_class_that_is_certain_may_be_clipped_too_but_stays_the_largest() {
        let mut logits: Vec<f32> = (0..3000).map(random).collect();
        logits.extend([60.0, 0.0, -60.0]);
        let range = min_cross_entropy(&logits, 3);
        assert!(range.high() < 30.0 && range.high() > 0.9, "{range:?}");
        assert!(rounded(60.0, range) > rounded(0.0, range) + 5.0, "{range:?}");
    }

    #[test]
    fn no_range_is_worse_than_all_that_was_seen() {
        for width in [1, 2, 5, 10] {
            let logits: Vec<f32> = (0..width * 100).map(|index| 9.0 * random(index)).collect();
            let rows = LogitRows::new(&logits, width, min_max(&logits));
            let cost = |range| rows.cross_entropy(range, &LeastCost::default());
            let range = min_cross_entropy(&logits, width);
            assert!(cost(range) <= cost(min_max(&logits)), "{width}: {range:?}");
        }
    }

    /// The choice of [`min_cross_entropy`], with the cost of every range computed to the end.
    fn exhaustive(logits: &[f32], width: usize) -> Range {
        let all = min_max(logits);
        let rows = LogitRows::new(logits, width, all);
        let choose = |range: &dyn Fn(f32) -> Range| {
            let costs = (1..=SHARES).map(|step| {
                let range = range(step as f32 / SHARES as f32);
                (rows.cross_entropy(range, &LeastCost::default()), step, range)
            });
            costs.min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).unwrap().2
        };
        let mut best = all;
        for _ in 0..ROUNDS {
            best = choose(&|share| Range::new(best.low(), all.high() * share));
            best = choose(&|share| Range::new(all.low() * share, best.high()));
        }
        best
    }

    #[test]
    fn giving_ranges_up_early_changes_no_choice() {
        // Thousands of rows: many looks at the least cost, in which rows that follow count.
        for (width, rows) in [(2, 3000), (3, 4100), (10, 2000)] {
            for spread in [3.0, 12.0] {
                // Some logits are far off.
                let logit = |index: usize| {
                    let far = if index.is_multiple_of(17) { 4.0 } else { 1.0 };
                    spread * far * random(index * index % 100_003)
                };
                let logits: Vec<f32> = (0..width * rows).map(logit).collect();
                let (found, expected) =
                    (min_cross_entropy(&logits, width), exhaustive(&logits, width));
                assert_eq!(found, expected, "{width} × {rows}, ±{spread}");
                assert_ne!(found, min_max(&logits), "{width} × {rows}, ±{spread}");
            }
        }
    }

    #[test]
    fn logits_that_are_all_zero_have_a_range() {
        assert_eq!(min_cross_entropy(&[0.0; 30], 10), Range::ZERO);
        assert_eq!(min_cross_entropy(&[], 10), Range::ZERO);
    }
}
