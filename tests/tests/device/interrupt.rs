//! Interrupts and full disks: trained weights and measurements are kept.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer, host_trainer_path};
use thimble_tests::emulated::{board, default_model, listening, serving_firmware};
use thimble_tests::workspace::{empty_dir, read};

/// A training of some seconds, which is still running when its first line is read.
const LONG: [&str; 6] = [
    "--threads=1",
    "--set=training.epochs=400",
    "--set=data.validation={ random = { count = 200 } }",
    "--set=training.early_stopping={ patience = 390 }",
    "--set=network.layers=[{ dense = { units = 200, activation = \"relu\" } }, \
     { dropout = { rate = 0.3 } }, { dense = { units = 10 } }]",
    "--set=training.batch_size=8",
];

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

/// Runs until a line of standard error contains `word`, then sends SIGINT. Returns the output.
fn interrupted(folder: &Path, arguments: &[&str], word: &str) -> String {
    let mut child = host_trainer(folder, arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let seen = lines.by_ref().any(|line| line.expect("text").contains(word));
    assert!(seen, "no line has {word}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    // Drains the pipe.
    lines.for_each(drop);
    let mut output = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut output).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{output}");
    output
}

#[test]
fn after_an_interrupt_training_goes_on_to_the_same_weights() {
    let folder = empty_dir("interrupt_train");
    let train = |more| [&["train", "digits"], &LONG[..], more].concat();
    let said = interrupted(&folder, &train(&["--output=stopped"][..]), "epoch   1/400");
    assert!(said.contains("--resume continues"), "{said}");
    // The interrupted training is a complete run.
    for file in ["model.thimble", "weights.safetensors", "metrics.json", "report.html"] {
        assert!(!read(folder.join("stopped").join(file)).is_empty(), "{file}");
    }
    // The checkpoint fits only this training.
    let other = train(&["--output=stopped", "--resume", "--set=training.batch_size=16"][..]);
    run(&folder, &other)
        .refused(1, &["checkpoint.safetensors", "another training", "batch_size = 8"]);
    run(&folder, &train(&["--output=stopped", "--resume", "--quiet"])).success();
    run(&folder, &train(&["--output=whole", "--quiet"])).success();
    for file in ["weights.safetensors", "model.thimble"] {
        let (resumed, whole) =
            (read(folder.join("stopped").join(file)), read(folder.join("whole").join(file)));
        assert!(resumed == whole, "{file}");
    }
    assert!(!folder.join("stopped/checkpoint.safetensors").exists());
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_was() {
    let folder = empty_dir("interrupt_sweep");
    let sweep = |more| {
        [&["sweep", "digits", "--grid=seed=1,2", "--output=swept"], &LONG[..], more].concat()
    };
    let said = interrupted(&folder, &sweep(&[][..]), "1/2");
    assert!(!said.contains('%'), "no point is done: {said}");
    let said = run(&folder, &sweep(&["--json"][..])).success().stdout;
    let rows: Value = serde_json::from_str(&said).expect("JSON");
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 2, "{said}");
    for (row, seed) in rows.iter().zip(["1", "2"]) {
        assert_eq!(row["settings"]["seed"], seed, "{said}");
        // Independent of the data type of activations.
        let names = ["int8", "int16", "mixed"];
        let model = names.iter().find_map(|name| row["metrics"].get(*name)).expect("a model");
        assert!(model["test"]["accuracy"].as_f64() > Some(0.9), "{said}");
    }
    // The first went on from its checkpoint, to what it would have been.
    let whole = [&["train", "digits", "--seed=1", "--quiet", "--output=whole"], &LONG[..]].concat();
    run(&folder, &whole).success();
    let file = "weights.safetensors";
    assert!(read(folder.join("swept/0001").join(file)) == read(folder.join("whole").join(file)));
    // All is done: nothing is trained again.
    let again = run(&folder, &sweep(&[][..])).success();
    assert!(!again.stderr.contains("1/2"), "{again:?}");
}

#[test]
fn an_interrupted_benchmark_shows_what_it_has_measured() {
    let folder = empty_dir("interrupt_bench");
    let (_emulator, address) = listening(&serving_firmware(board(), &default_model()));
    let arguments = ["device", "bench", "--runs=65535", "--tcp", &address];
    let said = interrupted(&folder, &arguments, "65,535 runs");
    let runs = said.lines().find_map(|line| line.strip_prefix("runs")).map(str::trim);
    let runs: u32 = runs.expect("how many").parse().expect("a number");
    assert!((1..65_535).contains(&runs) && said.contains("mean"), "{said}");
    // The emulator does not count instructions here: its ticks are no times of a core.
    assert!(said.contains("emulator's clock") && !said.contains("µs"), "{said}");
    run(&folder, &["device", "self-test", "--tcp", &address]).success();
}

/// Trains in a shell that limits files to a number of 512-byte blocks.
fn with_little_space(folder: &Path, blocks: u32) -> Finished {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", &script]).arg(host_trainer_path()).args([
        "train",
        "digits",
        "--quiet",
        "--output=run",
        "--set=training.epochs=2",
    ]);
    Finished::of(&mut command)
}

#[test]
fn a_disk_that_fills_up_loses_nothing_that_fits() {
    let folder = empty_dir("full_disk");
    // Room for the weights (9.6 KB), not for the page.
    with_little_space(&folder, 40)
        .refused(1, &["cannot be written", "--output", "free some space"]);
    let kept = read(folder.join("run/weights.safetensors"));
    run(&folder, &["train", "digits", "--quiet", "--output=whole", "--set=training.epochs=2"])
        .success();
    assert!(kept == read(folder.join("whole/weights.safetensors")));
    // Nor is a half of a file left.
    let model = read(folder.join("run/model.thimble"));
    assert!(model == read(folder.join("whole/model.thimble")));
    let metrics = read(folder.join("run/metrics.json"));
    serde_json::from_slice::<Value>(&metrics).expect("JSON");
    for entry in std::fs::read_dir(folder.join("run")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(folder.join("whole").join(&name).exists(), "{name:?}");
    }
}

#[test]
fn a_run_whose_folder_takes_no_more_is_written_elsewhere() {
    let folder = empty_dir("no_space");
    // A folder has the name of the report.
    std::fs::create_dir_all(folder.join("run/report.html/here")).expect("made");
    std::fs::create_dir(folder.join("elsewhere")).expect("made");
    let mut command = host_trainer(&folder, ["train", "digits", "--quiet", "--output=run"]);
    command.arg("--set=training.epochs=2").env("TMPDIR", folder.join("elsewhere"));
    let said = Finished::of(&mut command);
    said.refused(1, &["the run was written to", "elsewhere/digits-", "report.html", "--output"]);
    let elsewhere = std::fs::read_dir(folder.join("elsewhere")).expect("a folder");
    let runs: Vec<_> = elsewhere.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    for name in ["report.html", "weights.safetensors", "model.thimble", "metrics.json"] {
        assert!(!read(runs[0].join(name)).is_empty(), "{name}");
    }
}
