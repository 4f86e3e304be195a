//! `host-trainer quantize`: int4 and sparse weights, selected within a budget, and bit-exactness on
//! an emulated core; `train --for`.

use host_trainer::device::command::Vector;
use host_trainer::pack::{Core, pack};
use model_format::build::{LayerSpec, ModelSpec};
use model_format::{DataType, Layer, Model, WeightLayout, WeightType};
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::cores::EmulatedCore;
use thimble_tests::parity::engine_outputs;
use thimble_tests::trained::{digits_run, few_mnist_rows, few_mnist_run};
use thimble_tests::workspace::{empty_dir, read, write};

/// Runs `quantize`, and returns the model and the output.
fn quantize(name: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let folder = empty_dir(name);
    let run = digits_run().display().to_string();
    let arguments: Vec<&str> =
        arguments.iter().map(|word| if *word == "RUN" { &run } else { *word }).collect();
    let fixed = ["quantize", "-o", "out.thimble"];
    let said = Finished::of(&mut host_trainer(&folder, fixed.iter().chain(&arguments))).success();
    (read(folder.join("out.thimble")), said.stdout)
}

fn layouts(model: &[u8]) -> Vec<WeightLayout> {
    let model = Model::parse(model).expect("a valid model");
    let layout = |layer| match layer {
        Layer::Dense(dense) => Some(dense.layout),
        _ => None,
    };
    model.layers().filter_map(layout).collect()
}

/// Rows of random inputs through a model packed for Cortex-M4, on the emulated core and here.
fn runs_the_same(what: &str, model: &[u8], expected: &[WeightLayout]) {
    let parsed = Model::parse(model).expect("a valid model");
    let packed = pack(&parsed, Core::CortexM4).expect("every model can be packed");
    assert_eq!(layouts(&packed), expected, "{what}");
    let mut rng = fastrand::Rng::with_seed(4);
    // The zero point is common, as it is among pixels.
    let inputs: Vec<i8> = (0..64 * parsed.input_len())
        .map(|_| if rng.bool() { rng.i8(..) } else { i8::MIN })
        .collect();
    let host = engine_outputs(model, inputs.chunks_exact(parsed.input_len())).concat();
    let device = EmulatedCore::M4F.run(&[Vector { model: &packed, inputs: &inputs }]);
    assert_eq!(device[0].as_ref(), Some(&host), "{what}");
}

#[test]
fn int4_weights_run_on_the_emulated_core() {
    let (model, said) = quantize("quantize_int4", &["RUN", "--weights", "int4"]);
    assert_eq!(layouts(&model), [WeightLayout::Int4; 2]);
    for word in ["int4", "SQNR", "dB", "float", "int8 weights", "these weights", "flash"] {
        assert!(said.contains(word), "'{word}' is not in {said}");
    }
    assert!(model.len() < 2 * read(digits_run().join("model.thimble")).len() / 3);
    runs_the_same("int4", &model, &[WeightLayout::Int4Tiles4; 2]);
    // The self-tests are its own.
    let folder = empty_dir("quantize_int4_inspect");
    write(folder.join("int4.thimble"), &model);
    let said = Finished::of(&mut host_trainer(&folder, ["inspect", "int4.thimble"])).success();
    assert!(said.stdout.contains("4 of 4 self-tests pass"), "{}", said.stdout);
}

#[test]
fn weights_of_two_bits_and_less_run_on_the_emulated_core() {
    for (name, layout, packed) in [
        ("int2", WeightLayout::Int2, WeightLayout::Int2Columns4),
        ("ternary", WeightLayout::Ternary, WeightLayout::TernaryColumns4),
    ] {
        let (model, said) = quantize(&format!("quantize_{name}"), &["RUN", "--weights", name]);
        assert_eq!(layouts(&model), [layout; 2]);
        assert!(said.contains(name) && said.contains("SQNR"), "{said}");
        assert!(model.len() < read(digits_run().join("model.thimble")).len() / 2);
        runs_the_same(name, &model, &[packed; 2]);
    }
}

#[test]
fn sparse_weights_are_stored_so_and_run_on_the_emulated_core() {
    let file = read(digits_run().join("model.thimble"));
    let mut spec = ModelSpec::from(&Model::parse(&file).expect("a valid model"));
    spec.self_tests.clear();
    let Some(LayerSpec::Dense(first)) = spec.layers.first_mut() else { panic!("not dense") };
    first.weights.chunks_mut(4).enumerate().filter(|(k, _)| k % 3 > 0).for_each(|(_, w)| w.fill(0));
    let folder = empty_dir("quantize_sparse_source");
    let path = folder.join("pruned.thimble");
    write(&path, spec.to_bytes().expect("zeros are weights"));
    let path = path.display().to_string();
    let (model, said) = quantize("quantize_sparse", &[&path, "--weights", "int8"]);
    let expected = [WeightLayout::Sparse, WeightLayout::RowMajor];
    assert_eq!(layouts(&model), expected);
    assert!(said.contains("sparse") && said.contains("exact"), "{said}");
    assert!(model.len() < read(&path).len());
    runs_the_same("sparse", &model, &[WeightLayout::Sparse, WeightLayout::Pairs4]);
}

