//! Calibration: ranges of activations on training data, by min/max, percentile or MSE.

use std::sync::{Mutex, PoisonError};

use thimble_data::Subset;
use thimble_network::Network;
use thimble_network::grid::Range;
use thimble_numeric::threads::Threads;

use super::CalibrationMethod;
use crate::evaluate::over_chunks;

/// Histogram bins per range, far more than the 256 steps of int8.
const BINS: usize = 8192;

/// Calibration ranges of a network's activations.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Range of the input.
    pub input: Range,
    /// Range of the outputs of each layer.
    pub layers: Vec<Range>,
}

/// Runs the network on the rows, which should be training rows only, and chooses a range for the
/// input and for each layer's outputs.
pub fn calibrate(
    network: &Network<f32>,
    subset: &Subset,
    method: CalibrationMethod,
    threads: &Threads,
) -> Calibration {
    let count = network.layers().len() + 1;
    let parts = over_chunks(network, subset, threads, |tape, _, rows| {
        let range = |layer| {
            let mut range = Range::ZERO;
            tape.activation(layer, rows).iter().for_each(|&value| range.include(value));
            range
        };
        (0..count).map(range).collect::<Vec<Range>>()
    });
    let mut ranges = vec![Range::ZERO; count];
    for part in parts {
        ranges.iter_mut().zip(part).for_each(|(range, seen)| *range = range.union(seen));
    }
    if method != CalibrationMethod::MinMax {
        let none = || ranges.iter().map(|&range| Histogram::new(range)).collect::<Vec<_>>();
        // One set of histograms per thread, reused from chunk to chunk. One per chunk would need
        // more memory than the data. The order of summation does not change counts.
        let idle = Mutex::new(Vec::new());
        let idle_now = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        over_chunks(network, subset, threads, |tape, _, rows| {
            let mut histograms = idle_now().pop().unwrap_or_else(none);
            for (layer, histogram) in histograms.iter_mut().enumerate() {
                tape.activation(layer, rows).iter().for_each(|&v| histogram.add(v));
            }
            idle_now().push(histograms);
        });
        let mut histograms = none();
        for part in idle_now().drain(..) {
            histograms.iter_mut().zip(part).for_each(|(sum, seen)| sum.merge(&seen));
        }
        let choose = |histogram: &Histogram| match method {
            CalibrationMethod::MinMax => histogram.range,
            CalibrationMethod::Percentile(percentile) => histogram.central(percentile),
            CalibrationMethod::Mse => histogram.min_error(),
        };
        ranges = histograms.iter().map(choose).collect();
    }
    let layers = ranges.split_off(1);
    Calibration { input: ranges.first().copied().unwrap_or(Range::ZERO), layers }
}

/// Histogram of an activation's values.
struct Histogram {
    range: Range,
    counts: Vec<u64>,
}

impl Histogram {
    fn new(range: Range) -> Self {
        Histogram { range, counts: vec![0; BINS] }
    }

    fn width(&self) -> f64 {
        (f64::from(self.range.high()) - f64::from(self.range.low())) / BINS as f64
    }

    fn add(&mut self, value: f32) {
        let bin = (f64::from(value) - f64::from(self.range.low())) / self.width();
        // Saturates at both ends; NaN, from a range of width zero, falls into the first bin.
        self.counts[(bin as usize).min(BINS - 1)] += 1;
    }

    fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// Returns the range from the (100 − p)th to the pth percentile, rounded outward to a bin's
    /// border.
    fn central(&self, percentile: f64) -> Range {
        let total: u64 = self.counts.iter().sum();
        let clipped = (total as f64 * (1.0 - percentile / 100.0)).floor() as u64;
        let empty = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut below = 0;
            counts
                .take_while(|&&count| {
                    below += count;
                    below <= clipped
                })
                .count()
        };
        let (from_low, from_high) =
            (empty(&mut self.counts.iter()), empty(&mut self.counts.iter().rev()));
        let low = f64::from(self.range.low()) + from_low as f64 * self.width();
        let high = f64::from(self.range.high()) - from_high as f64 * self.width();
        Range::new(low as f32, high as f32)
    }

    /// Returns the range with the least squared error of 256 steps, Σ (x − q(x))². The rounding
    /// error of values inside is taken as scale² / 12.
    fn min_error(&self) -> Range {
        /// Number of candidates per end of the range.
        const TRIES: i32 = 64;
        let total: u64 = self.counts.iter().sum();
        let (low, high) = (f64::from(self.range.low()), f64::from(self.range.high()));
        let place = |bin: usize| low + (bin as f64 + 0.5) * self.width();
        // Squared error of clipping at this limit, for values on one side of it.
        let cost = |limit: f64, above: bool| -> f64 {
            let beyond = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            beyond
                .map(|(bin, &count)| (place(bin) - limit, count as f64))
                .filter(|(distance, _)| (*distance > 0.0) == above)
                .map(|(distance, count)| distance * distance * count)
                .sum()
        };
        let ends = |end: f64, above: bool| -> Vec<(f64, f64)> {
            if end == 0.0 {
                return vec![(0.0, 0.0)];
            }
            let shares = (1..=TRIES).map(|step| end * f64::from(step) / f64::from(TRIES));
            shares.map(|limit| (limit, cost(limit, above))).collect()
        };
        let (lows, highs) = (ends(low, false), ends(high, true));
        let mut best = (f64::INFINITY, self.range);
        for &(low, low_cost) in &lows {
            for &(high, high_cost) in &highs {
                let scale = (high - low) / 255.0;
                let error = low_cost + high_cost + total as f64 * scale * scale / 12.0;
                if error < best.0 {
                    best = (error, Range::new(low as f32, high as f32));
                }
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;
    use thimble_data::{Dataset, Features, Labels};
    use thimble_network::{Activation, DenseSpec, LayerSpec};

    use super::*;

    /// A network that gives its only input back, twice: as it is, and cut below zero.
    fn identity() -> Network<f32> {
        let layer = |activation| LayerSpec::Dense(DenseSpec::new(1, activation));
        let layers = [layer(Activation::Linear), layer(Activation::Relu)];
        let mut network = Network::new(1, &layers, 1).unwrap();
        network.parameters_mut().copy_from_slice(&[1.0, 0.0, 1.0, 0.0]);
        network
    }

    fn ranges(values: Vec<f32>, method: CalibrationMethod) -> Calibration {
        let rows = values.len();
        let values = Array2::from_shape_vec((rows, 1), values).unwrap();
        let labels = Labels { indices: vec![0; rows], names: vec!["a".into()] };
        let dataset = Dataset::new("d", vec![1], Features::Reals(values), labels).unwrap();
        let threads = Threads::new(std::num::NonZero::new(2)).unwrap();
        calibrate(&identity(), &Subset::all(Arc::new(dataset)), method, &threads)
    }

    #[test]
    fn min_max_sees_every_row() {
        let mut values = vec![0.5; 1000];
        values[3] = -2.0;
        values[997] = 3.0;
        let calibration = ranges(values, CalibrationMethod::MinMax);
        assert_eq!(calibration.input, Range::new(-2.0, 3.0));
        assert_eq!(calibration.layers, [Range::new(-2.0, 3.0), Range::new(0.0, 3.0)]);
    }

    #[test]
    fn a_percentile_clips_what_is_rare() {
        // 0, 1, …, 999, and one far outlier on each side.
        let mut values: Vec<f32> = (0..1000).map(|value| value as f32).collect();
        values.extend([-1e4, 1e4]);
        let clipped = ranges(values.clone(), CalibrationMethod::Percentile(99.8)).layers[0];
        let bin = 2e4 / BINS as f32;
        // Of 1002 values 2.004 may be clipped on each side: on the upper one 10000 and 999.
        assert!((clipped.high() - 998.0).abs() <= bin, "{clipped:?}");
        assert_eq!(clipped.low(), 0.0);
        let all = ranges(values, CalibrationMethod::Percentile(100.0)).layers[0];
        assert_eq!(all, Range::new(-1e4, 1e4));
    }

    #[test]
    fn the_least_error_clips_what_is_rare_and_nothing_else() {
        // Even values have nothing to clip.
        let even: Vec<f32> = (-500..=500).map(|value| value as f32 / 100.0).collect();
        let range = ranges(even.clone(), CalibrationMethod::Mse).layers[0];
        assert!(range.high() > 4.9 && range.low() < -4.9, "{range:?}");
        // One in 400,400, a little farther: clipping it costs 9, and steps for it, with a scale of
        // 13/255 in place of 10/255, 400,400 / 12 · 0.0011 = 35.
        let mut values: Vec<f32> = even.iter().copied().cycle().take(400_400).collect();
        values.push(8.0);
        let range = ranges(values, CalibrationMethod::Mse).layers[0];
        assert!(range.high() < 7.0 && range.high() > 4.9, "{range:?}");
        assert!(range.low() < -4.9, "{range:?}");
    }

    #[test]
    fn a_layer_that_gives_only_zero_has_a_range() {
        let calibration = ranges(vec![0.0; 10], CalibrationMethod::Percentile(99.0));
        assert_eq!(calibration.layers, [Range::ZERO, Range::ZERO]);
    }
}
