//! Activation functions and their derivatives.

mod input_limit;
mod loops;
mod name;

use serde::{Deserialize, Serialize};

pub use self::name::ACTIVATIONS;
use self::name::ActivationName;
use super::Real;

/// Activation function of a layer, with the definition and the name that Keras 3 has for it.
///
/// In a preset, a function with a parameter is written `{ elu = 1.0 }`, or by its name alone, which
/// gives the parameter Keras's default.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "ActivationName")]
pub enum Activation {
    /// y = x.
    #[default]
    Linear,
    /// y = max(x, 0).
    Relu,
    /// y = min(max(x, 0), 6).
    Relu6,
    /// y = x for x > 0, and this slope (0 to 1) times x below.
    LeakyRelu(f64),
    /// y = x for x > 0, and α · (e^x − 1) below, for this α: Clevert et al., *Fast and accurate deep
    /// network learning by exponential linear units*, 2016, equation 15.
    Elu(f64),
    /// y = λ · elu(x) with α = 1.6733 and λ = 1.0507: Klambauer et al., *Self-normalizing neural
    /// networks*, 2017, equation 2.
    Selu,
    /// y = x · Φ(x), with the distribution function Φ of the normal distribution: Hendrycks and
    /// Gimpel, *Gaussian error linear units*, 2016. The exact form, by the error function.
    Gelu,
    /// The approximation of [`Gelu`](Self::Gelu) by tanh, of the same paper:
    /// y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
    GeluTanh,
    /// y = x · sigmoid(x), also called swish: Ramachandran et al., *Searching for activation
    /// functions*, 2017.
    Silu,
    /// y = x · relu6(x + 3) / 6, also called hard swish: Howard et al., *Searching for
    /// MobileNetV3*, 2019.
    HardSilu,
    /// y = x · tanh(softplus(x)): Misra, *Mish*, 2020.
    Mish,
    /// y = ln(1 + e^x).
    Softplus,
    /// y = x / (1 + |x|).
    Softsign,
    /// y = tanh x.
    Tanh,
    /// y = 1 / (1 + e^−x).
    Sigmoid,
    /// y = min(max(slope · x + 1/2, 0), 1), for this slope. Keras 3 has 1/6, Keras 2 had 0.2.
    HardSigmoid(f64),
    /// y = e^x.
    Exponential,
    /// y_k = e^x_k / Σ e^x, over the outputs of one row.
    Softmax,
}

/// α of SELU, from the paper's appendix.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// λ of SELU, from the paper's appendix.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// √(2/π), of the approximation of GELU.
const GELU_FACTOR: f64 = 0.797_884_560_802_865_4;
/// Coefficient of x³ in the approximation of GELU.
const GELU_CUBE: f64 = 0.044_715;

