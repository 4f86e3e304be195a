//! Exported C by cross compilers, run on emulated and simulated cores: every byte the engine's.
//!
//! `firmware/boards/setup c` installs the compilers.

use model_format::Model;
use thimble_tests::c_models::mixed_model;
use thimble_tests::c_program::Case;
use thimble_tests::c_target::CTarget;
use thimble_tests::golden;
use thimble_tests::random_model::RandomModel;

/// Rows of a golden model: an emulated core takes them from its flash.
const ROWS: usize = 4;

fn cases(mixed: u64, width: usize) -> Vec<Case> {
    let mut cases: Vec<Case> =
        (100..100 + mixed).map(|seed| Case::random(mixed_model(seed, width), 2)).collect();
    for seed in 100..100 + mixed / 2 {
        let RandomModel { spec, inputs } = RandomModel::within(seed, width);
        let file = spec.to_bytes().expect("a valid model");
        let rows: Vec<u8> = inputs.concat().iter().map(|value| *value as u8).collect();
        cases.push(Case::of_rows(file, &rows));
    }
    cases
}

fn on(target: CTarget, optimization: &str) {
    let mut cases = cases(16, 70);
    for golden in golden::all() {
        let model = golden.import();
        let row = Model::parse(&model).expect("what was imported is valid").input_len();
        let rows = golden.inputs.len().min(ROWS * row);
        cases.push(Case::of_rows(model, &golden.inputs[..rows]));
    }
    target.check("export-emulated", &cases, optimization);
}

#[test]
fn cortex_m0() {
    on(CTarget::M0, "-Os");
}

#[test]
fn cortex_m3() {
    on(CTarget::M3, "-O2");
}

#[test]
fn cortex_m4f() {
    on(CTarget::M4F, "-O2");
}

#[test]
fn cortex_m33() {
    on(CTarget::M33, "-O3");
}

#[test]
fn cortex_m55() {
    on(CTarget::M55, "-O2");
}

#[test]
fn rv32() {
    on(CTarget::Rv32, "-O2");
}

/// Its flash takes small models, and no pointer of it reaches beyond 64 KB.
#[test]
fn avr() {
    for seed in 0..4 {
        let cases: Vec<Case> =
            (4 * seed..4 * seed + 4).map(|seed| Case::random(mixed_model(seed, 12), 2)).collect();
        CTarget::Avr.check(&format!("export-avr-{seed}"), &cases, "-Os");
    }
}
