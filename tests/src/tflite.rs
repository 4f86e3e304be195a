//! Just enough of a `.tflite` reader to run the golden models through the reference.
//!
//! It trusts the files in `tests/golden`, which TensorFlow's converter wrote, and panics on
//! anything else. Field numbers are those of TensorFlow Lite's `schema.fbs`.

use crate::reference::activation::{Function, softmax, table};
use crate::reference::dense::{Dense, Folded};
use crate::reference::rounding::Factor;

/// A model as a chain of operators on int8.
#[derive(Clone, Debug)]
pub struct Golden {
    operators: Vec<Operator>,
}

#[derive(Clone, Debug)]
enum Operator {
    Dense(Dense),
    Table(Box<[i8; 256]>),
    Softmax { input_scale: f32 },
}

impl Golden {
    /// Reads the model's operators.
    pub fn read(file: &[u8]) -> Golden {
        assert_eq!(&file[4..8], b"TFL3", "a TensorFlow Lite file");
        let model = Table::at(file, u32_at(file, 0) as usize);
        let subgraph = model.tables(2)[0];
        let (tensors, buffers) = (subgraph.tables(0), model.tables(4));
        let tensor = |index: i32| Tensor::of(tensors[index as usize], &buffers);
        let codes: Vec<u32> = model
            .tables(1)
            // The first field has one byte; codes that do not fit it stand in the other alone.
            .iter()
            .map(|code| u32::from(code.u8(0)).max(code.u32(3)))
            .collect();

        let mut chain = subgraph.i32s(1)[0];
        let mut operators = Vec::new();
        for operator in subgraph.tables(3) {
            let (inputs, outputs) = (operator.i32s(1), operator.i32s(2));
            assert_eq!(inputs[0], chain, "the operators form a chain");
            chain = outputs[0];
            let (x, y) = (tensor(inputs[0]), tensor(outputs[0]));
            operators.push(match codes[operator.u32(0) as usize] {
                9 => {
                    let activation = operator.table(4).expect("options").u8(0);
                    dense(&x, &tensor(inputs[1]), &tensor(inputs[2]), &y, activation)
                }
                14 => {
                    Operator::Table(Box::new(table(Function::Sigmoid, x.scales[0], x.zero_point)))
                }
                28 => Operator::Table(Box::new(table(Function::Tanh, x.scales[0], x.zero_point))),
                25 => Operator::Softmax { input_scale: x.scales[0] },
                code => panic!("operator {code} is not in a golden model"),
            });
        }
        assert_eq!(chain, subgraph.i32s(2)[0], "the chain ends at the output");
        Golden { operators }
    }

    /// Number of operators.
    #[allow(clippy::len_without_is_empty)] // a model has an operator
    pub fn len(&self) -> usize {
        self.operators.len()
    }

    /// The output for one input.
    pub fn run(&self, input: &[i8]) -> Vec<i8> {
        self.operators.iter().fold(input.to_vec(), |x, operator| match operator {
            Operator::Dense(dense) => dense.run(&x),
            Operator::Table(table) => {
                x.iter().map(|&q| table[(i32::from(q) + 128) as usize]).collect()
            }
            Operator::Softmax { input_scale } => softmax(&x, *input_scale),
        })
    }
}

/// A FULLY_CONNECTED operator: TFLM's `CalculateOpDataFullyConnected`.
fn dense(x: &Tensor, w: &Tensor, b: &Tensor, y: &Tensor, activation: u8) -> Operator {
    let [outputs, inputs] = w.shape[..] else { panic!("weights have two dimensions") };
    let per_row = w.scales.len() > 1;
    let factors = (0..outputs as usize).map(|row| {
        let product = if per_row {
            f64::from(x.scales[0]) * f64::from(w.scales[row])
        } else {
            f64::from(x.scales[0] * w.scales[0])
        };
        Factor::from_real(product / f64::from(y.scales[0]))
    });
    let folded = match activation {
        0 => Folded::Linear,
        1 => Folded::Relu,
        3 => Folded::Relu6,
        code => panic!("activation {code} is not in a golden model"),
    };
    Operator::Dense(Dense {
        weights: w
            .data
            .chunks_exact(inputs as usize)
            .map(|row| row.iter().map(|&byte| i64::from(byte as i8)).collect())
            .collect(),
        biases: b
            .data
            .chunks_exact(4)
            .map(|bytes| i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
            .collect(),
        factors: factors.collect(),
        input_zero_point: x.zero_point.into(),
        output_zero_point: y.zero_point.into(),
        clamp: folded.clamp(y.scales[0], y.zero_point.into()),
    })
}

struct Tensor<'a> {
    shape: Vec<i32>,
    data: &'a [u8],
    scales: Vec<f32>,
    zero_point: i32,
}

impl<'a> Tensor<'a> {
    fn of(tensor: Table<'a>, buffers: &[Table<'a>]) -> Tensor<'a> {
        let quantization = tensor.table(4).expect("a quantized tensor");
        let scales = quantization.vector(2, 4);
        let zero_points = quantization.vector(3, 8);
        Tensor {
            shape: tensor.i32s(0),
            data: buffers[tensor.u32(2) as usize].vector(0, 1),
            scales: scales.chunks_exact(4).map(|s| f32::from_bits(u32_at(s, 0))).collect(),
            zero_point: u32_at(zero_points, 0) as i32,
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A FlatBuffers table: a position, and before it the distance to the list of its fields' places.
#[derive(Clone, Copy)]
struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Table<'a> {
    fn at(file: &'a [u8], at: usize) -> Table<'a> {
        Table { file, at }
    }

    /// Returns the position of a field, if the table has it.
    fn field(self, number: usize) -> Option<usize> {
        let fields = (self.at as i64 - i64::from(u32_at(self.file, self.at) as i32)) as usize;
        let u16_at = |at: usize| u16::from_le_bytes([self.file[at], self.file[at + 1]]) as usize;
        let entry = 4 + 2 * number;
        let offset = if entry < u16_at(fields) { u16_at(fields + entry) } else { 0 };
        (offset != 0).then_some(self.at + offset)
    }

    fn u8(self, number: usize) -> u8 {
        self.field(number).map_or(0, |at| self.file[at])
    }

    fn u32(self, number: usize) -> u32 {
        self.field(number).map_or(0, |at| u32_at(self.file, at))
    }

    fn follow(self, at: usize) -> usize {
        at + u32_at(self.file, at) as usize
    }

    fn table(self, number: usize) -> Option<Table<'a>> {
        self.field(number).map(|at| Table::at(self.file, self.follow(at)))
    }

    /// The bytes of a vector whose elements have `size` bytes each.
    fn vector(self, number: usize, size: usize) -> &'a [u8] {
        self.field(number).map_or(&[], |at| {
            let start = self.follow(at);
            &self.file[start + 4..start + 4 + size * u32_at(self.file, start) as usize]
        })
    }

    fn i32s(self, number: usize) -> Vec<i32> {
        self.vector(number, 4).chunks_exact(4).map(|bytes| u32_at(bytes, 0) as i32).collect()
    }

    fn tables(self, number: usize) -> Vec<Table<'a>> {
        let Some(at) = self.field(number) else {
            return Vec::new();
        };
        let start = self.follow(at);
        (0..u32_at(self.file, start) as usize)
            .map(|index| Table::at(self.file, self.follow(start + 4 + 4 * index)))
            .collect()
    }
}
