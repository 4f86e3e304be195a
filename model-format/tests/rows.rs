//! Biases and multipliers of rows, in words and in the compact form, as kernels read them.

use model_format::build::{DenseSpec, LayerSpec, ModelSpec};
use model_format::{
    AllOps, Capabilities, DataType, Dense, Error, Field, FieldError, Location, Model, Multiplier,
    OpSet, Quantization, WeightLayout,
};

use crate::single::{self, SIZES, corrupted, layer, model, sealed};

/// A model whose rows all have a compact form.
fn compact(layout: WeightLayout, inputs: usize, outputs: usize) -> ModelSpec {
    let mut spec = model(layout, inputs, outputs);
    let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
    for multiplier in &mut dense.multipliers {
        multiplier.shift -= 1;
        *multiplier = multiplier.to_compact().unwrap();
    }
    spec
}

#[test]
fn rows_are_compact_where_they_all_can_be() {
    struct Wide;
    impl Capabilities for Wide {
        const OPS: OpSet = OpSet { compact: false, ..OpSet::ALL };
    }
    for layout in WeightLayout::ALL {
        for (inputs, outputs) in SIZES {
            let mut spec = compact(layout, inputs, outputs);
            let file = spec.to_bytes().unwrap();
            let parsed = Model::parse(&file).unwrap();
            let read = layer(&parsed);
            assert_eq!(ModelSpec::from(&parsed), spec, "{layout:?} {outputs}×{inputs}");
            assert_eq!(read.is_compact, layout.may_be_compact());
            assert_eq!(OpSet::of(&parsed).compact, read.is_compact);
            if !read.is_compact {
                continue;
            }
            let weights = layout.weights_len(inputs, outputs);
            assert_eq!(
                (read.flash_len(), read.weight_bytes().len()),
                (4 * outputs + weights, weights)
            );
            assert!(read.biases().is_empty() && read.mantissas().is_empty());
            let lacking = Model::<Wide>::parse_with_ops(&file).err();
            let (place, field) = (Location::Layer(0), Field::WeightLayout);
            let problem = FieldError::LeftOut(32 + layout as u32);
            assert_eq!(lacking, Some(Error::Field { place, field, problem }));
            // One row that is not makes all of them wide.
            let LayerSpec::Dense(dense) = &mut spec.layers[0] else { unreachable!() };
            dense.biases[outputs - 1] = 32_768;
            let file = spec.to_bytes().unwrap();
            let parsed = Model::parse(&file).unwrap();
            assert!(!layer(&parsed).is_compact);
            assert_eq!(ModelSpec::from(&parsed), spec);
        }
    }
}

#[test]
fn rows_of_eight_bits_are_not_compact() {
    let file = compact(WeightLayout::Ternary, 9, 3).to_bytes().unwrap();
    let at = single::parameters_at(&file);
    let layout = file[..at].iter().rposition(|byte| *byte == 32 + 11).unwrap();
    for (code, problem) in [
        (32, FieldError::Unknown(32)),
        (32 + 8, FieldError::Unknown(40)),
        (32 + 15, FieldError::Unknown(47)),
        (64 + 11, FieldError::Unknown(75)),
    ] {
        let mut changed = file.clone();
        changed[layout] = code;
        let (place, field) = (Location::Layer(0), Field::WeightLayout);
        let expected = Error::Field { place, field, problem };
        assert_eq!(Model::parse(&sealed(changed)).err(), Some(expected));
    }
}

/// A compact multiplier as FORMAT.md has it: the shift to the right, and the bits below the highest of
/// twelve.
fn code(multiplier: Multiplier) -> u16 {
    u16::from(multiplier.shift.unsigned_abs()) << 11 | (multiplier.mantissa >> 19) as u16 & 0x7ff
}

