//! Conversion of a TensorFlow Lite graph to a chain of layers.

use model_format::build::{EncodingSpec, InputSpec, LayerSpec};
use model_format::limits::{MAX_DIMENSIONS, MAX_LAYERS};
use model_format::{DataType, Encoding, Quantization};

use super::element_wise;
use super::error::{ImportError, OperatorProblem};
use super::path::{Givers, path};
use super::schema::{Graph, Kind, Operator, Type};
use super::tensor::Tensor;
use crate::line::Line;
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
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Before the quantized part of the graph.
    Before,
    /// In the quantized part.
    Quantized(Quantization),
    /// In float32, behind a DEQUANTIZE: the end of the model, or a function of each value.
    Reals(Reals),
    /// After the quantized part.
    Behind,
}

/// Values in float32.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reals {
    /// Index of the DEQUANTIZE, and the type of its input.
    from: (usize, String),
    /// Numbers of all int8 values, from −128 on. Empty for int16.
    values: Vec<f32>,
    /// A function follows the DEQUANTIZE.
    is_function: bool,
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
        let givers = Givers::new(graph)?;
        let operators = path(graph, &givers)?;
        let mut walk = Walk {
            graph,
            givers,
            at: graph.input,
            value,
            elements: input.elements()?,
            input: quantization.map(|quantization| (quantization, Encoding::Quantized)),
            lines: Vec::new(),
            layers: Vec::new(),
            notes: Vec::new(),
            is_classifier: false,
        };
        for operator in operators {
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
    pub(super) givers: Givers,
    /// Input tensor of the next operator.
    pub(super) at: i32,
    pub(super) value: Value,
    pub(super) elements: usize,
    pub(super) input: Option<(Quantization, EncodingSpec)>,
    /// Functions of the features in front of the first layer. Empty for none.
    pub(super) lines: Vec<Line>,
    pub(super) layers: Vec<LayerSpec>,
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
        match (&operator.kind, &mut self.value) {
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
            (_, Value::Before) => {
                let found = x.kind.name();
                return Err(operator.refuse(OperatorProblem::NotInt8 { found }));
            }
            (Kind::Elu, Value::Reals(reals)) => {
                for real in reals.values.iter_mut().filter(|real| **real < 0.0) {
                    *real = libm::expm1f(*real);
                }
                reals.is_function = true;
            }
            (_, Value::Behind | Value::Reals(_)) => {
                return Err(operator.refuse(OperatorProblem::BehindTheEnd));
            }
            (_, Value::Quantized(quantization)) => {
                let quantization = *quantization;
                self.integer(operator, quantization, &x, &y)?;
            }
        }
        self.at = output;
        Ok(())
    }

    /// Converts an operator on quantized values.
    fn integer(
        &mut self,
        operator: &Operator<'_>,
        from: Quantization,
        x: &Tensor<'_>,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        if operator.kind != Kind::FullyConnected && operator.kind != Kind::ArgMax {
            self.same_elements(operator, y)?;
        }
        match &operator.kind {
            Kind::Dequantize => return self.dequantize(operator, x, y),
            Kind::FullyConnected => {
                self.check_depth()?;
                return self.dense(operator, from, y);
            }
            Kind::ArgMax => {
                self.is_classifier = true;
                self.leave_out(operator, "the largest of its inputs is the class");
                self.value = Value::Behind;
                return Ok(());
            }
            kind if kind.is_arithmetic() => {
                if self.layers.is_empty() && operator.has_constant(self.graph)? {
                    return self.in_front(operator, y);
                }
                if *kind != Kind::Mul {
                    return Err(operator.refuse(OperatorProblem::NotInFront));
                }
            }
            // It computes in float32, between DEQUANTIZE and QUANTIZE.
            Kind::Elu => return Err(operator.refuse(OperatorProblem::Unsupported)),
            _ => {}
        }
        self.check_depth()?;
        match from.data_type {
            DataType::Int16 if operator.kind == Kind::Softmax => {
                self.is_classifier = true;
                self.leave_out(operator, "the largest of its inputs is the class, too");
                Ok(())
            }
            DataType::Int16 => self.element_wise_int16(operator, from, y),
            DataType::Int8 => {
                self.element_wise(operator, from, y)?;
                self.quantized(y.int8()?);
                Ok(())
            }
        }
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
        let needed = self.elements;
        if y.fits(needed) {
            return Ok(());
        }
        let (what, found) = ("outputs", y.elements()?);
        Err(operator.refuse(OperatorProblem::Elements { what, found, needed }))
    }

    pub(super) fn leave_out(&mut self, operator: &Operator<'_>, why: &str) {
        self.note(operator, &format!("is left out: {why}"));
    }

    /// Adds a note on an operator.
    pub(super) fn note(&mut self, operator: &Operator<'_>, what: &str) {
        self.notes.push(format!("operator {} ({}) {what}", operator.index, operator.kind.name()));
    }

    /// Sets the quantization of the current values.
    pub(super) fn quantized(&mut self, quantization: Quantization) {
        self.value = Value::Quantized(quantization);
    }

    /// Converts DEQUANTIZE: the end of the int8 part, or the start of a function in float32.
    fn dequantize(
        &mut self,
        operator: &Operator<'_>,
        x: &Tensor<'_>,
        y: &Tensor<'_>,
    ) -> Result<(), ImportError> {
        if y.kind != Type::FLOAT32 {
            return Err(conversion(operator, x, y, "int8 or int16 to float32"));
        }
        let from = (operator.index, x.kind.name());
        let values = match x.kind {
            Type::INT8 => {
                let Quantization { scale, zero_point, .. } = x.int8()?;
                // In f32, as in TensorFlow Lite Micro.
                (-128..128).map(|q: i32| scale * (q - zero_point) as f32).collect()
            }
            _ => Vec::new(),
        };
        self.value = Value::Reals(Reals { from, values, is_function: false });
        Ok(())
    }

    /// Ends the walk: a DEQUANTIZE without a QUANTIZE behind it is left out.
    fn end(&mut self) -> Result<(), ImportError> {
        match &self.value {
            Value::Reals(reals) if reals.is_function => Err(ImportError::EndsInFloat),
            Value::Reals(Reals { from: (index, name), .. }) => {
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
        match (&self.value, x.kind, y.kind) {
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
            (Value::Reals(reals), Type::FLOAT32, Type::INT8) if !reals.values.is_empty() => {
                let values = reals.values.clone();
                self.quantize_reals(operator, &values, y)?;
            }
            (&Value::Quantized(from), Type::INT8, Type::INT8) => {
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
            (&Value::Quantized(from), Type::INT16, Type::INT16) => {
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
