//! Element-wise functions of other frameworks, as activations between scalar affine functions.

use thimble_network::Activation;

use crate::float_network::{FloatNetwork, Function, Line};

/// A part of an element-wise function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece {
    /// The same affine function of all values.
    Line(Line),
    /// An activation.
    Activation(Activation),
}

impl Piece {
    /// Computes the function of one value.
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Piece::Line(line) => line.value(x),
            Piece::Activation(activation) => activation.value(x),
        }
    }

    /// Returns the step for this number of values.
    pub(crate) fn function(self, width: usize) -> Function {
        match self {
            Piece::Line(line) => Function::Affine(vec![line; width]),
            Piece::Activation(activation) => Function::Activation(activation),
        }
    }
}

impl FloatNetwork {
    /// Appends an element-wise function of this number of values.
    pub(crate) fn push_pieces(&mut self, name: &str, pieces: &[Piece], width: usize) {
        for piece in pieces {
            self.push(name, piece.function(width));
        }
    }
}

/// Returns an activation alone.
pub(crate) fn activation(activation: Activation) -> Vec<Piece> {
    match activation {
        Activation::Linear => Vec::new(),
        other => vec![Piece::Activation(other)],
    }
}

impl FloatNetwork {
    /// Appends y = x for x > 0, and slope · x below, with a slope per value.
    pub(crate) fn push_slopes(&mut self, name: &str, slopes: Vec<f64>) {
        match same_slope(&slopes) {
            Some(pieces) => self.push_pieces(name, &pieces, slopes.len()),
            None => self.push(name, Function::Slopes(slopes)),
        }
    }
}

/// Returns the function of slopes that are equal and not negative, or `None` for others.
pub(crate) fn same_slope(slopes: &[f64]) -> Option<Vec<Piece>> {
    let first = *slopes.first()?;
    leaky_relu(first).filter(|_| slopes.iter().all(|slope| *slope == first))
}

/// Returns y = x for x > 0, and slope · x below. `None` for a negative slope.
pub(crate) fn leaky_relu(slope: f64) -> Option<Vec<Piece>> {
    match slope {
        0.0 => Some(activation(Activation::Relu)),
        1.0 => Some(Vec::new()),
        slope if (0.0..1.0).contains(&slope) => Some(activation(Activation::LeakyRelu(slope))),
        // The same function of mirrored values.
        slope if slope > 1.0 && slope.is_finite() => Some(vec![
            Piece::Line(Line::new(-1.0, 0.0)),
            Piece::Activation(Activation::LeakyRelu(1.0 / slope)),
            Piece::Line(Line::new(-slope, 0.0)),
        ]),
        _ => None,
    }
}

/// Returns y = ln(1 / (1 + e^−x)).
pub(crate) fn log_sigmoid() -> Vec<Piece> {
    let mirrored = Piece::Line(Line::new(-1.0, 0.0));
    vec![mirrored, Piece::Activation(Activation::Softplus), mirrored]
}

/// Returns y = x for x > 0, and α · (e^(x / α) − 1) below. `None` for an α that is not positive.
pub(crate) fn celu(alpha: f64) -> Option<Vec<Piece>> {
    let line = |factor| Piece::Line(Line::new(factor, 0.0));
    let elu = Piece::Activation(Activation::Elu(1.0));
    match alpha {
        1.0 => Some(vec![elu]),
        alpha if alpha > 0.0 && alpha.is_finite() => {
            Some(vec![line(1.0 / alpha), elu, line(alpha)])
        }
        _ => None,
    }
}

/// Returns y = min(max(x, low), high), with infinite bounds for none. `None` for other bounds that
/// no activation has.
pub(crate) fn clip(low: f64, high: f64) -> Option<Vec<Piece>> {
    let line = |factor, shift| Piece::Line(Line::new(factor, shift));
    let relu = Piece::Activation(Activation::Relu);
    match (low, high) {
        (low, high) if low.is_nan() || high.is_nan() || low >= high => None,
        (f64::NEG_INFINITY, f64::INFINITY) => Some(Vec::new()),
        (0.0, f64::INFINITY) => Some(vec![relu]),
        (0.0, 6.0) => Some(activation(Activation::Relu6)),
        // relu shifted, relu mirrored, relu6 stretched.
        (low, f64::INFINITY) => Some(vec![line(1.0, -low), relu, line(1.0, low)]),
        (f64::NEG_INFINITY, high) => Some(vec![line(-1.0, high), relu, line(-1.0, high)]),
        (low, high) => {
            let stretch = 6.0 / (high - low);
            let into = Line { offset: low, factor: stretch, shift: 0.0 };
            let relu6 = Piece::Activation(Activation::Relu6);
            Some(vec![Piece::Line(into), relu6, line(1.0 / stretch, low)])
        }
    }
}

