//! Weights in every layout: what is written is read, and every row's sums are those of its weights.

use model_format::build::{InputSpec, LayerSpec, ModelSpec};
use model_format::{
    Capabilities, Clamp, DataType, Error, Field, FieldError, Layer, Location, Model, Multiplier,
    OpSet, Quantization, WeightLayout,
};

use crate::single::{self, SIZES, corrupted, layer, model, patched, sealed, weights_at};

/// Parameters as FORMAT.md counts them.
fn parameter_bytes(layout: WeightLayout, inputs: usize, outputs: usize, blocks: usize) -> usize {
    let weights = match layout {
        WeightLayout::Int4 | WeightLayout::Int4Tiles4 => outputs * inputs.div_ceil(8) * 4,
        WeightLayout::Int4Columns4 => outputs * inputs.div_ceil(4) * 2,
        WeightLayout::Int2 | WeightLayout::Int2Columns4 => outputs * inputs.div_ceil(4),
        WeightLayout::Ternary | WeightLayout::TernaryColumns4 => outputs * inputs.div_ceil(5),
        WeightLayout::Sparse => 4 * (outputs + 1) + (2 * blocks).next_multiple_of(4) + 4 * blocks,
        _ => outputs * inputs.next_multiple_of(4),
    };
    let words = match layout {
        WeightLayout::ColumnsUnsigned4 | WeightLayout::FoldedRows => 3,
        _ => 2,
    };
    words * 4 * outputs + weights + outputs
}

#[test]
fn what_is_written_is_read() {
    for layout in WeightLayout::ALL {
        for (inputs, outputs) in SIZES {
            let spec = model(layout, inputs, outputs);
            let LayerSpec::Dense(dense) = &spec.layers[0] else { unreachable!() };
            let file = spec.to_bytes().unwrap();
            let parsed = Model::parse(&file).unwrap();
            assert_eq!(ModelSpec::from(&parsed), spec, "{layout:?} {outputs}×{inputs}");
            let read = layer(&parsed);
            let rows = dense.weights.chunks(inputs);
            for (row, weights) in
                rows.clone().enumerate().filter(|_| layout != WeightLayout::Sparse)
            {
                let stored = read.stored_weights(row);
                assert!(stored.eq(weights.iter().map(|weight| i16::from(*weight))), "{layout:?}");
            }
            let is_some = |block: &&[i8]| block.iter().any(|weight| *weight != 0);
            let blocks = rows.clone().map(|row| row.chunks(4).filter(is_some).count()).sum();
            assert_eq!(read.flash_len(), parameter_bytes(layout, inputs, outputs, blocks));
            let folded: Vec<i32> = rows
                .zip(&dense.biases)
                .map(|(row, bias)| {
                    let sum: i32 = row.iter().map(|weight| i32::from(*weight)).sum();
                    match layout {
                        // The zero point of the input is 3.
                        WeightLayout::ColumnsUnsigned4 => bias - 131 * sum,
                        _ => bias - 3 * sum,
                    }
                })
                .collect();
            let found: Vec<i32> =
                read.folded().iter().map(|word| i32::from_le_bytes(*word)).collect();
            assert_eq!(found, if layout.is_folded() { folded } else { vec![] }, "{layout:?}");
            assert!(layout == WeightLayout::Sparse || read.sparse_row(0).count() == 0);
        }
    }
}

/// One layout, or one beside row-major, of int8 alone.
macro_rules! capabilities {
    ($($one:ident $with_rows:ident $layout:ident),*) => {$(
        struct $one;
        impl Capabilities for $one {
            const OPS: OpSet =
                OpSet { layouts: 1 << WeightLayout::$layout as u8, int16: false, ..OpSet::ALL };
        }
        struct $with_rows;
        impl Capabilities for $with_rows {
            const OPS: OpSet = OpSet {
                layouts: 1 << WeightLayout::$layout as u8 | 1,
                int16: false,
                ..OpSet::ALL
            };
        }
    )*

    fn parse_with_less(layout: WeightLayout, file: &[u8]) -> [Option<Error>; 2] {
        match layout {$(
            WeightLayout::$layout => [
                Model::<$one>::parse_with_ops(file).err(),
                Model::<$with_rows>::parse_with_ops(file).err(),
            ],
        )*}
    }};
}

