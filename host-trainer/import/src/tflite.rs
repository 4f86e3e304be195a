//! Float TensorFlow Lite models, with weights in float32, float16, int8 or int4.

use std::collections::HashMap;

use thimble_convert::import::{ConstantContents, OperatorContents, contents, is_float};
use thimble_support::foreign_text::shown;
use thimble_train::network::Activation;

use crate::error::{Error, Result};
use crate::expression::{Binary, Expression, Expressions, Kind};
use crate::float_network::{FloatNetwork, Line};
use crate::pieces::{self, Piece};
use crate::tensor::{NumberType, Tensor, elements};

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
        let all = |pieces: Option<Vec<Piece>>| {
            pieces.ok_or_else(|| refuse("its parameter is not supported"))
        };
        let pieces = match operator.name.as_str() {
            // They compute the target of a RESHAPE, which keeps the order of values.
            "SHAPE" | "STRIDED_SLICE" | "PACK" => return Ok(()),
            "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => {
                self.compute(operator, vec![width], Kind::Same(number));
                return Ok(());
            }
            "FULLY_CONNECTED" => return self.dense(operator, number, &shape),
            "ADD" | "SUB" | "MUL" | "DIV" => return self.arithmetic(operator, &inputs, &shape),
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
            "RELU" => piece(Activation::Relu),
            "RELU6" => piece(Activation::Relu6),
            "RELU_N1_TO_1" => all(pieces::clip(-1.0, 1.0)),
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

/// Decodes a constant, quantized or not.
fn decode(place: &str, stored: &ConstantContents) -> Result<Tensor> {
    let place = format!("{place}, tensor `{}`", shown(&stored.name));
    let size = |size: &i32| {
        usize::try_from(*size).map_err(|_| Error::damaged(&place, "a negative dimension"))
    };
    let shape: Vec<usize> = stored.shape.iter().map(size).collect::<Result<_>>()?;
    let count = elements(&place, &shape)?;
    let mut tensor = match stored.kind.as_str() {
        "float32" => return Tensor::decode(&place, shape, NumberType::F32, &stored.bytes),
        "float16" => return Tensor::decode(&place, shape, NumberType::F16, &stored.bytes),
        "int8" => Tensor::decode(&place, shape, NumberType::I8, &stored.bytes)?,
        "int4" => {
            // Two to a byte, the first in the low half, with sign.
            let both = |byte: &u8| [(*byte << 4) as i8 >> 4, *byte as i8 >> 4];
            let values: Vec<f64> = stored.bytes.iter().flat_map(both).map(f64::from).collect();
            if values.len() != count.next_multiple_of(2) {
                return Err(Error::damaged(place, format!("{} numbers of {count}", values.len())));
            }
            let values = values[..count].to_vec();
            Tensor { shape, values, kind: NumberType::I8 }
        }
        kind => {
            let problem = format!("constants of type {kind} are not supported in a float model");
            return Err(Error::place(place, problem));
        }
    };
    let rows = tensor.shape.first().copied().unwrap_or(1);
    let columns = count / rows.max(1);
    let scales = stored.scales.len();
    if (scales != 1 && scales != rows) || stored.zero_points.iter().any(|zero| *zero != 0) {
        let problem = format!("{scales} scales for {rows} rows, or a zero point that is not 0");
        return Err(Error::place(place, problem));
    }
    for (at, value) in tensor.values.iter_mut().enumerate() {
        let row = if scales == 1 { 0 } else { at / columns.max(1) };
        *value *= f64::from(stored.scales[row]);
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantized_weights_are_decoded() {
        let stored = |kind: &str, bytes: &[u8], shape: &[i32], scales: &[f32]| ConstantContents {
            name: "w".into(),
            shape: shape.to_vec(),
            kind: kind.into(),
            bytes: bytes.to_vec(),
            scales: scales.to_vec(),
            zero_points: vec![0; scales.len()],
        };
        let values = |stored| decode("o", &stored).map(|tensor| tensor.values);
        assert_eq!(values(stored("int8", &[1, 255], &[2, 1], &[0.5, 2.0])).unwrap(), [0.5, -2.0]);
        // 0x71: 1, then 7; 0x08: −8.
        assert_eq!(values(stored("int4", &[0x71, 8], &[1, 3], &[1.0])).unwrap(), [1.0, 7.0, -8.0]);
        assert!(values(stored("int4", &[0x71], &[1, 3], &[1.0])).is_err());
        assert!(values(stored("int8", &[1, 2], &[2, 1], &[])).is_err());
        assert!(values(stored("int64", &[0; 8], &[1], &[])).is_err());
    }
}
