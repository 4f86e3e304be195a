//! Models just below and just above the bound of the overflow proof, one step apart: the bound is
//! tight.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{Clamp, DataType, Encoding, Multiplier, Quantization, WeightLayout};

use crate::cases::{Case, held};

/// More than two blocks of four, and one column that is not a whole block.
const INPUTS: usize = 9;
/// A tile of every layout, and one remaining row.
const OUTPUTS: usize = 9;

/// Both sides of the bound of a row.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Model whose accumulator just fits, with the inputs of its extreme values.
    pub within: Case,
    /// The same model with a bias that is one further from zero.
    pub beyond: ModelSpec,
    /// The row.
    pub row: u16,
    /// Bound in the error message of the refused row.
    pub limit: u32,
}

/// Returns the data types that a layout supports.
pub fn data_types(layout: WeightLayout) -> &'static [DataType] {
    if layout.needs_int8() { &[DataType::Int8] } else { &[DataType::Int8, DataType::Int16] }
}

/// Returns models at the bound for a layout and data type: for a row in a tile and one after the
/// tiles, on both sides of zero, with right and left shifts, for several zero points.
pub fn edges(layout: WeightLayout, data_type: DataType) -> Vec<Edge> {
    let zero_points: &[i32] = match data_type {
        DataType::Int8 => &[-128, 3, 127],
        DataType::Int16 => &[0],
    };
    let mut edges = Vec::new();
    for row in [0, OUTPUTS - 1] {
        for sign in [1, -1] {
            for shift in [-31, -8, 0, 1, 5] {
                for zero_point in zero_points {
                    edges.push(edge(layout, data_type, row, sign, shift, *zero_point));
                }
            }
        }
    }
    edges
}

fn edge(
    layout: WeightLayout,
    data_type: DataType,
    row: usize,
    sign: i64,
    shift: i8,
    zero_point: i32,
) -> Edge {
    let quantization = |zero_point| match data_type {
        DataType::Int8 => Quantization::int8(1.0, zero_point),
        DataType::Int16 => Quantization::int16(1.0),
    };
    let most = layout.weight_type().max_weight() as i8;
    let weights = [most, most, -most].into_iter().cycle().take(INPUTS).collect::<Vec<i8>>();
    let all = Clamp::all(data_type);
    let end = |end: i16| (i64::from(end) - i64::from(zero_point)).abs();
    let reach = end(all.low).max(end(all.high));
    let bound: i64 = weights.iter().map(|w| i64::from(*w).abs() * reach).sum();
    let limit = (1i64 << 31) >> shift.max(0);
    let bias = limit - 1 - bound;
    let spec = |bias: i64| {
        let mut layer = DenseSpec {
            inputs: INPUTS,
            outputs: OUTPUTS,
            // Where there is no zero, what is far from the limit.
            weights: vec![held(layout.weight_type(), 0); INPUTS * OUTPUTS],
            biases: vec![0; OUTPUTS],
            multipliers: vec![Multiplier { mantissa: i32::MAX, shift }; OUTPUTS],
            output: quantization(-1),
            clamp: all,
            layout,
        };
        layer.weights[row * INPUTS..][..INPUTS].copy_from_slice(&weights);
        layer.biases[row] = i32::try_from(sign * bias).expect("below the limit, or the limit");
        ModelSpec {
            name: "edge".into(),
            input: InputSpec {
                shape: vec![INPUTS],
                quantization: quantization(zero_point),
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(layer)],
            self_tests: vec![],
            details: Default::default(),
        }
    };
    let towards =
        |sign: bool| weights.iter().map(move |w| if (*w > 0) == sign { all.high } else { all.low });
    let bytes = |values: Vec<i16>| match data_type {
        DataType::Int8 => values.into_iter().map(|x| x as i8).collect(),
        DataType::Int16 => {
            values.into_iter().flat_map(|x| x.to_le_bytes().map(|byte| byte as i8)).collect()
        }
    };
    let inputs = [towards(true).collect(), towards(false).collect(), vec![all.high; INPUTS]];
    let what =
        format!("{layout:?}, {data_type:?}, row {row}, sign {sign}, shift {shift}, {zero_point}");
    let within = spec(bias);
    let model = within.to_bytes().unwrap_or_else(|error| panic!("{what}: {error}"));
    Edge {
        within: Case { what, model, inputs: inputs.map(bytes).into() },
        beyond: spec(bias + 1),
        row: row as u16,
        limit: limit as u32,
    }
}
