//! The same bytes at every optimisation level: other instructions, other registers, one answer.
//! Level 3 is that of the firmware which all other tests run.

use std::path::PathBuf;

use host_trainer::device::command::{Vector, vectors};
use model_format::WeightLayout;
use tests::cases::{self, Case};
use tests::emulated::{LIMIT, board, default_model, firmware, firmware_at_level};

/// Models in every layout that a Cortex-M4 reads, plain and with activations of 16 bits.
fn cases() -> Vec<Case> {
    use WeightLayout::{Int4, Int4Tiles4, Pairs4, RowMajor, Sparse, Tiles4};
    let layouts = [RowMajor, Tiles4, Pairs4, Int4, Int4Tiles4, Sparse];
    let plain = (50_000..50_150).map(|seed| cases::packed(seed, 100, &layouts));
    let wide = (60_000..60_050).map(|seed| cases::int16(seed, &layouts));
    plain.chain(wide).chain(cases::every_shift()).collect()
}

#[test]
fn s_and_2_give_the_bytes_of_3() {
    let cases = cases();
    let inputs: Vec<Vec<i8>> = cases.iter().map(|case| case.inputs.concat()).collect();
    let models = cases.iter().zip(&inputs);
    let models: Vec<Vector<'_>> =
        models.map(|(case, inputs)| Vector { model: &case.model, inputs }).collect();
    let run = |elf: PathBuf| {
        vectors(board(), &elf, &models, LIMIT).unwrap_or_else(|error| panic!("{error}"))
    };
    let expected = run(firmware(&default_model()));
    for level in ["\"s\"", "2"] {
        let answers = run(firmware_at_level(level));
        for ((case, expected), answer) in cases.iter().zip(&expected).zip(&answers) {
            assert!(expected.is_some(), "{} is refused", case.what);
            assert!(expected == answer, "{}: level {level} differs from level 3", case.what);
        }
    }
}
