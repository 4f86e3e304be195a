//! The commands of `host-trainer/NOTEBOOKS.md`, as they stand there, with one epoch each, on the first
//! third of MNIST.

use std::fs;
use std::path::Path;

use thimble_tests::c_program::Case;
use thimble_tests::c_target::CTarget;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::mnist;
use thimble_tests::workspace::{empty_dir, read, root};

/// Returns the commands of the page, in order, without `cargo thimble`.
fn commands() -> Vec<String> {
    let page = String::from_utf8(read(root().join("host-trainer/NOTEBOOKS.md"))).expect("UTF-8");
    let cells = page.lines().filter(|line| line.starts_with("| "));
    let commands = cells.filter_map(|line| line.split('`').nth(1)?.strip_prefix("cargo thimble "));
    commands.map(String::from).collect()
}

#[test]
fn every_command_runs() {
    let folder = empty_dir("notebooks");
    let data = mnist::first_rows(20_480, 2_000);
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    let trains = |command: &str| command.starts_with("train ") || command.starts_with("sweep ");
    for command in commands {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        if trains(&command) {
            // The last of two settings counts.
            arguments.extend(["--set", "training.epochs=1", "--quiet"]);
        }
        if command == "train d-1024-sigmoid" || command.starts_with("train s-512 --set ") {
            // Otherwise all variants of its quantization are tried, which takes three times as long as
            // the rest. `train s-512` tries them.
            arguments.extend(["--set", "quantization.activations=int8"]);
        }
        let mut program = host_trainer(&folder, &arguments);
        program.env("THIMBLE_DATA", &data);
        Finished::of(&mut program).success();
    }
    equal_in_c(&folder.join("runs"));
    for file in [
        "runs/u-spirals-6/report.html",
        "runs/s-512/batches.csv",
        "activations.csv",
        "predictions.csv",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let batches = String::from_utf8(read(folder.join("runs/s-512/batches.csv"))).expect("UTF-8");
    // 20,480 rows in batches of 128: 160.
    let numbers: Vec<&str> =
        batches.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(numbers, ["100"]);
}

/// Compares the model of each run, exported as C, with the engine.
fn equal_in_c(runs: &Path) {
    let folders = fs::read_dir(runs).expect("the folder of runs");
    let mut models: Vec<_> = folders
        .map(|entry| entry.expect("an entry").path().join("model.thimble"))
        .filter(|model| model.is_file())
        .collect();
    models.sort();
    assert!(models.len() > 10, "{models:?}");
    let cases: Vec<Case> = models.iter().map(|model| Case::random(read(model), 4)).collect();
    CTarget::HostClang.check("export-notebook-models", &cases, "-O1");
}

#[test]
fn numpy_arrays_are_the_weights() {
    let folder = empty_dir("numpy");
    let train = ["train", "digits", "--set=training.epochs=1", "--quiet", "--output=run"];
    Finished::of(&mut host_trainer(&folder, train)).success();
    let array = read(folder.join("run/npy/layer-0-weights.npy"));
    assert_eq!(array.len(), 128 + 64 * 32 * 4);
    let tensors = read(folder.join("run/weights.safetensors"));
    let header_len = u64::from_le_bytes(tensors[..8].try_into().expect("8 bytes")) as usize;
    let header: serde_json::Value =
        serde_json::from_slice(&tensors[8..8 + header_len]).expect("JSON");
    let weights = &header["layers.0.weight"];
    assert_eq!(weights["shape"], serde_json::json!([32, 64]));
    let start = 8 + header_len + weights["data_offsets"][0].as_u64().expect("a number") as usize;
    for (output, input) in [(0, 0), (31, 63), (5, 17)] {
        let of_tensor = start + (output * 64 + input) * 4;
        let of_array = 128 + (input * 32 + output) * 4;
        assert_eq!(tensors[of_tensor..][..4], array[of_array..][..4], "{output} {input}");
    }
}
