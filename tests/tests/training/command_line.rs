//! The command line on a fresh machine: the default command, its files and its output.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, root};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn metrics(run: &Path) -> Value {
    serde_json::from_slice(&read(run.join("metrics.json"))).expect("metrics.json is JSON")
}

fn accuracy(metrics: &Value, which: &str) -> f64 {
    metrics[which]["test"]["accuracy"]
        .as_f64()
        .unwrap_or_else(|| panic!("{which}.test.accuracy in {metrics}"))
}

/// Returns every file below a folder, by its relative path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it lies below").display().to_string();
                files.insert(name, read(&path));
            }
        }
    }
    files
}

#[test]
fn without_arguments_it_trains_and_quantizes_the_digits() {
    let folder = empty_dir("main_job");
    let said = run(&folder, &[]).success();
    // Main results: both accuracies, each class, the confusion matrix, size and memory.
    for word in ["float", "int8", "accuracy", "%", "RAM", "bytes", "runs/digits"] {
        assert!(said.stdout.contains(word), "'{word}' is not in {}", said.stdout);
    }
    assert!(!said.stdout.contains('\x1b'), "no colors where no terminal is");

    let written = files(&folder);
    for name in ["preset.toml", "history.csv", "metrics.json", "model.thimble"] {
        let name = format!("runs/digits/{name}");
        assert!(written.get(&name).is_some_and(|bytes| !bytes.is_empty()), "{name} is missing");
    }
    assert!(written.keys().all(|name| name.starts_with("runs/digits/")), "{:?}", written.keys());
    assert!(written.keys().any(|name| name.ends_with(".safetensors")), "{:?}", written.keys());
    let pictures = written.keys().filter(|name| name.ends_with(".svg") || name.ends_with(".png"));
    assert!(pictures.count() >= 2, "curves and confusion matrices: {:?}", written.keys());
    let history = String::from_utf8_lossy(&written["runs/digits/history.csv"]).into_owned();
    assert!(history.lines().count() > 2 && history.contains("loss"), "{history}");

    let metrics = metrics(&folder.join("runs/digits"));
    let (float, int8) = (accuracy(&metrics, "float"), accuracy(&metrics, "int8"));
    assert!(float >= 0.965, "{float} in float");
    // 20 % of 1,797 digits are test images; int8 stays within one of them.
    assert!((float - int8).abs() <= 1.0 / 355.0, "{float} in float, {int8} in int8");

    // The model can be shown and evaluated again, with the same accuracy.
    let model = "runs/digits/model.thimble";
    let shown = run(&folder, &["inspect", model]).success().stdout;
    for word in ["64", "32", "10"] {
        assert!(shown.contains(word), "'{word}' is not in {shown}");
    }
    let evaluated = run(&folder, &["evaluate", model, "digits"]).success().stdout;
    let percent = format!("{:.2}", int8 * 100.0);
    assert!(evaluated.contains(&percent), "{percent} is not in {evaluated}");
}

