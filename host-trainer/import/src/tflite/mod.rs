//! Float TensorFlow Lite models, with weights in float32, float16, int8 or int4.

mod constant;

use std::collections::HashMap;

use thimble_convert::import::{OperatorContents, contents, is_float};
use thimble_network::Activation;
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::expression::{Binary, Expression, Expressions, Kind, Unary};
use crate::float_network::{FloatNetwork, Line};
use crate::pieces::{self, Piece};
use crate::tensor::Tensor;
use constant::decode;

/// Reads a float model.
pub(crate) fn read(file: &[u8]) -> Result<FloatNetwork> {
    if !is_float(file) && contents(file).is_ok() {
        return Err(Error::format(
            "a TensorFlow Lite model with integer arithmetic",
            "`host-trainer import` converts it directly, without a run folder",
        ));
    }
    let contents = contents(file).map_err(|error| Error::Read(error.to_string()))?;
    let sizes = contents.shape.iter().map(|size| usize::try_from(*size).unwrap_or(1));
    let mut shape: Vec<usize> = sizes.collect();
    if shape.len() > 1 {
        shape.remove(0);
    }
    let input = Expression {
        place: "the input".into(),
        name: "input".into(),
        shape: shape.clone(),
        kind: Kind::Input,
    };
    let mut walk = Walk {
        computed: HashMap::from([(contents.input, 0)]),
        dense: HashMap::new(),
        constants: HashMap::new(),
        expressions: Expressions(vec![input]),
        notes: Vec::new(),
    };
    for operator in &contents.operators {
        walk.follow(operator)?;
    }
    let Some(number) = walk.computed.get(&contents.output).copied() else {
        return Err(Error::place("the graph", "its output does not depend on the input"));
    };
    let mut network = FloatNetwork {
        source: "float TensorFlow Lite model",
        shape,
        steps: Vec::new(),
        classes: Vec::new(),
        notes: walk.notes,
    };
    walk.expressions.append(number, &mut network)?;
    Ok(network)
}

struct Walk {
    /// Numbers of computed values, by tensor.
    computed: HashMap<i32, usize>,
    /// Dense layers without their activations, by input tensors. The converter repeats them where
    /// an activation is in pieces.
    dense: HashMap<Vec<i32>, usize>,
    /// Constants that operators made from others, by tensor.
    constants: HashMap<i32, Tensor>,
    expressions: Expressions,
    notes: Vec<String>,
}

