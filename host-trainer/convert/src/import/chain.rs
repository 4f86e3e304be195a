//! Conversion of a TensorFlow Lite graph to a chain of layers.

use model_format::build::{EncodingSpec, InputSpec, LayerSpec};
use model_format::limits::{MAX_DIMENSIONS, MAX_LAYERS};
use model_format::{DataType, Encoding, Quantization};

use super::dense::dense;
use super::element_wise;
use super::error::{ImportError, OperatorProblem};
use super::front::Line;
use super::path::path;
use super::schema::{Graph, Kind, Operator, Type};
use super::tensor::Tensor;
use crate::tables;

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
pub(super) enum Value {
    /// Before the quantized part of the graph.
    Before,
    /// In the quantized part.
    Quantized(Quantization),
    /// In float32, by a function of each quantized value: the real numbers of [`Walk::reals`].
    Reals,
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
            lines: Vec::new(),
            reals: Vec::new(),
            layers: Vec::new(),
            notes: Vec::new(),
            dequantized: None,
            is_function: false,
            is_classifier: false,
        };
        for operator in path(graph)? {
            walk.step(&operator).map_err(|error| at_operator(&operator, error))?;
        }
        walk.end()?;
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

pub(super) struct Walk<'a> {
    pub(super) graph: Graph<'a>,
    /// Input tensor of the next operator.
    pub(super) at: i32,
    pub(super) value: Value,
    pub(super) elements: usize,
    pub(super) input: Option<(Quantization, EncodingSpec)>,
    /// Functions of the features in front of the first layer. Empty for none.
    pub(super) lines: Vec<Line>,
    /// Real numbers of all int8 values, from −128 on.
    pub(super) reals: Vec<f32>,
    pub(super) layers: Vec<LayerSpec>,
    notes: Vec<String>,
    /// Index of the last DEQUANTIZE, and the type of its input.
    dequantized: Option<(usize, String)>,
    /// A function in float32 follows the last DEQUANTIZE.
    is_function: bool,
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
                self.dequantize(operator, &x)?;
            }
            (Kind::Elu, Value::Reals) => {
                for real in self.reals.iter_mut().filter(|real| **real < 0.0) {
                    *real = libm::expm1f(*real);
                }
                self.is_function = true;
            }
            (Kind::Elu, Value::Quantized(_)) => {
                return Err(operator.refuse(OperatorProblem::Unsupported));
            }
            (_, Value::Reals) => return Err(operator.refuse(OperatorProblem::BehindTheEnd)),
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
            (Kind::Add | Kind::Sub | Kind::Mul, Value::Quantized(_))
                if self.layers.is_empty() && operator.has_constant(self.graph)? =>
            {
                self.same_elements(operator, &y)?;
                self.in_front(operator, &y)?;
            }
            (Kind::Add | Kind::Sub, Value::Quantized(_)) => {
                return Err(operator.refuse(OperatorProblem::NotInFront));
            }
            (_, Value::Quantized(quantization)) => {
                self.check_depth()?;
                self.same_elements(operator, &y)?;
                match (&operator.kind, quantization.data_type) {
                    (
                        Kind::LeakyRelu | Kind::HardSwish | Kind::Gelu | Kind::Mul | Kind::Prelu,
                        DataType::Int16,
                    ) => {
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
    pub(super) fn check_depth(&self) -> Result<(), ImportError> {
        match self.layers.len() < MAX_LAYERS {
            true => Ok(()),
            false => Err(ImportError::TooDeep { limit: MAX_LAYERS }),
        }
    }

    fn same_elements(&self, operator: &Operator<'_>, y: &Tensor<'_>) -> Result<(), ImportError> {
        let (found, needed) = (y.elements()?, self.elements);
        // The file does not know the size of a free dimension, which the operator computes.
        match found == needed || y.is_free {
            true => Ok(()),
            false => {
                let what = "outputs";
                Err(operator.refuse(OperatorProblem::Elements { what, found, needed }))
            }
        }
    }

    pub(super) fn leave_out(&mut self, operator: &Operator<'_>, why: &str) {
        let (index, name) = (operator.index, operator.kind.name());
        self.notes.push(format!("operator {index} ({name}) is left out: {why}"));
    }

    /// Sets the quantization of the current values.
    pub(super) fn quantized(&mut self, quantization: Quantization) {
        self.value = Value::Quantized(quantization);
    }

    /// Converts DEQUANTIZE: the end of the int8 part, or the start of a function in float32.
    fn dequantize(&mut self, operator: &Operator<'_>, x: &Tensor<'_>) -> Result<(), ImportError> {
        self.dequantized = Some((operator.index, x.kind.name()));
        self.value = Value::Reals;
        self.is_function = false;
        self.reals.clear();
        if x.kind == Type::INT8 {
            let Quantization { scale, zero_point, .. } = x.int8()?;
            // In f32, as in TensorFlow Lite Micro.
            self.reals = (-128..128).map(|q: i32| scale * (q - zero_point) as f32).collect();
        }
        Ok(())
    }

    /// Ends the walk: a DEQUANTIZE without a QUANTIZE behind it is left out.
    fn end(&mut self) -> Result<(), ImportError> {
        match (self.value, &self.dequantized) {
            (Value::Reals, _) if self.is_function => Err(ImportError::EndsInFloat),
            (Value::Reals, Some((index, name))) => {
                self.notes.push(format!(
                    "operator {index} (DEQUANTIZE) is left out: the model gives {name} instead of \
                     float32"
                ));
                Ok(())
            }
            _ => Ok(()),
        }
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
            (Value::Reals, Type::FLOAT32, Type::INT8) if !self.reals.is_empty() => {
                self.quantize_reals(operator, y)?;
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
}

fn check_inputs(operator: &Operator<'_>) -> Result<(), ImportError> {
    let found = operator.input_count();
    let (fits, needed) = match operator.kind {
        Kind::FullyConnected => ((2..=3).contains(&found), "2 or 3"),
        Kind::Reshape => ((1..=2).contains(&found), "1 or 2"),
        // Its axis: the only one with more than one value.
        Kind::ArgMax => (found == 2, "2"),
        Kind::Add | Kind::Sub | Kind::Mul | Kind::Prelu => (found == 2, "2"),
        _ => (found == 1, "1"),
    };
    match fits {
        true => Ok(()),
        false => Err(operator.refuse(OperatorProblem::Arity { found, what: "inputs", needed })),
    }
}

/// Refuses an activation that is fused into an operator.
pub(super) fn no_activation(operator: &Operator<'_>) -> Result<(), ImportError> {
    match operator.fused_activation()? {
        0 => Ok(()),
        code => {
            let name = format!("of code {code}");
            Err(operator.refuse(OperatorProblem::Activation(name)))
        }
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
