//! Grids of weights: a data type, and the scale of each row.

use model_format::WeightType;

/// The numbers that a dense layer's weights are: for row *n*, scales\[n\] times the weights that the type
/// can hold.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightGrid {
    /// Data type of the weights.
    pub weight_type: WeightType,
    /// Scale of each row, positive.
    pub scales: Vec<f64>,
}

/// Returns the weight of a type that is nearest to a number of steps; ties go away from zero.
pub fn nearest(weight_type: WeightType, steps: f64) -> i8 {
    let most = f64::from(weight_type.max_weight());
    let rounded = match weight_type {
        // −3, −1, 1, 3.
        WeightType::Int2 => 2.0 * ((steps.abs() - 1.0) / 2.0).round().max(0.0) + 1.0,
        WeightType::Int8 | WeightType::Int4 | WeightType::Ternary => steps.abs().round(),
    };
    // Not copysign: zero has a sign, too.
    let sign = if steps < 0.0 { -1.0 } else { 1.0 };
    (sign * rounded.clamp(0.0, most)) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_weight_is_nearer() {
        for weight_type in WeightType::ALL {
            let held: Vec<i8> =
                (-128..=127).filter(|weight| weight_type.holds((*weight).into())).collect();
            for step in -1300..=1300 {
                let steps = f64::from(step) / 10.0;
                let found = nearest(weight_type, steps);
                assert!(held.contains(&found), "{weight_type:?}: {found}");
                let distance = |weight: i8| (f64::from(weight) - steps).abs();
                assert!(held.iter().all(|other| distance(found) <= distance(*other)), "{steps}");
            }
        }
        assert_eq!(nearest(WeightType::Int4, f64::NAN), 0);
    }
}
