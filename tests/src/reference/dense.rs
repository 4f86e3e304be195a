//! Dense int8 layer, by the definition in the contract.

use super::rounding::{Factor, requantize};

/// A dense layer with integers that are wide enough for every step.
///
/// # Shapes
/// `weights` is `outputs` rows of `inputs` values; `biases` and `factors` have one entry per row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Symmetric weights, in [−127, 127], one row per output.
    pub weights: Vec<Vec<i64>>,
    /// Biases at scale s_x · s_w\[row\].
    pub biases: Vec<i64>,
    /// s_x · s_w\[row\] / s_y of each row.
    pub factors: Vec<Factor>,
    /// z_x.
    pub input_zero_point: i64,
    /// z_y.
    pub output_zero_point: i64,
    /// Range of the outputs, which implements relu and relu6.
    pub clamp: (i64, i64),
}

impl Dense {
    /// Returns all outputs for `input`.
    ///
    /// # Panics
    /// When a length does not match, or a result does not fit `i8`.
    pub fn run(&self, input: &[i8]) -> Vec<i8> {
        let input: Vec<i64> = input.iter().map(|x| i64::from(*x)).collect();
        let narrow = |y: i64| i8::try_from(y).expect("the clamp lies within int8");
        self.run_wide(&input).into_iter().map(narrow).collect()
    }

    /// Returns all outputs for `input`, for any data type of the tensors.
    ///
    /// # Panics
    /// When a length does not match.
    pub fn run_wide(&self, input: &[i64]) -> Vec<i64> {
        let rows = self.weights.iter().zip(&self.biases).zip(&self.factors);
        rows.map(|((weights, bias), factor)| {
            assert_eq!(weights.len(), input.len(), "one weight per input");
            let products = weights.iter().zip(input).map(|(w, x)| w * (x - self.input_zero_point));
            let accumulator = bias + products.sum::<i64>();
            let output = i64::from(requantize(accumulator, *factor)) + self.output_zero_point;
            let (lowest, highest) = self.clamp;
            output.clamp(lowest, highest)
        })
        .collect()
    }
}

/// The clamp of an activation that is folded into a dense layer, for an output quantized with
/// `scale` and `zero_point`: TFLM's `CalculateActivationRangeQuantized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// No activation: all of int8.
    Linear,
    /// max(0, y).
    Relu,
    /// min(max(0, y), 6).
    Relu6,
}

impl Folded {
    /// Returns the lowest and the highest output.
    pub fn clamp(self, scale: f32, zero_point: i64) -> (i64, i64) {
        // TFLM divides in f32 and rounds ties away from zero.
        let quantize = |real: f32| zero_point + (real / scale).round() as i64;
        match self {
            Folded::Linear => (-128, 127),
            Folded::Relu => (quantize(0.0).max(-128), 127),
            Folded::Relu6 => (quantize(0.0).max(-128), quantize(6.0).min(127)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Factor = Factor { mantissa: 1 << 30, shift: 0 };

    fn layer() -> Dense {
        Dense {
            weights: vec![vec![1, -2, 3], vec![127, 127, 127], vec![-127, -127, -127]],
            biases: vec![10, 0, 0],
            factors: vec![HALF, HALF, Factor { mantissa: 1 << 30, shift: -6 }],
            input_zero_point: -128,
            output_zero_point: 5,
            clamp: (-128, 127),
        }
    }

    #[test]
    fn a_layer_computed_by_hand() {
        // x − z = 0, 128, 255. Row 0: 10 − 256 + 765 = 519, / 2 = 259.5, a tie upwards: 260; + 5
        // is above 127. Row 2: −127 · 383 = −48641; / 2 = −24320.5, a tie upwards: −24320;
        // / 64 = −380; + 5 is below −128.
        assert_eq!(layer().run(&[-128, 0, 127]), [127, 127, -128]);
        // x − z = 1, 2, 1. Row 0: 10 + 1 − 4 + 3 = 10, / 2 + 5 = 10. Row 1: 127 · 4 / 2 + 5 = 259.
        // Row 2: −508 / 2 = −254, / 64 = −3.97: −4; + 5 = 1.
        assert_eq!(layer().run(&[-127, -126, -127]), [10, 127, 1]);
        // The zero point contributes nothing.
        assert_eq!(layer().run(&[-128; 3]), [10, 5, 5]);
    }

    #[test]
    fn a_clamp_is_a_relu() {
        let relu = Dense { clamp: (5, 127), ..layer() };
        assert_eq!(relu.run(&[-127, -126, -127]), [10, 127, 5]);
        let relu6 = Dense { clamp: (5, 8), ..layer() };
        assert_eq!(relu6.run(&[-127, -126, -127]), [8, 8, 5]);
    }

    #[test]
    fn folded_activations_clamp_where_the_real_bounds_lie() {
        assert_eq!(Folded::Linear.clamp(0.1, 3), (-128, 127));
        assert_eq!(Folded::Relu.clamp(0.1, -128), (-128, 127));
        assert_eq!(Folded::Relu.clamp(0.1, 3), (3, 127));
        assert_eq!(Folded::Relu6.clamp(0.1, 3), (3, 63));
        assert_eq!(Folded::Relu6.clamp(0.01, 0), (0, 127));
    }
}
