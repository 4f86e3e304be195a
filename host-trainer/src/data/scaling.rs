//! Scaling of features, fitted on training rows alone.

use serde::{Deserialize, Serialize};

use super::Subset;

/// How features are scaled before the network sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingMethod {
    /// Not at all. Bytes of images are divided by what stands for full: 255, 16 for the digits.
    #[default]
    None,
    /// Each feature from its smallest value on the training rows, 0, to its largest, 1.
    MinMax,
    /// Each feature to mean 0 and variance 1 on the training rows.
    Standard,
}

/// What is done to each feature: (x − offset) · factor.
///
/// It is folded into the first dense layer of the model file, so that a device takes raw input.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Taken off each feature.
    pub offsets: Vec<f32>,
    /// What the rest is multiplied by.
    pub factors: Vec<f32>,
}

impl Scaling {
    /// Fits it to these rows, which should be the training rows and no others; `None` when nothing
    /// is to be scaled. A feature that never changes is only moved.
    pub fn fit(method: ScalingMethod, train: &Subset) -> Option<Self> {
        let width = train.dataset().width();
        let mut row = vec![0.0_f64; width];
        let mut over_rows = |visit: &mut dyn FnMut(usize, f64)| {
            for position in 0..train.len() {
                train.gather_raw(position, &mut row);
                row.iter().enumerate().for_each(|(feature, &value)| visit(feature, value));
            }
        };
        // Offset and width of each feature.
        let fitted: Vec<(f64, f64)> = match method {
            ScalingMethod::None => return None,
            ScalingMethod::MinMax => {
                let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); width];
                over_rows(&mut |feature, value| {
                    let (low, high) = &mut ranges[feature];
                    (*low, *high) = (low.min(value), high.max(value));
                });
                ranges.into_iter().map(|(low, high)| (low, high - low)).collect()
            }
            ScalingMethod::Standard => {
                let count = train.len() as f64;
                let mut means = vec![0.0; width];
                over_rows(&mut |feature, value| means[feature] += value / count);
                let mut variances = vec![0.0; width];
                over_rows(&mut |feature, value| {
                    variances[feature] += (value - means[feature]).powi(2) / count;
                });
                means.into_iter().zip(variances).map(|(m, v): (f64, f64)| (m, v.sqrt())).collect()
            }
        };
        let factor = |&(_, width): &(f64, f64)| match width > 1e-12 {
            true => (1.0 / width) as f32,
            false => 1.0,
        };
        Some(Scaling {
            offsets: fitted.iter().map(|(offset, _)| *offset as f32).collect(),
            factors: fitted.iter().map(factor).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::array;

    use super::*;
    use crate::data::{Dataset, Features, Labels, Shift};

    fn rows() -> Subset {
        // The last row is not a training row.
        let features = Features::Reals(array![[1.0, 5.0], [3.0, 5.0], [1e6, 1e6]]);
        let labels = Labels { indices: vec![0, 1, 0], names: vec!["a".into(), "b".into()] };
        let dataset = Dataset::new("d", vec![2], features, labels).unwrap();
        Subset::new(Arc::new(dataset), vec![0, 1])
    }

    #[test]
    fn training_rows_alone_decide() {
        assert_eq!(Scaling::fit(ScalingMethod::None, &rows()), None);
        let min_max = Scaling::fit(ScalingMethod::MinMax, &rows()).unwrap();
        assert_eq!(min_max, Scaling { offsets: vec![1.0, 5.0], factors: vec![0.5, 1.0] });
        let standard = Scaling::fit(ScalingMethod::Standard, &rows()).unwrap();
        assert_eq!(standard, Scaling { offsets: vec![2.0, 5.0], factors: vec![1.0, 1.0] });
    }

    #[test]
    fn rows_are_gathered_scaled() {
        let scaling = Scaling::fit(ScalingMethod::MinMax, &rows()).map(Arc::new);
        let mut out = [0.0_f32; 2];
        rows().scaled(scaling).gather(1, Shift::NONE, &mut out);
        assert_eq!(out, [1.0, 0.0]);
    }
}
