//! Weights beyond ±127, and functions of single units, as layers that give the same bytes.
//!
//! A model file has weights in −127..=127, and a table is shared by all units of a layer (FORMAT.md).
//! Sums of integers are exact in any order, so that a weight of −128 is one of −127 and one of −1 for a
//! copy of the same input.

use model_format::build::{DenseSpec, LayerSpec};
use model_format::limits::MAX_WIDTH;
use model_format::{Clamp, Multiplier, Quantization, WeightLayout};

/// Largest weight in a model file.
const MOST: i32 = 127;
/// Largest weight that is split: int8 less a zero point of int8.
pub const MAX_WEIGHT: i32 = 255;
/// Maximum number of weights of an added layer, most of which are zero.
const MAX_ADDED: usize = 1 << 22;
/// A multiplier of 1.
const ONE: Multiplier = Multiplier { mantissa: 1 << 30, shift: 1 };

/// The added units do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A layer would become too wide.
    #[error("it would need {0} values between two layers, and {MAX_WIDTH} are the maximum")]
    Width(usize),
    /// An added layer would become too large.
    #[error("it would need an added layer of {0} × {1} weights, and {MAX_ADDED} are the maximum")]
    Added(usize, usize),
}

/// Weights of a dense layer in the range of a model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Number of inputs, with copies.
    pub inputs: usize,
    /// The weights, row-major.
    pub weights: Vec<i8>,
    /// Number of inputs that are copies.
    pub copies: usize,
}

/// Splits weights over copies of their inputs, which the `layers` before give from now on: the dense layer
/// that computes them has some rows twice, and where there is none, one that only copies is added.
///
/// # Shapes
/// `weights` has rows of `inputs` values in ±[`MAX_WEIGHT`], for inputs of the quantization `x`.
///
/// # Errors
/// [`SplitError`] if copies do not fit the model format.
pub fn split(
    layers: &mut Vec<LayerSpec>,
    x: Quantization,
    inputs: usize,
    weights: &[i32],
) -> Result<Split, SplitError> {
    let mut needed = vec![1; inputs];
    for row in weights.chunks_exact(inputs) {
        for (needed, weight) in needed.iter_mut().zip(row) {
            *needed = weight.unsigned_abs().div_ceil(MOST as u32).max(*needed);
        }
    }
    let copies: Vec<usize> = (0..inputs)
        .flat_map(|input| std::iter::repeat_n(input, needed[input] as usize - 1))
        .collect();
    if !copies.is_empty() {
        copy(layers, x, inputs, &copies)?;
    }
    let width = inputs + copies.len();
    let mut values = Vec::with_capacity(weights.len() / inputs.max(1) * width);
    for row in weights.chunks_exact(inputs) {
        let mut rest = row.to_vec();
        values.extend((0..inputs).chain(copies.iter().copied()).map(|input| {
            let part = rest[input].clamp(-MOST, MOST);
            rest[input] -= part;
            part as i8
        }));
    }
    Ok(Split { inputs: width, weights: values, copies: copies.len() })
}

/// Lets the layers give copies of some of their values behind all of them.
fn copy(
    layers: &mut Vec<LayerSpec>,
    x: Quantization,
    values: usize,
    copies: &[usize],
) -> Result<(), SplitError> {
    let width = values + copies.len();
    if width > MAX_WIDTH {
        return Err(SplitError::Width(width));
    }
    // Tables keep equal values equal, unlike a softmax.
    let is_table = |layer: &&mut LayerSpec| matches!(layer, LayerSpec::Table(_));
    if let Some(LayerSpec::Dense(dense)) = layers.iter_mut().rev().find(|layer| !is_table(layer)) {
        for &unit in copies {
            dense.weights.extend_from_within(unit * dense.inputs..(unit + 1) * dense.inputs);
            dense.biases.push(dense.biases[unit]);
            dense.multipliers.push(dense.multipliers[unit]);
        }
        dense.outputs = width;
        return Ok(());
    }
    let row = |unit: usize| Row { weights: vec![(unit, 1)], bias: 0, multiplier: ONE };
    let rows: Vec<Row> = (0..values).chain(copies.iter().copied()).map(row).collect();
    add(layers, x, values, &rows, x)
}

