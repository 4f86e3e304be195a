//! The portable kernel reads every layout, and gives the same bytes for all. What random models of
//! many sizes give, on every kernel, is held against an independent implementation by the crate
//! `tests`; this is small enough for an interpreter that checks each access to memory.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, TableSpec};
use model_format::{
    Clamp, DataType, Encoding, Model, Multiplier, Quantization, WeightLayout, WeightType,
};
use thimble_nn::Engine;

/// Inputs, hidden values and outputs: one, whole tiles and blocks, and some that remain.
const SHAPES: &[[usize; 3]] = match cfg!(miri) {
    // Miri is slow.
    true => &[[9, 9, 2]],
    false => &[[9, 9, 2], [1, 1, 1], [8, 16, 4], [9, 13, 3], [17, 7, 9]],
};

/// Numbers in −`most`..=`most` that look random and are always the same.
fn numbers(count: usize, seed: u32, most: u32) -> impl Iterator<Item = i32> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), next)
        .skip(1)
        .take(count)
        .map(move |state| ((state >> 8) % (2 * most + 1)) as i32 - most as i32)
}

/// A layer of weights that every layout of their type can hold, with blocks of zeros where it has a zero.
fn dense(
    inputs: usize,
    outputs: usize,
    output: Quantization,
    layout: WeightLayout,
    weight_type: WeightType,
) -> LayerSpec {
    let real = match output.data_type {
        DataType::Int8 => 0.2,
        DataType::Int16 => 0.06,
    };
    let block = |(at, weight): (usize, i32)| match (weight_type, at / 4 % 3) {
        (WeightType::Int2, _) => 2 * weight.rem_euclid(4) as i8 - 3,
        (_, 1) => 0,
        (WeightType::Ternary, _) => weight.signum() as i8,
        (WeightType::Int8 | WeightType::Int4, _) => weight as i8,
    };
    LayerSpec::Dense(DenseSpec {
        inputs,
        outputs,
        weights: (0..).zip(numbers(inputs * outputs, 7, 7)).map(block).collect(),
        biases: numbers(outputs, 2, 300).collect(),
        // Compact, where the layout has that.
        multipliers: vec![Multiplier::from_real(real).unwrap().to_compact().unwrap(); outputs],
        output,
        clamp: Clamp::all(output.data_type),
        layout,
    })
}

/// Two dense layers with a table between them.
fn model(
    [inputs, hidden, outputs]: [usize; 3],
    values: Quantization,
    layout: WeightLayout,
    weight_type: WeightType,
) -> Vec<u8> {
    let entries = match values.data_type {
        DataType::Int8 => (-128..128).map(|q| -1 - q).collect(),
        DataType::Int16 => {
            (-128..=128).map(|q: i32| (q * -256).clamp(-32768, 32767) as i16).collect()
        }
    };
    ModelSpec {
        name: "layouts".into(),
        input: InputSpec {
            shape: vec![inputs],
            quantization: values,
            encoding: Encoding::Quantized,
        },
        output: OutputSpec::Values(vec![]),
        layers: vec![
            dense(inputs, hidden, values, layout, weight_type),
            LayerSpec::Table(TableSpec { output: values, entries }),
            dense(hidden, outputs, values, layout, weight_type),
        ],
        self_tests: vec![],
        details: Default::default(),
    }
    .to_bytes()
    .unwrap_or_else(|error| panic!("{layout:?}: {error}"))
}

/// The outputs of a model for some inputs: full ones, one that is zero in most blocks, zeros.
fn outputs(file: &[u8], values: Quantization) -> Vec<Vec<u8>> {
    let model = Model::parse(file).expect("what was written can be read");
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine =
        Engine::new(model.clone(), &mut scratch).expect("the portable kernel reads all");
    let len = model.input_bytes();
    let zero = (values.zero_point as u8).to_le_bytes()[0];
    let full = |seed| numbers(len, seed, 127).map(|q| q as u8).collect::<Vec<u8>>();
    let sparse = (0..len).map(|at| if at / 8 == 1 { 90 } else { zero }).collect();
    let rows = [full(3), full(4), sparse, vec![zero; len]];
    rows.iter().map(|row| engine.run_bytes(row).expect("the right length").to_vec()).collect()
}

fn same(shape: [usize; 3], values: Quantization, layouts: impl Iterator<Item = WeightLayout>) {
    for layout in layouts {
        // The same numbers as int8, too, which hold those of every type.
        let weight_type = match layout.weight_type() {
            WeightType::Int4 => WeightType::Int8,
            weight_type => weight_type,
        };
        let of = |layout| model(shape, values, layout, weight_type);
        let first = outputs(&of(WeightLayout::RowMajor), values);
        // A single weight may be 0.
        assert!(shape[0] == 1 || first[0] != first[3], "{shape:?}: the inputs change nothing");
        let file = of(layout);
        assert_eq!(outputs(&file, values), first, "{shape:?}, {}", layout.name());
        // At an odd address, which this kernel can stand.
        let moved = [&[0], &file[..]].concat();
        assert_eq!(outputs(&moved[1..], values), first, "{shape:?}, {}, moved", layout.name());
    }
}

#[test]
fn int8_in_every_layout() {
    for (shape, zero_point) in SHAPES.iter().zip([5, -128, 127, 0, -7]) {
        same(*shape, Quantization::int8(0.5, zero_point), WeightLayout::ALL.into_iter());
    }
}

#[test]
fn int16_in_every_layout_that_folds_nothing() {
    let layouts = WeightLayout::ALL.into_iter().filter(|layout| !layout.needs_int8());
    for shape in SHAPES {
        same(*shape, Quantization::int16(0.5), layouts.clone());
    }
}