capabilities!(
    Rows RowsToo RowMajor,
    Columns8 Columns8Too Columns8,
    Unsigned UnsignedToo ColumnsUnsigned4,
    Folded FoldedToo FoldedRows,
    Int4 Int4Too Int4,
    Int4Tiles Int4TilesToo Int4Tiles4,
    Sparse SparseToo Sparse,
    Pairs PairsToo Pairs4,
    Int2 Int2Too Int2,
    Ternary TernaryToo Ternary,
    Int4Columns Int4ColumnsToo Int4Columns4,
    Int2Columns Int2ColumnsToo Int2Columns4,
    TernaryColumns TernaryColumnsToo TernaryColumns4
);

/// With the largest bias that a row may have, and with one more, in a build that reads everything
/// and in those that read little.
#[test]
fn every_row_may_reach_its_limit_and_not_beyond() {
    for layout in WeightLayout::ALL {
        for (inputs, outputs) in SIZES {
            for row in 0..outputs {
                let mut spec = model(layout, inputs, outputs);
                let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
                let weights = &dense.weights[row * inputs..][..inputs];
                let magnitude: i32 = weights.iter().map(|weight| i32::from(*weight).abs()).sum();
                // −128 − 3 is farther than 127 − 3.
                let largest = i32::MAX - 131 * magnitude;
                let limit = 1 << 31;
                let overflow = Error::Overflow { layer: 0, row: row as u16, bound: 1 << 31, limit };
                dense.multipliers[row].shift = 0;
                for (bias, expected) in [
                    (largest, None),
                    (-largest, None),
                    // For a row of zeros, the smallest bias of all.
                    (largest.wrapping_add(1), Some(overflow)),
                    (-largest - 1, Some(overflow)),
                ] {
                    let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
                    dense.biases[row] = 0;
                    let file = spec.to_bytes().unwrap();
                    let folded = folded_of(&file, layout, row);
                    let file = patched(&file, |parameters| {
                        parameters[4 * row..][..4].copy_from_slice(&bias.to_le_bytes());
                        if let Some(folded) = folded {
                            let folded = folded.wrapping_add(bias);
                            let at = 4 * (outputs + row);
                            parameters[at..][..4].copy_from_slice(&folded.to_le_bytes());
                        }
                    });
                    let which = format!("{layout:?} {outputs}×{inputs}, row {row}, bias {bias}");
                    assert_eq!(Model::parse(&file).err(), expected, "{which}");
                    assert_eq!(parse_with_less(layout, &file), [expected; 2], "{which}");
                }
            }
        }
    }
}

fn folded_of(file: &[u8], layout: WeightLayout, row: usize) -> Option<i32> {
    let model = Model::parse(file).unwrap();
    layout.is_folded().then(|| i32::from_le_bytes(layer(&model).folded()[row]))
}

/// The accumulator is multiplied by 2^shift before it is divided.
#[test]
fn shifts_to_the_left_lower_the_limit() {
    for (shift, limit) in [(-3, 1u32 << 31), (0, 1 << 31), (1, 1 << 30), (7, 1 << 24)] {
        let mut spec = model(WeightLayout::RowMajor, 1, 1);
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
        (dense.weights, dense.multipliers) =
            (vec![1], vec![Multiplier { mantissa: 1 << 30, shift }]);
        dense.biases = vec![(limit - 132) as i32];
        spec.to_bytes().unwrap();
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
        dense.biases = vec![(limit - 131) as i32];
        let overflow = Error::Overflow { layer: 0, row: 0, bound: limit.into(), limit };
        assert_eq!(spec.to_bytes(), Err(overflow));
    }
}

/// The inputs of a layer are what the one before is clamped to.
#[test]
fn a_clamp_keeps_the_next_layer_from_its_limit() {
    for (low, high, reach) in [(0, 10, 8), (-20, -10, 22), (-1, 127, 125)] {
        let mut spec = model(WeightLayout::RowMajor, 1, 1);
        let LayerSpec::Dense(first) = spec.layers[0].clone() else { unreachable!() };
        let mut second = first.clone();
        spec.layers = vec![LayerSpec::Dense(first.clone()), LayerSpec::Dense(second.clone())];
        let LayerSpec::Dense(first) = &mut spec.layers[0] else { unreachable!() };
        first.output = Quantization::int8(1.0, 2);
        first.clamp = Clamp { low, high };
        second.weights = vec![-100];
        second.multipliers = vec![Multiplier { mantissa: 1 << 30, shift: 0 }];
        for (more, is_good) in [(0, true), (1, false)] {
            second.biases = vec![i32::MAX - 100 * reach + more];
            spec.layers[1] = LayerSpec::Dense(second.clone());
            let overflow = Error::Overflow { layer: 1, row: 0, bound: 1 << 31, limit: 1 << 31 };
            let expected = if is_good { None } else { Some(overflow) };
            assert_eq!(spec.to_bytes().err(), expected, "{low}..={high}");
        }
    }
}

