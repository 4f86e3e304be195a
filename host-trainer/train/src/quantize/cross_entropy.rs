//! Cross-entropy of quantized logits, for many ranges of the same rows.

use std::sync::atomic::{AtomicU64, Ordering};

use thimble_network::Head;
use thimble_network::grid::Range;
use thimble_numeric::vectorized::{Loop, vectorized};

/// Rows per vector: each is computed by itself, in the order of its classes.
const LANES: usize = 16;

/// Blocks between two looks at the least cost.
const BLOCKS: usize = 16;

/// One value of each row of a block.
type Lanes = [f32; LANES];

/// Float logits and probabilities of some rows, in blocks of [`LANES`] rows, class by class.
pub(super) struct LogitRows {
    width: usize,
    /// Blocks × classes: logits and probabilities. Both are 0 beyond the last row.
    values: Vec<[Lanes; 2]>,
    /// For each [`BLOCKS`] blocks, a lower bound of the cost of all rows behind them.
    behind: Vec<f64>,
}

/// The least cross-entropy so far of several ranges that are compared. A range is given up as soon as
/// it is certain to cost more.
pub(super) struct LeastCost(AtomicU64);

impl Default for LeastCost {
    fn default() -> Self {
        LeastCost(AtomicU64::new(f64::INFINITY.to_bits()))
    }
}

impl LeastCost {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Positive numbers are ordered as their bits are. NaN has greater bits than all of them.
    fn lower(&self, cost: f64) {
        self.0.fetch_min(cost.abs().to_bits(), Ordering::Relaxed);
    }
}

impl LogitRows {
    /// # Shapes
    /// `logits`: rows × `width`, within `all`, as all ranges of [`cross_entropy`](Self::cross_entropy).
    pub(super) fn new(logits: &[f32], width: usize, all: Range) -> Self {
        let mut probabilities = logits.to_vec();
        probabilities.chunks_exact_mut(width).for_each(|row| Head::Softmax.apply(row));
        let blocks = (logits.len() / width).div_ceil(LANES);
        let mut values = vec![[[0.0; LANES]; 2]; blocks * width];
        let rows = logits.chunks_exact(width).zip(probabilities.chunks_exact(width));
        for (row, (logits, probabilities)) in rows.enumerate() {
            let block = &mut values[row / LANES * width..][..width];
            for ((value, &logit), &p) in block.iter_mut().zip(logits).zip(probabilities) {
                (value[0][row % LANES], value[1][row % LANES]) = (logit, p);
            }
        }
        let spread = f64::from(all.high()) - f64::from(all.low());
        let chunks = probabilities.chunks(BLOCKS * LANES * width);
        let mut behind: Vec<f64> = chunks
            .map(|rows| rows.chunks_exact(width).map(|row| least_cross_entropy(row, spread)).sum())
            .collect();
        // From the costs of some rows to those of all rows behind them.
        let mut sum = 0.0;
        for cost in behind.iter_mut().rev() {
            sum += std::mem::replace(cost, sum);
        }
        LogitRows { width, values, behind }
    }

    /// Computes the cross-entropy Σ −p · ln softmax(q) over all rows, with q the logits quantized to
    /// int8 in this range, and p the float probabilities. Returns infinity for a range that costs more
    /// than `least`.
    pub(super) fn cross_entropy(&self, range: Range, least: &LeastCost) -> f64 {
        let quantization = range.quantization();
        let zero_point = quantization.zero_point as f32;
        let grid =
            Grid { scale: quantization.scale, low: -128.0 - zero_point, high: 127.0 - zero_point };
        let mut rounded = vec![[0.0; LANES]; self.width];
        let mut sum = 0.0;
        let chunks = self.values.chunks(BLOCKS * self.width).zip(&self.behind);
        for (blocks, behind) in chunks {
            sum = vectorized::<Add, _>((sum, blocks, grid, rounded.as_mut_slice()));
            if sum + behind > least.get() {
                return f64::INFINITY;
            }
        }
        least.lower(sum);
        sum
    }
}

