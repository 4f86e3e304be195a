//! Tightness of the overflow proof: for every layout and data type, a model just below the bound
//! loads and gives the reference's output, and one just above is refused with its row.

use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Clamp, DataType, Error, Model, Multiplier, WeightLayout};
use thimble_nn::Engine;
use thimble_tests::bounds::{Edge, data_types, edges};
use thimble_tests::reference::Network;
use thimble_tests::values::values;

fn all() -> impl Iterator<Item = Edge> {
    WeightLayout::ALL.into_iter().flat_map(|layout| {
        data_types(layout).iter().flat_map(move |data_type| edges(layout, *data_type))
    })
}

#[test]
fn one_below_the_bound_runs_as_the_reference() {
    for Edge { within, .. } in all() {
        let model = Model::parse(&within.model).expect("what to_bytes has checked");
        let data_type = model.output().quantization.data_type;
        let reference = Network::new(&model);
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).expect("all layouts run here");
        for input in &within.inputs {
            let input: Vec<u8> = input.iter().map(|byte| *byte as u8).collect();
            let output = engine.run_bytes(&input).expect("the length");
            let expected = reference.run_layers_wide(&values(&input, data_type));
            assert_eq!(expected.last(), Some(&values(output, data_type)), "{}", within.what);
        }
    }
}

#[test]
fn one_above_the_bound_is_refused_by_its_row() {
    for Edge { within, beyond, row, limit } in all() {
        let what = within.what;
        let error = beyond.to_bytes().err().unwrap_or_else(|| panic!("{what}: it is a model"));
        let expected = Error::Overflow { layer: 0, row, bound: limit.into(), limit };
        assert_eq!(error, expected, "{what}");
        let message = error.to_string();
        assert!(message.contains(&format!("layer 0, row {row}")), "{what}: {message}");
    }
}

/// The proof uses the clamp of the previous layer: a model that is valid with the clamp is refused
/// without it.
#[test]
fn the_bound_knows_the_clamp_of_the_layer_before() {
    let edge = edges(WeightLayout::RowMajor, DataType::Int8).remove(0);
    let model = Model::parse(&edge.within.model).expect("a valid model");
    let mut spec = ModelSpec::from(&model);
    let LayerSpec::Dense(last) = spec.layers[0].clone() else { panic!("a dense layer") };
    let mut first = last.clone();
    first.output = model.input().quantization;
    first.weights.fill(1);
    first.biases.fill(0);
    first.multipliers.fill(Multiplier { mantissa: 1 << 30, shift: -4 });
    // No nearer to the zero point than before, and one step nearer.
    let (reach, zero_point) = (255, first.output.zero_point as i16);
    for (high, fits) in [(zero_point + reach, true), (zero_point + reach - 1, true)] {
        let mut spec = spec.clone();
        let mut first = first.clone();
        first.clamp = Clamp { low: zero_point, high };
        spec.layers = vec![LayerSpec::Dense(first), LayerSpec::Dense(last.clone())];
        assert_eq!(spec.to_bytes().is_ok(), fits, "clamp at {high}");
    }
    // A bias for as much as the narrower clamp leaves: too much for the wider one.
    let mass: i32 = last.weights.iter().map(|w| i32::from(*w).abs()).sum();
    let mut last = last;
    last.biases[0] += mass;
    for (high, fits) in [(zero_point + reach, false), (zero_point + reach - 1, true)] {
        let mut first = first.clone();
        first.clamp = Clamp { low: zero_point, high };
        spec.layers = vec![LayerSpec::Dense(first), LayerSpec::Dense(last.clone())];
        assert_eq!(spec.to_bytes().is_ok(), fits, "clamp at {high}");
    }
}