/// Appends the layers of PRELU with a slope per unit, in TensorFlow Lite Micro's arithmetic.
///
/// The first layer separates what is above zero from what is below, by biases at which the other side
/// saturates. The second multiplies each side by its multiplier, and what is below by the slope of its
/// unit. The third adds both, of which one is zero.
///
/// # Shapes
/// `slopes` has one number of steps per unit in ±[`MAX_WEIGHT`]. `above` and `below` are the multipliers of
/// values and of products of values and slopes.
///
/// # Errors
/// [`SplitError`] if the units do not fit the model format.
pub(crate) fn prelu(
    layers: &mut Vec<LayerSpec>,
    x: Quantization,
    y: Quantization,
    slopes: &[i32],
    [above, below]: [Multiplier; 2],
) -> Result<(), SplitError> {
    let units = slopes.len();
    let [low, high] = [Clamp::INT8.low, Clamp::INT8.high].map(i32::from);
    // Steps from zero: what is above from −128 upwards, what is below from 127 downwards.
    let steps = Quantization { zero_point: 0, ..x };
    let side = |bias| move |unit| Row { weights: vec![(unit, 1)], bias, multiplier: ONE };
    let rows: Vec<Row> = (0..units).map(side(low)).chain((0..units).map(side(high))).collect();
    add(layers, x, units, &rows, steps)?;
    let upper = |unit| Row { weights: vec![(unit, 1)], bias: -low, multiplier: above };
    let lower = |(unit, &slope): (usize, &i32)| Row {
        weights: vec![(units + unit, slope)],
        bias: -high * slope,
        multiplier: below,
    };
    let rows: Vec<Row> =
        (0..units).map(upper).chain(slopes.iter().enumerate().map(lower)).collect();
    add(layers, steps, 2 * units, &rows, y)?;
    let sum = |unit| Row { weights: vec![(unit, 1), (units + unit, 1)], bias: 0, multiplier: ONE };
    let rows: Vec<Row> = (0..units).map(sum).collect();
    add(layers, y, 2 * units, &rows, y)
}

/// A row of an added layer.
struct Row {
    /// Inputs and their weights, the only ones that are not zero.
    weights: Vec<(usize, i32)>,
    bias: i32,
    multiplier: Multiplier,
}

/// Appends a dense layer with few weights.
fn add(
    layers: &mut Vec<LayerSpec>,
    x: Quantization,
    inputs: usize,
    rows: &[Row],
    output: Quantization,
) -> Result<(), SplitError> {
    if inputs > MAX_WIDTH || rows.len() > MAX_WIDTH {
        return Err(SplitError::Width(inputs.max(rows.len())));
    }
    if inputs * rows.len() > MAX_ADDED {
        return Err(SplitError::Added(inputs, rows.len()));
    }
    let mut wide = vec![0; inputs * rows.len()];
    for (wide, row) in wide.chunks_exact_mut(inputs).zip(rows) {
        row.weights.iter().for_each(|&(input, weight)| wide[input] = weight);
    }
    let Split { inputs, weights, .. } = split(layers, x, inputs, &wide)?;
    layers.push(LayerSpec::Dense(DenseSpec {
        inputs,
        outputs: rows.len(),
        layout: smallest(inputs, &weights),
        weights,
        biases: rows.iter().map(|row| row.bias).collect(),
        multipliers: rows.iter().map(|row| row.multiplier).collect(),
        output,
        clamp: Clamp::all(output.data_type),
    }));
    Ok(())
}

/// Returns the layout that takes fewer bytes: all weights, or the blocks of four that are not zero.
fn smallest(inputs: usize, weights: &[i8]) -> WeightLayout {
    let rows = weights.len() / inputs.max(1);
    let is_stored = |block: &&[i8]| block.iter().any(|weight| *weight != 0);
    let blocks: usize = weights
        .chunks_exact(inputs.max(1))
        .map(|row| row.chunks(4).filter(is_stored).count())
        .sum();
    // The first block of each row, and per block its place and its weights.
    match 4 * (rows + 1) + 6 * blocks < rows * inputs.next_multiple_of(4) {
        true => WeightLayout::Sparse,
        false => WeightLayout::RowMajor,
    }
}

#[cfg(test)]
mod tests {
    use model_format::build::{InputSpec, ModelSpec, OutputSpec, TableSpec};
    use model_format::{Encoding, Model};
    use thimble_nn::Engine;

    use super::*;

    const X: Quantization = Quantization::int8(0.5, -7);

