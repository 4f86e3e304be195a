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
    let import = Import::new(&file, &assembled, "golden".into(), None, false);
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

/// A network without rows predicts and is evaluated in float; what needs rows says how to give them.
#[test]
fn a_network_without_rows_is_a_run_in_float() {
    let folder = empty_dir("import_float_without_rows");
    let name = "keras-wine-normalization";
    let case = case(name);
    let inputs = rows(&case, name, "test");
    write(folder.join("rows.csv"), csv(&rows(&case, name, "calibration"), 13));
    write(folder.join("test.csv"), csv(&inputs, 13));
    let model = given().join(name).join("model.keras").display().to_string();
    let said = run(&folder, &["import", &model, "-o", "wine"]).success();
    assert!(said.stdout.contains("13-16-3") && said.stdout.contains("--calibrate"), "{said:#?}");

    run(&folder, &["predict", "wine", "test.csv", "-o", "out.csv"]).success();
    let out = std::fs::read_to_string(folder.join("out.csv")).expect("predictions");
    assert_eq!(out.lines().next(), Some("line,float,float 0,float 1,float 2"));
    let file = read(Path::new(&model), &Options::default()).expect("a network");
    let mut classes = Vec::new();
    for (row, line) in inputs.chunks_exact(13).zip(out.lines().skip(1)) {
        let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        let cells: Vec<&str> = line.split(',').collect();
        for (cell, exact) in cells[2..].iter().zip(file.outputs(&row)) {
            // Sums of at most 17 products in f32.
            let found: f64 = cell.parse().expect("a number");
            assert!((found - exact).abs() < 1e-5, "{line}: {exact}");
        }
        classes.push(cells[1].to_string());
    }
    assert_eq!(classes.len(), 70);

    let mut judged = csv(&inputs, 13).lines().map(String::from).collect::<Vec<_>>();
    judged[0] += ",class";
    judged[1..].iter_mut().zip(&classes).for_each(|(line, class)| *line += &format!(",{class}"));
    write(folder.join("judged.csv"), judged.join("\n"));
    let said = run(&folder, &["evaluate", "wine", "judged.csv", "--json"]).success();
    let value: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(value["float"]["test"]["accuracy"], 1.0);
    run(&folder, &["evaluate", "wine", "rows.csv"]).refused(1, &["rows.csv", "features alone"]);

    let remedy = "quantize wine --calibrate ROWS.csv";
    for command in
        [&["inspect", "wine"][..], &["report", "wine"], &["evaluate", "wine"], &["compare", "wine"]]
    {
        run(&folder, command).refused(1, &[remedy]);
    }
    for command in [
        &["features", "wine", "0"][..],
        &["quantize", "wine"],
        &["train", "wine/preset.toml", "--from", "wine", "-o", "tuned"],
    ] {
        run(&folder, command).refused(1, &["without rows", "--calibrate ROWS.csv"]);
    }
    run(&folder, &["import", &model, "-o", "x", "--max-loss", "1"]).refused(1, &["--calibrate"]);

    run(&folder, &["quantize", "wine", "--calibrate", "rows.csv"]).success();
    // The same bytes as in one step.
    run(&folder, &["import", &model, "--calibrate", "rows.csv", "-o", "one/wine"]).success();
    let bytes = |run: &str| std::fs::read(folder.join(run).join("model.thimble")).expect("a model");
    assert!(bytes("wine") == bytes("one/wine"), "the models differ");
    run(&folder, &["quantize", "wine", "--calibrate", "rows.csv"]).refused(1, &["rows of its own"]);
    run(&folder, &["report", "wine"]).success();
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