#[test]
fn folded_biases_must_be_those_of_the_row() {
    for layout in [WeightLayout::ColumnsUnsigned4, WeightLayout::FoldedRows] {
        let outputs = 5;
        for row in 0..outputs as u16 {
            let mut expected = 0;
            let error = corrupted(layout, 9, outputs, |parameters| {
                let at = 4 * (outputs + usize::from(row));
                let word = parameters[at..].first_chunk_mut().unwrap();
                expected = u32::from_le_bytes(*word);
                *word = (expected ^ 1).to_le_bytes();
            });
            let problem = FieldError::Mismatch { expected, found: expected ^ 1 };
            assert_eq!(error, Error::Row { layer: 0, row, field: Field::FoldedBias, problem });
        }
    }
}

/// Folding is defined for int8 inputs.
#[test]
fn folded_layouts_need_an_int8_input() {
    for layout in WeightLayout::ALL {
        let mut spec = model(layout, 4, 4);
        let int16 = Quantization { data_type: DataType::Int16, scale: 1.0, zero_point: 0 };
        spec.input = InputSpec { quantization: int16, ..spec.input };
        let problem = FieldError::NeedsInt8;
        let (place, field) = (Location::Layer(0), Field::WeightLayout);
        let needs_int8 = layout == WeightLayout::FoldedRows;
        assert_eq!(layout.needs_int8(), needs_int8);
        let expected = needs_int8.then_some(Error::Field { place, field, problem });
        assert_eq!(spec.to_bytes().err(), expected, "{layout:?}");
    }
}

#[test]
fn weights_lie_within_their_range() {
    for layout in WeightLayout::ALL {
        // In row-major order and at the first row of tiles, the first byte is the first weight.
        let (byte, weight) = match layout {
            WeightLayout::ColumnsUnsigned4 => (0, -128),
            WeightLayout::Int4 | WeightLayout::Int4Tiles4 => (0x08, -8),
            // All codes of int2 are weights.
            WeightLayout::Int2 | WeightLayout::Int2Columns4 => continue,
            WeightLayout::Int4Columns4 => (0x80, -8),
            // Five digits make 0 and 2, but not 1.
            WeightLayout::Ternary | WeightLayout::TernaryColumns4 => (1, 1),
            _ => (0x80, -128),
        };
        let at = weights_at(layout, 9, 9);
        let error = corrupted(layout, 9, 9, |parameters| parameters[at] = byte);
        let problem = FieldError::OutOfRange(weight);
        assert_eq!(error, Error::Row { layer: 0, row: 0, field: Field::Weight, problem });
    }
}

/// A second row whose weight is lower by one where the first is negative may not reach −128.
#[test]
fn the_second_of_a_pair_lies_within_its_range() {
    let at = weights_at(WeightLayout::Pairs4, 9, 9);
    let error = corrupted(WeightLayout::Pairs4, 9, 9, |parameters| {
        parameters[at..at + 2].copy_from_slice(&[0xff, 127]);
    });
    let problem = FieldError::OutOfRange(-128);
    assert_eq!(error, Error::Row { layer: 0, row: 1, field: Field::Weight, problem });
}

#[test]
fn weights_behind_the_last_input_are_zero() {
    for layout in WeightLayout::ALL {
        // The last byte in front of the shifts is of the last row, and of a column behind the ninth.
        let byte = match layout {
            WeightLayout::ColumnsUnsigned4 => 129,
            // All digits are 1: the tenth is beyond the inputs.
            WeightLayout::Ternary | WeightLayout::TernaryColumns4 => 128,
            _ => 0x10,
        };
        let error = corrupted(layout, 9, 9, |parameters| {
            let at = parameters.len() - 9 - 1;
            parameters[at] = byte;
        });
        let problem = FieldError::NotZero;
        assert_eq!(error, Error::Row { layer: 0, row: 8, field: Field::WeightPadding, problem });
    }
}

