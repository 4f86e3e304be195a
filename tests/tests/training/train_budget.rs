//! `host-trainer train --from RUN --weights auto`: data types of the weights within a budget, which the
//! trained model keeps.

use std::path::Path;

use host_trainer::preset::Preset;
use host_trainer::train::LayerTypes;
use model_format::{Layer, Model, WeightType};
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::trained::{FEW_MNIST_ROWS_VALIDATE, digits_run, few_mnist_rows, few_mnist_run};
use thimble_tests::workspace::{empty_dir, read};

/// Trains for an epoch from a run, into `out` of the folder.
fn train(folder: &Path, preset: &str, from: &str, more: &[&str]) -> Finished {
    let data = few_mnist_rows().display().to_string();
    let fixed = ["train", preset, "--from", from, "--weights", "auto", "--data-dir", &data];
    let fixed = fixed.into_iter().chain(["--set", "training.epochs=1", "-o", "out"]);
    Finished::of(&mut host_trainer(folder, fixed.chain(more.iter().copied())))
}

fn types(model: &[u8]) -> Vec<WeightType> {
    let model = Model::parse(model).expect("a valid model");
    let of = |layer| match layer {
        Layer::Dense(dense) => Some(dense.layout.weight_type()),
        _ => None,
    };
    model.layers().filter_map(of).collect()
}

#[test]
fn cycles_of_a_chip_are_a_budget_of_training() {
    let folder = empty_dir("train_cycles");
    let from = few_mnist_run().display().to_string();
    let budget = ["--cycles", "430k", "--for", "nRF51822", "--set", FEW_MNIST_ROWS_VALIDATE];
    let said = train(&folder, "mnist", &from, &budget).success();
    assert!(
        said.stdout.contains("weights for 430,000 cycles on nRF51822: int2"),
        "{}",
        said.stdout
    );
    // Packed for the chip's core, and within the budget.
    let inspect = ["inspect", "out", "--for", "nRF51822", "--json"];
    let said = Finished::of(&mut host_trainer(&folder, inspect)).success().stdout;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let cycles = said["predicted"]["time"]["min_cycles"].as_u64().expect("cycles");
    assert!(cycles <= 430_000, "{cycles}");
    let model = read(folder.join("out/model.thimble"));
    assert_eq!(types(&model)[0], WeightType::Int2);
    assert!(Model::parse(&model).expect("a valid model").layers().any(|layer| {
        matches!(layer, Layer::Dense(dense) if dense.layout == model_format::WeightLayout::Int2Columns4)
    }));
}

#[test]
fn budgets_are_kept_or_missed_by_a_number() {
    let folder = empty_dir("train_budget");
    let from = digits_run().display().to_string();
    let train = |more: &[&str]| train(&folder, "digits", &from, more);
    let said = train(&["--flash", "2000"]).success();
    assert!(said.stdout.contains("weights for 2,000 bytes: "), "{}", said.stdout);
    let model = read(folder.join("out/model.thimble"));
    assert!(model.len() <= 2000, "{}", model.len());
    let chosen = types(&model);
    assert!(chosen.iter().any(|of| *of != WeightType::Int8), "{chosen:?}");
    let preset = String::from_utf8(read(folder.join("out/preset.toml"))).expect("text");
    let preset = Preset::read(&preset, "preset.toml").expect("a preset");
    let aware = preset.quantization_aware.expect("rounding in training");
    assert_eq!(aware.weights, LayerTypes::Each(chosen));
    // As `quantize --weights auto` with the same budget.
    let said = train(&["--budget", "100"]).success();
    assert!(said.stdout.contains("weights for a loss of 100 at most, before training: ternary"));
    assert_eq!(types(&read(folder.join("out/model.thimble"))), [WeightType::Ternary; 2]);
    train(&["--flash", "100"]).refused(1, &["--flash 100", "the smallest model has", "more, with"]);
    train(&["--cycles", "1k", "--for", "nRF51822"])
        .refused(1, &["--cycles 1000", "the smallest model has", "cycles"]);
    train(&["--cycles", "1k", "--for", "STM32H743"])
        .refused(1, &["STM32H743", "not published", "Leave --cycles out"]);
    train(&["--cycles", "1k", "--for", "cortex-m0"]).refused(1, &["needs a chip", "nRF51822"]);
    train(&["--cycles", "1k"]).refused(2, &["--for"]);
    train(&["--for", "z80"]).refused(2, &["cortex-m0", "--for list"]);
}