/// Returns a number that the cross-entropy of a row, as it is computed for any range, is not below.
///
/// For n classes with S = Σ p, no distribution q makes Σ −p · ln q less than Σ −p · ln p + S · ln S
/// (Gibbs' inequality). Rounding to `f32` may make it less. Let u = 2⁻²⁴, and let A be the spread of
/// all logits, which bounds logits and their differences:
///
/// - Each exponential has a relative error of at most (A + 8) · u: its argument is rounded, and it is
///   taken to be exact to 4 units in the last place, which every C library surpasses.
/// - Their sum adds n · u, and its logarithm 8 · u · ln n.
/// - Adding the largest logit and subtracting a logit round twice, by (A + ln n) · u at most.
/// - So ln Σ e^z − z is off by (3 · A + 8 + 11 · n) · u at most, and so is its mean by the p.
/// - The products with p and their sum have a relative error of at most (n + 1) · u.
fn least_cross_entropy(probabilities: &[f32], spread: f64) -> f64 {
    let unit = f64::from(f32::EPSILON) / 2.0;
    let classes = probabilities.len() as f64;
    let entropy = |p: f64| if p > 0.0 { p * p.ln() } else { 0.0 };
    let all: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
    let terms: f64 = probabilities.iter().map(|&p| entropy(p.into())).sum();
    let least = (entropy(all) - terms) * (1.0 - (classes + 1.0) * unit);
    // A little more than 3, for the roundings of A itself.
    (least - (3.01 * spread + 8.0 + 11.0 * classes) * unit).max(0.0)
}

/// Steps of quantized logits.
#[derive(Clone, Copy)]
struct Grid {
    scale: f32,
    /// Smallest and largest number of steps.
    low: f32,
    high: f32,
}

/// Adds the cross-entropies of the rows of some blocks to a sum.
struct Add;

impl Loop<(f64, &[[Lanes; 2]], Grid, &mut [Lanes])> for Add {
    type Output = f64;

    #[inline(always)]
    fn run((sum, blocks, grid, rounded): (f64, &[[Lanes; 2]], Grid, &mut [Lanes])) -> f64 {
        let mut total = sum;
        for block in blocks.chunks_exact(rounded.len()) {
            let mut largest = [f32::NEG_INFINITY; LANES];
            for (rounded, [logits, _]) in rounded.iter_mut().zip(block) {
                for lane in 0..LANES {
                    rounded[lane] = round(logits[lane] / grid.scale, grid) * grid.scale;
                    largest[lane] = largest[lane].max(rounded[lane]);
                }
            }
            let mut sums = [0.0; LANES];
            for rounded in rounded.iter() {
                for lane in 0..LANES {
                    sums[lane] += exp(rounded[lane] - largest[lane]);
                }
            }
            let mut log_sums = largest;
            for lane in 0..LANES {
                log_sums[lane] += ln(sums[lane]);
            }
            let mut terms = [0.0; LANES];
            for (rounded, [_, probabilities]) in rounded.iter().zip(block) {
                for lane in 0..LANES {
                    terms[lane] += probabilities[lane] * (log_sums[lane] - rounded[lane]);
                }
            }
            // In the order of the rows, so that the sum does not depend on the number of lanes.
            terms.iter().for_each(|&term| total += f64::from(term));
        }
        total
    }
}

/// Rounds to the nearest step of the grid, ties away from zero.
#[inline(always)]
fn round(steps: f32, grid: Grid) -> f32 {
    let nearest = steps.round();
    // `clamp` would check its limits for every number.
    match (nearest < grid.low, nearest > grid.high) {
        (true, _) => grid.low,
        (_, true) => grid.high,
        _ => nearest,
    }
}

/// Computes e^x. The largest logit of each row has e⁰ = 1 without a call.
#[inline(always)]
fn exp(x: f32) -> f32 {
    if x == 0.0 { 1.0 } else { x.exp() }
}