    /// Runs layers on all of int8, in each of the inputs.
    fn outputs(layers: &[LayerSpec], inputs: usize) -> Vec<Vec<i8>> {
        let spec = ModelSpec {
            name: "split".into(),
            input: InputSpec {
                shape: vec![inputs],
                quantization: X,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(Vec::new()),
            layers: layers.to_vec(),
            self_tests: Vec::new(),
            details: Default::default(),
        };
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        let row = |q: i32| -> Vec<u8> {
            (0..inputs).map(|at| (q + 50 * at as i32) as i8 as u8).collect()
        };
        let signed = |bytes: &[u8]| bytes.iter().map(|byte| *byte as i8).collect();
        (-128..128).map(|q| signed(engine.run_bytes(&row(q)).unwrap())).collect()
    }

    fn layer(split: Split, rows: usize) -> LayerSpec {
        LayerSpec::Dense(DenseSpec {
            inputs: split.inputs,
            outputs: rows,
            weights: split.weights,
            biases: (0..rows as i32).map(|row| 9 - 4 * row).collect(),
            multipliers: vec![Multiplier::from_real(1.0 / 256.0).unwrap(); rows],
            output: Quantization::int8(1.0, 3),
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })
    }

    /// Divides as a multiplier of one half and a right shift do: ties up, then ties away from zero.
    fn divided(sum: i32, shift: u32) -> i32 {
        let high = (sum + 1) >> 1;
        ((high.abs() + (1 << shift >> 1)) >> shift) * high.signum()
    }

    /// Returns the output of the layer above for a sum of weights and inputs.
    fn expected(row: usize, sum: i32) -> i8 {
        (divided(sum + 9 - 4 * row as i32, 7) + 3).clamp(-128, 127) as i8
    }

    #[test]
    fn weights_in_range_change_nothing() {
        let mut layers = Vec::new();
        let found = split(&mut layers, X, 2, &[127, -127, 0, 3]).unwrap();
        assert_eq!(found, Split { inputs: 2, weights: vec![127, -127, 0, 3], copies: 0 });
        assert!(layers.is_empty());
    }

    #[test]
    fn a_layer_that_copies_is_added_in_front() {
        let weights = [-128, 5, 0, 255, 9, 254];
        let mut layers = Vec::new();
        let found = split(&mut layers, X, 3, &weights).unwrap();
        assert_eq!((found.inputs, found.copies), (6, 3));
        assert!(found.weights.iter().all(|weight| *weight >= -127));
        layers.push(layer(found, 2));
        for (q, found) in (-128..).zip(outputs(&layers, 3)) {
            let x = [0, 50, 100].map(|more| i32::from((q + more) as i8) + 7);
            for row in 0..2 {
                let sum = weights[3 * row..].iter().zip(x).map(|(w, x)| w * x).sum();
                assert_eq!(found[row], expected(row, sum), "{q} {row}");
            }
        }
    }

    #[test]
    fn copies_come_from_the_dense_layer_before_tables() {
        let one = split(&mut Vec::new(), X, 1, &[100]).unwrap();
        let mirror = TableSpec {
            output: Quantization::int8(1.0, -1),
            entries: (-128..128).map(|q: i16| !q).collect(),
        };
        let mut layers = vec![layer(one, 1), LayerSpec::Table(mirror)];
        let found = split(&mut layers, Quantization::int8(1.0, -1), 1, &[-128, 255]).unwrap();
        assert_eq!((found.inputs, layers.len()), (3, 2));
        layers.push(layer(found, 2));
        for (q, found) in (-128..).zip(outputs(&layers, 1)) {
            // Mirrored around the zero point of −1.
            let x = -i32::from(expected(0, 100 * (q + 7)));
            assert_eq!(found, [expected(0, -128 * x), expected(1, 255 * x)], "{q}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |inputs: usize| {
            let mut weights = vec![0; inputs];
            weights[0] = -128;
            split(&mut Vec::new(), X, inputs, &weights).unwrap_err()
        };
        assert_eq!(refused(MAX_WIDTH), SplitError::Width(MAX_WIDTH + 1));
        assert_eq!(refused(2048), SplitError::Added(2048, 2049));
    }

    #[test]
    fn units_of_a_prelu_have_their_own_slopes() {
        let y = Quantization::int8(0.25, 11);
        let slopes = [40, -128, 255];
        // A slope has steps of 1/64.
        let multipliers = [2.0, 2.0 / 64.0].map(|real| Multiplier::from_real(real).unwrap());
        let mut layers = Vec::new();
        prelu(&mut layers, X, y, &slopes, multipliers).unwrap();
        for (q, found) in (-128..).zip(outputs(&layers, 3)) {
            for (unit, slope) in slopes.iter().enumerate() {
                let steps = i32::from((q + 50 * unit as i32) as i8) + 7;
                let value = match steps >= 0 {
                    true => 2 * steps,
                    false => divided(steps * slope, 4),
                };
                assert_eq!(i32::from(found[unit]), (value + 11).clamp(-128, 127), "{q} {unit}");
            }
        }
    }
}
