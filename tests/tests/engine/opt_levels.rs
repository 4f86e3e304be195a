//! Bit-exactness at every optimization level. All other tests run firmware of level 3.

use host_trainer::device::command::Vector;
use model_format::WeightLayout;
use thimble_tests::cases::{self, Case};
use thimble_tests::cores::{EmulatedCore, PORTABLE_LAYOUTS};

/// Models in every layout that a core reads, plain and with activations of 16 bits.
fn cases(core: EmulatedCore) -> Vec<Case> {
    let layouts: Vec<WeightLayout> = [core.own_layouts(), &PORTABLE_LAYOUTS].concat();
    let small: Vec<_> = (50_000..50_150).map(|seed| cases::packed(seed, 100, &layouts)).collect();
    let wide = (60_000..60_050).map(|seed| cases::int16(seed, &layouts));
    small.into_iter().chain(wide).chain(cases::every_shift()).collect()
}

/// Compares the levels "s" and 2 with 3.
fn check(core: EmulatedCore) {
    let cases = cases(core);
    let inputs: Vec<Vec<i8>> = cases.iter().map(|case| case.inputs.concat()).collect();
    let models = cases.iter().zip(&inputs);
    let models: Vec<Vector<'_>> =
        models.map(|(case, inputs)| Vector { model: &case.model, inputs }).collect();
    let expected = core.run(&models);
    for level in ["\"s\"", "2"] {
        let answers = core.run_at_level(level, &models);
        assert_eq!(answers.len(), cases.len());
        for ((case, expected), answer) in cases.iter().zip(&expected).zip(&answers) {
            let (core, what) = (core.name(), &case.what);
            assert!(expected.is_some(), "{core}: {what} is refused");
            assert!(expected == answer, "{core}, {what}: level {level} differs from level 3");
        }
    }
}

#[test]
fn cortex_m4f() {
    check(EmulatedCore::M4F);
}

#[test]
fn rv32imac() {
    check(EmulatedCore::Rv32);
}
