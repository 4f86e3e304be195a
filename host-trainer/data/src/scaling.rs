//! Feature scaling (min-max, standardization), fitted on the training split only.

use serde::{Deserialize, Serialize};

use thimble_numeric::scaling::Scaling;

use super::Subset;

/// Feature scaling method.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingMethod {
    /// No scaling. Bytes of images are divided by their largest value: 255, or 16 for the digits.
    #[default]
    None,
    /// Min-max scaling: each feature from 0 to 1 on the training split.
    MinMax,
    /// Standardization: each feature to mean 0 and variance 1 on the training split.
    Standard,
    /// Given offsets and factors, such as those of an imported network.
    Fixed(FixedScaling),
}

/// Scaling that is not fitted: (x − offset) · factor. One value of each per feature, or one for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedScaling {
    /// Offsets, subtracted first.
    pub offsets: Vec<f32>,
    /// Factors, applied after the offsets.
    pub factors: Vec<f32>,
}

impl FixedScaling {
    /// Creates the scaling, with one value for all features if all are equal.
    pub fn new(scaling: &Scaling) -> Self {
        let short = |values: &[f32]| match values.windows(2).all(|pair| pair[0] == pair[1]) {
            true => values.iter().take(1).copied().collect(),
            false => values.to_vec(),
        };
        FixedScaling { offsets: short(&scaling.offsets), factors: short(&scaling.factors) }
    }

    /// Returns the problem with this number of features, if there is one.
    pub fn problem(&self, features: usize) -> Option<String> {
        for (key, values) in [("offsets", &self.offsets), ("factors", &self.factors)] {
            if values.len() != 1 && values.len() != features {
                return Some(format!(
                    "{key} has {} values, but a row has {features} features: give one per feature, \
                     or one for all",
                    values.len()
                ));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Some(format!("{key} must be finite numbers"));
            }
        }
        None
    }

    /// Returns the scaling of this number of features.
    pub fn spread(&self, features: usize) -> Scaling {
        let each = |values: &[f32], default: f32| {
            let value = |at: usize| values.get(at).or(values.first()).copied().unwrap_or(default);
            (0..features).map(value).collect()
        };
        Scaling { offsets: each(&self.offsets, 0.0), factors: each(&self.factors, 1.0) }
    }
}

impl ScalingMethod {
    /// Fits the scaling to these rows, which should be the training split only. `None` for no
    /// scaling. A constant feature is only shifted.
    pub fn fit(&self, train: &Subset) -> Option<Scaling> {
        let spreads = match self {
            ScalingMethod::None => return None,
            ScalingMethod::Fixed(fixed) => return Some(fixed.spread(train.dataset().width())),
            ScalingMethod::MinMax | ScalingMethod::Standard => Spread::of(train),
        };
        let line = |spread: &Spread| {
            let (offset, width) = match self {
                ScalingMethod::MinMax => (spread.low, spread.high - spread.low),
                _ => (spread.mean, spread.deviation),
            };
            // A constant feature is 0 on all rows, as in scikit-learn.
            let factor = if spread.is_constant() { 1.0 } else { (1.0 / width) as f32 };
            (offset as f32, factor)
        };
        let (offsets, factors) = spreads.iter().map(line).unzip();
        Some(Scaling { offsets, factors })
    }
}

/// Range, mean and standard deviation of a feature over some rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub deviation: f64,
}

impl Spread {
    /// Computes the statistics of each feature before scaling by Welford's algorithm (B. P.
    /// Welford, *Note on a method for calculating corrected sums of squares and products*, 1962).
    /// It needs one pass, and is accurate if a mean is much larger than the deviation.
    pub fn of(rows: &Subset) -> Vec<Spread> {
        let width = rows.dataset().width();
        let mut row = vec![0.0_f64; width];
        let (mut means, mut squares) = (vec![0.0_f64; width], vec![0.0_f64; width]);
        let (mut lows, mut highs) = (vec![f64::INFINITY; width], vec![f64::NEG_INFINITY; width]);
        for position in 0..rows.len() {
            rows.gather_raw(position, &mut row);
            let share = 1.0 / (position + 1) as f64;
            let sums = means.iter_mut().zip(&mut squares);
            for ((&value, (mean, square)), (low, high)) in
                row.iter().zip(sums).zip(lows.iter_mut().zip(&mut highs))
            {
                let before = value - *mean;
                *mean += before * share;
                *square += before * (value - *mean);
                *low = if value < *low { value } else { *low };
                *high = if value > *high { value } else { *high };
            }
        }
        let count = rows.len().max(1) as f64;
        (0..width)
            .map(|feature| Spread {
                low: lows[feature],
                high: highs[feature],
                mean: means[feature],
                deviation: (squares[feature] / count).sqrt(),
            })
            .collect()
    }

