//! The engine on an emulated Cortex-M4F against the reference, byte by byte: the cases of
//! `kernel_host`, on the core that they are for.

use host_trainer::device::command::{Vector, vectors};
use model_format::Model;
use model_format::build::{MeaningSpec, ModelSpec};
use tests::cases::{self, Case};
use tests::emulated::{LIMIT, board, default_model, firmware};
use tests::parity::compare;
use tests::random_model::MAX_WIDTH;
use tests::reference::Network;

/// The rows of outputs for each model with its inputs, which the firmware loads one by one.
fn run(models: &[(&[u8], &[Vec<i8>])]) -> Vec<Vec<i8>> {
    let rows: Vec<Vec<i8>> = models.iter().map(|(_, inputs)| inputs.concat()).collect();
    let models: Vec<Vector<'_>> = models
        .iter()
        .zip(&rows)
        .map(|((model, _), inputs)| Vector { model, inputs })
        .collect();
    let answers = vectors(board(), &firmware(&default_model()), &models, LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    let accepted = |answer: Option<Vec<i8>>| answer.expect("the board refuses a valid model");
    answers.into_iter().map(accepted).collect()
}

/// Holds every output against the reference.
fn check(cases: &[Case]) {
    let models: Vec<(&[u8], &[Vec<i8>])> = cases
        .iter()
        .map(|case| (&*case.model, &*case.inputs))
        .collect();
    for (case, answer) in cases.iter().zip(run(&models)) {
        let network = Network::new(&Model::parse(&case.model).expect("a valid model"));
        let expected: Vec<Vec<i8>> = case.inputs.iter().map(|input| network.run(input)).collect();
        let rows = answer.chunks_exact(expected[0].len());
        assert_eq!(rows.len(), expected.len(), "rows of {}", case.what);
        for (number, (expected, actual)) in expected.iter().zip(rows).enumerate() {
            if expected != actual {
                panic!(
                    "{}, input {number}, {}",
                    case.what,
                    first_difference(case, number)
                );
            }
        }
    }
}

/// Where the board first differs from the reference: its answers to the model cut behind the
/// first layer, the second, …
fn first_difference(case: &Case, number: usize) -> String {
    let model = Model::parse(&case.model).expect("a valid model");
    let input = &case.inputs[number];
    let layers = Network::new(&model).run_layers(input);
    for (layer, expected) in layers.iter().enumerate() {
        let mut spec = ModelSpec::from(&model);
        spec.layers.truncate(layer + 1);
        spec.output = MeaningSpec::Values {
            unit: String::new(),
        };
        spec.self_tests.clear();
        let model = spec
            .to_bytes()
            .expect("the front of a valid model is valid");
        let actual = run(&[(&model, std::slice::from_ref(input))]);
        if let Err(difference) = compare(layer, expected, &actual[0]) {
            return difference.to_string();
        }
    }
    "the outputs, but not if it runs alone".into()
}

#[test]
fn random_models_of_all_shapes() {
    // Seeds that the host does not see; a few of the largest shapes, and many of the small.
    let large = (10_000..10_040).map(|seed| cases::random(seed, MAX_WIDTH));
    let small = (20_000..21_500).map(|seed| cases::random(seed, 100));
    check(&large.chain(small).collect::<Vec<_>>());
}

#[test]
fn every_small_shape() {
    check(&cases::every_small_shape().collect::<Vec<_>>());
}

#[test]
fn every_shift_on_every_input() {
    check(&cases::every_shift());
}

#[test]
fn accumulators_at_both_ends_of_32_bits() {
    check(&cases::ends_of_32_bits());
}
