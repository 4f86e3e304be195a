//! Operators and constants of a TensorFlow Lite graph, for readers of float models.

use super::ImportError;
use super::error::{TensorProblem, damaged};
use super::schema::{Graph, Kind, Type};
use super::tensor::Tensor;

/// Maximum number of operators.
const MAX_OPERATORS: usize = 4096;

/// Operators and constants of the only graph of a file.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Index of the input tensor.
    pub input: i32,
    /// Shape of the input, with the batch.
    pub shape: Vec<i32>,
    /// Index of the output tensor.
    pub output: i32,
    /// Operators in the order of their execution.
    pub operators: Vec<OperatorContents>,
}

/// An operator.
#[derive(Clone, Debug)]
pub struct OperatorContents {
    /// Position in the file.
    pub index: usize,
    /// TensorFlow Lite's name of the operator.
    pub name: String,
    /// Indices of the input tensors, −1 for a missing optional one.
    pub inputs: Vec<i32>,
    /// Number type of each input tensor.
    pub types: Vec<String>,
    /// Data of the inputs that are constants.
    pub constants: Vec<Option<ConstantContents>>,
    /// Index of the first output tensor.
    pub output: i32,
    /// First field of the options as an integer, such as the fused activation.
    pub code: u8,
    /// First field of the options as a number, such as the slope of a LEAKY_RELU.
    pub number: f32,
}

/// A constant tensor.
#[derive(Clone, Debug)]
pub struct ConstantContents {
    /// Name, for messages.
    pub name: String,
    /// Shape.
    pub shape: Vec<i32>,
    /// Number type, such as `float32`.
    pub kind: String,
    /// Bytes of the numbers.
    pub bytes: Vec<u8>,
    /// Scales of quantized numbers, one or one per row.
    pub scales: Vec<f32>,
    /// Zero points of quantized numbers.
    pub zero_points: Vec<i64>,
}

/// Returns `true` if the dense layers of a `.tflite` file compute in float32.
pub fn is_float(file: &[u8]) -> bool {
    let first = || -> Result<bool, ImportError> {
        let graph = Graph::read(file)?;
        for index in 0..graph.operator_count().min(MAX_OPERATORS) {
            let operator = graph.operator(index)?;
            if operator.kind == Kind::FullyConnected {
                let data = graph.tensor(operator.input(0).unwrap_or(-1))?;
                return Ok(data.kind == Type::FLOAT32);
            }
        }
        Ok(false)
    };
    first().unwrap_or(false)
}

/// Reads the operators and constants of a `.tflite` file.
///
/// # Errors
/// [`ImportError`] for a damaged file, and for one with several graphs, inputs or outputs.
pub fn contents(file: &[u8]) -> Result<Contents, ImportError> {
    let graph = Graph::read(file)?;
    let count = graph.operator_count();
    if count > MAX_OPERATORS {
        return Err(ImportError::TooDeep { limit: MAX_OPERATORS });
    }
    // Bytes of all constants together. Operators may share one, and a small file must not become
    // large.
    let mut left = file.len();
    let mut operators = Vec::new();
    for index in 0..count {
        let operator = graph.operator(index)?;
        let mut read = OperatorContents {
            index,
            name: operator.kind.name().to_string(),
            inputs: Vec::new(),
            types: Vec::new(),
            constants: Vec::new(),
            output: graph.first_output(index)?.unwrap_or(-1),
            code: operator.fused_activation()?,
            number: operator.beta().unwrap_or(0.0),
        };
        for place in 0..operator.input_count() {
            let number = operator.input(place).unwrap_or(-1);
            read.inputs.push(number);
            if number < 0 {
                read.types.push(String::new());
                read.constants.push(None);
                continue;
            }
            let tensor = graph.tensor(number)?;
            read.types.push(tensor.kind.name());
            read.constants.push(constant(&tensor, &mut left)?);
        }
        operators.push(read);
    }
    let input = graph.tensor(graph.input)?;
    Ok(Contents { input: graph.input, shape: input.shape, output: graph.output, operators })
}

fn constant(
    tensor: &Tensor<'_>,
    left: &mut usize,
) -> Result<Option<ConstantContents>, ImportError> {
    let bytes = tensor.bytes()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let Some(rest) = left.checked_sub(bytes.len()) else {
        return Err(tensor.refuse(TensorProblem::Storage("shared by many operators")));
    };
    *left = rest;
    Ok(Some(ConstantContents {
        name: tensor.name().to_string(),
        shape: tensor.shape.clone(),
        kind: tensor.kind.name(),
        bytes: bytes.to_vec(),
        scales: tensor.scales.clone(),
        zero_points: tensor.zero_points().to_vec(),
    }))
}

impl<'a> Tensor<'a> {
    /// Returns the bytes of a constant, or none for a computed tensor.
    fn bytes(&self) -> Result<&'a [u8], ImportError> {
        let (bytes, outside) = self.stored().map_err(damaged("the data of a tensor"))?;
        match outside > 1 {
            true => Err(self.refuse(TensorProblem::Storage("outside of the flatbuffer"))),
            false => Ok(bytes),
        }
    }
}
