//! Constants of the layers, and the function that runs them.

use std::collections::BTreeSet;

use model_format::{DataType, Dense, Layer, Model, WeightType};
use thimble_support::template::render;

use crate::literal::{array, integer};
use crate::name::Name;
use crate::plan::{Place, Plan, Step};
use crate::weights::Weights;

/// The C type of values.
pub fn type_of(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
    }
}

/// A kernel that a model needs, in the order in which kernels are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// int8 weights.
    Dense(Types),
    /// int4 weights.
    Int4(Types),
    /// int2 weights.
    Int2(Types),
    /// Ternary weights.
    Ternary(Types),
    /// Block-sparse weights.
    Sparse(Types),
    /// Element-wise function of int8.
    Table8,
    /// Element-wise function of int16.
    Table16,
    /// Softmax.
    Softmax,
}

/// Types of a kernel's inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Types {
    /// Type of the inputs.
    pub x: &'static str,
    /// Type of the outputs.
    pub y: &'static str,
}

/// The layers as C.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Constant arrays.
    pub arrays: String,
    /// Kernels that the layers need.
    pub kernels: BTreeSet<Kernel>,
    /// The function that runs the layers.
    pub function: String,
    /// Bytes of the constant arrays.
    pub flash: usize,
}

/// Values of a model's templates.
pub type Values = Vec<(&'static str, String)>;

impl Layers {
    /// Writes the layers of a model.
    pub fn new(model: &Model<'_>, plan: &Plan<'_>, name: &Name, values: &Values) -> Self {
        let mut layers = Layers::default();
        let (mut declarations, mut statements) = (String::new(), String::new());
        for (index, step) in plan.steps.iter().enumerate() {
            let shape = format!("{} to {}", step.layer.inputs(), step.layer.outputs());
            layers.arrays += &format!("\n/* Layer {index}: {}, {shape}. */\n", step.layer.name());
            let (from, to) =
                (place(step, step.from, plan, false), place(step, step.to, plan, true));
            let symbol = format!("{name}_layer{index}");
            match &step.layer {
                Layer::Dense(dense) => {
                    let (kind, kernel, fields) = layers.dense(dense, name, &symbol);
                    declarations += &format!(
                        "    {}_LAYER {name}_{kind}_t layer{index} = {{\n{fields}    }};\n",
                        name.upper()
                    );
                    statements += &format!("    {name}_{kernel}(&layer{index}, {from}, {to});\n");
                }
                Layer::Table(table) => {
                    let data_type = table.input.data_type;
                    let kernel = match data_type {
                        DataType::Int8 => Kernel::Table8,
                        DataType::Int16 => Kernel::Table16,
                    };
                    layers.kernels.insert(kernel);
                    let entries: Vec<i16> = data_type.values(table.bytes()).collect();
                    layers.array(
                        name,
                        type_of(data_type),
                        &format!("{symbol}_table"),
                        entries.iter().map(|entry| i64::from(*entry)),
                        data_type.bytes(),
                    );
                    statements += &format!(
                        "    {name}_table_{}({symbol}_table, {from}, {to}, {}u);\n",
                        type_of(data_type),
                        table.width()
                    );
                }
                Layer::Softmax(softmax) => {
                    layers.kernels.insert(Kernel::Softmax);
                    let exponentials = softmax.exponentials();
                    let entries = exponentials.iter().map(|e| i32::from_le_bytes(*e).into());
                    layers.array(name, "int32", &format!("{symbol}_exponentials"), entries, 4);
                    statements += &format!(
                        "    {name}_softmax({symbol}_exponentials, {}u, {from}, {to}, {}u);\n",
                        exponentials.len(),
                        softmax.width()
                    );
                }
            }
        }
        if !statements.contains("scratch") {
            statements += "    (void)scratch;\n";
        }
        if model.layers().len() == 0 {
            statements += "    (void)input;\n    (void)output;\n";
        }
        let mut values = values.clone();
        values.extend([("declarations", declarations), ("statements", statements)]);
        layers.function = render(include_str!("templates/layers.c"), &values);
        layers
    }

    /// Writes the arrays of a dense layer; returns the kind of its type, its kernel, and the fields.
    fn dense(
        &mut self,
        dense: &Dense<'_>,
        name: &Name,
        symbol: &str,
    ) -> (&'static str, String, String) {
        let types = Types { x: type_of(dense.input.data_type), y: type_of(dense.output.data_type) };
        let (inputs, outputs) = (dense.inputs(), dense.outputs());
        let weights = Weights::of(dense);
        let (kind, kernel, fields) = match weights {
            Weights::Rows { stride, values } => {
                self.array8(name, &format!("{symbol}_weights"), &values);
                let fields = format!("        {symbol}_weights, {inputs}, {outputs}, {stride},\n");
                ("dense", Kernel::Dense(types), fields)
            }
            Weights::Packed { weight_type, stride, values } => {
                self.array8(name, &format!("{symbol}_weights"), &values);
                let fields = format!("        {symbol}_weights, {inputs}, {outputs}, {stride},\n");
                let kernel = match weight_type {
                    WeightType::Int8 => Kernel::Dense(types),
                    WeightType::Int4 => Kernel::Int4(types),
                    WeightType::Int2 => Kernel::Int2(types),
                    WeightType::Ternary => Kernel::Ternary(types),
                };
                ("dense", kernel, fields)
            }
            Weights::Sparse { counts, mut columns, mut values } => {
                if columns.is_empty() {
                    // C has no empty arrays.
                    (columns, values) = (vec![0], vec![0; 4]);
                }
                let words = |words: Vec<u16>| words.into_iter().map(i64::from);
                self.array(name, "uint16", &format!("{symbol}_counts"), words(counts), 2);
                self.array(name, "uint16", &format!("{symbol}_columns"), words(columns), 2);
                self.array8(name, &format!("{symbol}_weights"), &values);
                let fields = format!(
                    "        {symbol}_counts, {symbol}_columns, {symbol}_weights, {outputs},\n"
                );
                ("sparse", Kernel::Sparse(types), fields)
            }
        };
        self.kernels.insert(kernel);
        let biases: Vec<i64> = dense.rows().map(|row| folded_bias(dense, &row).into()).collect();
        let multipliers: Vec<i64> =
            dense.rows().map(|row| row.multiplier.mantissa.into()).collect();
        let shifts: Vec<i8> = dense.rows().map(|row| row.multiplier.shift).collect();
        self.array(name, "int32", &format!("{symbol}_biases"), biases.into_iter(), 4);
        self.array(name, "int32", &format!("{symbol}_multipliers"), multipliers.into_iter(), 4);
        self.array8(name, &format!("{symbol}_shifts"), &shifts);
        let zero_point = dense.output.zero_point;
        let (low, high) = (i32::from(dense.clamp.low), i32::from(dense.clamp.high));
        let fields = format!(
            "{fields}        {{ {symbol}_biases, {symbol}_multipliers, {symbol}_shifts, {zero_point}, \
             {}, {} }}\n",
            low - zero_point,
            high - zero_point
        );
        let kernel = match kernel {
            Kernel::Int4(_) => "int4",
            Kernel::Int2(_) => "int2",
            Kernel::Ternary(_) => "ternary",
            _ => kind,
        };
        (kind, format!("{kernel}_{}_{}", types.x, types.y), fields)
    }

    fn array8(&mut self, name: &Name, symbol: &str, values: &[i8]) {
        self.array(name, "int8", symbol, values.iter().map(|value| i64::from(*value)), 1);
    }

    /// Writes an array whose elements have this number of bytes.
    fn array(
        &mut self,
        name: &Name,
        element: &str,
        symbol: &str,
        values: impl ExactSizeIterator<Item = i64>,
        bytes: usize,
    ) {
        self.flash += values.len() * bytes;
        let element = format!("{element}_t");
        self.arrays += &array(&name.upper(), &element, symbol, values.map(integer));
    }
}

/// The bias of a row with the zero point of the input folded in, modulo 2³²: the kernels multiply
/// inputs as they are.
fn folded_bias(dense: &Dense<'_>, row: &model_format::Row<'_>) -> i32 {
    let sum: i32 = row.weights().map(i32::from).sum();
    row.bias.wrapping_sub(dense.input.zero_point.wrapping_mul(sum))
}

/// A place as a C expression.
fn place(step: &Step<'_>, place: Place, plan: &Plan<'_>, is_output: bool) -> String {
    let tensor = if is_output { step.layer.output() } else { step.layer.input() };
    match place {
        Place::Input => "input".into(),
        Place::Output => "output".into(),
        Place::Buffer(buffer) => {
            let bytes = format!("&scratch->bytes[{}]", plan.offset(buffer));
            match (tensor.data_type, is_output) {
                (DataType::Int8, _) => bytes,
                (DataType::Int16, true) => format!("(int16_t *)(void *){bytes}"),
                (DataType::Int16, false) => format!("(const int16_t *)(const void *){bytes}"),
            }
        }
    }
}
