//! Fake quantization of weights: rows rounded to the levels of a data type.

use model_format::WeightType;
use serde::{Deserialize, Serialize};
use thimble_numeric::vectorized::{Loop, vectorized};

use super::learned::first_scale;
use crate::Real;

/// Returns the distance of neighboring codes.
pub(super) const fn distance(weight_type: WeightType) -> i8 {
    match weight_type {
        WeightType::Int2 => 2,
        WeightType::Int8 | WeightType::Int4 | WeightType::Ternary => 1,
    }
}

/// Returns the smallest magnitude of a code.
const fn least(weight_type: WeightType) -> i8 {
    match weight_type {
        WeightType::Int2 => 1,
        WeightType::Int8 | WeightType::Int4 | WeightType::Ternary => 0,
    }
}

/// Returns the largest weight that is not clipped, as a multiple of the mean magnitude of its row.
const fn clip(weight_type: WeightType) -> f64 {
    match weight_type {
        WeightType::Int8 => f64::INFINITY,
        WeightType::Int4 => 3.6,
        WeightType::Int2 => 1.9,
        WeightType::Ternary => 1.2,
    }
}

/// Returns the code nearest to a weight, rounded as rows are quantized.
pub fn code(weight_type: WeightType, weight: f64, scale: f64) -> i8 {
    Codes::new(weight_type).nearest(weight, 1.0 / scale) as i8
}

/// Choice of the scale of a row of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clipping {
    /// From the mean magnitude of the row: int4 weights end at 3.6 times the mean, int2 weights at
    /// 1.9 times, and the levels of ternary weights are at 1.2 times. int8 weights end at the largest.
    #[default]
    Mean,
    /// The scale with the least squared error of rounding, by alternating rounding and least
    /// squares.
    Mse,
    /// Learned beside the weights, from 2 · mean |w| / √Q on, with Q the largest weight in steps: LSQ,
    /// Esser et al., 2020.
    Learned,
}

/// Scale of a row of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowScale<T> {
    /// Chosen from the weights.
    Of(Clipping),
    /// This positive one.
    Given(T),
}

/// Rounds of alternating least squares. The error changes by less than a percent after these.
const ROUNDS: usize = 4;

/// Rounds a row of weights to the levels of a data type. Returns the scale, which is the weight of
/// code 1.
///
/// With `columns`, the levels are those of each weight times the factor of its column, as if the
/// inputs were divided by these factors.
///
/// # Shapes
/// `row`, `out` and `staged` have the same length; `columns` has it too, or is empty.
pub fn quantize_row<T: Real>(
    row: &[T],
    columns: &[T],
    weight_type: WeightType,
    scale: RowScale<T>,
    staged: &mut [T],
    out: &mut [T],
) -> T {
    vectorized::<QuantizeRow, _>((row, columns, weight_type, scale, staged, out))
}

struct QuantizeRow;

impl<T: Real> Loop<(&[T], &[T], WeightType, RowScale<T>, &mut [T], &mut [T])> for QuantizeRow {
    type Output = T;

    #[inline(always)]
    fn run(
        (row, columns, weight_type, scale, staged, out): (
            &[T],
            &[T],
            WeightType,
            RowScale<T>,
            &mut [T],
            &mut [T],
        ),
    ) -> T {
        let row = match columns.is_empty() {
            true => row,
            false => {
                for ((staged, &weight), &factor) in staged.iter_mut().zip(row).zip(columns) {
                    *staged = weight * factor;
                }
                &*staged
            }
        };
        let [sum, largest] = magnitudes(row);
        if largest <= T::zero() {
            out.fill(T::zero());
            return match scale {
                RowScale::Of(_) => T::one(),
                RowScale::Given(scale) => scale,
            };
        }
        let codes = Codes::new(weight_type);
        let scale = match scale {
            RowScale::Of(clipping) => {
                let mean = sum / T::from_f64(row.len() as f64);
                chosen(row, mean, largest, weight_type, clipping)
            }
            RowScale::Given(scale) => scale,
        };
        let inverse = T::one() / scale;
        for (out, &weight) in out.iter_mut().zip(row) {
            *out = codes.nearest(weight, inverse) * scale;
        }
        if !columns.is_empty() {
            for (out, &factor) in out.iter_mut().zip(columns) {
                // A column without a range has no input.
                *out = if factor > T::zero() { *out / factor } else { T::zero() };
            }
        }
        scale
    }
}