impl Walk {
    fn follow(&mut self, operator: &OperatorContents) -> Result<()> {
        let refuse = |problem: &str| Error::place(place(operator), problem);
        let inputs: Vec<usize> = operator
            .inputs
            .iter()
            .filter_map(|tensor| self.computed.get(tensor).copied())
            .collect();
        let Some(&number) = inputs.first() else {
            return self.of_constants(operator);
        };
        let shape = self.expressions.0[number].shape.clone();
        let width: usize = crate::tensor::size(&shape);
        let piece = |activation| Ok(pieces::activation(activation));
        let pieces = match operator.name.as_str() {
            // They compute the target of a RESHAPE, which keeps the order of values.
            "SHAPE" | "STRIDED_SLICE" | "PACK" => return Ok(()),
            "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => {
                self.compute(operator, vec![width], Kind::Same(number));
                return Ok(());
            }
            "FULLY_CONNECTED" => return self.dense(operator, number, &shape),
            "MAXIMUM" | "MINIMUM" if inputs.len() == 1 => {
                let bound = self.constant(operator, 0)?.or(self.constant(operator, 1)?);
                let Some([bound]) = bound.as_ref().map(|bound| &bound.values[..]) else {
                    return Err(refuse("its bound must be one number"));
                };
                let (low, high) = match operator.name.as_str() {
                    "MAXIMUM" => (*bound, f64::INFINITY),
                    _ => (f64::NEG_INFINITY, *bound),
                };
                return self.clip(operator, number, low, high);
            }
            "ADD" | "SUB" | "MUL" | "DIV" | "MAXIMUM" | "MINIMUM" => {
                return self.arithmetic(operator, &inputs, &shape);
            }
            "SOFTMAX" | "LOG_SOFTMAX" => {
                if operator.name == "LOG_SOFTMAX" {
                    self.notes.push(
                        "the outputs are probabilities, not their logarithms: LOG_SOFTMAX is taken \
                         as softmax"
                            .into(),
                    );
                } else if operator.number != 1.0 {
                    let line = vec![Piece::Line(Line::new(operator.number.into(), 0.0))];
                    let scaled = self.compute(operator, shape.clone(), Kind::Pieces(number, line));
                    self.compute(operator, shape, Kind::Softmax(scaled));
                    return Ok(());
                }
                self.compute(operator, shape, Kind::Softmax(number));
                return Ok(());
            }
            "RELU" => return self.clip(operator, number, 0.0, f64::INFINITY),
            "RELU6" => piece(Activation::Relu6),
            "RELU_N1_TO_1" => return self.clip(operator, number, -1.0, 1.0),
            "RELU_0_TO_1" => return self.clip(operator, number, 0.0, 1.0),
            "GREATER" | "LESS" => {
                let bound = self.constant(operator, 1)?;
                let Some([bound]) = bound.as_ref().map(|bound| &bound.values[..]) else {
                    return Err(refuse("its bound must be one number, on the right"));
                };
                let unary = match operator.name.as_str() {
                    "GREATER" => Unary::Greater(*bound),
                    _ => Unary::Less(*bound),
                };
                return self.unary(operator, number, unary);
            }
            "SELECT" | "SELECT_V2" => {
                let [condition, a, b] = inputs[..] else {
                    return Err(refuse("it selects a constant"));
                };
                self.compute(operator, shape, Kind::Select(condition, a, b));
                return Ok(());
            }
            "NEG" => Ok(vec![Piece::Line(Line::new(-1.0, 0.0))]),
            "ABS" => return self.unary(operator, number, Unary::Abs),
            "LOG" => return self.unary(operator, number, Unary::Log),
            "SQRT" => return self.unary(operator, number, Unary::Sqrt),
            "SQUARE" => return self.unary(operator, number, Unary::Power(2.0)),
            "RSQRT" => return self.unary(operator, number, Unary::Power(-0.5)),
            "TANH" => piece(Activation::Tanh),
            "LOGISTIC" => piece(Activation::Sigmoid),
            "LEAKY_RELU" => {
                return self.slopes(operator, number, vec![operator.number.into(); width]);
            }
            "PRELU" => {
                let slopes = self.constant(operator, 1)?;
                let slopes = slopes.ok_or_else(|| refuse("its slopes are not constant"))?;
                let slopes = slopes.broadcast(&place(operator), &shape)?;
                return self.slopes(operator, number, slopes);
            }
            "ELU" => piece(Activation::Elu(1.0)),
            "HARD_SWISH" => piece(Activation::HardSilu),
            "GELU" if operator.code != 0 => piece(Activation::GeluTanh),
            "GELU" => piece(Activation::Gelu),
            "EXP" => piece(Activation::Exponential),
            "QUANTIZE" | "DEQUANTIZE" => Err(refuse(
                "a float model with quantized values in it is not supported. Import the float model, \
                 which is quantized here",
            )),
            _ => Err(refuse(
                "the operator is not supported. Thimble runs chains of FULLY_CONNECTED with \
                 activations, and ADD, SUB, MUL, DIV by constants",
            )),
        }?;
        self.compute(operator, shape, Kind::Pieces(number, pieces));
        Ok(())
    }

    /// Follows an operator whose inputs are constants: DEQUANTIZE of float16 weights.
    fn of_constants(&mut self, operator: &OperatorContents) -> Result<()> {
        if operator.name == "DEQUANTIZE"
            && let Some(tensor) = self.constant(operator, 0)?
        {
            self.constants.insert(operator.output, tensor);
        }
        Ok(())
    }

    /// Adds a computed value.
    fn compute(&mut self, operator: &OperatorContents, shape: Vec<usize>, kind: Kind) -> usize {
        let name = format!("{}_{}", operator.name.to_ascii_lowercase(), operator.index);
        self.expressions.0.push(Expression { place: place(operator), name, shape, kind });
        let number = self.expressions.0.len() - 1;
        self.computed.insert(operator.output, number);
        number
    }

    /// Applies the activation that is fused into an operator.
    fn fused(
        &mut self,
        operator: &OperatorContents,
        shape: Vec<usize>,
        number: usize,
    ) -> Result<()> {
        let pieces = match operator.code {
            0 => return Ok(()),
            1 => pieces::activation(Activation::Relu),
            2 => pieces::clip(-1.0, 1.0).unwrap_or_default(),
            3 => pieces::activation(Activation::Relu6),
            4 => pieces::activation(Activation::Tanh),
            code => {
                let problem = format!("the fused activation of code {code} is not supported");
                return Err(Error::place(place(operator), problem));
            }
        };
        self.compute(operator, shape, Kind::Pieces(number, pieces));
        Ok(())
    }

    /// Adds each value within bounds.
    fn clip(
        &mut self,
        operator: &OperatorContents,
        number: usize,
        low: f64,
        high: f64,
    ) -> Result<()> {
        let shape = self.expressions.0[number].shape.clone();
        let kind = self.expressions.clipped(number, low, high);
        self.compute(operator, shape, kind);
        Ok(())
    }

    fn unary(&mut self, operator: &OperatorContents, number: usize, unary: Unary) -> Result<()> {
        let shape = self.expressions.0[number].shape.clone();
        self.compute(operator, shape, Kind::Unary(number, unary));
        Ok(())
    }

    /// Adds y = x for x > 0, and slope · x below.
    fn slopes(
        &mut self,
        operator: &OperatorContents,
        number: usize,
        slopes: Vec<f64>,
    ) -> Result<()> {
        let shape = self.expressions.0[number].shape.clone();
        let kind = match pieces::same_slope(&slopes) {
            Some(pieces) => Kind::Pieces(number, pieces),
            None => Kind::Slopes(number, slopes),
        };
        self.compute(operator, shape, kind);
        Ok(())
    }

    fn dense(&mut self, operator: &OperatorContents, number: usize, shape: &[usize]) -> Result<()> {
        if let Some(&same) = self.dense.get(&operator.inputs) {
            let outputs = self.expressions.0[same].shape.clone();
            self.computed.insert(operator.output, same);
            return self.fused(operator, outputs, same);
        }
        let inputs: usize = crate::tensor::size(shape);
        let Some(weights) = self.constant(operator, 1)? else {
            return Err(Error::place(place(operator), "its weights are not constant"));
        };
        let [outputs, columns] = weights.shape[..] else {
            let problem = format!("its weights have shape {:?}", weights.shape);
            return Err(Error::place(place(operator), problem));
        };
        if columns != inputs {
            let problem =
                format!("its weights have {columns} inputs, but there are {inputs} values");
            return Err(Error::place(place(operator), problem));
        }
        let biases = match self.constant(operator, 2)? {
            Some(biases) => biases.broadcast(&place(operator), &[outputs])?,
            None => vec![0.0; outputs],
        };
        let kind = Kind::Dense(number, weights.values, biases, Vec::new());
        let number = self.compute(operator, vec![outputs], kind);
        self.dense.insert(operator.inputs.clone(), number);
        self.fused(operator, vec![outputs], number)
    }

    fn arithmetic(
        &mut self,
        operator: &OperatorContents,
        inputs: &[usize],
        shape: &[usize],
    ) -> Result<()> {
        let is_left =
            operator.inputs.first().is_some_and(|first| !self.computed.contains_key(first));
        let number = inputs[0];
        let kind = match inputs {
            [a, b] => {
                let binary = match operator.name.as_str() {
                    "ADD" => Binary::Add,
                    "SUB" => Binary::Subtract,
                    "MUL" => Binary::Multiply,
                    "MAXIMUM" => Binary::Maximum,
                    "MINIMUM" => Binary::Minimum,
                    _ => Binary::Divide,
                };
                Kind::Binary(binary, *a, *b)
            }
            _ => {
                let Some(tensor) = self.constant(operator, usize::from(!is_left))? else {
                    let problem = "it joins branches. Only a chain of layers can be imported";
                    return Err(Error::place(place(operator), problem));
                };
                let line = |value: f64| match (operator.name.as_str(), is_left) {
                    ("ADD", _) => Ok(Line::new(1.0, value)),
                    ("SUB", false) => Ok(Line { offset: value, ..Line::IDENTITY }),
                    ("SUB", true) => Ok(Line::new(-1.0, value)),
                    ("MUL", _) => Ok(Line::new(value, 0.0)),
                    (_, false) => Ok(Line::new(1.0 / value, 0.0)),
                    _ => Err(Error::place(place(operator), "a division by computed values")),
                };
                match tensor.values[..] {
                    [value] => Kind::Pieces(number, vec![Piece::Line(line(value)?)]),
                    _ => {
                        let values = tensor.broadcast(&place(operator), shape)?;
                        let lines = values.into_iter().map(line).collect::<Result<_>>()?;
                        Kind::Lines(number, lines)
                    }
                }
            }
        };
        let number = self.compute(operator, shape.to_vec(), kind);
        self.fused(operator, shape.to_vec(), number)
    }

    /// Returns a constant input in double precision.
    fn constant(&mut self, operator: &OperatorContents, index: usize) -> Result<Option<Tensor>> {
        let tensor = operator.inputs.get(index).and_then(|tensor| self.constants.get(tensor));
        if let Some(tensor) = tensor {
            return Ok(Some(tensor.clone()));
        }
        let Some(Some(stored)) = operator.constants.get(index) else { return Ok(None) };
        let tensor = decode(&place(operator), stored)?;
        let note = match stored.kind.as_str() {
            "float32" => return Ok(Some(tensor)),
            "float16" => "float16 weights are converted to float32".to_string(),
            kind => format!(
                "{kind} weights are converted to float32. TensorFlow Lite also rounds the activations \
                 of such a model, row by row, so that its outputs differ by about 1 %"
            ),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        Ok(Some(tensor))
    }
}

fn place(operator: &OperatorContents) -> String {
    format!("operator {} ({})", operator.index, shown(&operator.name))
}
