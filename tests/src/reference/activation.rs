//! Tanh, sigmoid and softmax on int8, by TensorFlow Lite Micro's integer algorithms.
//!
//! Sources: TFLM `logistic_common.cc`, `tanh.cc`, `softmax_common.cc` for the parameters, and
//! `reference/integer_ops/{logistic,tanh}.h`, `reference/softmax.h` for the loops.

use super::fixed_point::{Fixed, exp_on_negative, logistic, one_over_one_plus, tanh};
use super::rounding::{Factor, requantize, rounding_divide_by_pot};

/// Function of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Hyperbolic tangent; output scale 1/128, zero point 0.
    Tanh,
    /// 1/(1 + e^−x); output scale 1/256, zero point −128.
    Sigmoid,
}

/// Integer bits of the argument of tanh and sigmoid.
const ARGUMENT_BITS: i32 = 4;
/// Integer bits of the argument of softmax's exponential.
const DIFFERENCE_BITS: i32 = 5;
/// Integer bits of softmax's sum of exponentials.
const SUM_BITS: u32 = 12;

/// The largest input whose rescaled value still fits `integer_bits` bits before the point: TFLM's
/// `CalculateInputRadius` with 31 bits in all.
fn input_radius(integer_bits: i32, left_shift: i32) -> i32 {
    let largest = ((1i64 << integer_bits) - 1) as f64 * 2f64.powi(31 - integer_bits);
    (largest / 2f64.powi(left_shift)).floor() as i32
}

/// Returns the function's output for every int8 input, from −128.
pub fn table(function: Function, input_scale: f32, input_zero_point: i32) -> [i8; 256] {
    let factor = Factor::from_real(f64::from(input_scale) * 2f64.powi(31 - ARGUMENT_BITS));
    let radius = input_radius(ARGUMENT_BITS, factor.shift);
    let mut table = [0; 256];
    for (entry, q) in table.iter_mut().zip(-128i32..=127) {
        let input = q - input_zero_point;
        *entry = if input <= -radius {
            -128
        } else if input >= radius {
            127
        } else {
            let argument = Fixed::new(requantize(input.into(), factor), ARGUMENT_BITS as u32);
            let output = match function {
                Function::Tanh => rounding_divide_by_pot(tanh(argument).raw, 31 - 7),
                Function::Sigmoid => rounding_divide_by_pot(logistic(argument).raw, 31 - 8) - 128,
            };
            output.clamp(-128, 127) as i8
        };
    }
    table
}

/// TFLM's int8 softmax of one row (beta 1; output scale 1/256, zero point −128).
pub fn softmax(input: &[i8], input_scale: f32) -> Vec<i8> {
    let real = f64::from(input_scale) * 2f64.powi(31 - DIFFERENCE_BITS);
    let factor = Factor::from_real(real.min(2f64.powi(31) - 1.0));
    let lowest_difference = -input_radius(DIFFERENCE_BITS, factor.shift);
    let largest = input.iter().copied().max().map_or(0, i32::from);

    // Differences below this are zero after the exponential.
    let exponential = |q: i8| -> Option<Fixed> {
        let difference = i32::from(q) - largest;
        (difference >= lowest_difference).then(|| {
            let scaled = Fixed::new(requantize(difference.into(), factor), DIFFERENCE_BITS as u32);
            exp_on_negative(scaled)
        })
    };

    let sum: i32 =
        input.iter().filter_map(|&q| exponential(q)).map(|e| e.rescale(SUM_BITS).raw).sum();
    // The sum as (1 + f) · 2^n with f in [0, 1): its reciprocal is 1/(1 + f), shifted back by n.
    let leading_zeros = sum.leading_zeros();
    let fraction = ((i64::from(sum) << leading_zeros) - (1 << 31)) as i32;
    let reciprocal = one_over_one_plus(Fixed::new(fraction, 0));
    let bits_over_unit = SUM_BITS - leading_zeros;

    input
        .iter()
        .map(|&q| match exponential(q) {
            None => -128,
            Some(e) => {
                let probability = (reciprocal * e).raw;
                let output = rounding_divide_by_pot(probability, bits_over_unit + 31 - 8) - 128;
                output.clamp(-128, 127) as i8
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_odd_and_saturates() {
        let table = table(Function::Tanh, 8.0 / 127.0, 0);
        assert_eq!(table[128], 0, "tanh 0 = 0");
        assert_eq!((table[0], table[255]), (-128, 127));
        // tanh(16 · 8/127) = tanh 1.00787 = 0.76491; · 128 = 97.9.
        assert_eq!(table[128 + 16], 98);
        assert_eq!(table[128 - 16], -98);
        assert!(table.windows(2).all(|pair| pair[0] <= pair[1]), "it grows");
    }

    #[test]
    fn sigmoid_is_a_half_at_zero_and_saturates() {
        let table = table(Function::Sigmoid, 0.1, -20);
        assert_eq!(table[128 - 20], 0, "sigmoid 0 = 1/2");
        // sigmoid(1) = 0.731059; · 256 − 128 = 59.15.
        assert_eq!(table[128 - 20 + 10], 59);
        // sigmoid(−1) = 0.268941; · 256 − 128 = −59.15.
        assert_eq!(table[128 - 20 - 10], -59);
        assert_eq!(table[255], 127);
        assert!(table.windows(2).all(|pair| pair[0] <= pair[1]), "it grows");
    }

    #[test]
    fn inputs_beyond_the_radius_saturate() {
        // Scale 1: the argument has four integer bits, so 15 and beyond is out of reach.
        let table = table(Function::Sigmoid, 1.0, 0);
        assert_eq!((table[128 - 15], table[128 + 15]), (-128, 127));
        assert_eq!((table[0], table[255]), (-128, 127));
    }

    #[test]
    fn softmax_shares_one_among_equals() {
        assert_eq!(softmax(&[5, 5, 5, 5], 0.1), [-64; 4], "a quarter each");
        assert_eq!(softmax(&[127, -128], 1.0), [127, -128], "all to one");
        assert_eq!(softmax(&[-128], 0.5), [127], "one class has everything");
        // e^0, e^-1, e^-2 over their sum: 0.66524, 0.24473, 0.09003; · 256 − 128.
        assert_eq!(softmax(&[10, 0, -10], 0.1), [42, -65, -105]);
    }
}
