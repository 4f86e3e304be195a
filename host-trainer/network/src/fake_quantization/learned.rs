//! Learned steps of rows of weights (LSQ): Esser et al., *Learned step size quantization*, 2020,
//! section 2.
//!
//! The step δ of a row is the distance of neighboring weights: the scale, and twice the scale for
//! int2, whose codes are −3, −1, 1 and 3. With Q the largest weight in steps (127, 7, 1.5 and 1 for
//! int8, int4, int2 and ternary) and n the weights of a row, a step begins at 2 · mean |w| / √Q, and
//! its gradient is multiplied by g = 1 / √(n · Q).

use model_format::WeightType;
use thimble_numeric::vectorized::{Loop, vectorized};

use super::weights::{Codes, LANES, distance};
use crate::Real;

/// Returns the largest weight of a type in steps.
fn most_steps(weight_type: WeightType) -> f64 {
    f64::from(weight_type.max_weight()) / f64::from(distance(weight_type))
}

/// Returns the first scale of a row with this mean magnitude.
pub fn first_scale(weight_type: WeightType, mean: f64) -> f64 {
    2.0 * mean / most_steps(weight_type).sqrt() / f64::from(distance(weight_type))
}

/// Returns the scale of a row per unit of the parameter that is learned for it, δ / √g.
///
/// A step of gradient descent with this parameter moves δ by the learning rate times g · ∂L/∂δ, which
/// is the rule of the paper. Optimizers such as Adam divide a gradient by its own magnitude, and a
/// factor beside it would have no effect. For them, too, the parameter makes the movement of
/// δ smaller by √g.
pub fn scale_unit(weight_type: WeightType, inputs: usize) -> f64 {
    let g = 1.0 / (inputs as f64 * most_steps(weight_type)).sqrt();
    g.sqrt() / f64::from(distance(weight_type))
}

/// Returns the gradient of a row's scale, given those of its rounded weights, and sets the gradients
/// of weights beyond the last level to zero, but for ternary weights: the last level is their only one
/// beside zero, and weights beyond it are many, which no gradient would ever bring back.
///
/// The straight-through estimator: a weight w with code c contributes c − w / scale times its
/// gradient, or the last code if it is beyond.
///
/// # Shapes
/// `row` and `gradients` have the same length; `columns` has it too, or is empty. They are as for
/// [`quantize_row`](super::quantize_row).
pub fn scale_gradient<T: Real>(
    row: &[T],
    columns: &[T],
    weight_type: WeightType,
    scale: T,
    gradients: &mut [T],
) -> T {
    vectorized::<ScaleGradient, _>((row, columns, weight_type, scale, gradients))
}

struct ScaleGradient;

impl<T: Real> Loop<(&[T], &[T], WeightType, T, &mut [T])> for ScaleGradient {
    type Output = T;

    #[inline(always)]
    fn run(
        (row, columns, weight_type, scale, gradients): (&[T], &[T], WeightType, T, &mut [T]),
    ) -> T {
        let estimator = Estimator {
            codes: Codes::new(weight_type),
            inverse: T::one() / scale,
            keeps_all: weight_type == WeightType::Ternary,
        };
        match columns.is_empty() {
            true => sum(row, gradients, |_, weight, gradient| estimator.share(weight, gradient)),
            false => sum(row, gradients, |index, weight, gradient| {
                let factor = columns[index];
                // A column without a range has weight 0, whatever the scale.
                match factor > T::zero() {
                    true => estimator.share(weight * factor, gradient) / factor,
                    false => T::zero(),
                }
            }),
        }
    }
}

/// The straight-through estimator of a row.
#[derive(Clone, Copy)]
struct Estimator<T> {
    codes: Codes<T>,
    /// Inverse of the scale.
    inverse: T,
    /// Weights beyond the last level keep their gradients.
    keeps_all: bool,
}

impl<T: Real> Estimator<T> {
    /// Returns the contribution of a weight to the gradient of the scale. Clears its own if it is
    /// clipped.
    #[inline(always)]
    fn share(self, weight: T, gradient: &mut T) -> T {
        let Estimator { codes, inverse, keeps_all } = self;
        let (steps, code, passed) = (weight * inverse, codes.nearest(weight, inverse), *gradient);
        let is_clipped = steps.abs() > codes.most;
        *gradient = if is_clipped && !keeps_all { T::zero() } else { passed };
        passed * (code - if is_clipped { T::zero() } else { steps })
    }
}