/// Computes ln x. Rows with a certain class have ln 1 = 0 without a call.
#[inline(always)]
fn ln(x: f32) -> f32 {
    if x == 1.0 { 0.0 } else { x.ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, row by row.
    fn by_definition(logits: &[f32], width: usize, range: Range) -> f64 {
        let q = range.quantization();
        let (scale, zero_point) = (q.scale, q.zero_point as f32);
        let row = |logits: &[f32]| {
            let mut probabilities = logits.to_vec();
            Head::Softmax.apply(&mut probabilities);
            let round = |logit: &f32| {
                (logit / scale).round().clamp(-128.0 - zero_point, 127.0 - zero_point) * scale
            };
            let rounded: Vec<f32> = logits.iter().map(round).collect();
            let largest = rounded.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = rounded.iter().map(|&logit| (logit - largest).exp()).sum();
            let log_sum = largest + sum.ln();
            let terms = rounded.iter().zip(probabilities);
            f64::from(terms.map(|(&logit, p)| p * (log_sum - logit)).sum::<f32>())
        };
        logits.chunks_exact(width).map(row).sum()
    }

    #[test]
    fn blocks_of_rows_give_the_bits_of_the_definition() {
        // Beyond one look at the least cost, and no multiple of the lanes.
        for (width, rows) in [(1, 7), (2, 16), (3, 2500), (10, 33)] {
            let logit = |index: usize| ((index * 7919 + 13) % 1009) as f32 / 30.0 - 20.0;
            let logits: Vec<f32> = (0..width * rows).map(logit).collect();
            let all = LogitRows::new(&logits, width, Range::new(-20.0, 14.0));
            for (low, high) in [(-20.0, 14.0), (-3.0, 2.5), (0.0, 1.0)] {
                let range = Range::new(low, high);
                let found = all.cross_entropy(range, &LeastCost::default());
                let expected = by_definition(&logits, width, range);
                assert_eq!(found.to_bits(), expected.to_bits(), "{width} × {rows}: {low}, {high}");
            }
        }
    }

    #[test]
    fn no_row_costs_less_than_its_bound() {
        let (width, all) = (3, Range::new(-9.0, 9.0));
        let logit = |index: usize| ((index * 7919 + 13) % 1009) as f32 / 56.0 - 9.0;
        let mut close = 0;
        for row in 0..2000 {
            let logits: Vec<f32> = (0..width).map(|class| logit(row * width + class)).collect();
            let mut probabilities = logits.clone();
            Head::Softmax.apply(&mut probabilities);
            let bound = least_cross_entropy(&probabilities, 18.0);
            for share in [1.0, 0.7, 0.3] {
                let cost = by_definition(&logits, width, Range::new(-9.0 * share, 9.0 * share));
                assert!(cost >= bound, "{logits:?}: {cost} {bound}");
                close += usize::from(cost < bound * 1.01);
            }
        }
        assert!(close > 1000, "{close}");
        let rows = LogitRows::new(&[0.5, -0.5, 0.0, 0.0], 2, all);
        assert_eq!(rows.behind, [0.0], "no row is behind the only chunk");
    }

    #[test]
    fn a_range_that_costs_more_than_the_least_is_given_up() {
        let logits: Vec<f32> = (0..300).map(|index| (index % 7) as f32 - 3.0).collect();
        let rows = LogitRows::new(&logits, 3, Range::new(-3.0, 3.0));
        let least = LeastCost::default();
        let wide = rows.cross_entropy(Range::new(-3.0, 3.0), &least);
        assert!(wide.is_finite() && least.get() == wide);
        assert_eq!(rows.cross_entropy(Range::new(-0.1, 0.1), &least), f64::INFINITY);
        assert_eq!(rows.cross_entropy(Range::new(-3.0, 3.0), &least), wide);
    }
}
