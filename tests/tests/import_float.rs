//! Imported float networks as runs: the quantized model loses no more than that of the framework's own
//! tools with the same rows for calibration, and every command works on the run.
//!
//! `../shared/golden-float/given/README.md` describes the cases.

use std::fmt::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use host_trainer::data::Locations;
use host_trainer::imported::{Import, Meaning};
use host_trainer::run_folder::RunFolder;
use host_trainer::threads::Threads;
use model_format::Model;
use serde_json::Value;
use thimble_import::{Assembled, FloatNetwork, Options, assemble, read};
use thimble_nn::Engine;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, root, write};

fn given() -> PathBuf {
    root().join("../shared/golden-float/given")
}

fn case(name: &str) -> Value {
    let text = std::fs::read_to_string(given().join(name).join("case.json"));
    serde_json::from_str(&text.expect("the golden set is in ../shared/golden-float")).expect("JSON")
}

/// Reads rows of numbers: float32, or bytes with a divisor.
fn rows(case: &Value, name: &str, key: &str) -> Vec<f32> {
    let file = case["data"][key].as_str().expect("a file");
    let bytes = std::fs::read(given().join(name).join(file)).expect("a file");
    match case["data"][format!("{key}_divisor")].as_f64() {
        Some(divisor) => bytes.iter().map(|byte| f32::from(*byte) / divisor as f32).collect(),
        None => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    }
}

/// Returns rows as a CSV file with a header.
fn csv(values: &[f32], width: usize) -> String {
    let header: Vec<String> = (0..width).map(|at| format!("x{at}")).collect();
    let mut text = header.join(",") + "\n";
    for row in values.chunks_exact(width) {
        let cells: Vec<String> = row.iter().map(f32::to_string).collect();
        writeln!(text, "{}", cells.join(",")).expect("a string");
    }
    text
}

/// A quantized import.
struct Quantized {
    file: FloatNetwork,
    assembled: Assembled,
    bytes: Vec<u8>,
}

fn quantized(name: &str, model: &str, case: &Value) -> Quantized {
    let folder = empty_dir(&format!("import_float_{name}"));
    let calibration = folder.join("rows.csv");
    let width = case["inputs"].as_u64().expect("a width") as usize;
    write(&calibration, csv(&rows(case, name, "calibration"), width));
    let file = read(&given().join(name).join(model), &Options::default()).expect("a network");
    let assembled = assemble(&file).expect("a network");
    let import = Import {
        file: &file,
        assembled: &assembled,
        name: "golden".into(),
        labels: None,
        classes: false,
    };
    let threads = Threads::new(NonZero::new(2)).expect("threads");
    let folder = RunFolder::create(&folder).expect("a folder");
    let rows = calibration.display().to_string();
    let (trained, _) = import
        .trained(&rows, &folder, &Locations::default(), &threads)
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let experiment = trained.quantize(None, &threads).expect("a model");
    let bytes = experiment.model_bytes().to_vec();
    assert_eq!(import.meaning() == Meaning::Classes, experiment.has_classes());
    Quantized { file, assembled, bytes }
}

/// Mean squared error to targets, or to the float outputs where there are none, and share of rows of
/// the class of the labels.
fn figures(
    quantized: &Quantized,
    inputs: &[f32],
    targets: Option<&[f32]>,
    labels: Option<&[u8]>,
) -> (f64, f64) {
    let model = Model::parse(&quantized.bytes).expect("a model");
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("a model");
    let width = quantized.assembled.network.inputs();
    let (mut squares, mut count, mut right) = (0.0, 0.0, 0.0);
    for (row, input) in inputs.chunks_exact(width).enumerate() {
        let exact: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
        let exact = match targets {
            Some(targets) => vec![f64::from(targets[row])],
            None => quantized.file.outputs(&exact),
        };
        let answer = engine.run_reals(input).expect("real numbers");
        let outputs: Vec<f32> = answer.reals().collect();
        for (found, exact) in outputs.iter().zip(&exact) {
            squares += (f64::from(*found) - exact).powi(2);
            count += 1.0;
        }
        let class = match answer.class() {
            Some(class) => class.index(),
            None => {
                (0..outputs.len()).max_by(|a, b| outputs[*a].total_cmp(&outputs[*b])).unwrap_or(0)
            }
        };
        let is_right =
            labels.and_then(|labels| labels.get(row)).is_some_and(|l| usize::from(*l) == class);
        right += f64::from(u8::from(is_right));
    }
    (squares / count, right / (inputs.len() / width) as f64)
}

