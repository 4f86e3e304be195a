//! Comparison of the engine on every emulated core with the reference, byte by byte: the cases of
//! `kernel_host`, in the layouts of each core.

use host_trainer::device::command::Vector;
use model_format::build::{ModelSpec, OutputSpec};
use model_format::{DataType, Kernels, Model, WeightLayout};
use thimble_tests::bounds;
use thimble_tests::cases::{self, Case};
use thimble_tests::cores::{EmulatedCore, PORTABLE_LAYOUTS};
use thimble_tests::random_model::MAX_WIDTH;
use thimble_tests::reference::Network;

/// Returns the rows of outputs for each model and its inputs.
fn run(core: EmulatedCore, models: &[(&[u8], &[Vec<i8>])]) -> Vec<Vec<i8>> {
    let rows: Vec<Vec<i8>> = models.iter().map(|(_, inputs)| inputs.concat()).collect();
    let models: Vec<Vector<'_>> =
        models.iter().zip(&rows).map(|((model, _), inputs)| Vector { model, inputs }).collect();
    let accepted = |answer: Option<Vec<i8>>| answer.expect("the core refuses a valid model");
    core.run(&models).into_iter().map(accepted).collect()
}

/// Converts the bytes of a tensor to values.
fn values(bytes: &[i8], data_type: DataType) -> Vec<i64> {
    thimble_tests::values::values(&bytes.iter().map(|x| *x as u8).collect::<Vec<u8>>(), data_type)
}

/// Returns the outputs of every layer, by the reference.
fn expected(model: &Model<'_>, input: &[i8]) -> Vec<Vec<i64>> {
    Network::new(model).run_layers_wide(&values(input, model.input().quantization.data_type))
}

/// Compares every output with the reference.
fn check(core: EmulatedCore, cases: &[Case]) {
    let models: Vec<(&[u8], &[Vec<i8>])> =
        cases.iter().map(|case| (&*case.model, &*case.inputs)).collect();
    for (case, answer) in cases.iter().zip(run(core, &models)) {
        let model = Model::parse(&case.model).expect("a valid model");
        let data_type = model.output().quantization.data_type;
        let rows = answer.chunks_exact(model.output_bytes());
        assert_eq!(rows.len(), case.inputs.len(), "rows of {}", case.what);
        for (number, (input, actual)) in case.inputs.iter().zip(rows).enumerate() {
            if expected(&model, input).last() != Some(&values(actual, data_type)) {
                let difference = first_difference(core, case, number);
                panic!("{}, {}, input {number}, {difference}", core.name(), case.what);
            }
        }
    }
}

/// Finds the first layer where the core differs from the reference, from its outputs of the model
/// truncated after the first layer, the second, …
fn first_difference(core: EmulatedCore, case: &Case, number: usize) -> String {
    let model = Model::parse(&case.model).expect("a valid model");
    let input = &case.inputs[number];
    for (layer, expected) in expected(&model, input).iter().enumerate() {
        let mut spec = ModelSpec::from(&model);
        spec.layers.truncate(layer + 1);
        spec.output = OutputSpec::Values(vec![]);
        spec.self_tests.clear();
        let file = spec.to_bytes().expect("the front of a valid model is valid");
        let front = Model::parse(&file).expect("what to_bytes has checked");
        let actual = run(core, &[(&file, std::slice::from_ref(input))]);
        let actual = values(&actual[0], front.output().quantization.data_type);
        let mut pairs = expected.iter().zip(&actual);
        if let Some(index) = pairs.position(|(expected, actual)| expected != actual) {
            return format!(
                "layer {layer}, output {index}: expected {}, got {}",
                expected[index], actual[index]
            );
        }
    }
    "the outputs, but not if it runs alone".into()
}

/// Every shape with a remainder in every layout of the core, then thousands of random shapes in
/// random layouts, and networks with 16-bit activations.
fn check_kernels(core: EmulatedCore) {
    let own = core.own_layouts();
    for layout in own {
        check(core, &cases::every_small_shape(*layout).collect::<Vec<_>>());
    }
    let all = [own, &PORTABLE_LAYOUTS].concat();
    // Seeds that the host does not see; a few of the largest shapes, and many of the small.
    let large = (10_000..10_020).map(|seed| cases::packed(seed, MAX_WIDTH, &all));
    let small = (20_000..21_000).map(|seed| cases::packed(seed, 100, &all));
    let wide = (40_000..40_200).map(|seed| cases::int16(seed, &all));
    check(core, &large.chain(small).chain(wide).collect::<Vec<_>>());
    check(core, &ends_of_accumulators(&all));
}

/// Returns models whose accumulators come as close to their limit as the overflow proof allows.
fn ends_of_accumulators(layouts: &[WeightLayout]) -> Vec<Case> {
    let mut cases = Vec::new();
    for layout in layouts {
        for data_type in bounds::data_types(*layout) {
            // No core has a kernel for some with int16.
            let devices = Kernels::named(["dsp", "mve", "v7m", "v6m", "rv32"]);
            if devices.reads(*layout, *data_type) {
                cases.extend(bounds::edges(*layout, *data_type).into_iter().map(|e| e.within));
            }
        }
    }
    cases
}

#[test]
fn cortex_m0() {
    check_kernels(EmulatedCore::M0);
}

#[test]
fn cortex_m3() {
    check_kernels(EmulatedCore::M3);
}

#[test]
fn cortex_m4f() {
    check_kernels(EmulatedCore::M4F);
}

#[test]
fn cortex_m7() {
    check_kernels(EmulatedCore::M7);
}

#[test]
fn cortex_m33() {
    check_kernels(EmulatedCore::M33);
}

#[test]
fn cortex_m55() {
    check_kernels(EmulatedCore::M55);
}

#[test]
fn rv32imac() {
    check_kernels(EmulatedCore::Rv32);
}

#[test]
fn every_shift_on_every_input() {
    check(EmulatedCore::M4F, &cases::every_shift());
    // Helium has a requantization of its own.
    let folded =
        cases::every_shift().into_iter().map(|case| case.laid_out(WeightLayout::FoldedRows));
    check(EmulatedCore::M55, &folded.collect::<Vec<_>>());
}

#[test]
fn accumulators_at_both_ends_of_32_bits() {
    check(EmulatedCore::M4F, &cases::ends_of_32_bits());
    let folded =
        cases::ends_of_32_bits().into_iter().map(|case| case.laid_out(WeightLayout::FoldedRows));
    check(EmulatedCore::M55, &folded.collect::<Vec<_>>());
}
