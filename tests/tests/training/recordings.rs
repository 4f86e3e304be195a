//! Recordings of sensors: windows, splits by recording, cross-validation, and what is refused.

use std::path::Path;

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn json(finished: Finished) -> Value {
    serde_json::from_str(&finished.success().stdout).expect("JSON")
}

/// Writes a recording of 80 samples: still, or shaken.
fn record(folder: &Path, name: &str, seed: u32, shaken: bool, interval: u32) {
    let mut text = String::from("time,x,y,z\n");
    for n in 0..80_u32 {
        let noise = |axis: u32| (n * 37 + axis * 11 + seed * 5) % 7;
        let swing = if shaken { 400 * (n % 4) } else { 0 };
        let time = n * interval;
        text += &format!("{time},{},{},{}\n", noise(0) + swing, noise(1), 500 + noise(2));
    }
    write(folder.join(name), text);
}

/// Ten recordings of two classes, a folder per class.
fn gestures(folder: &Path) {
    for class in ["still", "shaken"] {
        std::fs::create_dir_all(folder.join("gestures").join(class)).expect("a folder");
        for seed in 0..5 {
            let name = format!("gestures/{class}/{seed}.csv");
            record(folder, &name, seed, class == "shaken", 10);
        }
    }
    preset(folder, "gestures.toml", "");
}

/// Writes a preset with these lines in its table of data.
fn preset(folder: &Path, name: &str, data: &str) {
    let text = format!(
        r#"
name = "gestures"
[data]
scaling = "standard"
{data}
[data.dataset.recordings]
path = "gestures"
axes = ["x", "y", "z"]
time = "time"
window = {{ length = 20, step = 10, each = ["deviation"], magnitude = ["mean", "crossings"] }}
[network]
layers = [{{ dense = {{ units = 4, activation = "relu" }} }}, {{ dense = {{ units = 2 }} }}]
[training]
epochs = 30
batch_size = 8
optimizer = {{ adam = {{ learning_rate = 0.02 }} }}
"#
    );
    write(folder.join(name), text);
}

#[test]
fn folds_of_activity_are_of_whole_recordings() {
    let folder = empty_dir("recordings_activity");
    let short = "--set=training.epochs=4";
    let fold = ["train", "activity", "--fold", "2/5", short, "--output=one", "--no-playground"];
    let said = run(&folder, &fold).success();
    assert!(!said.stderr.contains("leakage"), "{}", said.stderr);
    // Both matrices, of every class, with the errors.
    assert!(said.stdout.contains("row: true class"), "{}", said.stdout);
    for class in ["stationary", "walking", "running"] {
        assert!(said.stdout.contains(class), "{class}: {}", said.stdout);
    }

    let all = ["train", "activity", "--folds", "5", short, "--output=all", "--no-playground"];
    let said = run(&folder, &all).success();
    for words in ["fold 5 of 5", "mean", "standard deviation", "int8", "row: true class"] {
        assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
    }
    let folds: Value = serde_json::from_slice(&read(folder.join("all/folds.json"))).expect("JSON");
    for which in ["float", "int8"] {
        let result = &folds[which];
        let each: Vec<f64> =
            result["folds"].as_array().expect("folds").iter().filter_map(Value::as_f64).collect();
        assert_eq!(each.len(), 5, "{which}");
        let mean = each.iter().sum::<f64>() / 5.0;
        assert!((result["mean"].as_f64().expect("a mean") - mean).abs() < 1e-12, "{which}");
        // Every window of the 92 recordings is tested once: 37 of each.
        let rows = result["confusion"].as_array().expect("a matrix").iter();
        let windows: u64 = rows
            .flat_map(|row| row.as_array().expect("a row").iter().filter_map(Value::as_u64))
            .sum();
        assert_eq!(windows, 92 * 37, "{which}");
    }
    // The same run as the fold by itself.
    let model = |run: &str| read(folder.join(run).join("model.thimble"));
    assert_eq!(model("all/fold-2"), model("one"));
    let test = &folds["runs"][1]["int8"]["test"]["accuracy"];
    assert_eq!(test, &folds["int8"]["folds"][1]);
}

#[test]
fn recordings_of_a_folder_are_learnt_and_random_rows_are_warned_of() {
    let folder = empty_dir("recordings_own");
    gestures(&folder);
    let metrics = json(run(&folder, &["train", "gestures.toml", "--json"]));
    // Still and shaken differ by hundreds of counts.
    assert_eq!(metrics["int8"]["test"]["accuracy"], 1.0, "{metrics:#}");
    let folds = json(run(&folder, &["train", "gestures.toml", "--folds=5", "--json"]));
    assert_eq!(folds["int8"]["confusion"], serde_json::json!([[35, 0], [0, 35]]), "{folds:#}");

    preset(&folder, "random.toml", "test = { random = { fraction = 0.2 } }");
    let said = run(&folder, &["train", "random.toml", "--quiet"]).success();
    for words in ["recordings", "gestures/", "leakage", "test = { recordings ="] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    // Validation rows of the same recordings are warned of, too.
    let both =
        "test = { recordings = { fraction = 0.2 } }\nvalidation = { random = { fraction = 0.2 } }";
    preset(&folder, "both.toml", both);
    let said = run(&folder, &["train", "both.toml", "--quiet"]).success();
    assert!(said.stderr.contains("leakage"), "{}", said.stderr);
}

#[test]
fn a_search_takes_whole_recordings_for_validation() {
    let folder = empty_dir("recordings_search");
    gestures(&folder);
    let arguments = [
        "search",
        "gestures.toml",
        "--for=RP2040",
        "--flash=12K",
        "--ram=4K",
        "--trials=3",
        "--output=found",
        "--json",
    ];
    let said = run(&folder, &arguments).success();
    assert!(!said.stderr.contains("leakage"), "{}", said.stderr);
    let front: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(front[0]["test"]["quantized"], 1.0, "{front:#}");
}

#[test]
fn unusable_recordings_and_folds_are_refused_by_name() {
    let folder = empty_dir("recordings_bad");
    gestures(&folder);
    let train = |more: &[&str]| run(&folder, &[&["train", "gestures.toml"], more].concat());
    let length = "--set=data.dataset.recordings.window.length=81";
    train(&[length]).refused(
        1,
        &["gestures/shaken/0.csv", "80 samples", "a window has 81", "Lower the window's length"],
    );
    train(&["--fold=6/5"]).refused(2, &["numbered 1 to 5"]);
    train(&["--folds=0"]).refused(2, &["2 to 1000 folds"]);
    let test = "--set=data.test={recordings={fraction=0.2}}";
    train(&["--folds=5", test]).refused(1, &["data.test", "those of the fold"]);
    train(&["--folds=5", "--fold=1/5"]).refused(2, &["--folds", "--fold", "cannot be used"]);
    run(&folder, &["train", "digits", "--set=data.test={recordings={fraction=0.2}}"])
        .refused(1, &["data.test", "not windows of recordings", "stratified"]);
    // More folds than recordings.
    train(&["--folds=50"]).refused(1, &["50 folds, but 10 recordings", "--folds"]);

    record(&folder, "gestures/still/5.csv", 9, false, 20);
    train(&[]).refused(1, &["different rates", "gestures/still/5.csv", "0.csv", "Resample them"]);
}
