//! Conversion of a TensorFlow Lite graph to a chain of layers.

use std::collections::HashMap;

use model_format::build::{EncodingSpec, InputSpec, LayerSpec, TableSpec};
use model_format::limits::{MAX_DIMENSIONS, MAX_LAYERS};
use model_format::{Clamp, DataType, Encoding, Quantization, Softmax};

use super::dense::dense;
use super::element_wise;
use super::error::{ImportError, OperatorProblem, TensorProblem};
use super::schema::{Graph, Kind, Operator, Type};
use super::tensor::Tensor;
use crate::tables;

/// Maximum number of operators: four per layer of the largest model.
const MAX_OPERATORS: usize = 4 * MAX_LAYERS;

/// Input and layers of an imported graph.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The input.
    pub input: InputSpec,
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
    /// Number of outputs.
    pub outputs: usize,
    /// A softmax ends the graph: the outputs are classes.
    pub is_classifier: bool,
    /// Notes for the user on omitted operators.
    pub notes: Vec<String>,
}

/// Input of the next operator.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    /// Before the quantized part of the graph.
    Before,
    /// In the quantized part.
    Quantized(Quantization),
    /// After the quantized part.
    Behind,
}

impl Chain {
    /// Converts the operators from the input to the output.
    pub(super) fn follow(graph: Graph<'_>) -> Result<Chain, ImportError> {
        let input = graph.tensor(graph.input)?;
        let (value, quantization) = match input.kind {
            Type::INT8 | Type::INT16 => {
                (Value::Quantized(input.quantized()?), Some(input.quantized()?))
            }
            // Other types must be converted by a QUANTIZE.
            _ => (Value::Before, None),
        };
        let mut walk = Walk {
            graph,
            at: graph.input,
            value,
            elements: input.elements()?,
            input: quantization.map(|quantization| (quantization, Encoding::Quantized)),
            layers: Vec::new(),
            notes: Vec::new(),
            is_classifier: false,
        };
        for operator in path(graph)? {
            walk.step(&operator).map_err(|error| at_operator(&operator, error))?;
        }
        let Some((quantization, encoding)) = walk.input.filter(|_| !walk.layers.is_empty()) else {
            return Err(ImportError::Empty);
        };
        Ok(Chain {
            input: InputSpec { shape: shape(&input)?, quantization, encoding },
            outputs: walk.elements,
            is_classifier: walk.is_classifier
                || matches!(walk.layers.last(), Some(LayerSpec::Softmax(_))),
            layers: walk.layers,
            notes: walk.notes,
        })
    }
}

/// Adds the operator to an error of one of its tensors.
fn at_operator(operator: &Operator<'_>, error: ImportError) -> ImportError {
    match error {
        ImportError::Tensor { index, name, problem } => {
            operator.refuse(OperatorProblem::Tensor { index, name, problem })
        }
        error => error,
    }
}

/// Returns the operators between input and output, in execution order.
///
/// Data is the first input of each. Other inputs are constants. The converter also writes operators
/// that only compute the shape for a RESHAPE (SHAPE, STRIDED_SLICE, PACK). They are not on the
/// path, and the shape of the output is known without them.
fn path(graph: Graph<'_>) -> Result<Vec<Operator<'_>>, ImportError> {
    let mut giver = HashMap::new();
    for index in 0..graph.operator_count() {
        giver.extend(graph.first_output(index)?.map(|output| (output, index)));
    }
    let mut path: Vec<Operator<'_>> = Vec::new();
    let mut at = graph.output;
    while at != graph.input {
        // An input from a later operator would be a cycle.
        let later = path.last().map_or(usize::MAX, |operator| operator.index);
        let Some(index) = giver.get(&at).copied().filter(|index| *index < later) else {
            return Err(match path.last() {
                None => ImportError::Output(at),
                Some(operator) if matches!(operator.kind, Kind::Other(_)) => {
                    operator.refuse(OperatorProblem::Unsupported)
                }
                Some(operator) => operator.refuse(OperatorProblem::NotAChain(at)),
            });
        };
        if path.len() == MAX_OPERATORS {
            return Err(ImportError::TooDeep { limit: MAX_OPERATORS });
        }
        let operator = graph.operator(index)?;
        at = operator.input(0).unwrap_or(-1);
        path.push(operator);
    }
    path.reverse();
    Ok(path)
}

/// Returns the dimensions of the input without the batch.
fn shape(input: &Tensor<'_>) -> Result<Vec<usize>, ImportError> {
    let dimensions: Vec<usize> =
        input.shape.iter().map(|dimension| usize::try_from(*dimension).unwrap_or(0)).collect();
    Ok(match &dimensions[..] {
        [1, rest @ ..] if !rest.is_empty() && rest.len() <= MAX_DIMENSIONS => rest.to_vec(),
        all if !all.is_empty() && all.len() <= MAX_DIMENSIONS => all.to_vec(),
        _ => vec![input.elements()?],
    })
}

struct Walk<'a> {
    graph: Graph<'a>,
    /// Input tensor of the next operator.
    at: i32,
    value: Value,
    elements: usize,
    input: Option<(Quantization, EncodingSpec)>,
    layers: Vec<LayerSpec>,
    notes: Vec<String>,
    /// A softmax was left out.
    is_classifier: bool,
}