impl Activation {
    /// Returns the name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Elu(_) => "elu",
            Activation::Selu => "selu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Silu => "silu",
            Activation::HardSilu => "hard_silu",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Softsign => "softsign",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::HardSigmoid(_) => "hard_sigmoid",
            Activation::Exponential => "exponential",
            Activation::Softmax => "softmax",
        }
    }

    /// Returns `true` if the derivative cannot be computed from the output alone, because the
    /// function has the same value at two places.
    pub(crate) fn needs_input(self) -> bool {
        use Activation::{Gelu, GeluTanh, HardSilu, Mish, Silu};
        matches!(self, Gelu | GeluTanh | Silu | HardSilu | Mish)
    }

    /// Computes the activation of one value. Softmax needs a whole row, so it returns `x`
    /// unchanged.
    // It must not call itself: a recursive function is never inlined.
    #[inline(always)]
    pub fn value<T: Real>(self, x: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        match self {
            Activation::Linear | Activation::Softmax => x,
            // NaN stays NaN: `max` would return 0, and divergence would go unnoticed.
            Activation::Relu => clip_below(x, zero),
            Activation::Relu6 => clip_above(clip_below(x, zero), T::from_u8(6)),
            Activation::LeakyRelu(slope) => select(x < zero, x * T::from_f64(slope), x),
            Activation::Elu(alpha) => elu(x, T::from_f64(alpha)),
            Activation::Selu => T::from_f64(SELU_SCALE) * elu(x, T::from_f64(SELU_ALPHA)),
            Activation::Gelu => x * normal_distribution(x),
            Activation::GeluTanh => {
                let half = T::from_f64(0.5);
                half * x * (one + gelu_inner(x).vector_tanh())
            }
            Activation::Silu => x * sigmoid(x),
            Activation::HardSilu => x * hard_sigmoid(x, T::from_f64(1.0 / 6.0)),
            Activation::Mish => x * softplus(x).vector_tanh(),
            Activation::Softplus => softplus(x),
            Activation::Softsign => x / (one + x.abs()),
            Activation::Tanh => x.vector_tanh(),
            Activation::Sigmoid => sigmoid(x),
            Activation::HardSigmoid(slope) => hard_sigmoid(x, T::from_f64(slope)),
            Activation::Exponential => x.exp(),
        }
    }

    /// Computes the derivative from the input `x` and the output `y`; `x` is only read if the
    /// function [`needs_input`](Self::needs_input). At the corners of ReLU and its variants it is
    /// the left derivative, as in TensorFlow and PyTorch (0 for ReLU).
    #[inline(always)]
    pub(crate) fn derivative<T: Real>(self, x: T, y: T) -> T {
        let (zero, one) = (T::zero(), T::one());
        match self {
            Activation::Linear | Activation::Softmax => one,
            Activation::Relu => select(y > zero, one, zero),
            Activation::Relu6 => select(y > zero && y < T::from_u8(6), one, zero),
            Activation::LeakyRelu(slope) => select(y > zero, one, T::from_f64(slope)),
            Activation::Elu(alpha) => select(y > zero, one, y + T::from_f64(alpha)),
            Activation::Selu => {
                let scale = T::from_f64(SELU_SCALE);
                select(y > zero, scale, y + scale * T::from_f64(SELU_ALPHA))
            }
            Activation::Gelu => {
                // Φ(x) + x · φ(x).
                let density = (T::from_f64(-0.5) * x * x).exp() * T::from_f64(0.5 * GELU_FACTOR);
                normal_distribution(x) + x * density
            }
            Activation::GeluTanh => {
                let (half, tanh) = (T::from_f64(0.5), gelu_inner(x).vector_tanh());
                let slope =
                    T::from_f64(GELU_FACTOR) + T::from_f64(3.0 * GELU_FACTOR * GELU_CUBE) * x * x;
                half * (one + tanh) + half * x * (one - tanh * tanh) * slope
            }
            Activation::Silu => {
                let sigmoid = sigmoid(x);
                sigmoid * (one + x * (one - sigmoid))
            }
            Activation::HardSilu => {
                let three = T::from_u8(3);
                let middle = (x + x + three) / T::from_u8(6);
                select(x <= -three, zero, select(x > three, one, middle))
            }
            Activation::Mish => {
                let tanh = softplus(x).vector_tanh();
                tanh + x * sigmoid(x) * (one - tanh * tanh)
            }
            // sigmoid(x) = 1 − e^−softplus(x).
            Activation::Softplus => one - (-y).exp(),
            Activation::Softsign => (one - y.abs()) * (one - y.abs()),
            Activation::Tanh => one - y * y,
            Activation::Sigmoid => y * (one - y),
            Activation::HardSigmoid(slope) => select(y > zero && y < one, T::from_f64(slope), zero),
            Activation::Exponential => y,
        }
    }
}

/// Returns `yes` if the condition holds. NaN in a condition's operand is never `true`.
#[inline(always)]
fn select<T>(condition: bool, yes: T, no: T) -> T {
    if condition { yes } else { no }
}

/// Returns the larger of `x` and the limit. NaN stays.
#[inline(always)]
fn clip_below<T: Real>(x: T, limit: T) -> T {
    select(x < limit, limit, x)
}

/// Returns the smaller of `x` and the limit. NaN stays.
#[inline(always)]
fn clip_above<T: Real>(x: T, limit: T) -> T {
    select(x > limit, limit, x)
}

#[inline(always)]
fn elu<T: Real>(x: T, alpha: T) -> T {
    select(x > T::zero(), x, alpha * x.exp_m1())
}

/// Computes the logistic sigmoid 1 / (1 + e^−x) as (tanh(x / 2) + 1) / 2, which vectorizes.
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    half * (half * x).vector_tanh() + half
}

#[inline(always)]
fn hard_sigmoid<T: Real>(x: T, slope: T) -> T {
    let line = slope * x + T::from_f64(0.5);
    clip_above(clip_below(line, T::zero()), T::one())
}