#[test]
fn a_budget_of_nothing_keeps_what_is_lost_by_nothing() {
    let run = |name: &str, budget: &str| {
        quantize(name, &["RUN", "--weights", "auto", "--budget", budget]).0
    };
    let generous = run("quantize_generous", "100");
    assert_eq!(layouts(&generous), [WeightLayout::Ternary; 2], "the fewest bytes");
    let strict = run("quantize_strict", "0");
    let (few, _) = quantize("quantize_int8", &["RUN", "--weights", "int8"]);
    assert_eq!(few, read(digits_run().join("model.thimble")), "the run's own model again");
    assert!(strict.len() > generous.len(), "ternary weights lose something on these rows");
}

#[test]
fn activations_are_chosen_with_the_weights() {
    let arguments = ["RUN", "--weights", "int4", "--activations", "int16"];
    let (model, _) = quantize("quantize_int16", &arguments);
    let model = Model::parse(&model).expect("a valid model");
    assert_eq!(model.input().quantization.data_type, DataType::Int16);
    assert_eq!(model.output().quantization.data_type, DataType::Int16);
}

#[test]
fn cycles_of_a_chip_are_a_budget() {
    let folder = empty_dir("quantize_cycles");
    let (run, data) = (few_mnist_run(), few_mnist_rows().display().to_string());
    let int8 = read(run.join("model.thimble"));
    let run = run.display().to_string();
    let choose = |more: &[&str]| {
        let fixed =
            ["quantize", &run, "--data-dir", &data, "--weights", "auto", "-o", "out.thimble"];
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(more)))
    };
    let cycles = |model: &[u8]| {
        let packed = pack(&Model::parse(model).expect("a model"), Core::CortexM0);
        write(folder.join("packed.thimble"), packed.expect("it can be packed"));
        let inspect = ["inspect", "packed.thimble", "--for", "nRF51822", "--json"];
        let said = Finished::of(&mut host_trainer(&folder, inspect)).success().stdout;
        let said: Value = serde_json::from_str(&said).expect("JSON");
        said["predicted"]["time"]["min_cycles"].as_u64().expect("cycles")
    };
    // With int8 weights it takes more.
    assert!(cycles(&int8) > 430_000);
    choose(&["--cycles", "430k", "--for", "nRF51822"]).success();
    let narrowed = read(folder.join("out.thimble"));
    assert!(cycles(&narrowed) <= 430_000, "{}", cycles(&narrowed));
    assert_eq!(layouts(&narrowed)[0].weight_type(), WeightType::Int2);
    choose(&["--cycles", "10k", "--for", "nRF51822"])
        .refused(1, &["--cycles 10000", "the smallest model has", "cycles"]);
    choose(&["--cycles", "10k", "--for", "STM32H743"])
        .refused(1, &["STM32H743", "not published", "Leave --cycles out"]);
    choose(&["--cycles", "10k"]).refused(2, &["--for"]);
    choose(&["--for", "nRF51822"]).refused(2, &["--cycles"]);
}

#[test]
fn what_cannot_be_quantized_is_named_with_the_remedy() {
    let folder = empty_dir("quantize_refused");
    write(folder.join("alone.thimble"), read(digits_run().join("model.thimble")));
    write(folder.join("cut.thimble"), [0; 40]);
    let run = |arguments: &[&str]| {
        let fixed = ["quantize", "-o", "out.thimble"];
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(arguments)))
    };
    run(&["alone.thimble", "--weights", "auto"])
        .refused(1, &["alone.thimble", "preset.toml", "int4"]);
    run(&["alone.thimble", "--weights", "int8", "--activations", "int16"])
        .refused(1, &["alone.thimble", "float network", "folder of a run"]);
    run(&["missing", "--weights", "int8"]).refused(1, &["missing"]);
    run(&["cut.thimble", "--weights", "int8"]).refused(1, &["cut.thimble"]);
    run(&["alone.thimble", "--budget=-1"]).refused(2, &["budget", "0.5"]);
    run(&["alone.thimble", "--weights", "int3"]).refused(2, &["int3", "int2", "ternary", "auto"]);
    assert!(!folder.join("out.thimble").exists(), "nothing is written");
}

#[test]
fn a_model_is_trained_for_a_core() {
    let folder = empty_dir("train_for");
    let train =
        ["train", "digits", "--for", "cortex-m4", "--set", "training.epochs=2", "--output", "run"];
    Finished::of(&mut host_trainer(&folder, train)).success();
    let model = read(folder.join("run/model.thimble"));
    assert_eq!(layouts(&model), [WeightLayout::Pairs4; 2]);
    // Commands that read runs accept this one.
    Finished::of(&mut host_trainer(&folder, ["evaluate", "run/model.thimble", "digits"])).success();
    Finished::of(&mut host_trainer(&folder, ["report", "run"])).success();
    Finished::of(&mut host_trainer(&folder, ["train", "digits", "--for", "cortex-m5"]))
        .refused(2, &["cortex-m5", "cortex-m4"]);
}