impl Walk<'_> {
    fn step(&mut self, operator: &Operator<'_>) -> Result<(), ImportError> {
        if let Kind::Other(_) = operator.kind {
            return Err(operator.refuse(OperatorProblem::Unsupported));
        }
        check_inputs(operator)?;
        let output = operator.output()?;
        let y = self.graph.tensor(output)?;
        let x = self.graph.tensor(self.at)?;
        match (&operator.kind, self.value) {
            (Kind::Quantize, _) => self.quantize(operator, &x, &y)?,
            (Kind::Reshape, _) => {
                if x.describe() != y.describe() {
                    return Err(operator.refuse(OperatorProblem::Requantizes));
                }
                self.same_elements(operator, &y)?;
            }
            (kind, _) if self.is_classifier && *kind != Kind::Dequantize => {
                return Err(operator.refuse(OperatorProblem::BehindTheEnd));
            }
            (_, Value::Behind) => return Err(operator.refuse(OperatorProblem::BehindTheEnd)),
            (_, Value::Before) => {
                let found = x.kind.name();
                return Err(operator.refuse(OperatorProblem::NotInt8 { found }));
            }
            (Kind::Dequantize, Value::Quantized(_)) => {
                if y.kind != Type::FLOAT32 {
                    let supported = "int8 or int16 to float32";
                    return Err(conversion(operator, &x, &y, supported));
                }
                self.same_elements(operator, &y)?;
                let name = x.kind.name();
                self.leave_out(operator, &format!("the model gives {name} instead of float32"));
                self.value = Value::Behind;
            }
            (Kind::FullyConnected, Value::Quantized(quantization)) => {
                self.check_depth()?;
                let layer = dense(self.graph, operator, quantization, self.elements, &y)?;
                self.elements = layer.outputs;
                self.value = Value::Quantized(layer.output);
                self.layers.push(LayerSpec::Dense(layer));
            }
            (Kind::ArgMax, Value::Quantized(_)) => {
                self.is_classifier = true;
                self.leave_out(operator, "the largest of its inputs is the class");
                self.value = Value::Behind;
            }
            (_, Value::Quantized(quantization)) => {
                self.check_depth()?;
                self.same_elements(operator, &y)?;
                match (&operator.kind, quantization.data_type) {
                    (Kind::LeakyRelu | Kind::HardSwish | Kind::Gelu, DataType::Int16) => {
                        return Err(operator.refuse(OperatorProblem::Unsupported));
                    }
                    (Kind::Softmax, DataType::Int16) => {
                        self.is_classifier = true;
                        let why = "the largest of its inputs is the class, too";
                        self.leave_out(operator, why);
                    }
                    (_, DataType::Int16) => self.element_wise_int16(operator, quantization, &y)?,
                    (_, DataType::Int8) => {
                        self.element_wise(operator, quantization, &y)?;
                        self.value = Value::Quantized(y.int8()?);
                    }
                }
            }
        }
        self.at = output;
        Ok(())
    }

    /// Checks the depth before a layer is made, because many layers of a small file may share the
    /// same weights.
    fn check_depth(&self) -> Result<(), ImportError> {
        match self.layers.len() < MAX_LAYERS {
            true => Ok(()),
            false => Err(ImportError::TooDeep { limit: MAX_LAYERS }),
        }
    }

    fn same_elements(&self, operator: &Operator<'_>, y: &Tensor<'_>) -> Result<(), ImportError> {
        let (found, needed) = (y.elements()?, self.elements);
        match found == needed {
            true => Ok(()),
            false => {
                let what = "outputs";
                Err(operator.refuse(OperatorProblem::Elements { what, found, needed }))
            }
        }
    }

    fn leave_out(&mut self, operator: &Operator<'_>, why: &str) {
        let (index, name) = (operator.index, operator.kind.name());
        self.notes.push(format!("operator {index} ({name}) is left out: {why}"));
    }

    /// Converts QUANTIZE, at the start, in the middle or at the end.
    fn quantize(
        &mut self,
        operator: &Operator<'_>,
        x: &Tensor<'_>,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        const SUPPORTED: &str = "float32 to int8 or int16 at the start, uint8 to int8 and back with \
                                 the same scale at the ends, int8 to int8, and int16 to int16";
        self.same_elements(operator, y)?;
        match (self.value, x.kind, y.kind) {
            (Value::Before, Type::FLOAT32, Type::INT8 | Type::INT16) => {
                let quantization = y.quantized()?;
                self.input = Some((quantization, Encoding::Quantized));
                self.value = Value::Quantized(quantization);
                let name = y.kind.name();
                self.leave_out(operator, &format!("the model takes {name} instead of float32"));
            }
            (Value::Before, Type::UINT8, Type::INT8) if is_moved_by_128(y, x)? => {
                let quantization = y.int8()?;
                self.input = Some((quantization, Encoding::Unsigned8));
                self.value = Value::Quantized(quantization);
                self.leave_out(operator, "raw bytes b become q = b − 128, the same numbers");
            }
            (Value::Quantized(from), Type::INT8, Type::INT8) => {
                let to = y.int8()?;
                if from != to {
                    let table = element_wise::requantize(from, to);
                    self.layers.push(LayerSpec::Table(table.ok_or_else(|| {
                        let real = f64::from(from.scale) / f64::from(to.scale);
                        operator.refuse(OperatorProblem::Multiplier { row: 0, real })
                    })?));
                }
                self.value = Value::Quantized(to);
            }
            (Value::Quantized(from), Type::INT16, Type::INT16) => {
                let to = y.quantized()?;
                if from != to {
                    self.layers.push(LayerSpec::Table(tables::of_function(from, to, |x| x)));
                }
                self.value = Value::Quantized(to);
            }
            (Value::Quantized(_), Type::INT8, Type::UINT8) if is_moved_by_128(x, y)? => {
                self.leave_out(operator, "the model gives int8 q instead of uint8 q + 128");
                self.value = Value::Behind;
            }
            _ => return Err(conversion(operator, x, y, SUPPORTED)),
        }
        Ok(())
    }

    /// Converts RELU, RELU6, TANH, LOGISTIC or SOFTMAX.
    fn element_wise(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        tensor: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        let y = tensor.int8()?;
        let check = |needed: Quantization, name: &'static str| match y == needed {
            true => Ok(()),
            false => {
                let found = tensor.describe();
                let problem = OperatorProblem::OutputQuantization { found, needed: name };
                Err(operator.refuse(problem))
            }
        };
        let layer = match operator.kind {
            Kind::Relu if x == y => {
                return self.clamp(Clamp { low: y.zero_point as i16, high: 127 });
            }
            Kind::Relu => element_wise::relu(x, y).ok_or_else(|| {
                let real = f64::from(x.scale / y.scale);
                operator.refuse(OperatorProblem::Multiplier { row: 0, real })
            })?,
            Kind::Relu6 if x == y => return self.clamp(element_wise::relu6_bounds(x)),
            Kind::Relu6 => element_wise::relu6(x, y),
            Kind::Tanh => {
                check(Quantization::int8(1.0 / 128.0, 0), "steps of 1/128 around 0")?;
                tables::tanh_int8(x)
            }
            Kind::Logistic => {
                check(Softmax::OUTPUT, "steps of 1/256 from −128")?;
                tables::logistic_int8(x)
            }
            Kind::LeakyRelu => {
                let slope = operator.slope()?;
                element_wise::leaky_relu(x, y, slope).ok_or_else(|| {
                    let real = f64::from(x.scale * slope / y.scale);
                    operator.refuse(OperatorProblem::Multiplier { row: 0, real })
                })?
            }
            Kind::HardSwish => element_wise::hard_swish(x, y).ok_or_else(|| {
                let real = f64::from(x.scale / 128.0 / y.scale);
                operator.refuse(OperatorProblem::Multiplier { row: 0, real })
            })?,
            Kind::Gelu => element_wise::gelu(x, y, operator.is_approximate()?),
            // Only softmax remains.
            _ => {
                check(Softmax::OUTPUT, "steps of 1/256 from −128")?;
                return self.softmax(operator, x, tensor);
            }
        };
        self.layers.push(LayerSpec::Table(layer));
        Ok(())
    }

    /// Converts RELU, RELU6, TANH or LOGISTIC of int16 values, by a table with interpolation.
    fn element_wise_int16(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        tensor: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        let y = tensor.quantized()?;
        if y.data_type != DataType::Int16 {
            return Err(tensor.refuse(TensorProblem::NotInt8 { found: tensor.kind.name() }));
        }
        let function: fn(f64) -> f64 = match operator.kind {
            Kind::Relu if x == y => {
                self.clamp(Clamp { low: 0, high: i16::MAX })?;
                return Ok(());
            }
            Kind::Relu6 if x == y => return self.clamp(element_wise::relu6_bounds(x)),
            Kind::Relu => |x| x.max(0.0),
            Kind::Relu6 => |x| x.clamp(0.0, 6.0),
            Kind::Tanh => f64::tanh,
            // Only the logistic function remains.
            _ => |x| 1.0 / (1.0 + (-x).exp()),
        };
        self.layers.push(LayerSpec::Table(tables::of_function(x, y, function)));
        self.value = Value::Quantized(y);
        Ok(())
    }

    fn softmax(
        &mut self,
        operator: &Operator<'_>,
        x: Quantization,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        // Softmax is over the last dimension, so all others must be 1.
        let last = y.shape.last().and_then(|last| usize::try_from(*last).ok()).unwrap_or(0);
        if last != self.elements {
            let (what, found, needed) = ("values of a softmax", last, self.elements);
            return Err(operator.refuse(OperatorProblem::Elements { what, found, needed }));
        }
        let beta = operator.beta()?;
        if !(beta.is_normal() && beta > 0.0) {
            return Err(operator.refuse(OperatorProblem::Beta(beta)));
        }
        self.layers.push(LayerSpec::Softmax(tables::softmax(x, beta)));
        Ok(())
    }

    /// Clamps the values, by the previous dense layer if there is one, which costs nothing.
    fn clamp(&mut self, bounds: Clamp) -> Result<(), ImportError> {
        let Value::Quantized(quantization) = self.value else { return Ok(()) };
        if let Some(LayerSpec::Dense(dense)) = self.layers.last_mut() {
            let Clamp { low, high } = dense.clamp;
            let within = |bound: i16| bound.clamp(bounds.low, bounds.high);
            dense.clamp = Clamp { low: within(low), high: within(high) };
        } else {
            let Clamp { low, high } = bounds;
            let entries: Vec<i16> = match quantization.data_type {
                DataType::Int8 => (-128..128).map(|q: i16| q.clamp(low, high)).collect(),
                DataType::Int16 => {
                    let at = |k: i32| (k * 256).clamp(low.into(), high.into()) as i16;
                    (-128..=128).map(at).collect()
                }
            };
            self.layers.push(LayerSpec::Table(TableSpec { output: quantization, entries }));
        }
        Ok(())
    }
}