#[test]
fn arrays_have_an_element_a_row_and_those_of_the_other_form_are_empty() {
    for layout in WeightLayout::ALL {
        for spec in [model(layout, 9, 6), compact(layout, 9, 6)] {
            let LayerSpec::Dense(DenseSpec { biases, multipliers, .. }) = &spec.layers[0] else {
                unreachable!()
            };
            let file = spec.to_bytes().unwrap();
            let parsed = Model::parse(&file).unwrap();
            let read = layer(&parsed);
            assert!(read.multipliers().eq(multipliers.iter().copied()), "{layout:?}");
            if read.is_compact {
                assert_eq!(
                    (read.biases(), read.mantissas(), read.shifts()),
                    (&[][..], &[][..], &[][..])
                );
                let expected: Vec<_> = biases.iter().map(|b| (*b as i16).to_le_bytes()).collect();
                assert_eq!(read.compact_biases(), expected, "{layout:?}");
                let expected: Vec<_> = multipliers.iter().map(|m| code(*m).to_le_bytes()).collect();
                assert_eq!(read.compact_multipliers(), expected, "{layout:?}");
                continue;
            }
            let empty: &[[u8; 2]] = &[];
            assert_eq!((read.compact_biases(), read.compact_multipliers()), (empty, empty));
            let expected: Vec<_> = biases.iter().map(|b| b.to_le_bytes()).collect();
            assert_eq!(read.biases(), expected, "{layout:?}");
            let expected: Vec<_> = multipliers.iter().map(|m| m.mantissa.to_le_bytes()).collect();
            assert_eq!(read.mantissas(), expected, "{layout:?}");
            let expected: Vec<_> = multipliers.iter().map(|m| m.shift as u8).collect();
            assert_eq!(read.shifts(), expected, "{layout:?}");
        }
    }
}

/// A build without 16 bits of any kind, and with one layout.
struct Narrow;

impl Capabilities for Narrow {
    const OPS: OpSet = OpSet {
        layouts: 1 << WeightLayout::Ternary as u8,
        compact: false,
        int16: false,
        ..OpSet::ALL
    };
}

#[test]
fn a_layer_is_known_as_what_the_build_leaves() {
    let of = |dense: Dense<'_>| {
        (dense.layout, dense.is_compact, [dense.input.data_type, dense.output.data_type])
    };
    let int8 = [DataType::Int8; 2];
    for (spec, is_compact) in
        [(model(WeightLayout::Ternary, 9, 3), false), (compact(WeightLayout::Ternary, 9, 3), true)]
    {
        let file = spec.to_bytes().unwrap();
        let parsed = Model::parse(&file).unwrap();
        let dense = layer(&parsed);
        let as_it_is = (WeightLayout::Ternary, is_compact, int8);
        assert_eq!(of(dense.specialize::<AllOps>()), as_it_is);
        assert_eq!(of(dense.known_as(WeightLayout::Ternary)), as_it_is);
        assert_eq!(
            of(dense.known_as(WeightLayout::RowMajor)),
            (WeightLayout::RowMajor, false, int8)
        );
        assert_eq!(of(dense.specialize::<Narrow>()), (WeightLayout::Ternary, false, int8));
        let mut wide = dense;
        wide.input = Quantization::int16(1.0);
        wide.output = Quantization::int16(1.0);
        assert_eq!(of(wide.specialize::<AllOps>()).2, [DataType::Int16; 2]);
        assert_eq!(of(wide.specialize::<Narrow>()).2, int8);
    }
}

#[test]
fn multipliers_and_shifts_lie_within_their_range() {
    for layout in WeightLayout::ALL {
        let outputs = 5;
        let mantissas = if layout.is_folded() { 8 * outputs } else { 4 * outputs };
        let row = |field, value| {
            let problem = FieldError::OutOfRange(value);
            Error::Row { layer: 0, row: 3, field, problem }
        };
        for mantissa in [1, (1 << 30) - 1, -1, i32::MIN] {
            let error = corrupted(layout, 9, outputs, |parameters| {
                parameters[mantissas + 12..][..4].copy_from_slice(&mantissa.to_le_bytes());
            });
            assert_eq!(error, row(Field::Multiplier, mantissa), "{layout:?}");
        }
        for shift in [31, -32, 127, -128i8] {
            let error = corrupted(layout, 9, outputs, |parameters| {
                let at = parameters.len() - outputs + 3;
                parameters[at] = shift as u8;
            });
            assert_eq!(error, row(Field::Shift, shift.into()), "{layout:?}");
        }
    }
}
