//! Fake quantization of weights: rows rounded to the levels of a data type.

use serde::{Deserialize, Serialize};

use crate::network::Real;
use crate::vectorized::{Loop, vectorized};

/// Data type of a layer's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightPrecision {
    /// −127 to 127.
    Int8,
    /// −7 to 7.
    Int4,
    /// −3, −1, 1 and 3.
    Int2,
    /// −1, 0 and 1.
    Ternary,
}

impl WeightPrecision {
    /// All data types, widest first.
    pub const ALL: [WeightPrecision; 4] = [
        WeightPrecision::Int8,
        WeightPrecision::Int4,
        WeightPrecision::Int2,
        WeightPrecision::Ternary,
    ];

    /// Returns the name that presets use.
    pub const fn name(self) -> &'static str {
        match self {
            WeightPrecision::Int8 => "int8",
            WeightPrecision::Int4 => "int4",
            WeightPrecision::Int2 => "int2",
            WeightPrecision::Ternary => "ternary",
        }
    }

    /// Returns the largest code.
    pub const fn most(self) -> i8 {
        match self {
            WeightPrecision::Int8 => 127,
            WeightPrecision::Int4 => 7,
            WeightPrecision::Int2 => 3,
            WeightPrecision::Ternary => 1,
        }
    }

    /// Returns the distance of neighboring codes.
    pub const fn step(self) -> i8 {
        match self {
            WeightPrecision::Int2 => 2,
            _ => 1,
        }
    }

    /// Returns the smallest magnitude of a code.
    pub const fn least(self) -> i8 {
        match self {
            WeightPrecision::Int2 => 1,
            _ => 0,
        }
    }

    /// Returns the code nearest to a weight.
    pub fn code(self, weight: f64, scale: f64) -> i8 {
        Codes::new(self).nearest(weight, 1.0 / scale) as i8
    }

    /// Returns the largest weight that is not clipped, as a multiple of the mean magnitude of its
    /// row.
    const fn clip(self) -> f64 {
        match self {
            WeightPrecision::Int8 => f64::INFINITY,
            WeightPrecision::Int4 => 3.6,
            WeightPrecision::Int2 => 1.9,
            WeightPrecision::Ternary => 1.2,
        }
    }
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
    precision: WeightPrecision,
    clipping: Clipping,
    staged: &mut [T],
    out: &mut [T],
) -> T {
    vectorized::<QuantizeRow, _>((row, columns, precision, clipping, staged, out))
}

struct QuantizeRow;

impl<T: Real> Loop<(&[T], &[T], WeightPrecision, Clipping, &mut [T], &mut [T])> for QuantizeRow {
    type Output = T;