fn check_inputs(operator: &Operator<'_>) -> Result<(), ImportError> {
    let found = operator.input_count();
    let (fits, needed) = match operator.kind {
        Kind::FullyConnected => ((2..=3).contains(&found), "2 or 3"),
        Kind::Reshape => ((1..=2).contains(&found), "1 or 2"),
        // Its axis: the only one with more than one value.
        Kind::ArgMax => (found == 2, "2"),
        _ => (found == 1, "1"),
    };
    match fits {
        true => Ok(()),
        false => Err(operator.refuse(OperatorProblem::Arity { found, what: "inputs", needed })),
    }
}

fn conversion(
    operator: &Operator<'_>,
    x: &Tensor<'_>,
    y: &Tensor<'_>,
    supported: &'static str,
) -> ImportError {
    let (from, to) = (x.describe(), y.describe());
    operator.refuse(OperatorProblem::Conversion { from, to, supported })
}

/// Returns `true` if uint8 values represent the same numbers as int8 values that are lower by 128.
fn is_moved_by_128(int8: &Tensor<'_>, uint8: &Tensor<'_>) -> Result<bool, ImportError> {
    let zero_points = (int8.zero_point()?, uint8.zero_point()?);
    Ok(int8.scale()? == uint8.scale()? && zero_points.0.checked_add(128) == Some(zero_points.1))
}