#[test]
fn int8_loses_no_more_than_with_the_tools_of_the_framework() {
    let (mut failures, mut compared) = (Vec::new(), 0);
    let index = std::fs::read_dir(given()).expect("the golden set is in ../shared/golden-float");
    let mut names: Vec<String> =
        index.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names {
        if !given().join(&name).join("case.json").exists() {
            continue;
        }
        let case = case(&name);
        let others = case["figures"]["int8"].as_array().cloned().unwrap_or_default();
        let models = case["models"].as_array().expect("files").iter().filter_map(Value::as_str);
        let taken =
            |model: &&str| [".keras", ".onnx", ".tflite"].iter().any(|end| model.ends_with(end));
        let (Some(model), false) = (models.clone().find(taken), others.is_empty()) else {
            continue;
        };
        // Rows of MNIST are not in the set.
        if !case["data"]["calibration"].as_str().is_some_and(|file| file.starts_with("..")) {
            continue;
        }
        let quantized = quantized(&name, model, &case);
        let labels = case["data"]["test_labels"].as_str();
        let labels =
            labels.map(|file| std::fs::read(given().join(&name).join(file)).expect("labels"));
        let targets = case["data"]["test_targets"].is_string();
        let targets = targets.then(|| rows(&case, &name, "test_targets"));
        let inputs = rows(&case, &name, "test");
        let (mse, accuracy) = figures(&quantized, &inputs, targets.as_deref(), labels.as_deref());
        let of =
            |key: &str| others.iter().filter_map(|other| other[key].as_f64()).collect::<Vec<_>>();
        let best = of("accuracy").into_iter().fold(f64::NAN, f64::max);
        let key = if targets.is_some() { "mse" } else { "mse_to_float" };
        let least = of(key).into_iter().fold(f64::INFINITY, f64::min);
        compared += 1;
        println!("{name}: accuracy {accuracy:.4} ({best:.4}), mse {mse:.3e} ({least:.3e})");
        // Of rows that the float network gets wrong, rounding may correct one by chance.
        let float = case["figures"]["float"]["accuracy"].as_f64().unwrap_or(1.0);
        let is_worse = match (labels.is_some(), targets.is_some()) {
            // A figure of six digits.
            (true, _) => accuracy < best.min(float) - 1e-6,
            (false, true) => mse > least,
            // The rounding of an int8 output has a mean square of step² / 12. The steps of two
            // quantizers differ by what each clips of the range, √2 at most.
            (false, false) => mse > 2.0 * least,
        };
        if is_worse {
            failures.push(format!("{name}: accuracy {accuracy} {best}, mse {mse} {least}"));
        }
    }
    assert!(compared >= 25, "{compared} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

#[test]
fn every_command_works_on_an_imported_run() {
    let folder = empty_dir("import_float_commands");
    let case = case("keras-wine-normalization");
    let name = "keras-wine-normalization";
    write(folder.join("rows.csv"), csv(&rows(&case, name, "calibration"), 13));
    let model = given().join(name).join("model.keras").display().to_string();
    run(&folder, &["import", &model]).refused(1, &["--calibrate", "13 inputs", "3 outputs"]);
    let said = run(&folder, &["import", &model, "--calibrate", "rows.csv", "-o", "wine"]).success();
    assert!(said.stdout.contains("13-16-3") && said.stdout.contains("no targets"), "{said:#?}");
    let preset = std::fs::read_to_string(folder.join("wine/preset.toml")).expect("a preset");
    assert!(preset.contains("fixed"), "{preset}");
    for command in [
        &["evaluate", "wine"][..],
        &["evaluate", "wine", "wine/calibration.csv"],
        &["predict", "wine", "rows.csv", "-o", "out.csv"],
        &["report", "wine"],
        &["features", "wine", "1"],
        &["quantize", "wine", "--activations", "int16"],
        &["inspect", "wine"],
        &[
            "train",
            "wine/preset.toml",
            "--from",
            "wine",
            "-o",
            "tuned",
            "--set",
            "training.epochs=1",
        ],
        &["compare", "wine", "tuned"],
    ] {
        run(&folder, command).success();
    }
    // One epoch at a low rate changes little: the start was the import, not random weights.
    let metrics = std::fs::read_to_string(folder.join("tuned/metrics.json")).expect("metrics");
    let metrics: Value = serde_json::from_str(&metrics).expect("JSON");
    assert!(metrics["float"]["test"]["accuracy"].as_f64().is_some_and(|a| a > 0.95), "{metrics}");
    let preset = ["train", "digits", "--from", "wine", "-o", "other"];
    run(&folder, &preset).refused(1, &["13-16-3", "wine/preset.toml"]);
    run(&folder, &["train", "wine/preset.toml", "--from", "wine", "-o", "wine"])
        .refused(1, &["--output"]);
    write(folder.join("short.csv"), "a,b\n1,2\n");
    run(&folder, &["import", &model, "--calibrate", "short.csv", "-o", "x"])
        .refused(1, &["short.csv", "2 columns", "13 inputs"]);
    run(&folder, &["import", &model, "--calibrate", "none.csv", "-o", "x"])
        .refused(1, &["none.csv"]);
}