/// Sums over a row in lanes, so that the loop vectorizes and no processor adds differently.
#[inline(always)]
fn sum<T: Real>(row: &[T], gradients: &mut [T], share: impl Fn(usize, T, &mut T) -> T + Copy) -> T {
    let mut sums = [T::zero(); LANES];
    let (lines, rest) = row.as_chunks::<LANES>();
    let (gradient_lines, gradients_rest) = gradients.as_chunks_mut::<LANES>();
    for (index, (line, gradients)) in lines.iter().zip(gradient_lines).enumerate() {
        for lane in 0..LANES {
            sums[lane] += share(index * LANES + lane, line[lane], &mut gradients[lane]);
        }
    }
    let mut sum = sums.iter().copied().sum::<T>();
    for (index, (&weight, gradient)) in rest.iter().zip(gradients_rest).enumerate() {
        sum += share(lines.len() * LANES + index, weight, gradient);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradient of the scale, and those of the weights behind it.
    fn gradient(
        row: &[f64],
        columns: &[f64],
        weight_type: WeightType,
        scale: f64,
        gradients: &[f64],
    ) -> (f64, Vec<f64>) {
        let mut passed = gradients.to_vec();
        let found = scale_gradient(row, columns, weight_type, scale, &mut passed);
        (found, passed)
    }

    #[test]
    fn gradients_by_hand() {
        // In steps of 0.5: 0.5, 1.25, 7 and 8, with codes 1, 1, 7 and 7.
        let row = [0.25, 0.625, -3.5, 4.0];
        let found = gradient(&row, &[], WeightType::Int4, 0.5, &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(found, (0.5 - 2.0 * 0.25 + 8.0 * 7.0, vec![1.0, 2.0, 4.0, 0.0]));
        // 0.5, −1.25, 0.25 and −2, with codes 1, −1, 0 and −1.
        let row = [0.25, -0.625, 0.125, -1.0];
        let found = gradient(&row, &[], WeightType::Ternary, 0.5, &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(found, (0.5 - 2.0 - 4.0 * 0.25 - 8.0, vec![1.0, 2.0, 4.0, 8.0]));
        // 0.5, −2.5, 3 and 3.5, with codes 1, −3, 3 and 3.
        let row = [0.25, -1.25, 1.5, 1.75];
        let found = gradient(&row, &[], WeightType::Int2, 0.5, &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(found, (0.5 - 2.0 * 0.5 + 8.0 * 3.0, vec![1.0, 2.0, 4.0, 0.0]));
        // 128 and 126.75, with code 127.
        let found = gradient(&[64.0, 63.375], &[], WeightType::Int8, 0.5, &[1.0, 2.0]);
        assert_eq!(found, (127.0 + 2.0 * 0.25, vec![0.0, 2.0]));
    }

    #[test]
    fn the_estimator_is_the_difference_quotient_where_codes_stay() {
        // Σ g · ŵ with ŵ = scale · code has the slope Σ g · code; the estimator has Σ g · w / scale
        // less of the weights that are not clipped.
        let row: Vec<f64> = (0..39).map(|k| f64::from(k * 37 % 41 - 20) / 10.0).collect();
        let factors: Vec<f64> = (0..39).map(|k| f64::from(k % 3) / 2.0).collect();
        for weight_type in WeightType::ALL {
            for columns in [&[][..], &factors] {
                let scale = 1.23 / f64::from(weight_type.max_weight());
                let passed: Vec<f64> = (0..39).map(|k| f64::from(k % 5) - 2.0).collect();
                let objective = |scale: f64| {
                    let codes = Codes::new(weight_type);
                    let mut sum = 0.0;
                    for (k, (&weight, &g)) in row.iter().zip(&passed).enumerate() {
                        let factor = columns.get(k).copied().unwrap_or(1.0);
                        if factor > 0.0 {
                            let weight = weight * factor;
                            sum += g * codes.nearest(weight, 1.0 / scale) * scale / factor;
                        }
                    }
                    sum
                };
                let (found, after) = gradient(&row, columns, weight_type, scale, &passed);
                let mut inside = 0.0;
                for (k, (weight, g)) in row.iter().zip(&passed).enumerate() {
                    let factor = columns.get(k).copied().unwrap_or(1.0);
                    let is_inside =
                        (weight * factor / scale).abs() <= f64::from(weight_type.max_weight());
                    let is_kept = is_inside || weight_type == WeightType::Ternary;
                    assert_eq!(after[k], if is_kept { *g } else { 0.0 });
                    if factor > 0.0 && is_inside {
                        inside += g * weight / scale;
                    }
                }
                // Rounded sums of 39 terms below 127 · 4 with quotients by the step of the difference.
                let step = 1e-6;
                let slope = (objective(scale + step) - objective(scale - step)) / (2.0 * step);
                let tolerance = 39.0 * 508.0 * f64::EPSILON / step;
                let expected = slope - inside;
                assert!((found - expected).abs() < tolerance, "{weight_type:?} {found} {expected}");
            }
        }
    }

    #[test]
    fn first_scales_and_units_by_hand() {
        assert_eq!(first_scale(WeightType::Ternary, 0.5), 1.0);
        assert!((first_scale(WeightType::Int4, 0.7) - 1.4 / 7_f64.sqrt()).abs() < 1e-15);
        // A step of 2 / √1.5 is two of the scale.
        assert!((first_scale(WeightType::Int2, 1.0) - 1.0 / 1.5_f64.sqrt()).abs() < 1e-15);
        // g = 1 / √256, whose root is 1/4; for int2 g = 1 / √(24 · 1.5) = 1/6.
        assert_eq!(scale_unit(WeightType::Ternary, 256), 0.25);
        assert!((scale_unit(WeightType::Int2, 24) - (1.0 / 6.0_f64).sqrt() / 2.0).abs() < 1e-15);
    }
}