/// Returns the scale of a row with this mean and largest magnitude.
#[inline(always)]
fn chosen<T: Real>(
    row: &[T],
    mean: T,
    largest: T,
    weight_type: WeightType,
    clipping: Clipping,
) -> T {
    let codes = Codes::new(weight_type);
    if clipping == Clipping::Learned {
        return T::from_f64(first_scale(weight_type, mean.to_f64()));
    }
    let mut scale = match weight_type {
        WeightType::Int8 => largest,
        // Few large weights: levels beyond the largest would be empty.
        WeightType::Int4 => (mean * T::from_f64(clip(weight_type))).min(largest),
        WeightType::Int2 | WeightType::Ternary => mean * T::from_f64(clip(weight_type)),
    } / codes.most;
    if clipping == Clipping::Mse {
        for _ in 0..ROUNDS {
            let [products, squares] = fit(row, scale, codes);
            if squares > T::zero() && products > T::zero() {
                scale = products / squares;
            }
        }
    }
    scale
}

/// Codes of a data type, as magnitudes from `least` to `most` with a sign.
#[derive(Clone, Copy)]
pub(super) struct Codes<T> {
    least: T,
    /// Largest magnitude.
    pub most: T,
    step: T,
    inverse_step: T,
}

impl<T: Real> Codes<T> {
    #[inline(always)]
    pub fn new(weight_type: WeightType) -> Self {
        let step = T::from_f64(f64::from(distance(weight_type)));
        Codes {
            least: T::from_f64(f64::from(least(weight_type))),
            most: T::from_f64(f64::from(weight_type.max_weight())),
            step,
            inverse_step: T::one() / step,
        }
    }

    /// Returns the code nearest to a weight, given the inverse of the scale. Ties go away from zero.
    #[inline(always)]
    pub fn nearest(self, weight: T, inverse: T) -> T {
        let Codes { least, most, step, inverse_step } = self;
        let level = (((weight * inverse).abs() - least) * inverse_step).round() * step + least;
        // NaN stays NaN, so that divergence does not go unnoticed.
        let level = if level < least { least } else { level };
        let level = if level > most { most } else { level };
        if weight < T::zero() { -level } else { level }
    }
}

/// Lanes of sums, so that the loop vectorizes and no processor adds differently.
pub(super) const LANES: usize = 16;

/// Returns the sum of magnitudes and the largest one.
#[inline(always)]
fn magnitudes<T: Real>(row: &[T]) -> [T; 2] {
    let (mut sums, mut most) = ([T::zero(); LANES], [T::zero(); LANES]);
    let (lines, rest) = row.as_chunks::<LANES>();
    for line in lines {
        for lane in 0..LANES {
            let magnitude = line[lane].abs();
            sums[lane] += magnitude;
            most[lane] = if magnitude > most[lane] { magnitude } else { most[lane] };
        }
    }
    let mut sum = sums.iter().copied().sum::<T>();
    let mut largest = most.iter().fold(T::zero(), |a, &b| a.max(b));
    for weight in rest {
        sum += weight.abs();
        largest = largest.max(weight.abs());
    }
    [sum, largest]
}

