//! TensorFlow Lite's `schema.fbs`: fields by number, and codes of operators and types by name.

use super::error::{ImportError, OperatorProblem, TensorProblem, damaged};
use super::flatbuffer::{OutOfFile, Table, Tables};
use super::tensor::Tensor;

/// File identifier, bytes 4 to 7 of a file.
const IDENTIFIER: &[u8] = b"TFL3";
/// The only schema version in use.
const VERSION: u32 = 3;

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type(u8);

impl Type {
    pub(super) const FLOAT32: Type = Type(0);
    pub(super) const INT32: Type = Type(2);
    pub(super) const UINT8: Type = Type(3);
    pub(super) const INT64: Type = Type(4);
    pub(super) const INT16: Type = Type(7);
    pub(super) const INT8: Type = Type(9);

    pub(super) const fn new(code: u8) -> Self {
        Type(code)
    }

    pub(super) fn name(self) -> String {
        const NAMES: [&str; 18] = [
            "float32",
            "float16",
            "int32",
            "uint8",
            "int64",
            "string",
            "bool",
            "int16",
            "complex64",
            "int8",
            "float64",
            "complex128",
            "uint64",
            "resource",
            "variant",
            "uint32",
            "uint16",
            "int4",
        ];
        NAMES.get(usize::from(self.0)).map_or(format!("of type {}", self.0), |n| n.to_string())
    }
}

/// Kind of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    FullyConnected,
    Relu,
    Relu6,
    Tanh,
    Logistic,
    Softmax,
    LeakyRelu,
    Prelu,
    Elu,
    Add,
    Sub,
    Mul,
    HardSwish,
    Gelu,
    ArgMax,
    Quantize,
    Dequantize,
    Reshape,
    /// Another operator, by name.
    Other(String),
}

impl Kind {
    fn of(code: u32, custom: &str) -> Kind {
        match code {
            0 => Kind::Add,
            6 => Kind::Dequantize,
            9 => Kind::FullyConnected,
            14 => Kind::Logistic,
            18 => Kind::Mul,
            19 => Kind::Relu,
            21 => Kind::Relu6,
            22 => Kind::Reshape,
            25 => Kind::Softmax,
            28 => Kind::Tanh,
            41 => Kind::Sub,
            54 => Kind::Prelu,
            56 => Kind::ArgMax,
            98 => Kind::LeakyRelu,
            111 => Kind::Elu,
            117 => Kind::HardSwish,
            150 => Kind::Gelu,
            32 => Kind::Other(format!("custom operator `{custom}`")),
            114 => Kind::Quantize,
            code => Kind::Other(other(code)),
        }
    }

    /// Returns whether the operator adds, subtracts or multiplies two tensors.
    pub(super) fn is_arithmetic(&self) -> bool {
        matches!(self, Kind::Add | Kind::Sub | Kind::Mul)
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Kind::FullyConnected => "FULLY_CONNECTED",
            Kind::Relu => "RELU",
            Kind::Relu6 => "RELU6",
            Kind::Tanh => "TANH",
            Kind::Logistic => "LOGISTIC",
            Kind::Softmax => "SOFTMAX",
            Kind::LeakyRelu => "LEAKY_RELU",
            Kind::Prelu => "PRELU",
            Kind::Elu => "ELU",
            Kind::Add => "ADD",
            Kind::Sub => "SUB",
            Kind::Mul => "MUL",
            Kind::HardSwish => "HARD_SWISH",
            Kind::Gelu => "GELU",
            Kind::ArgMax => "ARG_MAX",
            Kind::Quantize => "QUANTIZE",
            Kind::Dequantize => "DEQUANTIZE",
            Kind::Reshape => "RESHAPE",
            Kind::Other(name) => name,
        }
    }
}