/// Computes ln(1 + e^x) without overflow.
#[inline(always)]
fn softplus<T: Real>(x: T) -> T {
    clip_below(x, T::zero()) + (-x.abs()).exp().ln_1p()
}

/// Computes Φ(x) = (1 + erf(x/√2)) / 2, by the complement, which stays exact where Φ is near 0.
#[inline(always)]
fn normal_distribution<T: Real>(x: T) -> T {
    T::from_f64(0.5) * (-x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erfc()
}

/// Computes √(2/π) · (x + 0.044715 x³).
#[inline(always)]
fn gelu_inner<T: Real>(x: T) -> T {
    T::from_f64(GELU_FACTOR) * (x + T::from_f64(GELU_CUBE) * x * x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All functions of one value.
    const ALL: [Activation; 17] = [
        Activation::Linear,
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.1),
        Activation::Elu(0.5),
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::HardSilu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid(0.2),
        Activation::Exponential,
    ];

    /// At −2, 0.5 and 7, by the definitions written another way.
    #[test]
    fn values_are_those_of_the_definitions_and_nan_stays() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mish = |x: f64| x * ((1.0 + x.exp()).powi(2) - 1.0) / ((1.0 + x.exp()).powi(2) + 1.0);
        let gelu_tanh = |x: f64| {
            let e = (2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).exp();
            x * e / (e + 1.0)
        };
        let all = |function: &dyn Fn(f64) -> f64| [-2.0, 0.5, 7.0].map(function);
        // Φ(−2), Φ(0.5) from tables of the normal distribution; Φ(7) is 1 to 12 digits.
        let gelu = [-2.0 * 0.022_750_131_948_179_2, 0.5 * 0.691_462_461_274_013_1, 7.0];
        for (activation, expected) in ALL.into_iter().zip([
            [-2.0, 0.5, 7.0],
            [0.0, 0.5, 7.0],
            [0.0, 0.5, 6.0],
            [-0.2, 0.5, 7.0],
            [0.5 * ((-2_f64).exp() - 1.0), 0.5, 7.0],
            [
                1.758_099_340_847_376_6 * ((-2_f64).exp() - 1.0),
                0.525_350_493_677_740_2,
                SELU_SCALE * 7.0,
            ],
            gelu,
            all(&gelu_tanh),
            all(&|x| x * logistic(x)),
            [-2.0 / 6.0, 0.5 * 3.5 / 6.0, 7.0],
            all(&mish),
            all(&|x| (1.0 + x.exp()).ln()),
            [-2.0 / 3.0, 0.5 / 1.5, 0.875],
            all(&f64::tanh),
            all(&logistic),
            [0.1, 0.6, 1.0],
            all(&f64::exp),
        ]) {
            let mut values = [-3.0, -0.5, 6.0, f64::NAN];
            activation.apply_with_bias(&mut values, &[1.0; 4]);
            for (value, expected) in values.iter().zip(expected) {
                let error = (value - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-11, "{activation:?}: {value} {expected}");
            }
            assert!(values[3].is_nan(), "{activation:?}");
        }
    }

    #[test]
    fn derivatives_equal_central_differences() {
        let step = f64::EPSILON.cbrt();
        for activation in ALL {
            for x in [-3.3, -1.0, -0.1, 0.1, 1.0, 3.3, 6.5] {
                let at = |x: f64| activation.value(x);
                let difference = (at(x + step) - at(x - step)) / (2.0 * step);
                let derivative = activation.derivative(x, at(x));
                let error = (difference - derivative).abs() / at(x).abs().max(1.0);
                assert!(error < 1e-9, "{activation:?} at {x}: {difference} {derivative}");
            }
        }
    }

    #[test]
    fn the_vectorized_functions_are_within_rounding_of_the_real_ones() {
        for step in -2000..=2000 {
            let x = step as f32 / 100.0;
            let (tanh, exact) = (Activation::Tanh.value(x), f64::from(x).tanh());
            assert!((f64::from(tanh) - exact).abs() < 4e-7, "tanh {x}: {tanh} {exact}");
            let (y, exact) = (sigmoid(x), 1.0 / (1.0 + (-f64::from(x)).exp()));
            assert!((f64::from(y) - exact).abs() < 4e-7, "sigmoid {x}: {y} {exact}");
        }
        assert_eq!(Activation::Tanh.value(f32::INFINITY), Activation::Tanh.value(30.0_f32));
    }
}