    /// Returns `true` if the feature is constant in the precision of `f32`. The limit is relative
    /// to the largest magnitude, because values of 10⁻¹⁴ are valid data.
    pub fn is_constant(&self) -> bool {
        let magnitude = self.low.abs().max(self.high.abs());
        let least = magnitude * f64::from(f32::EPSILON);
        let is_flat = |width: f64| width <= least || !((1.0 / width) as f32).is_finite();
        is_flat(self.high - self.low) || is_flat(self.deviation)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{Array2, array};

    use super::*;
    use crate::{Dataset, Features, Labels, Shift};

    fn rows() -> Subset {
        // The last row is not a training row.
        let features = Features::Reals(array![[1.0, 5.0], [3.0, 5.0], [1e6, 1e6]]);
        let labels = Labels { indices: vec![0, 1, 0], names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![2], features, labels).unwrap();
        Subset::new(Arc::new(dataset), vec![0, 1])
    }

    #[test]
    fn training_rows_alone_decide() {
        assert_eq!(ScalingMethod::None.fit(&rows()), None);
        let min_max = ScalingMethod::MinMax.fit(&rows()).unwrap();
        assert_eq!(min_max, Scaling { offsets: vec![1.0, 5.0], factors: vec![0.5, 1.0] });
        let fixed = FixedScaling { offsets: vec![2.0], factors: vec![0.5, 0.25] };
        assert_eq!(fixed.problem(2), None);
        assert!(
            fixed.problem(3).is_some_and(|problem| problem.starts_with("factors has 2 values"))
        );
        let given = ScalingMethod::Fixed(fixed.clone()).fit(&rows()).unwrap();
        assert_eq!(given, Scaling { offsets: vec![2.0, 2.0], factors: vec![0.5, 0.25] });
        assert_eq!(FixedScaling::new(&given), fixed);
        let standard = ScalingMethod::Standard.fit(&rows()).unwrap();
        assert_eq!(standard, Scaling { offsets: vec![2.0, 5.0], factors: vec![1.0, 1.0] });
    }

    fn column(values: &[f32]) -> Subset {
        let rows = values.len();
        let features = Array2::from_shape_vec((rows, 1), values.to_vec()).unwrap();
        let indices = (0..rows).map(|row| (row % 2) as u16).collect();
        let labels = Labels { indices, names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![1], Features::Reals(features), labels).unwrap();
        Subset::all(Arc::new(dataset))
    }

    #[test]
    fn constant_is_relative_to_the_value() {
        for (values, is_constant) in [
            (vec![1_234_567.0; 400], true),
            (vec![0.1; 1000], true),
            (vec![0.0; 3], true),
            // One step of 32 bits in many rows is noise.
            ([vec![1_234_567.0; 999], vec![1_234_567.1]].concat(), true),
            (vec![3e-14, -7e-14, 1e-13, -2e-13], false),
            (vec![1e-30, 2e-30], false),
            // Their deviation has no reciprocal in 32 bits.
            (vec![1e-42, 2e-42], true),
            (vec![101_325.0, 101_445.0, 101_205.0], false),
            (vec![1.5e38, -1.5e38], false),
        ] {
            let rows = column(&values);
            assert_eq!(Spread::of(&rows)[0].is_constant(), is_constant, "{values:?}");
            for method in [ScalingMethod::Standard, ScalingMethod::MinMax] {
                let scaling = method.fit(&rows).map(Arc::new);
                let factor = scaling.as_ref().unwrap().factors[0];
                assert_eq!(factor == 1.0, is_constant, "{values:?}");
                let scaled = rows.clone().scaled(scaling);
                for position in 0..values.len() {
                    let mut out = [0.0_f32];
                    scaled.gather(position, Shift::NONE, &mut out);
                    assert!(out[0].abs() <= 2.0, "{values:?}: {}", out[0]);
                }
            }
        }
    }

    #[test]
    fn large_offsets_lose_nothing() {
        // 100,000 rows of 8,388,608 and the next number: a sum of squares would show nothing.
        let values: Vec<f32> = (0..100_000).map(|row| 8_388_608.0 + (row % 2) as f32).collect();
        let spread = Spread::of(&column(&values))[0];
        assert!((spread.deviation - 0.5).abs() < 1e-9, "{spread:?}");
        assert!((spread.mean - 8_388_608.5).abs() < 1e-6, "{spread:?}");
        assert_eq!((spread.low, spread.high), (8_388_608.0, 8_388_609.0));
    }

    #[test]
    fn rows_are_gathered_scaled() {
        let scaling = ScalingMethod::MinMax.fit(&rows()).map(Arc::new);
        let mut out = [0.0_f32; 2];
        rows().scaled(scaling).gather(1, Shift::NONE, &mut out);
        assert_eq!(out, [1.0, 0.0]);
    }
}