/// Returns the name of an unsupported operator, for messages.
fn other(code: u32) -> String {
    let name = match code {
        1 => "AVERAGE_POOL_2D",
        2 => "CONCATENATION",
        3 => "CONV_2D",
        4 => "DEPTHWISE_CONV_2D",
        11 => "L2_NORMALIZATION",
        16 => "LSTM",
        17 => "MAX_POOL_2D",
        20 => "RELU_N1_TO_1",
        24 => "RNN",
        27 => "SVDF",
        34 => "PAD",
        35 => "UNIDIRECTIONAL_SEQUENCE_RNN",
        36 => "GATHER",
        39 => "TRANSPOSE",
        40 => "MEAN",
        42 => "DIV",
        43 => "SQUEEZE",
        44 => "UNIDIRECTIONAL_SEQUENCE_LSTM",
        47 => "EXP",
        45 => "STRIDED_SLICE",
        49 => "SPLIT",
        50 => "LOG_SOFTMAX",
        53 => "CAST",
        55 => "MAXIMUM",
        57 => "MINIMUM",
        61 => "GREATER",
        73 => "LOG",
        76 => "RSQRT",
        82 => "REDUCE_MAX",
        99 => "SQUARED_DIFFERENCE",
        123 => "SELECT_V2",
        65 => "SLICE",
        67 => "TRANSPOSE_CONV",
        70 => "EXPAND_DIMS",
        74 => "SUM",
        77 => "SHAPE",
        83 => "PACK",
        118 => "IF",
        119 => "WHILE",
        126 => "BATCH_MATMUL",
        code => return format!("operator code {code}"),
    };
    name.into()
}

/// The main subgraph of a model, with its operator codes and buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Graph<'a> {
    codes: Tables<'a>,
    buffers: Tables<'a>,
    tensors: Tables<'a>,
    operators: Tables<'a>,
    /// Index of the input tensor.
    pub(super) input: i32,
    /// Index of the output tensor.
    pub(super) output: i32,
}

impl<'a> Graph<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self, ImportError> {
        if file.get(4..8) != Some(IDENTIFIER) {
            return Err(ImportError::Identifier);
        }
        let model = Table::root(file).map_err(damaged("the model's table"))?;
        match model.u32(0).map_err(damaged("the schema version"))? {
            VERSION => {}
            version => return Err(ImportError::Version(version)),
        }
        let subgraphs = model.tables(2).map_err(damaged("the list of subgraphs"))?;
        let (1, Some(graph)) =
            (subgraphs.len(), subgraphs.get(0).map_err(damaged("the subgraph"))?)
        else {
            return Err(ImportError::Several { count: subgraphs.len(), what: "subgraphs" });
        };
        let one = |number, what, list: &str| -> Result<i32, ImportError> {
            let tensors = graph.vector(number).map_err(damaged(list))?;
            match tensors {
                [tensor] => Ok(i32::from_le_bytes(*tensor)),
                _ => Err(ImportError::Several { count: tensors.len(), what }),
            }
        };
        Ok(Graph {
            codes: model.tables(1).map_err(damaged("the list of operator codes"))?,
            buffers: model.tables(4).map_err(damaged("the list of buffers"))?,
            tensors: graph.tables(0).map_err(damaged("the list of tensors"))?,
            operators: graph.tables(3).map_err(damaged("the list of operators"))?,
            input: one(1, "inputs", "the list of inputs")?,
            output: one(2, "outputs", "the list of outputs")?,
        })
    }

    /// Returns the number of operators.
    pub(super) fn operator_count(self) -> usize {
        self.operators.len()
    }

    /// Returns the first output of an operator.
    pub(super) fn first_output(self, index: usize) -> Result<Option<i32>, ImportError> {
        let read = || {
            let table = self.operators.get(index)?.ok_or(OutOfFile)?;
            Ok(table.vector(2)?.first().map(|output| i32::from_le_bytes(*output)))
        };
        read().map_err(damaged(format!("operator {index}")))
    }

    /// An operator.
    pub(super) fn operator(self, index: usize) -> Result<Operator<'a>, ImportError> {
        let read = || {
            let table = self.operators.get(index)?.ok_or(OutOfFile)?;
            let code = self.codes.get(table.u32(0)? as usize)?.ok_or(OutOfFile)?;
            // The older field has one byte. Larger codes are only in the newer field.
            let kind = Kind::of(u32::from(code.u8(0)?).max(code.u32(3)?), &code.text(1)?);
            let (inputs, outputs) = (table.vector(1)?, table.vector(2)?);
            Ok(Operator { index, kind, inputs, outputs, options: table.table(4)? })
        };
        read().map_err(damaged(format!("operator {index}")))
    }

    /// Reads a tensor of an operator.
    pub(super) fn tensor(self, index: i32) -> Result<Tensor<'a>, ImportError> {
        let number = usize::try_from(index).unwrap_or(usize::MAX);
        let what = format!("tensor {index}");
        let Some(table) = self.tensors.get(number).map_err(damaged(&what))? else {
            let problem = TensorProblem::Missing;
            return Err(ImportError::Tensor { index: number, name: String::new(), problem });
        };
        Tensor::read(number, table, self.buffers).map_err(damaged(what))
    }
}