/// Lower bound of the default command's mean accuracy over five seeds.
#[test]
fn the_digits_are_learnt_on_every_seed() {
    let folder = empty_dir("seeds");
    let mut accuracies = Vec::new();
    for seed in ["1", "2", "3", "4", "5"] {
        let out = format!("run-{seed}");
        run(&folder, &["train", "digits", "--quiet", "--seed", seed, "--output", &out]).success();
        accuracies.push(accuracy(&metrics(&folder.join(out)), "float"));
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    assert!(mean >= 0.975, "mean of {accuracies:?}: {mean}");
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_seed_others() {
    let folder = empty_dir("same_seed");
    let train = |seed: &str, out: &str| {
        run(&folder, &["train", "digits", "--seed", seed, "--output", out, "--quiet"]).success();
        files(&folder.join(out))
    };
    let (first, again, other) = (train("7", "a"), train("7", "b"), train("8", "c"));
    for (name, bytes) in &first {
        let of_weights = name.ends_with(".safetensors") || name == "model.thimble";
        if of_weights {
            assert!(again[name] == *bytes, "{name} differs with the same seed");
            assert!(other[name] != *bytes, "{name} is the same with another seed");
        }
    }
    assert_eq!(first.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
}

/// The preset that a run wrote repeats the run.
#[test]
fn the_written_preset_repeats_the_run() {
    let folder = empty_dir("resolved_preset");
    run(&folder, &["train", "digits", "--seed", "11", "--output", "first", "--quiet"]).success();
    run(&folder, &["train", "first/preset.toml", "--output", "second", "--quiet"]).success();
    let model = |run: &str| read(folder.join(run).join("model.thimble"));
    assert!(model("first") == model("second"), "the models differ");
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    let folder = empty_dir("usage");
    for arguments in [
        &["trian"][..],
        &["train", "--no-such-flag"],
        &["train", "--seed", "many"],
        &["train", "--threads", "0"],
        &["evaluate"],
        &["inspect"],
        &["fetch"],
        &["features", "runs/digits", "0", "--neighbors", "1"],
        &["features", "runs/digits", "0", "--rows", "train"],
    ] {
        run(&folder, arguments).refused(2, &["--help"]);
    }
    assert!(files(&folder).is_empty(), "nothing is written");
    for arguments in [&["--help"][..], &["train", "--help"], &["--version"]] {
        run(&folder, arguments).success();
    }
}

/// The program can inspect and evaluate the boards' default model.
#[test]
fn the_committed_digits_model_is_sound() {
    let folder = empty_dir("committed_model");
    let path = root().join("firmware/models/digits.thimble").display().to_string();
    run(&folder, &["inspect", &path]).success();
    let model = read(&path);
    let model = model_format::Model::parse(&model).expect("it is a model");
    assert_eq!((model.input_len(), model.output_len()), (64, 10));
    assert!(model.self_tests().len() > 0, "it has self-tests for the device");
}

#[test]
fn json_is_one_value_and_all_that_is_said() {
    let folder = empty_dir("json");
    std::fs::write(folder.join("rows.i8"), [0; 3 * 64]).expect("written");
    let json = |arguments: &[&str]| -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let said = run(&folder, &arguments).success();
        assert_eq!(said.stderr, "", "{arguments:?}");
        serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", said.stdout))
    };
    json(&["train", "digits"]);
    let model = "runs/digits/model.thimble";
    let presets = json(&["presets"]);
    assert_eq!(presets[0]["name"], "digits");
    let epochs = json(&["bench", "digits", "--epochs", "2"]);
    assert_eq!(epochs["programs"][0]["name"], "host-trainer");
    assert!(epochs["programs"][0]["epoch_seconds"].as_f64() > Some(0.0), "{epochs}");
    let evaluated = json(&["evaluate", model, "digits"]);
    assert!(evaluated["test"]["accuracy"].as_f64() > Some(0.9), "{evaluated}");
    // The folder of a run stands for its model, and defines the test rows.
    assert_eq!(json(&["evaluate", "runs/digits"]), evaluated);
    let small = json(&["quantize", "runs/digits", "--weights", "int4", "-o", "small.thimble"]);
    assert!(small["bytes"].as_u64() < small["bytes_before"].as_u64(), "{small}");
    assert_eq!(small["layers"][0]["weights"], "int4");
    let report = json(&["report", "runs/digits"]);
    assert_eq!(report["page"], "runs/digits/report.html");
    let features = json(&["features", "runs/digits", "0"]);
    assert_eq!(features["width"], 32);
    let compared = json(&["compare", "runs/digits", "runs/digits"]);
    assert_eq!(compared.as_array().map(Vec::len), Some(2));
    let rows = json(&["infer", model, "--raw-i8", "rows.i8", "--output", "out.i8"]);
    assert_eq!((&rows["rows"], &rows["outputs"]), (&3.into(), &10.into()));
    assert_eq!(read(folder.join("out.i8")).len(), 30);
    let swept = json(&["sweep", "digits", "--grid", "training.epochs=1,2"]);
    assert_eq!(swept.as_array().map(Vec::len), Some(2));
}
