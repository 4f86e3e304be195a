//! Regression targets of any unit, imbalanced classes, and the metrics and warnings of runs.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn metrics(run: PathBuf) -> Value {
    serde_json::from_slice(&read(run.join("metrics.json"))).expect("metrics.json is JSON")
}

fn text(path: PathBuf) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

/// Numbers from −1 to 1, the same on every run.
fn numbers(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

const VALUES: &str = r#"
name = "values"
[data]
dataset = { csv = { file = "values.csv", target = { values = ["pressure", "fourth", "tilt"] } } }
test = { random = { fraction = 0.25 } }
validation = { random = { fraction = 0.2 } }
scaling = "standard"
[network]
layers = [{ dense = { units = 24, activation = "tanh" } }, { dense = { units = 3 } }]
[training]
loss = "mean_squared_error"
epochs = 120
batch_size = 16
optimizer = { adam = { learning_rate = 0.01 } }
early_stopping = { patience = 10 }
"#;

/// A target of 101,325 ± 120, one of x⁴ up to 10⁸, one of ±0.02.
fn values(folder: &Path) {
    let mut next = numbers(7);
    let mut table = String::from("a,b,pressure,fourth,tilt\n");
    for _ in 0..800 {
        let (a, b) = (next(), next());
        let x = 100.0 * a;
        let (pressure, tilt) = (101_325.0 + 120.0 * (2.0 * a).sin() * b, 0.02 * a * b);
        table += &format!("{a},{b},{pressure},{},{tilt}\n", x.powi(4));
    }
    write(folder.join("values.csv"), table);
    write(folder.join("values.toml"), VALUES);
}

#[test]
fn targets_of_any_unit_are_learnt_and_each_output_has_its_figures() {
    let folder = empty_dir("scaled_targets");
    values(&folder);
    let said = run(&folder, &["train", "values.toml"]).success().stdout;
    assert!(said.contains("of scaled targets"), "{said}");
    assert!(said.contains("tilt: mean absolute error") && said.contains("all outputs"), "{said}");
    let found = metrics(folder.join("runs/values"));
    let outputs = found["float"]["test"]["outputs"].as_array().expect("outputs");
    assert_eq!(outputs.len(), 3);
    // scikit-learn 1.9, MLPRegressor of the same width and epochs in a TransformedTargetRegressor,
    // reaches R² of 0.99 to 0.999 on these functions.
    for (output, (name, most)) in
        outputs.iter().zip([("pressure", 30.0), ("fourth", 8e6), ("tilt", 0.004)])
    {
        assert_eq!(output["name"], name);
        let r_squared = output["r_squared"].as_f64().expect("a number");
        assert!(r_squared > 0.98, "{name}: {r_squared}");
        // In the target's own unit.
        let error = output["mean_absolute_error"].as_f64().expect("a number");
        assert!(error < most && error > most / 1000.0, "{name}: {error}");
    }
    let preset = text(folder.join("runs/values/preset.toml"));
    assert!(preset.contains("target_scaling = \"standard\""), "{preset}");
    // The errors in the history are in the target's own unit, over all outputs.
    let history = text(folder.join("runs/values/history.csv"));
    let first: Vec<&str> = history.lines().nth(1).expect("an epoch").split(',').collect();
    let error: f64 = first[5].parse().expect("a number");
    assert!(error > 1e5, "{history}");

    // Without scaling, the largest numbers dominate.
    let set = ["--set", "data.target_scaling=none", "--set", "training.epochs=5"];
    let said = run(&folder, &[&["train", "values.toml"][..], &set].concat()).success().stdout;
    assert!(said.contains("`tilt` is no better than always answering its mean"), "{said}");
    assert!(said.contains("data.target_scaling = \"standard\""), "{said}");
    let warned = metrics(folder.join("runs/values"))["warnings"].to_string();
    assert!(warned.contains("`tilt` is no better"), "{warned}");
    let report = text(folder.join("runs/values/report.html"));
    let top = report.split("id=\"data\"").next().expect("a top");
    assert!(top.contains("`tilt` is no better than always answering its mean"), "{top}");
    assert!(report.contains("tilt"), "each output has its rows");
}

#[test]
fn figures_after_early_stopping_are_those_of_the_kept_epoch() {
    let folder = empty_dir("kept_epoch");
    values(&folder);
    let set = ["--set", "training.optimizer.adam.learning_rate=0.1"];
    let said = run(&folder, &[&["train", "values.toml"][..], &set].concat()).success().stdout;
    let out = folder.join("runs/values");
    let found = metrics(out.clone());
    let (kept, epochs) = (&found["training"]["kept_epoch"], &found["training"]["epochs"]);
    let (kept, epochs) = (kept.as_u64().expect("kept"), epochs.as_u64().expect("epochs"));
    assert!(kept < epochs, "{kept} of {epochs}");
    let history = text(out.join("history.csv"));
    let line = history.lines().nth(kept as usize).expect("the epoch");
    let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
    for (key, loss) in [("train", cells[2]), ("validation", cells[6])] {
        let written = found["float"][key]["loss"].as_f64().expect("a loss");
        assert!((written / loss - 1.0).abs() < 1e-4, "{key}: {written}, {loss} in {line}");
    }
    assert!(said.contains(&format!("loss {:.4} of scaled targets", cells[2])), "{said}");
    let report = text(out.join("report.html"));
    assert!(report.contains(&format!("in epoch {kept}, which was kept")), "{report}");
}

const FAULTS: &str = r#"
name = "faults"
[data]
dataset = { csv = { file = "faults.csv", target = { classes = "state" } } }
test = { stratified = { fraction = 0.25 } }
validation = { stratified = { fraction = 0.25 } }
scaling = "standard"
[network]
layers = [{ dense = { units = 12, activation = "relu" } }, { dense = { units = 2 } }]
[training]
epochs = 60
batch_size = 32
optimizer = { adam = { learning_rate = 0.005 } }
"#;

/// 60 faults in 2,000 rows, which overlap with the others.
fn faults(folder: &Path) {
    let mut next = numbers(3);
    let mut normal = || (0..6).map(|_| next()).sum::<f64>() / 2.0_f64.sqrt();
    let mut table = String::from("vib,cur,state\n");
    for row in 0..2000 {
        let fault = row % 33 == 0;
        let shift = if fault { 1.5 } else { 0.0 };
        let state = if fault { "fault" } else { "ok" };
        table += &format!("{},{},{state}\n", normal() + shift, normal() + shift);
    }
    write(folder.join("faults.csv"), table);
    write(folder.join("faults.toml"), FAULTS);
}

#[test]
fn rare_classes_are_found_with_weights_or_a_threshold() {
    let folder = empty_dir("rare_classes");
    faults(&folder);
    let recall = |settings: &[&str]| {
        let said = run(&folder, &[&["train", "faults.toml"], settings].concat()).success().stdout;
        let test = metrics(folder.join("runs/faults"))["float"]["test"].clone();
        (test["class_recall"]["fault"].as_f64().expect("a recall"), test, said)
    };
    let (plain, test, said) = recall(&[]);
    assert!(plain < 0.5 && said.contains("balanced accuracy"), "{plain}: {said}");
    assert!(test["average_precision"][0].as_f64().expect("an area") > 0.2, "{test}");
    let report = text(folder.join("runs/faults/report.html"));
    assert!(report.contains("Precision-recall curve of class fault"), "{report}");

    let (balanced, test, said) = recall(&["--set", "training.class_weight=balanced"]);
    assert!(balanced >= 0.7 && balanced > plain, "{balanced}, {plain} without weights: {said}");
    assert!(said.contains("fault 16") && said.contains("ok 0.516"), "{said}");
    assert!(test["balanced_accuracy"].as_f64().expect("a share") > 0.8, "{test}");
    // Accuracy is below that of a constant, but the faults are found.
    assert!(
        said.contains("always answering `ok`") && said.contains("found all the same"),
        "{said}"
    );
    let (named, ..) = recall(&["--set", "training.class_weight={ fault = 16.0, ok = 0.5 }"]);
    assert!(named >= 0.7, "{named}");

    let (chosen, _, said) = recall(&["--set", "training.threshold=balanced"]);
    assert!(chosen >= 0.7, "{chosen}: {said}");
    assert!(said.contains("best balanced accuracy on validation rows"), "{said}");
    let threshold = metrics(folder.join("runs/faults"))["threshold"].as_f64().expect("a number");
    // The second class is `ok`.
    assert!(threshold > 0.8 && threshold < 1.0, "{threshold}");
    // The report of the run read back has the same threshold.
    let written = text(folder.join("runs/faults/report.html"));
    run(&folder, &["report", "runs/faults"]).success();
    assert_eq!(text(folder.join("runs/faults/report.html")), written);
    let fixed = format!("training.threshold={threshold}");
    assert_eq!(recall(&["--set", &fixed]).0, chosen);
}

#[test]
fn settings_for_other_targets_are_refused_with_the_remedy() {
    let folder = empty_dir("wrong_targets");
    faults(&folder);
    values(&folder);
    for (preset, setting, named) in [
        ("faults", "training.class_weight={ falt = 2.0 }", ["`falt`", "`fault`, `ok`"]),
        ("faults", "training.class_weight={ ok = 0.0 }", ["class_weight", "above 0"]),
        ("faults", "data.target_scaling=standard", ["data.target_scaling", "leave it out"]),
        ("faults", "training.loss=mean_squared_error", ["", ""]),
        ("values", "training.class_weight=balanced", ["training.class_weight", "leave it out"]),
        ("values", "training.threshold=0.3", ["training.threshold", "leave it out"]),
    ] {
        let said = run(&folder, &["train", &format!("{preset}.toml"), "--set", setting, "--quiet"]);
        match named {
            ["", _] => drop(said.success()),
            named => drop(said.refused(1, &named)),
        }
    }
    let both = ["--set", "training.threshold=0.3", "--set", "training.loss=mean_squared_error"];
    let said = run(&folder, &[&["train", "faults.toml"][..], &both].concat());
    said.refused(1, &["training.threshold", "softmax"]);
}

#[test]
fn a_class_without_rows_is_a_warning_that_nobody_misses() {
    let folder = empty_dir("class_without_rows");
    faults(&folder);
    let mut table = text(folder.join("faults.csv"));
    table += "9,9,new\n";
    write(folder.join("faults.csv"), table);
    let preset = FAULTS.replace("units = 2 ", "units = 3 ").replace("epochs = 60", "epochs = 2");
    write(folder.join("faults.toml"), preset);
    let said = run(&folder, &["train", "faults.toml"]).success();
    let warning = "class `new` has no validation and no test rows";
    let both = format!("{}{}", said.stderr, said.stdout);
    assert_eq!(both.matches("class `new`").count(), 1, "said once: {both}");
    assert!(said.stderr.contains(warning), "{both}");
    let report = text(folder.join("runs/faults/report.html"));
    assert!(report.split("id=\"data\"").next().expect("a top").contains(warning), "{report}");
    assert!(metrics(folder.join("runs/faults"))["warnings"].to_string().contains(warning));
}

#[test]
fn a_sweep_chooses_by_validation_rows() {
    let folder = empty_dir("sweep_selection");
    faults(&folder);
    let grid = ["--grid", "training.epochs=1,3", "--output", "swept"];
    let said = run(&folder, &[&["sweep", "faults.toml"][..], &grid].concat()).success().stdout;
    assert!(
        said.contains("validation float") && said.contains("test rows select nothing"),
        "{said}"
    );
    let csv = text(folder.join("swept/sweep.csv"));
    assert!(
        csv.starts_with("run,training.epochs,train_float,selection_rows,selection_float"),
        "{csv}"
    );
    assert!(csv.lines().skip(1).all(|line| line.contains(",validation,")), "{csv}");
    write(folder.join("faults.toml"), FAULTS.replace("validation = { strat", "#"));
    // Another preset needs another folder.
    let grid = ["--grid", "training.epochs=1,3", "--output", "swept_without"];
    let said = run(&folder, &[&["sweep", "faults.toml"][..], &grid].concat()).success().stdout;
    assert!(said.contains("training float"), "{said}");
}

#[test]
fn one_sigmoid_output_keeps_the_names_of_both_classes() {
    let folder = empty_dir("sigmoid_names");
    faults(&folder);
    for (activation, epochs) in [("sigmoid", 3), ("linear", 3)] {
        let preset = FAULTS
            .replace("{ units = 2 }", &format!("{{ units = 1, activation = \"{activation}\" }}"))
            .replace("epochs = 60", &format!("loss = \"binary_cross_entropy\"\nepochs = {epochs}"));
        write(folder.join("faults.toml"), preset);
        let said = run(&folder, &["train", "faults.toml"]).success().stdout;
        assert!(said.contains("class fault") && said.contains("class ok"), "{activation}: {said}");
        let found = metrics(folder.join("runs/faults"));
        let test = &found["float"]["test"];
        assert_eq!(test["classes"], serde_json::json!(["fault", "ok"]));
        // A linear output counts as its sigmoid: else no probability would be calibrated.
        assert!(test["calibration_error"].as_f64().expect("a number") < 0.3, "{test}");
        assert_eq!(found["threshold"], 0.5);
    }
}