/// An operator.
#[derive(Clone, Debug)]
pub(super) struct Operator<'a> {
    pub(super) index: usize,
    pub(super) kind: Kind,
    inputs: &'a [[u8; 4]],
    outputs: &'a [[u8; 4]],
    /// Missing options have the schema's defaults.
    options: Option<Table<'a>>,
}

impl Operator<'_> {
    /// Returns the error for this operator.
    pub(super) fn refuse(&self, problem: OperatorProblem) -> ImportError {
        let operator = self.kind.name().to_string();
        ImportError::Operator { index: self.index, operator, problem }
    }

    /// Returns the number of input tensors.
    pub(super) fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Returns the index of an input tensor, or −1 for a missing optional one.
    pub(super) fn input(&self, place: usize) -> Option<i32> {
        self.inputs.get(place).map(|tensor| i32::from_le_bytes(*tensor))
    }

    /// Returns `true` if one of two inputs is a constant.
    pub(super) fn has_constant(&self, graph: Graph<'_>) -> Result<bool, ImportError> {
        let mut found = false;
        for place in 0..self.input_count().min(2) {
            let tensor = graph.tensor(self.input(place).unwrap_or(-1))?;
            found |= tensor.is_constant();
        }
        Ok(found)
    }

    /// Returns the index of the output tensor.
    pub(super) fn output(&self) -> Result<i32, ImportError> {
        match self.outputs {
            [output] => Ok(i32::from_le_bytes(*output)),
            outputs => {
                let (found, what, needed) = (outputs.len(), "outputs", "1");
                Err(self.refuse(OperatorProblem::Arity { found, what, needed }))
            }
        }
    }

    fn option<T: Default>(
        &self,
        read: impl FnOnce(Table<'_>) -> Result<T, OutOfFile>,
    ) -> Result<T, ImportError> {
        let options = self.options.map(read).transpose();
        let what = || format!("the options of operator {}", self.index);
        options.map_err(|error| damaged(what())(error)).map(Option::unwrap_or_default)
    }

    /// Returns the fused activation of a FULLY_CONNECTED.
    pub(super) fn fused_activation(&self) -> Result<u8, ImportError> {
        self.option(|options| options.u8(0))
    }

    /// Returns the weights format of a FULLY_CONNECTED.
    pub(super) fn weights_format(&self) -> Result<u8, ImportError> {
        self.option(|options| options.u8(1))
    }

    /// Returns the slope of a LEAKY_RELU for negative values.
    pub(super) fn slope(&self) -> Result<f32, ImportError> {
        self.option(|options| options.f32(0))
    }

    /// Returns whether a GELU is approximated by tanh.
    pub(super) fn is_approximate(&self) -> Result<bool, ImportError> {
        Ok(self.option(|options| options.u8(0))? != 0)
    }

    /// Returns the β of a SOFTMAX.
    pub(super) fn beta(&self) -> Result<f32, ImportError> {
        self.option(|options| options.f32(0))
    }
}
