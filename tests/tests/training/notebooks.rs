//! The commands of `host-trainer/NOTEBOOKS.md`, as they stand there, with one epoch each, on the first
//! rows of MNIST.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use thimble_tests::c_program::Case;
use thimble_tests::c_target::CTarget;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::mnist;
use thimble_tests::workspace::{empty_dir, read, root};

/// Letters of the courses in the first column of the page.
const COURSES: [&str; 4] = ["C", "S", "U", "D"];

/// Rows of MNIST for training: 101 batches of the 128 rows that course S has.
const ROWS: u32 = 12_928;

/// Rows for course D, which validates with 10,000 and has a batch of 10,000.
const ROWS_OF_D: u32 = 20_480;

/// Returns the course and the command of each row of the page, in order, without `cargo thimble`.
fn commands() -> Vec<(String, String)> {
    let page = String::from_utf8(read(root().join("host-trainer/NOTEBOOKS.md"))).expect("UTF-8");
    let rows = page.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?;
        let command = cells.split('`').nth(1)?.strip_prefix("cargo thimble ")?;
        Some((cells.split([' ', '|']).next()?.to_string(), command.to_string()))
    });
    rows.collect()
}

#[test]
fn every_command_is_of_a_course() {
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    for (course, command) in commands {
        assert!(COURSES.contains(&course.as_str()), "{course}: {command}");
    }
}

/// Runs every command of a course, and compares its models in C with the engine. Returns the folder.
fn run_course(course: &str, rows: u32) -> PathBuf {
    let folder = empty_dir(&format!("notebooks-{course}"));
    let data = mnist::first_rows(rows, 2_000);
    let trains = |command: &str| command.starts_with("train ") || command.starts_with("sweep ");
    let mut presets = BTreeSet::new();
    for (_, command) in commands().into_iter().filter(|(letter, _)| letter == course) {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        if let ["train", preset, ..] = arguments[..] {
            presets.insert(preset.to_string());
        }
        if trains(&command) {
            // The last of two settings counts.
            arguments.extend(["--set", "training.epochs=1", "--quiet"]);
        }
        if command == "train d-1024-sigmoid" {
            // Otherwise all variants of its quantization are tried, which takes three times as long as
            // the rest.
            arguments.extend(["--set", "quantization.activations=int8"]);
        }
        let mut program = host_trainer(&folder, &arguments);
        program.env("THIMBLE_DATA", &data);
        Finished::of(&mut program).success();
    }
    equal_in_c(course, &folder.join("runs"), presets.len());
    folder
}

#[test]
fn commands_of_course_c() {
    assert!(run_course("C", ROWS).join("activations.csv").is_file());
}

#[test]
fn commands_of_course_s() {
    let folder = run_course("S", ROWS);
    let batches = String::from_utf8(read(folder.join("runs/s-512/batches.csv"))).expect("UTF-8");
    let numbers: Vec<&str> =
        batches.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(numbers, ["100"]);
}

#[test]
fn commands_of_course_u() {
    let folder = run_course("U", ROWS);
    for file in ["runs/u-spirals-6/report.html", "predictions.csv"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[test]
fn commands_of_course_d() {
    run_course("D", ROWS_OF_D);
}

/// Compares the model of each run, exported as C, with the engine; there are so many or more.
fn equal_in_c(course: &str, runs: &Path, at_least: usize) {
    let folders = fs::read_dir(runs).expect("the folder of runs");
    let mut models: Vec<_> = folders
        .map(|entry| entry.expect("an entry").path().join("model.thimble"))
        .filter(|model| model.is_file())
        .collect();
    models.sort();
    assert!(at_least > 0 && models.len() >= at_least, "{at_least}: {models:?}");
    let cases: Vec<Case> = models.iter().map(|model| Case::random(read(model), 4)).collect();
    CTarget::HostClang.check(&format!("export-notebook-models-{course}"), &cases, "-O1");
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