/// Returns Σ w · c and Σ c² over the codes of a row, whose ratio is the scale with the least squared
/// error for these codes.
#[inline(always)]
fn fit<T: Real>(row: &[T], scale: T, codes: Codes<T>) -> [T; 2] {
    let inverse = T::one() / scale;
    let (mut products, mut squares) = ([T::zero(); LANES], [T::zero(); LANES]);
    let (lines, rest) = row.as_chunks::<LANES>();
    for line in lines {
        for lane in 0..LANES {
            let code = codes.nearest(line[lane], inverse);
            products[lane] += line[lane] * code;
            squares[lane] += code * code;
        }
    }
    let (mut product, mut square) =
        (products.iter().copied().sum::<T>(), squares.iter().copied().sum::<T>());
    for &weight in rest {
        let code = codes.nearest(weight, inverse);
        product += weight * code;
        square += code * code;
    }
    [product, square]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantized(row: &[f64], weight_type: WeightType, clipping: Clipping) -> (f64, Vec<f64>) {
        let (mut staged, mut out) = (vec![0.0; row.len()], vec![f64::NAN; row.len()]);
        let clipping = RowScale::Of(clipping);
        let scale = quantize_row(row, &[], weight_type, clipping, &mut staged, &mut out);
        (scale, out.iter().map(|weight| weight / scale).collect())
    }

    #[test]
    fn rows_by_hand() {
        // Mean magnitude 1, largest 2.
        let row = [2.0, -1.0, 0.5, -0.5];
        let (scale, codes) = quantized(&row, WeightType::Int4, Clipping::Mean);
        // 3.6 is beyond the largest weight.
        assert!((scale - 2.0 / 7.0).abs() < 1e-15);
        let rounded: Vec<f64> = codes.iter().map(|code| code.round()).collect();
        assert_eq!(rounded, [7.0, -4.0, 2.0, -2.0]);
        let (scale, codes) = quantized(&row, WeightType::Ternary, Clipping::Mean);
        // Levels at ±1.2, borders at ±0.6.
        assert_eq!((scale, codes), (1.2, vec![1.0, -1.0, 0.0, 0.0]));
        let (scale, codes) = quantized(&row, WeightType::Int2, Clipping::Mean);
        // Levels at ±0.633 and ±1.9, borders at 0 and ±1.27.
        assert!((scale - 1.9 / 3.0).abs() < 1e-15);
        let rounded: Vec<f64> = codes.iter().map(|code| code.round()).collect();
        assert_eq!(rounded, [3.0, -1.0, 1.0, -1.0]);
        let (scale, codes) = quantized(&row, WeightType::Int8, Clipping::Mean);
        assert!((scale - 2.0 / 127.0).abs() < 1e-15);
        assert!((codes[0] - 127.0).abs() < 1e-12);
    }

    #[test]
    fn given_scales_are_kept() {
        let (row, mut staged, mut out) = ([2.0, -1.0, 0.25, 0.0], [0.0; 4], [f64::NAN; 4]);
        let given = RowScale::Given(0.5);
        let scale = quantize_row(&row, &[], WeightType::Ternary, given, &mut staged, &mut out);
        assert_eq!((scale, out), (0.5, [0.5, -0.5, 0.5, 0.0]));
        let scale = quantize_row(&[0.0; 4], &[], WeightType::Int2, given, &mut staged, &mut out);
        assert_eq!((scale, out), (0.5, [0.0; 4]));
        // Mean magnitude 0.8125, and a step of twice that.
        let (scale, codes) = quantized(&row, WeightType::Ternary, Clipping::Learned);
        assert_eq!((scale, codes), (1.625, vec![1.0, -1.0, 0.0, 0.0]));
    }

    #[test]
    fn a_row_that_lies_on_levels_keeps_its_values() {
        for weight_type in WeightType::ALL {
            let (most, step) = (weight_type.max_weight(), distance(weight_type));
            let codes: Vec<f64> =
                (-most..=most).step_by(step as usize).map(|code| f64::from(code) * 0.25).collect();
            let (mut staged, mut out) = (vec![0.0; codes.len()], vec![0.0; codes.len()]);
            let clipping = RowScale::Of(Clipping::Mse);
            quantize_row(&codes, &[], weight_type, clipping, &mut staged, &mut out);
            for (out, code) in out.iter().zip(&codes) {
                assert!((out - code).abs() < 1e-12, "{weight_type:?}: {out} {code}");
            }
        }
    }

    #[test]
    fn least_squares_has_the_smaller_error() {
        let row: Vec<f64> = (0..199).map(|k| f64::from(k * 7919 % 199) / 99.0 - 1.0).collect();
        let row: Vec<f64> = row.iter().map(|w| w * w * w).collect();
        let error = |weight_type, clipping| {
            let (scale, codes) = quantized(&row, weight_type, clipping);
            row.iter().zip(codes).map(|(w, c)| (w - c * scale).powi(2)).sum::<f64>()
        };
        for weight_type in WeightType::ALL {
            let (mean, mse) =
                (error(weight_type, Clipping::Mean), error(weight_type, Clipping::Mse));
            assert!(mse <= mean * (1.0 + 1e-12), "{weight_type:?}: {mse} {mean}");
        }
    }

    #[test]
    fn columns_scale_the_levels() {
        let (row, columns) = ([1.0, 1.0, 5.0], [0.5, 2.0, 0.0]);
        let (mut staged, mut out) = ([0.0; 3], [f64::NAN; 3]);
        let weight_type = WeightType::Ternary;
        let clipping = RowScale::Of(Clipping::Mean);
        let scale = quantize_row(&row, &columns, weight_type, clipping, &mut staged, &mut out);
        // Of 0.5, 2 and 0 the mean is 2.5/3, and the level 1.
        assert!((scale - 1.0_f64).abs() < 1e-15);
        for (out, expected) in out.iter().zip([2.0, 0.5, 0.0]) {
            assert!((out - expected).abs() < 1e-15, "{out}");
        }
        let code = code(weight_type, out[0] * columns[0], scale);
        assert_eq!(code, 1);
    }

    #[test]
    fn a_dead_row_has_a_scale_and_nan_is_not_hidden() {
        for weight_type in WeightType::ALL {
            let (scale, codes) = quantized(&[0.0; 3], weight_type, Clipping::Mse);
            assert_eq!((scale, codes), (1.0, vec![0.0; 3]));
            let (_, codes) = quantized(&[1.0, f64::NAN], weight_type, Clipping::Mean);
            assert!(codes.iter().any(|code| code.is_nan()));
        }
    }
}
