//! Lookup tables for element-wise layers and softmax, with TensorFlow Lite Micro's arithmetic.

use model_format::build::{SoftmaxSpec, TableSpec};
use model_format::{Clamp, DataType, Quantization};

use crate::fixed_point::{Rescale, exp_of_negative, logistic, tanh};

/// Integer bits of the inputs of tanh and the logistic function.
const FUNCTION_BITS: u32 = 4;
/// Integer bits of the inputs of softmax.
const SOFTMAX_BITS: u32 = 5;

/// Returns the table of tanh for int8, with output steps of 1/128: TensorFlow Lite Micro's `Tanh`.
pub fn tanh_int8(input: Quantization) -> TableSpec {
    from_fixed_point(input, Quantization::int8(1.0 / 128.0, 0), 7, |x| tanh(x, FUNCTION_BITS))
}

/// Returns the table of the logistic function for int8, with output steps of 1/256 from −128:
/// TensorFlow Lite Micro's `Logistic`.
pub fn logistic_int8(input: Quantization) -> TableSpec {
    let output = Quantization::int8(1.0 / 256.0, -128);
    from_fixed_point(input, output, 8, |x| logistic(x, FUNCTION_BITS))
}

/// Returns the table of a fixed-point function from Q4 to Q0 for all int8 inputs. The output keeps
/// `bits` bits.
fn from_fixed_point(
    input: Quantization,
    output: Quantization,
    bits: u32,
    function: impl Fn(i32) -> i32,
) -> TableSpec {
    let rescale = Rescale::new(input.scale.into(), FUNCTION_BITS);
    let radius = rescale.radius();
    let entry = |q: i32| {
        let steps = q - input.zero_point;
        let kept = match i64::from(steps) {
            steps if steps <= -radius => return -128,
            steps if steps >= radius => return 127,
            _ => {
                let exact = function(rescale.apply(steps));
                let half = 1i64 << (31 - bits) >> 1;
                let magnitude = (i64::from(exact).abs() + half) >> (31 - bits);
                magnitude as i32 * exact.signum()
            }
        };
        (kept + output.zero_point).clamp(-128, 127) as i16
    };
    TableSpec { output, entries: (-128..128).map(entry).collect() }
}

/// Returns the table of a function of the real input, rounded to nearest.
///
/// For int16, entries are 256 steps apart, and the engine interpolates between them.
pub fn of_function(
    input: Quantization,
    output: Quantization,
    function: impl Fn(f64) -> f64,
) -> TableSpec {
    let range = Clamp::all(output.data_type);
    let entry = |q: i32| {
        let x = f64::from(input.scale) * f64::from(q - input.zero_point);
        let y = (function(x) / f64::from(output.scale)).round() + f64::from(output.zero_point);
        y.clamp(range.low.into(), range.high.into()) as i16
    };
    let entries = match input.data_type {
        DataType::Int8 => (-128..128).map(entry).collect(),
        DataType::Int16 => (-128..=128).map(|k| entry(k * 256)).collect(),
    };
    TableSpec { output, entries }
}

/// Returns the exponentials of a softmax with β = `beta`: TensorFlow Lite Micro's int8 `Softmax`.
pub fn softmax(input: Quantization, beta: f32) -> SoftmaxSpec {
    let rescale = Rescale::new(f64::from(beta) * f64::from(input.scale), SOFTMAX_BITS);
    let radius = rescale.radius();
    let mut exponentials: Vec<i32> = (0..256)
        .take_while(|below| i64::from(*below) <= radius)
        .map(|below| exp_of_negative(rescale.apply(-below), SOFTMAX_BITS))
        .collect();
    // Exponentials after the last one are 0 and need not be stored.
    let kept = exponentials.iter().rposition(|e| *e != 0).map_or(1, |last| last + 1);
    exponentials.truncate(kept);
    SoftmaxSpec { exponentials }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_and_logistic_are_within_a_step_of_the_real_ones() {
        for (scale, zero_point) in [(0.03f32, 0), (0.06, -20), (0.002, 100)] {
            let input = Quantization::int8(scale, zero_point);
            for (table, exact) in [
                (tanh_int8(input), f64::tanh as fn(f64) -> f64),
                (logistic_int8(input), |x| 1.0 / (1.0 + (-x).exp())),
            ] {
                for (q, y) in (-128..).zip(&table.entries) {
                    let x = f64::from(scale) * f64::from(q - zero_point);
                    let real = f64::from(table.output.dequantize(*y));
                    // Half a step of rounding, and one where the range ends before 1.
                    let step = f64::from(table.output.scale);
                    assert!((real - exact(x)).abs() <= 1.01 * step, "{x}: {real}");
                }
            }
        }
    }

    #[test]
    fn exponentials_begin_at_one_and_fall() {
        let softmax = softmax(Quantization::int8(0.125, 3), 1.0);
        assert_eq!(softmax.exponentials[0], i32::MAX);
        assert!(softmax.exponentials.windows(2).all(|pair| pair[0] > pair[1]));
        let e = f64::from(softmax.exponentials[8]) / 2f64.powi(31);
        assert!((e - (-1f64).exp()).abs() < 1e-6, "{e}");
    }

    #[test]
    fn a_function_of_int16_passes_through_its_entries() {
        let input = Quantization::int16(4.0 / 32768.0);
        let table = of_function(input, Quantization::int16(1.0 / 32768.0), f64::tanh);
        assert_eq!(table.entries.len(), 257);
        assert_eq!(table.entries[128], 0);
        assert_eq!(table.entries[256], (4f64.tanh() * 32768.0).round() as i16);
    }
}