    #[inline(always)]
    fn run(
        (row, columns, precision, clipping, staged, out): (
            &[T],
            &[T],
            WeightPrecision,
            Clipping,
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
            return T::one();
        }
        let codes = Codes::new(precision);
        let mean = sum / T::from_f64(row.len() as f64);
        let mut scale = match precision {
            WeightPrecision::Int8 => largest,
            // Few large weights: levels beyond the largest would be empty.
            WeightPrecision::Int4 => (mean * T::from_f64(precision.clip())).min(largest),
            WeightPrecision::Int2 | WeightPrecision::Ternary => {
                mean * T::from_f64(precision.clip())
            }
        } / codes.most;
        if clipping == Clipping::Mse {
            for _ in 0..ROUNDS {
                let [products, squares] = fit(row, scale, codes);
                if squares > T::zero() && products > T::zero() {
                    scale = products / squares;
                }
            }
        }
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

/// Codes of a data type, as magnitudes from `least` to `most` with a sign.
#[derive(Clone, Copy)]
struct Codes<T> {
    least: T,
    most: T,
    step: T,
    inverse_step: T,
}

impl<T: Real> Codes<T> {
    #[inline(always)]
    fn new(precision: WeightPrecision) -> Self {
        let step = T::from_f64(f64::from(precision.step()));
        Codes {
            least: T::from_f64(f64::from(precision.least())),
            most: T::from_f64(f64::from(precision.most())),
            step,
            inverse_step: T::one() / step,
        }
    }

    /// Returns the code nearest to a weight, given the inverse of the scale. Ties go away from zero.
    #[inline(always)]
    fn nearest(self, weight: T, inverse: T) -> T {
        let Codes { least, most, step, inverse_step } = self;
        let level = (((weight * inverse).abs() - least) * inverse_step).round() * step + least;
        // NaN stays NaN, so that divergence does not go unnoticed.
        let level = if level < least { least } else { level };
        let level = if level > most { most } else { level };
        if weight < T::zero() { -level } else { level }
    }
}

/// Lanes of sums, so that the loop vectorizes and no processor adds differently.
const LANES: usize = 16;

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

    fn quantized(row: &[f64], precision: WeightPrecision, clipping: Clipping) -> (f64, Vec<f64>) {
        let (mut staged, mut out) = (vec![0.0; row.len()], vec![f64::NAN; row.len()]);
        let scale = quantize_row(row, &[], precision, clipping, &mut staged, &mut out);
        (scale, out.iter().map(|weight| weight / scale).collect())
    }

    #[test]
    fn rows_by_hand() {
        // Mean magnitude 1, largest 2.
        let row = [2.0, -1.0, 0.5, -0.5];
        let (scale, codes) = quantized(&row, WeightPrecision::Int4, Clipping::Mean);
        // 3.6 is beyond the largest weight.
        assert!((scale - 2.0 / 7.0).abs() < 1e-15);
        let rounded: Vec<f64> = codes.iter().map(|code| code.round()).collect();
        assert_eq!(rounded, [7.0, -4.0, 2.0, -2.0]);
        let (scale, codes) = quantized(&row, WeightPrecision::Ternary, Clipping::Mean);
        // Levels at ±1.2, borders at ±0.6.
        assert_eq!((scale, codes), (1.2, vec![1.0, -1.0, 0.0, 0.0]));
        let (scale, codes) = quantized(&row, WeightPrecision::Int2, Clipping::Mean);
        // Levels at ±0.633 and ±1.9, borders at 0 and ±1.27.
        assert!((scale - 1.9 / 3.0).abs() < 1e-15);
        let rounded: Vec<f64> = codes.iter().map(|code| code.round()).collect();
        assert_eq!(rounded, [3.0, -1.0, 1.0, -1.0]);
        let (scale, codes) = quantized(&row, WeightPrecision::Int8, Clipping::Mean);
        assert!((scale - 2.0 / 127.0).abs() < 1e-15);
        assert!((codes[0] - 127.0).abs() < 1e-12);
    }

    #[test]
    fn a_row_that_lies_on_levels_keeps_its_values() {
        for precision in WeightPrecision::ALL {
            let (most, step) = (precision.most(), precision.step());
            let codes: Vec<f64> =
                (-most..=most).step_by(step as usize).map(|code| f64::from(code) * 0.25).collect();
            let (mut staged, mut out) = (vec![0.0; codes.len()], vec![0.0; codes.len()]);
            quantize_row(&codes, &[], precision, Clipping::Mse, &mut staged, &mut out);
            for (out, code) in out.iter().zip(&codes) {
                assert!((out - code).abs() < 1e-12, "{precision:?}: {out} {code}");
            }
        }
    }

    #[test]
    fn least_squares_has_the_smaller_error() {
        let row: Vec<f64> = (0..199).map(|k| f64::from(k * 7919 % 199) / 99.0 - 1.0).collect();
        let row: Vec<f64> = row.iter().map(|w| w * w * w).collect();
        let error = |precision, clipping| {
            let (scale, codes) = quantized(&row, precision, clipping);
            row.iter().zip(codes).map(|(w, c)| (w - c * scale).powi(2)).sum::<f64>()
        };
        for precision in WeightPrecision::ALL {
            let (mean, mse) = (error(precision, Clipping::Mean), error(precision, Clipping::Mse));
            assert!(mse <= mean * (1.0 + 1e-12), "{precision:?}: {mse} {mean}");
        }
    }

    #[test]
    fn columns_scale_the_levels() {
        let (row, columns) = ([1.0, 1.0, 5.0], [0.5, 2.0, 0.0]);
        let (mut staged, mut out) = ([0.0; 3], [f64::NAN; 3]);
        let precision = WeightPrecision::Ternary;
        let scale = quantize_row(&row, &columns, precision, Clipping::Mean, &mut staged, &mut out);
        // Of 0.5, 2 and 0 the mean is 2.5/3, and the level 1.
        assert!((scale - 1.0_f64).abs() < 1e-15);
        for (out, expected) in out.iter().zip([2.0, 0.5, 0.0]) {
            assert!((out - expected).abs() < 1e-15, "{out}");
        }
        let code = precision.code(out[0] * columns[0], scale);
        assert_eq!(code, 1);
    }

    #[test]
    fn a_dead_row_has_a_scale_and_nan_is_not_hidden() {
        for precision in WeightPrecision::ALL {
            let (scale, codes) = quantized(&[0.0; 3], precision, Clipping::Mse);
            assert_eq!((scale, codes), (1.0, vec![0.0; 3]));
            let (_, codes) = quantized(&[1.0, f64::NAN], precision, Clipping::Mean);
            assert!(codes.iter().any(|code| code.is_nan()));
        }
    }
}
