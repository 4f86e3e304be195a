//! Weights that lie on the levels of a data type: their codes, as quantization-aware training left
//! them.

use model_format::WeightLayout;

use crate::network::{Network, WeightPrecision};

/// Codes of a dense layer's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// Data type.
    pub precision: WeightPrecision,
    /// Codes, outputs × inputs.
    pub codes: Vec<i8>,
}

/// A row of weights in integers.
pub(super) struct RowCodes {
    /// Weight of code 1.
    pub scale: f64,
    /// Codes of the weights.
    pub codes: Vec<i8>,
}

/// Returns the codes of each dense layer of a network, or `None` without fake quantization.
pub(super) fn codes(network: &Network<f32>) -> Option<Vec<Codes>> {
    let fake = network.fake_quantization()?;
    let halves = fake.input().map(|input| input.halves.as_slice());
    let mut layers = Vec::with_capacity(fake.weights().len());
    for (index, ((dense, parameters), grid)) in
        network.dense_layers().zip(fake.weights()).enumerate()
    {
        let (weights, _) = dense.view(parameters);
        let factor = |column: usize| match (index, halves) {
            (0, Some(halves)) => f64::from(halves[column]),
            _ => 1.0,
        };
        let mut codes = Vec::with_capacity(weights.len());
        for (row, &scale) in weights.rows().into_iter().zip(&grid.scales) {
            codes.extend(row.iter().enumerate().map(|(column, &weight)| {
                grid.precision.code(f64::from(weight) * factor(column), scale.into())
            }));
        }
        layers.push(Codes { precision: grid.precision, codes });
    }
    Some(layers)
}

impl Codes {
    /// Returns a row of the layer in integers. `weights` are those of the same row after batch
    /// normalization was folded and inputs and outputs were scaled, all of which multiply them by a
    /// factor: codes stay the same, or change their sign. `least` is the smallest scale at which bias
    /// and accumulator fit.
    pub(super) fn row(&self, row: usize, weights: &[f64], least: f64) -> RowCodes {
        let trained = &self.codes[row * weights.len()..][..weights.len()];
        // Inputs without a range have weight 0, whatever their code.
        let alive = weights.iter().zip(trained).filter(|(weight, _)| **weight != 0.0);
        let (products, squares) = alive.fold((0.0, 0.0), |(products, squares), (w, &c)| {
            (products + w * f64::from(c), squares + f64::from(c).powi(2))
        });
        let scale: f64 = if squares > 0.0 { products / squares } else { 0.0 };
        if scale.abs() >= least && scale != 0.0 {
            let sign = if scale < 0.0 { -1 } else { 1 };
            let codes = trained.iter().map(|code| sign * code).collect();
            return RowCodes { scale: scale.abs(), codes };
        }
        // A row that is nearly all bias, or dead.
        let scale = if least > 0.0 { least } else { f64::from(f32::MIN_POSITIVE) };
        let code = |&weight: &f64| self.precision.code(weight, scale);
        RowCodes { scale, codes: weights.iter().map(code).collect() }
    }

    /// Returns the layout of the weights before they are packed for a core.
    pub(super) fn layout(&self) -> WeightLayout {
        match self.precision {
            WeightPrecision::Int4 => WeightLayout::Int4,
            _ => WeightLayout::RowMajor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(precision: WeightPrecision, codes: &[i8], weights: &[f64], least: f64) -> RowCodes {
        Codes { precision, codes: codes.to_vec() }.row(0, weights, least)
    }

    #[test]
    fn factors_of_a_row_go_into_its_scale() {
        let trained = [7, -3, 0, 1];
        let folded = row(WeightPrecision::Int4, &trained, &[-1.4, 0.6, 0.0, -0.2], 0.0);
        assert!((folded.scale - 0.2).abs() < 1e-15);
        assert_eq!(folded.codes, [-7, 3, 0, -1]);
    }

    #[test]
    fn an_input_without_range_does_not_count() {
        let found = row(WeightPrecision::Int2, &[3, 1, -1], &[0.6, 0.0, -0.2], 0.0);
        assert!((found.scale - 0.2).abs() < 1e-15);
        assert_eq!(found.codes, [3, 1, -1]);
    }

    #[test]
    fn a_row_that_is_nearly_all_bias_has_a_larger_scale() {
        let found = row(WeightPrecision::Ternary, &[1, -1], &[1e-9, -1e-9], 1.0);
        assert_eq!((found.scale, found.codes), (1.0, vec![0, 0]));
        let dead = row(WeightPrecision::Int4, &[0, 0], &[0.0, 0.0], 0.0);
        assert_eq!(dead.codes, [0, 0]);
        assert!(dead.scale > 0.0);
    }
}
