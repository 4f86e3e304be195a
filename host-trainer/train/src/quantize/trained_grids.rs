//! Grids of weights that quantization-aware training left, after preparation for quantization.

use thimble_network::grid::WeightGrid;
use thimble_network::{Network, code};

/// Returns the grid of each dense layer of a prepared network, given the network that was trained
/// with fake quantization. `None` without.
///
/// Preparation folds batch normalization and scales inputs and outputs. All of it multiplies a row
/// by a factor, which goes into the scale of the row. Codes stay the same, or change their sign.
pub(super) fn trained_grids(
    trained: &Network<f32>,
    prepared: &Network<f32>,
) -> Option<Vec<WeightGrid>> {
    let fake = trained.fake_quantization()?;
    let halves = fake.input().map(|input| input.halves.as_slice());
    let layers = trained.dense_layers().zip(prepared.dense_layers()).zip(fake.weights());
    let mut grids = Vec::with_capacity(fake.weights().len());
    for (index, (((dense, before), (_, after)), levels)) in layers.enumerate() {
        let (before, after) = (dense.view(before).0, dense.view(after).0);
        let halves = halves.filter(|_| index == 0);
        let rows = before.rows().into_iter().zip(after.rows()).zip(&levels.scales);
        let scale = |((before, after), &scale): (
            (ndarray::ArrayView1<'_, f32>, ndarray::ArrayView1<'_, f32>),
            &f64,
        )| {
            let factor = |column: usize| halves.map_or(1.0, |halves| f64::from(halves[column]));
            let codes = before.iter().enumerate().map(|(column, &weight)| {
                code(levels.weight_type, f64::from(weight) * factor(column), scale)
            });
            row_scale(after.iter().map(|&weight| f64::from(weight)), codes)
        };
        let scales = rows.map(scale).collect();
        grids.push(WeightGrid { weight_type: levels.weight_type, scales });
    }
    Some(grids)
}

/// Returns the scale of a row with these codes that fits its weights best.
fn row_scale(weights: impl Iterator<Item = f64>, codes: impl Iterator<Item = i8>) -> f64 {
    // Inputs without a range have weight 0, whatever their code.
    let alive = weights.zip(codes).filter(|(weight, _)| *weight != 0.0);
    let (products, squares) = alive.fold((0.0, 0.0), |(products, squares): (f64, f64), (w, c)| {
        (products + w * f64::from(c), squares + f64::from(c).powi(2))
    });
    match (products / squares).abs() {
        scale if scale > 0.0 && scale.is_finite() => scale,
        // int2 has no zero: steps of a dead row are so small that they add nothing.
        _ => f64::from(f32::MIN_POSITIVE),
    }
}

#[cfg(test)]
mod tests {
    use model_format::WeightType;

    use super::*;

    fn scale(codes: &[i8], weights: &[f64]) -> f64 {
        row_scale(weights.iter().copied(), codes.iter().copied())
    }

    #[test]
    fn factors_of_a_row_go_into_its_scale() {
        assert!((scale(&[7, -3, 0, 1], &[-1.4, 0.6, 0.0, -0.2]) - 0.2).abs() < 1e-15);
    }

    #[test]
    fn inputs_without_a_range_do_not_count() {
        assert!((scale(&[3, 1, -1], &[0.6, 0.0, -0.2]) - 0.2).abs() < 1e-15);
    }

    #[test]
    fn dead_rows_have_tiny_steps() {
        assert_eq!(scale(&[1, 1], &[0.0, 0.0]), f64::from(f32::MIN_POSITIVE));
    }

    #[test]
    fn levels_are_those_of_the_format() {
        for weight_type in WeightType::ALL {
            for weight in -127..=127_i8 {
                let is_code = code(weight_type, weight.into(), 1.0) == weight;
                assert_eq!(is_code, weight_type.holds(weight.into()), "{weight_type:?} {weight}");
            }
        }
    }
}