/// Returns y = min(max(slope · x + intercept, 0), 1). `None` for a slope
/// that presets do not allow.
pub(crate) fn hard_sigmoid(slope: f64, intercept: f64) -> Option<Vec<Piece>> {
    if !(slope > 0.0 && slope <= 1.0 && intercept.is_finite()) {
        return None;
    }
    let mut pieces = activation(Activation::HardSigmoid(slope));
    if intercept != 0.5 {
        pieces.insert(0, Piece::Line(Line::new(1.0, (intercept - 0.5) / slope)));
    }
    Some(pieces)
}

/// Returns y = scale · elu(x) with this α. `None` for parameters that
/// presets do not allow.
pub(crate) fn scaled_elu(alpha: f64, scale: f64) -> Option<Vec<Piece>> {
    // Those of the paper in single and double precision.
    if (alpha - 1.673_263_2).abs() < 1e-6 && (scale - 1.050_701).abs() < 1e-6 {
        return Some(activation(Activation::Selu));
    }
    if !(alpha > 0.0 && alpha <= 100.0 && scale.is_finite()) {
        return None;
    }
    let mut pieces = activation(Activation::Elu(alpha));
    if scale != 1.0 {
        pieces.push(Piece::Line(Line::new(scale, 0.0)));
    }
    Some(pieces)
}

/// Functions without parameters by the names that the frameworks have for them.
pub(crate) fn named(name: &str) -> Option<Vec<Piece>> {
    Some(activation(match name {
        "linear" | "identity" | "none" => Activation::Linear,
        "relu" => Activation::Relu,
        "relu6" => Activation::Relu6,
        "tanh" => Activation::Tanh,
        "sigmoid" | "logistic" => Activation::Sigmoid,
        "elu" => Activation::Elu(1.0),
        "selu" => Activation::Selu,
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "silu" | "swish" => Activation::Silu,
        "hard_silu" | "hard_swish" | "hardswish" => Activation::HardSilu,
        "mish" => Activation::Mish,
        "softplus" => Activation::Softplus,
        "softsign" => Activation::Softsign,
        "exponential" | "exp" => Activation::Exponential,
        "softmax" | "log_softmax" => Activation::Softmax,
        "hard_tanh" | "hardtanh" => return clip(-1.0, 1.0),
        "celu" => return celu(1.0),
        "log_sigmoid" | "logsigmoid" => return Some(log_sigmoid()),
        "sparse_sigmoid" => return hard_sigmoid(0.5, 0.5),
        _ => return None,
    }))
}

/// Functions that appear in pieces in a graph, for comparison.
pub(crate) const COMPOSED: [Activation; 10] = [
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::HardSilu,
    Activation::Mish,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Relu,
    Activation::Sigmoid,
    Activation::Tanh,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn value(pieces: &[Piece], x: f64) -> f64 {
        pieces.iter().fold(x, |x, piece| piece.value(x))
    }

    #[test]
    fn clips_are_exact() {
        for (low, high) in [
            (0.0, 6.0),
            (0.0, f64::INFINITY),
            (-1.0, 1.0),
            (0.0, 1.0),
            (-2.5, f64::INFINITY),
            (f64::NEG_INFINITY, 3.0),
            (f64::NEG_INFINITY, f64::INFINITY),
        ] {
            let pieces = clip(low, high).unwrap();
            for x in [-7.0, -1.0, -0.5, 0.0, 0.25, 1.0, 5.0, 9.0] {
                let (found, expected) = (value(&pieces, x), x.max(low).min(high));
                assert!((found - expected).abs() < 1e-14, "{low} {high} {x}: {found}");
            }
        }
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0)] {
            assert_eq!(clip(low, high), None);
        }
    }

    #[test]
    fn parameters_are_kept() {
        let hard = hard_sigmoid(0.2, 0.6).unwrap();
        for x in [-9.0, -1.0, 0.0, 1.0, 9.0] {
            let expected = (0.2 * x + 0.6_f64).clamp(0.0, 1.0);
            assert!((value(&hard, x) - expected).abs() < 1e-15);
        }
        let elu = scaled_elu(0.5, 2.0).unwrap();
        assert!((value(&elu, -1.0) - (-1f64).exp_m1()).abs() < 1e-15);
        assert_eq!(scaled_elu(1.673_263_2, 1.050_701), named("selu"));
        let steep = leaky_relu(1.5).unwrap();
        assert_eq!([-2.0, 0.0, 3.0].map(|x| value(&steep, x)), [-3.0, 0.0, 3.0]);
        let celu = celu(0.5).unwrap();
        assert_eq!(value(&celu, 2.0), 2.0);
        assert!((value(&celu, -1.0) - 0.5 * (-2f64).exp_m1()).abs() < 1e-15);
        assert!((value(&log_sigmoid(), 0.3) + (-0.3f64).exp().ln_1p()).abs() < 1e-15);
        assert_eq!(leaky_relu(-0.1), None);
        assert_eq!(named("wavy"), None);
    }
}