/// A parameter too many, and one too few; where the number of blocks decides, this is found later.
#[test]
fn parameters_are_as_many_as_the_shape_asks_for() {
    for layout in WeightLayout::ALL {
        let file = model(layout, 9, 3).to_bytes().unwrap();
        let len = layer(&Model::parse(&file).unwrap()).flash_len();
        let start = single::parameters_at(&file);
        assert!(len < 127 && usize::from(file[start - 1]) == len, "one byte of length");
        for more in [1i8, -1] {
            let mut changed = file.clone();
            match more {
                1 => changed.insert(start, 0),
                _ => drop(changed.remove(start)),
            }
            changed[start - 1] = changed[start - 1].wrapping_add_signed(more);
            let found = len.wrapping_add_signed(more.into()) as u32;
            let error = Model::parse(&sealed(changed)).unwrap_err();
            let Error::Field { place: Location::Layer(0), field: Field::Parameters, problem } =
                error
            else {
                assert!(layout == WeightLayout::Sparse, "{layout:?}: {error:?}");
                continue;
            };
            assert_eq!(problem, FieldError::Mismatch { expected: len as u32, found }, "{layout:?}");
        }
    }
}

#[test]
fn layouts_have_the_names_of_the_format() {
    let names = WeightLayout::ALL.map(WeightLayout::name);
    assert_eq!(
        names,
        [
            "row-major",
            "columns of 8 rows",
            "unsigned columns of 4 rows",
            "row-major with folded biases",
            "int4 row-major",
            "int4 tiles of 4 rows",
            "block-sparse",
            "tiles of 4 rows in pairs",
            "int2 row-major",
            "ternary row-major",
            "int4 columns of 4 rows",
            "int2 columns of 4 rows",
            "ternary columns of 4 rows",
        ]
    );
    let file = model(WeightLayout::RowMajor, 1, 1).to_bytes().unwrap();
    assert!(matches!(Model::parse(&file).unwrap().layers().next(), Some(Layer::Dense(_))));
}

mod sparse {
    use super::*;

    /// Three rows of nine inputs: blocks 0 and 2, none, and block 1.
    fn sparse(edit: impl FnOnce(&mut [u8])) -> Result<(), Error> {
        let mut spec = model(WeightLayout::Sparse, 9, 3);
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
        dense.weights.fill(0);
        (dense.weights[1], dense.weights[8], dense.weights[9 + 9 + 4]) = (3, -4, 5);
        let file = patched(&spec.to_bytes().unwrap(), |parameters| edit(&mut parameters[24..]));
        Model::parse(&file).map(|_| ())
    }

    fn row(row: u16, field: Field, problem: FieldError) -> Result<(), Error> {
        Err(Error::Row { layer: 0, row, field, problem })
    }

    #[test]
    fn numbers_of_blocks_ascend_and_lie_within_the_row() {
        // Behind four starts: numbers 0, 2 and 1, and padding.
        assert_eq!(sparse(|bytes| assert_eq!(bytes[16..24], [0, 0, 2, 0, 1, 0, 0, 0])), Ok(()));
        assert_eq!(sparse(|bytes| bytes[20] = 2), Ok(()));
        let out = |number, value| row(number, Field::BlockNumber, FieldError::OutOfRange(value));
        assert_eq!(sparse(|bytes| bytes[18] = 3), out(0, 3));
        assert_eq!(sparse(|bytes| bytes[20] = 12), out(2, 12));
        assert_eq!(sparse(|bytes| bytes[18] = 0), out(0, 0));
        assert_eq!(sparse(|bytes| (bytes[16], bytes[18]) = (1, 0)), out(0, 0));
    }

    #[test]
    fn starts_of_blocks_ascend_from_zero_to_their_number() {
        let len = 16 + 8 + 12u32;
        let start = |number, value| {
            row(number, Field::BlockStart, FieldError::TooLarge { value, limit: len })
        };
        let set = |index: usize, value: u32| {
            move |bytes: &mut [u8]| bytes[4 * index..][..4].copy_from_slice(&value.to_le_bytes())
        };
        assert_eq!(
            sparse(|bytes| assert_eq!(
                bytes[..16],
                [0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]
            )),
            Ok(())
        );
        assert_eq!(sparse(set(0, 1)), start(0, 1));
        assert_eq!(sparse(set(0, u32::MAX)), start(0, u32::MAX));
        assert_eq!(sparse(set(2, 1)), start(2, 1));
        assert_eq!(sparse(set(3, 1)), start(3, 1));
        assert_eq!(sparse(set(3, len + 1)), start(3, len + 1));
        assert_eq!(sparse(set(1, u32::MAX)), start(1, u32::MAX));
        // As many blocks as there are bytes, one too many, and one too few.
        for (blocks, expected) in [(len, 16 + 2 * len + 4 * len), (4, 16 + 8 + 16), (2, 16 + 4 + 8)]
        {
            let problem = FieldError::Mismatch { expected, found: len };
            let (place, field) = (Location::Layer(0), Field::Parameters);
            assert_eq!(sparse(set(3, blocks)), Err(Error::Field { place, field, problem }));
        }
    }
}
