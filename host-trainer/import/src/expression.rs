//! Values of a graph (ONNX, TensorFlow Lite) that depend on the input, and their conversion to a chain.

use model_format::Quantization;
use thimble_network::Activation;
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line};
use crate::pieces::{Piece, clip};

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
    /// Each number within bounds, which may be infinite.
    Clip(usize, f64, f64),
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
    /// The second value where the first is not 0, else the third.
    Select(usize, usize, usize),
    /// Probabilities 1 − p and p.
    Complement(usize),
}

impl Kind {
    /// Returns the values that it depends on.
    pub(crate) fn inputs(&self) -> Vec<usize> {
        match self {
            Kind::Input => Vec::new(),
            Kind::Same(before)
            | Kind::Pieces(before, _)
            | Kind::Clip(before, ..)
            | Kind::Unary(before, _)
            | Kind::Lines(before, _)
            | Kind::Slopes(before, _)
            | Kind::Dense(before, ..)
            | Kind::Quantize(before, _)
            | Kind::Softmax(before)
            | Kind::Complement(before) => vec![*before],
            Kind::Binary(_, a, b) => vec![*a, *b],
            Kind::Select(condition, a, b) => vec![*condition, *a, *b],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    Erf,
    Abs,
    Log,
    Sqrt,
    Reciprocal,
    Power(f64),
    /// 1 above a bound, else 0.
    Greater(f64),
    /// 1 below a bound, else 0.
    Less(f64),
}

impl Unary {
    /// Computes the function of one value.
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
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
            Unary::Power(exponent) => x.powf(exponent),
            Unary::Greater(bound) => f64::from(u8::from(x > bound)),
            Unary::Less(bound) => f64::from(u8::from(x < bound)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Maximum,
    Minimum,
}

impl Binary {
    /// Computes the operation.
    pub(crate) fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Maximum => a.max(b),
            Binary::Minimum => a.min(b),
        }
    }
}

/// All computed values, in the order of the graph.
#[derive(Debug, Default)]
pub(crate) struct Expressions(pub(crate) Vec<Expression>);

impl Expressions {
    /// Returns the kind of a value within bounds. Bounds of a value that has some already are joined.
    pub(crate) fn clipped(&self, number: usize, low: f64, high: f64) -> Kind {
        let alone = || match (low, high) {
            (0.0, f64::INFINITY) => Kind::Pieces(number, vec![Piece::Activation(Activation::Relu)]),
            _ => Kind::Clip(number, low, high),
        };
        let (before, least, most) = match &self.0[number].kind {
            Kind::Clip(before, least, most) => (*before, *least, *most),
            Kind::Pieces(before, pieces) => match pieces[..] {
                [Piece::Activation(Activation::Relu)] => (*before, 0.0, f64::INFINITY),
                [Piece::Activation(Activation::Relu6)] => (*before, 0.0, 6.0),
                _ => return alone(),
            },
            _ => return alone(),
        };
        let within = |bound: f64| bound.max(low).min(high);
        Kind::Clip(before, within(least), within(most))
    }

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
                Kind::Pieces(..)
                | Kind::Clip(..)
                | Kind::Unary(..)
                | Kind::Binary(..)
                | Kind::Select(..) => {
                    let alone = match &value.kind {
                        Kind::Pieces(before, pieces) => Some((*before, pieces.clone())),
                        Kind::Clip(before, low, high) => {
                            clip(*low, *high).map(|pieces| (*before, pieces))
                        }
                        _ => None,
                    };
                    let found = self.composed(current).or(alone);
                    let (before, pieces) = found.ok_or_else(|| self.refuse(value))?;
                    step(functions(&pieces, width));
                    before
                }
            };
        }
        for (name, _, functions) in steps.into_iter().rev() {
            functions.into_iter().for_each(|function| network.push(&name, function));
        }
        Ok(())
    }
}

fn functions(pieces: &[Piece], width: usize) -> Vec<Function> {
    pieces.iter().map(|piece| piece.function(width)).collect()
}

impl Expressions {
    /// Returns the error for a value that is no known activation.
    fn refuse(&self, value: &Expression) -> Error {
        refuse(value, value.kind.inputs().into_iter().any(|number| self.is_quantized(number)))
    }

    fn is_quantized(&self, mut number: usize) -> bool {
        while let Kind::Same(before) = self.0[number].kind {
            number = before;
        }
        matches!(self.0[number].kind, Kind::Quantize(..))
    }
}

/// Remedy for activations that are quantized in pieces.
pub(crate) const QUANTIZED_IN_PIECES: &str = "it joins two quantized values, such as a SiLU that is quantized in pieces. Import the float model \
     with --calibrate, which quantizes the activation as a whole";

fn refuse(value: &Expression, is_quantized: bool) -> Error {
    let problem = match value.kind {
        Kind::Binary(..) if is_quantized => QUANTIZED_IN_PIECES.to_string(),
        Kind::Binary(binary, ..) => format!(
            "it {} two computed values. A skip connection cannot be imported, only a chain of \
             layers",
            match binary {
                Binary::Add => "adds",
                Binary::Subtract => "subtracts",
                Binary::Multiply => "multiplies",
                Binary::Divide => "divides",
                Binary::Maximum => "takes the larger of",
                Binary::Minimum => "takes the smaller of",
            }
        ),
        _ => "it is not part of a known activation. Use relu, silu, gelu or another of the \
              supported ones, and train again"
            .to_string(),
    };
    Error::place(shown(&value.place), problem)
}
