//! Scaling of regression targets, fitted on the training split only.

use super::{Scaling, ScalingMethod, Subset};

/// Spread relative to the offset below which an `f32` target counts as constant.
const RESOLUTION: f64 = 1e-7;

impl ScalingMethod {
    /// Fits the scaling of each target to these rows, which should be the training split only, in
    /// double precision. `None` for no scaling and for classes. A constant target is only shifted.
    pub fn fit_targets(&self, train: &Subset) -> Option<Scaling> {
        let outputs = train.values(0)?.len();
        let column = |output: usize| {
            let rows = (0..train.len()).filter_map(move |position| train.values(position));
            rows.map(move |row| f64::from(row[output]))
        };
        // Offset and spread of each target.
        let fitted = |output: usize| -> Option<(f64, f64)> {
            Some(match self {
                // Fixed scaling is of features; the preset's check refuses it for targets.
                ScalingMethod::None | ScalingMethod::Fixed(_) => return None,
                ScalingMethod::MinMax => {
                    let low = column(output).fold(f64::INFINITY, f64::min);
                    let high = column(output).fold(f64::NEG_INFINITY, f64::max);
                    (low, high - low)
                }
                ScalingMethod::Standard => {
                    let count = train.len() as f64;
                    let mean = column(output).sum::<f64>() / count;
                    let squares = column(output).map(|value| (value - mean).powi(2));
                    (mean, (squares.sum::<f64>() / count).sqrt())
                }
            })
        };
        let fitted: Vec<(f64, f64)> = (0..outputs).map(fitted).collect::<Option<_>>()?;
        let factor = |&(offset, spread): &(f64, f64)| {
            let varies = spread > offset.abs() * RESOLUTION && ((1.0 / spread) as f32).is_normal();
            if varies { (1.0 / spread) as f32 } else { 1.0 }
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

    use ndarray::{Array2, array};
    use thimble_numeric::targets::TargetRows;

    use super::*;
    use crate::{Dataset, Features, Labels, TargetBuffer, Values};

    fn targets(values: Array2<f32>) -> Subset {
        let (rows, outputs) = values.dim();
        let names = (0..outputs).map(|output| output.to_string()).collect();
        let targets = Values { values, names, units: vec![String::new(); outputs] };
        let features = Features::Reals(Array2::zeros((rows, 1)));
        Subset::all(Arc::new(Dataset::new("d", vec![1], features, targets).unwrap()))
    }

    #[test]
    fn far_from_zero_the_spread_decides() {
        let rows = targets(array![[101_205.0, 5.0, 0.02], [101_445.0, 5.0, -0.02]]);
        let standard = ScalingMethod::Standard.fit_targets(&rows).unwrap();
        assert_eq!(standard.offsets, [101_325.0, 5.0, 0.0]);
        assert_eq!(standard.factors, [1.0 / 120.0, 1.0, 50.0]);
        let min_max = ScalingMethod::MinMax.fit_targets(&rows).unwrap();
        assert_eq!((min_max.offsets[0], min_max.factors[0]), (101_205.0, 1.0 / 240.0));
        assert_eq!(ScalingMethod::None.fit_targets(&rows), None);
        for value in [101_205.0, 101_325.5] {
            let back = standard.unscale(0, standard.scale(0, value));
            assert!((back - value).abs() < 1e-9, "{back}");
        }
        let units: Vec<f64> = standard.units().collect();
        assert!((units[0] - 120.0).abs() < 1e-4 && units[1] == 1.0, "{units:?}");
    }

    #[test]
    fn classes_are_not_scaled() {
        let labels = Labels { indices: vec![0, 1], names: vec!["a".into(), "b".into()] };
        let features = Features::Reals(array![[1.0], [2.0]]);
        let rows = Subset::all(Arc::new(Dataset::new("d", vec![1], features, labels).unwrap()));
        assert_eq!(ScalingMethod::Standard.fit_targets(&rows), None);
    }

    #[test]
    fn a_batch_has_scaled_targets_and_their_units() {
        let rows = targets(array![[10.0, 1.0], [30.0, 1.0]]);
        let mut buffer = TargetBuffer::<f32>::default();
        buffer.gather(&rows, 0..2);
        assert!(matches!(buffer.rows(), TargetRows::Values([10.0, 1.0, 30.0, 1.0])));
        let scaling = ScalingMethod::Standard.fit_targets(&rows).map(Arc::new);
        buffer.gather(&rows.target_scaled(scaling), 0..2);
        let TargetRows::ScaledValues(values, units) = buffer.rows() else { panic!("not scaled") };
        assert_eq!((values, units), ([-1.0, 0.0, 1.0, 0.0].as_slice(), [10.0, 1.0].as_slice()));
    }
}
