//! Values of a graph (ONNX, TensorFlow Lite) that depend on the input, and their conversion to a chain.

use model_format::Quantization;
use thimble_support::foreign_text::shown;
use thimble_train::network::Activation;

use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line};
use crate::pieces::{COMPOSED, Piece};

/// Maximum number of element-wise nodes of one activation.
const MAX_NODES: usize = 32;
/// Maximum number of values between an activation in pieces and its base.
const MAX_BETWEEN: usize = 64;
/// Maximum depth of joined branches in an activation: the approximation of GELU has 2.
const MAX_DEPTH: usize = 4;

/// A computed value: how it follows from values before it.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    /// Index and name of its node, for messages.
    pub(crate) place: String,
    /// Name for the layer.
    pub(crate) name: String,
    /// Shape without the batch.
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: Kind,
}

/// Dependence of a value on those before it, by their numbers.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Input,
    /// The same numbers in another shape.
    Same(usize),
    /// The same function of each number.
    Pieces(usize, Vec<Piece>),
    /// A function of each number that is no activation by itself.
    Unary(usize, Unary),
    /// An affine function of each number.
    Lines(usize, Vec<Line>),
    /// A slope per number below zero.
    Slopes(usize, Vec<f64>),
    /// Weights, biases, and the scales of quantized weights.
    Dense(usize, Vec<f64>, Vec<f64>, Vec<f64>),
    /// The nearest values of a quantized tensor.
    Quantize(usize, Quantization),
    Softmax(usize),
    /// An operation of two computed values of the same shape.
    Binary(Binary, usize, usize),
    /// Probabilities 1 − p and p.
    Complement(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    Erf,
    Abs,
    Log,
    Sqrt,
    Reciprocal,
    Power(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// All computed values, in the order of the graph.
#[derive(Debug, Default)]
pub(crate) struct Expressions(pub(crate) Vec<Expression>);

impl Expressions {
    /// Appends the steps that compute a value to the network.
    pub(crate) fn append(&self, number: usize, network: &mut FloatNetwork) -> Result<()> {
        // Backwards from the output; each step has one value before it.
        let mut steps: Vec<(String, usize, Vec<Function>)> = Vec::new();
        let mut current = number;
        loop {
            let value = &self.0[current];
            let width: usize = crate::tensor::size(&value.shape);
            let mut step = |functions| steps.push((value.name.clone(), width, functions));
            current = match &value.kind {
                Kind::Input => break,
                Kind::Same(before) | Kind::Complement(before) => *before,
                Kind::Lines(before, lines) => {
                    step(vec![Function::Affine(lines.clone())]);
                    *before
                }
                Kind::Slopes(before, slopes) => {
                    step(vec![Function::Slopes(slopes.clone())]);
                    *before
                }
                Kind::Dense(before, weights, biases, scales) => {
                    let (weights, biases) = (weights.clone(), biases.clone());
                    step(vec![Function::Dense { weights, biases, scales: scales.clone() }]);
                    *before
                }
                Kind::Quantize(before, to) => {
                    step(vec![Function::Quantize(*to)]);
                    *before
                }
                Kind::Softmax(before) => {
                    step(vec![Function::Activation(Activation::Softmax)]);
                    *before
                }
                Kind::Pieces(..) | Kind::Unary(..) | Kind::Binary(..) => {
                    match (self.composed(current), &value.kind) {
                        (Some((base, pieces)), _) => {
                            step(functions(&pieces, width));
                            base
                        }
                        (None, Kind::Pieces(before, pieces)) => {
                            step(functions(pieces, width));
                            *before
                        }
                        (None, _) => return Err(refuse(value)),
                    }
                }
            };
        }
        for (name, _, functions) in steps.into_iter().rev() {
            functions.into_iter().for_each(|function| network.push(&name, function));
        }
        Ok(())
    }

    /// Recognizes an activation that is computed in pieces, by its values. Returns the value before
    /// it and the function.
    fn composed(&self, number: usize) -> Option<(usize, Vec<Piece>)> {
        let base = self.base(number, 0)?;
        const POINTS: [f64; 12] =
            [-9.0, -4.0, -3.0, -1.7, -0.9, -0.3, 0.0, 0.4, 1.1, 2.6, 4.2, 7.5];
        let own: Vec<f64> =
            POINTS.iter().map(|x| self.value(number, base, *x)).collect::<Option<_>>()?;
        let fits = |activation: &Activation| {
            let values = POINTS.map(|x| activation.value(x));
            let factor = own[9] / values[9];
            // Constants in f32, such as the square root of 2, are off by 6e-8.
            let near = |(own, value): (&f64, &f64)| {
                (own - factor * value).abs() <= 1e-6 * factor.abs() * (1.0 + value.abs())
            };
            (factor != 0.0 && own.iter().zip(&values).all(near)).then_some(factor)
        };
        let (activation, factor) =
            COMPOSED.iter().find_map(|activation| Some((*activation, fits(activation)?)))?;
        let mut pieces = vec![Piece::Activation(activation)];
        if (factor - 1.0).abs() > 1e-6 {
            pieces.push(Piece::Line(Line::new(factor, 0.0)));
        }
        Some((base, pieces))
    }

    /// Returns the value before a composed activation: the last one that all paths to it share.
    /// `None` if there is nothing composed.
    fn base(&self, number: usize, depth: usize) -> Option<usize> {
        // Each level follows two branches.
        if depth > MAX_DEPTH {
            return None;
        }
        let mut current = number;
        let mut last_unary = None;
        for _ in 0..MAX_NODES {
            match &self.0[current].kind {
                Kind::Same(before) | Kind::Pieces(before, _) => current = *before,
                Kind::Unary(before, _) => {
                    last_unary = Some(current);
                    current = *before;
                }
                Kind::Binary(_, a, b) => {
                    let (first, second) = (self.before(*a, depth), self.before(*b, depth));
                    return first.into_iter().find(|number| second.contains(number));
                }
                _ => return last_unary.map(|_| current),
            }
        }
        None
    }

    /// Returns a value and those that it follows from element by element, nearest first.
    fn before(&self, number: usize, depth: usize) -> Vec<usize> {
        let mut all = vec![number];
        let mut current = number;
        while all.len() < MAX_NODES {
            current = match &self.0[current].kind {
                Kind::Same(before) | Kind::Pieces(before, _) | Kind::Unary(before, _) => *before,
                Kind::Binary(..) => match self.base(current, depth + 1) {
                    Some(base) => base,
                    None => break,
                },
                _ => break,
            };
            all.push(current);
        }
        all
    }

    /// Computes a value for a number of the base. `None` if it does not follow from it alone.
    fn value(&self, number: usize, base: usize, x: f64) -> Option<f64> {
        // Values follow from earlier ones only. Each is computed once.
        let between = self.0.get(base..=number).filter(|some| some.len() <= MAX_BETWEEN)?;
        let mut values: Vec<Option<f64>> = Vec::with_capacity(between.len());
        for (at, expression) in between.iter().enumerate() {
            let of = |number: usize| values.get(number.checked_sub(base)?).copied().flatten();
            let value = if at == 0 { Some(x) } else { of_kind(&expression.kind, of) };
            values.push(value);
        }
        values.last().copied().flatten()
    }
}

/// Computes a value from those before it. `None` if it does not follow element by element.
fn of_kind(kind: &Kind, of: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    Some(match kind {
        Kind::Same(before) => of(*before)?,
        Kind::Pieces(before, pieces) => pieces.iter().fold(of(*before)?, |x, piece| piece.value(x)),
        Kind::Unary(before, unary) => {
            let x = of(*before)?;
            match unary {
                // erf(x) = 2 Φ(√2 x) − 1, and gelu(y) = y Φ(y).
                Unary::Erf if x == 0.0 => 0.0,
                Unary::Erf => {
                    let y = x * std::f64::consts::SQRT_2;
                    2.0 * Activation::Gelu.value(y) / y - 1.0
                }
                Unary::Abs => x.abs(),
                Unary::Log => x.ln(),
                Unary::Sqrt => x.sqrt(),
                Unary::Reciprocal => 1.0 / x,
                Unary::Power(exponent) => x.powf(*exponent),
            }
        }
        Kind::Binary(binary, a, b) => {
            let (a, b) = (of(*a)?, of(*b)?);
            match binary {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                Binary::Multiply => a * b,
                Binary::Divide => a / b,
            }
        }
        _ => return None,
    })
}

fn functions(pieces: &[Piece], width: usize) -> Vec<Function> {
    pieces.iter().map(|piece| piece.function(width)).collect()
}

fn refuse(value: &Expression) -> Error {
    let problem = match value.kind {
        Kind::Binary(binary, ..) => format!(
            "it {} two computed values. A skip connection cannot be imported, only a chain of \
             layers",
            match binary {
                Binary::Add => "adds",
                Binary::Subtract => "subtracts",
                Binary::Multiply => "multiplies",
                Binary::Divide => "divides",
            }
        ),
        _ => "it is not part of a known activation. Use relu, silu, gelu or another of the \
              supported ones, and train again"
            .to_string(),
    };
    Error::place(shown(&value.place), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x · sigmoid(x), with numbers 0 (input), 1 (sigmoid), 2 (product).
    fn silu() -> Expressions {
        let value =
            |kind| Expression { place: "node".into(), name: "n".into(), shape: vec![3], kind };
        Expressions(vec![
            value(Kind::Input),
            value(Kind::Pieces(0, vec![Piece::Activation(Activation::Sigmoid)])),
            value(Kind::Binary(Binary::Multiply, 0, 1)),
        ])
    }

    #[test]
    fn activations_in_pieces_are_recognized_by_their_values() {
        let mut values = silu();
        let silu = vec![Piece::Activation(Activation::Silu)];
        assert_eq!(values.composed(2), Some((0, silu)));
        values.0[2].kind = Kind::Binary(Binary::Add, 0, 1);
        assert_eq!(values.composed(2), None);
        // Each value is the square of the one before: as many paths as numbers of 40 bits.
        let mut deep = Expressions(vec![values.0[0].clone()]);
        for number in 0..40 {
            let kind = Kind::Binary(Binary::Multiply, number, number);
            deep.0.push(Expression { kind, ..values.0[0].clone() });
        }
        assert_eq!(deep.composed(40), None);
        let mut network = FloatNetwork {
            source: "",
            shape: vec![3],
            steps: Vec::new(),
            classes: Vec::new(),
            notes: Vec::new(),
        };
        let message = values.append(2, &mut network).unwrap_err().to_string();
        assert!(message.contains("adds two computed values"), "{message}");
    }
}
