//! Integrity of run folders: after kills at any moment, with two writers, with files of two runs,
//! and when quantization fails.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, write};

/// Returns the metrics of the quantized model, of any data type.
fn quantized(metrics: &Value) -> &Value {
    let names = ["int8", "int16", "mixed"];
    names.iter().find_map(|name| metrics.get(*name)).expect("a model")
}

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn train<'a>(out: &'a str, seed: &'a str) -> Vec<&'a str> {
    let fixed = ["train", "digits", "--quiet", "--threads=1", "--set=training.epochs=2"];
    [&fixed[..], &["--output", out, "--seed", seed]].concat()
}

/// Starts a training of several minutes, and waits for its first epoch.
fn long_training(folder: &Path, out: &str) -> Child {
    let settings = ["--set=training.epochs=100000", "--threads=1", "--output", out];
    let mut child = host_trainer(folder, [&["train", "digits"][..], &settings].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let lines = BufReader::new(child.stderr.as_mut().expect("a pipe")).lines();
    let began = lines.map_while(Result::ok).any(|line| line.contains("epoch"));
    assert!(began, "it trains");
    child
}

fn kill(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Weights and model of a run.
fn content(run: &Path) -> [Vec<u8>; 2] {
    ["weights.safetensors", "model.thimble"].map(|name| read(run.join(name)))
}

/// Number of kills: a few by default, more by an environment variable.
fn kills() -> u64 {
    std::env::var("THIMBLE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(16)
}

#[test]
fn a_kill_at_any_moment_leaves_one_run_or_says_that_it_does_not() {
    let folder = empty_dir("kills");
    let mut whole = Vec::new();
    let mut longest = Duration::ZERO;
    for seed in ["1", "2"] {
        let begin = std::time::Instant::now();
        run(&folder, &train(seed, seed)).success();
        longest = longest.max(begin.elapsed());
        whole.push(content(&folder.join(seed)));
    }
    let mut rng = fastrand::Rng::with_seed(13);
    let (mut complete, mut finished, mut refused) = (0, 0, 0);
    for kill_number in 0..kills() {
        // Seeds alternate, so that files of two runs would be mixed.
        let seed = if kill_number % 2 == 0 { "1" } else { "2" };
        let mut child = host_trainer(&folder, train("run", seed))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was built");
        // Most of them while the files are written, which is at the end.
        let share = if rng.bool() { rng.f64() } else { 0.5 + rng.f64() / 2.0 };
        sleep(longest.mul_f64(share));
        let _ = child.kill();
        child.wait().expect("it ends");
        let said = run(&folder, &["evaluate", "run", "--json"]);
        if said.code == Some(0) {
            complete += 1;
            assert!(whole.contains(&content(&folder.join("run"))), "two runs in one folder");
            let figures: Value = serde_json::from_str(&said.stdout).expect("JSON");
            let metrics: Value =
                serde_json::from_slice(&read(folder.join("run/metrics.json"))).expect("JSON");
            assert_eq!(figures["test"]["correct"], quantized(&metrics)["test"]["correct"]);
        } else if said.stderr.contains("host-trainer quantize run") {
            finished += 1;
            run(&folder, &["quantize", "run", "--quiet"]).success();
            assert!(whole.contains(&content(&folder.join("run"))), "not what training makes");
            run(&folder, &["evaluate", "run"]).success();
            assert!(folder.join("run/report.html").is_file());
        } else {
            refused += 1;
            // The folder may not have its lock yet.
            let begun = folder.join("run/run.lock").exists();
            said.refused(1, if begun { &["run.json"] } else { &["no such file"] });
        }
    }
    eprintln!("{complete} whole, {finished} finished by quantize, {refused} refused");
    // A training succeeds with any remains, and removes them.
    run(&folder, &train("run", "1")).success();
    assert_eq!(content(&folder.join("run")), whole[0]);
    for entry in std::fs::read_dir(folder.join("run")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(folder.join("1").join(&name).exists(), "{name:?} is left");
    }
}

#[test]
fn a_full_disk_never_mixes_two_runs() {
    let folder = empty_dir("full_disks");
    let mut whole = Vec::new();
    for seed in ["1", "2"] {
        run(&folder, &train(seed, seed)).success();
        whole.push(content(&folder.join(seed)));
    }
    // Blocks of 512 bytes that a file may have: none fits, some do, all but the page do.
    for blocks in [0, 1, 2, 4, 8, 12, 16, 20, 24, 32, 40] {
        run(&folder, &train("run", "1")).success();
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut limited = std::process::Command::new("sh");
        limited.current_dir(&folder).args(["-c", &script]);
        limited.arg(thimble_tests::command::host_trainer_path()).args(train("run", "2"));
        Finished::of(&mut limited).refused(1, &["--output"]);
        let said = run(&folder, &["evaluate", "run"]);
        if said.code != Some(0) && said.stderr.contains("host-trainer quantize run") {
            run(&folder, &["quantize", "run", "--quiet"]).success();
            assert_eq!(content(&folder.join("run")), whole[1], "{blocks} blocks");
        } else if said.code == Some(0) {
            assert!(whole.contains(&content(&folder.join("run"))), "{blocks} blocks");
        } else {
            said.refused(1, &["run"]);
        }
    }
}

#[test]
fn two_trainings_do_not_write_into_one_folder() {
    let folder = empty_dir("two_writers");
    let first = long_training(&folder, "run");
    let process = format!("process {} is writing into the folder", first.id());
    run(&folder, &train("run", "1")).refused(1, &["run: ", &process, "--output"]);
    let id = first.id().to_string();
    kill(first);
    let said = run(&folder, &train("run", "1")).success();
    assert!(said.stderr.contains(&format!("process {id} ended")), "{said:?}");
    assert!(!folder.join("run/run.lock").exists());
}

#[test]
fn a_file_of_another_run_is_named_by_every_command() {
    let folder = empty_dir("swapped");
    for seed in ["1", "2"] {
        run(&folder, &train(seed, seed)).success();
    }
    let readers: [&[&str]; 9] = [
        &["evaluate", "1"],
        &["report", "1"],
        &["compare", "1"],
        &["features", "1", "0"],
        &["inspect", "1"],
        &["trace", "1"],
        &["pack", "1", "--for", "cortex-m4", "-o", "packed"],
        &["quantize", "1/model.thimble", "--weights=int8", "-o", "small"],
        &["infer", "1", "--raw-i8", "1/model.thimble", "-o", "outputs"],
    ];
    for file in
        ["weights.safetensors", "model.thimble", "preset.toml", "history.csv", "metrics.json"]
    {
        let path = folder.join("1").join(file);
        let own = read(&path);
        let mut edited = own.clone();
        let middle = edited.len() / 2;
        edited[middle] ^= 1;
        for other in [read(folder.join("2").join(file)), edited] {
            write(&path, &other);
            for reader in readers {
                run(&folder, reader).refused(1, &["1: ", file, "not the file that this run wrote"]);
            }
        }
        std::fs::remove_file(&path).expect("it is there");
        for reader in readers {
            run(&folder, reader).refused(1, &[file]);
        }
        write(&path, own);
    }
    for reader in &readers[..8] {
        run(&folder, reader).success();
    }
    // A lost model is made again; weights cannot be.
    std::fs::remove_file(folder.join("1/model.thimble")).expect("it is there");
    run(&folder, &["evaluate", "1"]).refused(1, &["model.thimble is missing", "quantize 1"]);
    run(&folder, &["quantize", "1"]).success();
    run(&folder, &["evaluate", "1"]).success();
    // Without its commit point, the folder is not a run.
    std::fs::remove_file(folder.join("1/run.json")).expect("it is there");
    for reader in &readers[..8] {
        run(&folder, reader).refused(1, &["run.json", "rain again"]);
    }
}

#[test]
fn what_was_learnt_survives_a_refusal_of_the_quantizer() {
    let folder = empty_dir("refused_model");
    let preset = String::from_utf8(read(
        thimble_tests::workspace::root().join("host-trainer/preset/presets/digits.toml"),
    ))
    .expect("text");
    // Wider than a softmax of the format.
    let start = preset.find("layers = [").expect("layers");
    let end = start + preset[start..].find("\n]").expect("their end") + 2;
    let layers = "layers = [{ dense = { units = 4096 } }, { activation = \"softmax\" }, { dense = \
                  { units = 10 } }]";
    let preset = format!("{}{layers}{}", &preset[..start], &preset[end..]);
    write(folder.join("soft.toml"), &preset);
    let arguments = ["--output=run", "--set=training.epochs=1", "--quiet"];
    let refused = [&["train", "soft.toml", "--set=quantization.activations=int8"], &arguments[..]];
    run(&folder, &refused.concat()).refused(
        1,
        &["the trained weights are in run", "host-trainer quantize run", "layer 1", "4095"],
    );
    for file in ["weights.safetensors", "history.csv", "preset.toml", "metrics.json"] {
        assert!(!read(folder.join("run").join(file)).is_empty(), "{file}");
    }
    let metrics: Value =
        serde_json::from_slice(&read(folder.join("run/metrics.json"))).expect("JSON");
    assert!(metrics["float"]["test"]["accuracy"].is_number());
    run(&folder, &["evaluate", "run"]).refused(1, &["not quantized yet", "quantize run"]);
    run(&folder, &["quantize", "run"]).refused(1, &["layer 1", "4095"]);
    run(&folder, &["quantize", "run", "--set", "training.epochs=3"])
        .refused(2, &["only settings of [quantization]"]);
}

#[test]
fn an_interrupted_quantization_loses_nothing() {
    let folder = empty_dir("interrupted_quantization");
    let arguments = [
        "train",
        "digits",
        "--output=run",
        "--set=training.epochs=1",
        "--set=quantization.refit=true",
        "--set=network.layers=[{ dense = { units = 400, activation = \"relu\" } }, \
         { dense = { units = 400, activation = \"relu\" } }, { dense = { units = 10 } }]",
    ];
    let child = host_trainer(&folder, arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    // The commit point of the trained weights is written before quantization begins.
    for _ in 0..9000 {
        if folder.join("run/run.json").exists() {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    let weights = read(folder.join("run/weights.safetensors"));
    let id = child.id().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(status.expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("the trained weights are in run") && said.contains("quantize run"),
        "{said}"
    );
    run(&folder, &["evaluate", "run"]).refused(1, &["not quantized yet"]);
    // Without the slow setting, for this test's sake.
    run(&folder, &["quantize", "run", "--set", "quantization.refit=false"]).success();
    run(&folder, &["evaluate", "run"]).success();
    assert_eq!(read(folder.join("run/weights.safetensors")), weights);
}

#[test]
fn a_model_written_into_its_own_run_keeps_the_run_whole() {
    let folder = empty_dir("own_model");
    run(&folder, &train("run", "1")).success();
    let before = read(folder.join("run/model.thimble"));
    run(&folder, &["quantize", "run", "--weights=int4", "-o", "run/model.thimble"]).success();
    let after = read(folder.join("run/model.thimble"));
    assert!(after.len() < before.len());
    let said = run(&folder, &["evaluate", "run", "--json"]).success().stdout;
    let figures: Value = serde_json::from_str(&said).expect("JSON");
    let metrics: Value =
        serde_json::from_slice(&read(folder.join("run/metrics.json"))).expect("JSON");
    let model = quantized(&metrics);
    assert_eq!(model["model_bytes"], after.len());
    assert_eq!(model["test"]["correct"], figures["test"]["correct"]);
    run(&folder, &["report", "run"]).success();
    // Other files of the run are refused as the output.
    for file in ["weights.safetensors", "preset.toml", "run.json"] {
        let output = format!("run/{file}");
        run(&folder, &["quantize", "run", "-o", &output]).refused(1, &[file, "overwritten"]);
    }
    run(&folder, &["evaluate", "run"]).success();
}

#[test]
fn a_sweep_counts_what_is_whole_and_of_its_grid() {
    let folder = empty_dir("sweep_state");
    let sweep = |grid: &'static str| {
        let fixed = ["sweep", "digits", "--output=swept", "--set=training.epochs=2", "--threads=1"];
        [&fixed[..], &[grid]].concat()
    };
    run(&folder, &sweep("--grid=seed=1,2")).success();
    let at = |name: &str| folder.join("swept").join(name);
    let whole = content(&at("0001"));
    run(&folder, &sweep("--grid=seed=2,1"))
        .refused(1, &["another sweep", "--grid seed=1,2", "--grid seed=2,1", "--output"]);
    run(&folder, &[&sweep("--grid=seed=1,2")[..], &["--set=training.batch_size=8"]].concat())
        .refused(1, &["another sweep", "batch_size"]);
    // A report, a model, all of it.
    std::fs::remove_file(at("0001/report.html")).expect("it is there");
    let said = run(&folder, &sweep("--grid=seed=1,2")).success();
    assert!(said.stderr.contains("only the report is missing"), "{said:?}");
    assert!(at("0001/report.html").is_file());
    std::fs::remove_file(at("0001/model.thimble")).expect("it is there");
    let said = run(&folder, &sweep("--grid=seed=1,2")).success();
    assert!(said.stderr.contains("only the model is missing"), "{said:?}");
    assert_eq!(content(&at("0001")), whole);
    write(at("0001/weights.safetensors"), read(at("0002/weights.safetensors")));
    let said = run(&folder, &sweep("--grid=seed=1,2")).success();
    assert!(said.stderr.contains("weights.safetensors is not the file"), "{said:?}");
    assert_eq!(content(&at("0001")), whole);
    let said = run(&folder, &sweep("--grid=seed=1,2")).success();
    assert!(!said.stderr.contains("1/2"), "nothing is left to do: {said:?}");
}

const TABLE: &str = r#"
name = "kinds"
[data]
dataset = { csv = { file = "kinds.csv", target = { classes = "kind" } } }
test = { stratified = { fraction = 0.25 } }
[network]
layers = [{ dense = { units = 8, activation = "relu" } }, { dense = { units = 2 } }]
[training]
epochs = 100000
batch_size = 8
optimizer = { adam = { learning_rate = 0.01 } }
[quantization]
self_tests = 2
"#;

/// A table of two classes with these names.
fn table(folder: &Path, names: [&str; 2], first: f64) {
    let mut csv = csv_line("a", "b", "kind");
    for row in 0..80_u32 {
        let class = row as usize % 2;
        let a = if row == 0 { first } else { f64::from(row % 7) + class as f64 * 10.0 };
        csv += &csv_line(&a.to_string(), &(row % 5).to_string(), names[class]);
    }
    write(folder.join("kinds.csv"), csv);
}

fn csv_line(a: &str, b: &str, kind: &str) -> String {
    format!("{a},{b},\"{kind}\"\n")
}

#[test]
fn data_that_changed_is_not_gone_on_with() {
    let folder = empty_dir("changed_data");
    write(folder.join("kinds.toml"), TABLE);
    table(&folder, ["no", "yes"], 0.0);
    let mut child = host_trainer(&folder, ["train", "kinds.toml", "--output=run", "--threads=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("epoch")));
    let id = child.id().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(status.expect("kill").success());
    lines.for_each(drop);
    assert!(child.wait().expect("it ends").success());
    let path = folder.join("run/checkpoint.safetensors");
    let checkpoint = read(&path);
    let resume = ["train", "kinds.toml", "--output=run", "--threads=1", "--resume"];
    // One value of one row.
    table(&folder, ["no", "yes"], 0.5);
    run(&folder, &resume).refused(1, &["checkpoint.safetensors", "data has changed", "--resume"]);
    for command in [&["report", "run"][..], &["evaluate", "run"], &["quantize", "run"]] {
        run(&folder, command).refused(1, &["run: ", "kinds.csv", "changed"]);
    }
    table(&folder, ["no", "yes"], 0.0);
    run(&folder, &["evaluate", "run"]).success();
    for at in [9, checkpoint.len() / 2, checkpoint.len() - 1] {
        let mut flipped = checkpoint.clone();
        flipped[at] ^= 0x10;
        write(&path, flipped);
        run(&folder, &resume).refused(1, &["checkpoint.safetensors", "--resume"]);
    }
}

#[test]
fn foreign_text_moves_no_cursor() {
    let folder = empty_dir("foreign_text");
    write(folder.join("kinds.toml"), TABLE.replace("epochs = 100000", "epochs = 2"));
    // A red word and a cleared screen; a reversed word, a forged line.
    table(&folder, ["\x1b[31mno\x1b[2J", "=yes\u{202e}\nerror: forged"], 0.0);
    let said = run(&folder, &["train", "kinds.toml", "--output=run"]);
    let is_raw = |text: &str| {
        text.contains(['\x1b', '\u{202e}', '\u{9b}'])
            || text.lines().any(|line| line.starts_with("error: forged"))
    };
    assert!(!is_raw(&said.stdout) && !is_raw(&said.stderr), "{said:?}");
    // Names that no model may have are refused, which is also correct.
    if said.code != Some(0) {
        return;
    }
    for arguments in [
        &["evaluate", "run"][..],
        &["evaluate", "run", "--json"],
        &["inspect", "run"],
        &["report", "run"],
        &["compare", "run"],
        &["quantize", "run"],
        &["features", "run", "0"],
        &["trace", "run"],
    ] {
        let said = run(&folder, arguments).success();
        assert!(!is_raw(&said.stdout) && !is_raw(&said.stderr), "{said:?}");
        if arguments.last() == Some(&"--json") {
            let value: Value = serde_json::from_str(&said.stdout).expect("JSON");
            let classes = value["test"]["class_accuracy"].as_object().expect("classes");
            assert!(classes.keys().any(|name| name.starts_with("\x1b[31mno")), "{value}");
        }
    }
    for name in ["confusion.svg", "curves.svg", "report.html"] {
        let text = String::from_utf8(read(folder.join("run").join(name))).expect("UTF-8");
        assert!(!text.contains(['\x1b', '\u{202e}']), "{name}");
    }
    let csv = String::from_utf8(read(folder.join("run/features-0.csv"))).expect("UTF-8");
    assert!(csv.contains("'=yes") && !csv.contains(",\"=yes"), "{csv}");
}

#[test]
fn a_model_that_loses_too_much_is_an_exit_code() {
    let folder = empty_dir("max_loss");
    let train = |out, most| {
        let fixed = ["train", "u-eggcrate", "--set=training.epochs=40", "--quiet", "--threads=1"];
        let small =
            ["--set=data.dataset.surface.points=2000", "--set=quantization.activations=int8"];
        [&fixed[..], &small, &[out, most]].concat()
    };
    run(&folder, &train("--output=a", "--max-loss=1000000")).success();
    // The same run, with a bound that it exceeds.
    let said = run(&folder, &train("--output=b", "--max-loss=0"));
    let metrics: Value =
        serde_json::from_slice(&read(folder.join("b/metrics.json"))).expect("JSON");
    let error = |kind: &str| metrics[kind]["validation"]["mean_squared_error"].as_f64();
    if error("int8") > error("float") {
        said.refused(1, &["percent of the squared error", "--max-loss", "int16"]);
    } else {
        said.success();
    }
    let int4 = ["quantize", "b", "--weights=int4", "--quiet", "-o", "int4", "--max-loss"];
    run(&folder, &[&int4[..], &["0"]].concat())
        .refused(1, &["percent of the squared error", "more than the 0 of --max-loss"]);
    assert!(folder.join("int4").is_file());
    run(&folder, &[&int4[..], &["1000000"]].concat()).success();
    // All is written.
    run(&folder, &["evaluate", "b"]).success();
    assert!(folder.join("b/report.html").is_file());
}

#[test]
fn numbers_beyond_reason_are_refused_before_anything_is_done() {
    let folder = empty_dir("beyond_reason");
    for (arguments, code, named) in [
        (&["digits", "--threads=1000000000000"][..], 2, &["1024"][..]),
        (&["digits", "--set=training.epochs=9223372036854775807"], 1, &["epochs", "1000000000"]),
        (&["digits", "--set=training.batch_size=9223372036854775807"], 1, &["batch_size"]),
        (
            &["u-spirals-2", "--set=data.dataset.spirals.points_per_arm=1000000000000"],
            1,
            &["points_per_arm", "1000000000"],
        ),
        (
            &["u-spirals-2", "--set=data.dataset.spirals.points_per_arm=900000000"],
            1,
            &["points_per_arm", "20000000"],
        ),
        (
            &["u-eggcrate", "--set=data.dataset.surface.points=900000000"],
            1,
            &["points", "20000000"],
        ),
        (
            &["motion", "--set=data.dataset.motion.windows_per_class=900000000"],
            1,
            &["windows_per_class"],
        ),
    ] {
        run(&folder, &[&["train"], arguments].concat()).refused(code, named);
        assert!(!folder.join("runs").exists(), "{arguments:?}");
    }
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let folder = empty_dir("output_is_input");
    run(&folder, &train("run", "1")).success();
    let model = read(folder.join("run/model.thimble"));
    write(folder.join("m"), &model);
    std::fs::hard_link(folder.join("m"), folder.join("same")).expect("linked");
    std::os::unix::fs::symlink("m", folder.join("link")).expect("linked");
    for output in ["m", "./m", "same", "link"] {
        for command in [
            &["import", "m", "-o", output][..],
            &["pack", "m", "--for", "cortex-m4", "-o", output],
            &["quantize", "m", "--weights=int4", "-o", output],
            &["infer", "m", "--raw-i8", "m", "-o", output],
        ] {
            run(&folder, command).refused(1, &[output, "overwritten"]);
            assert_eq!(read(folder.join("m")), model);
        }
    }
}
