//! `search`: networks within the budget of a chip, and shards.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, write};

/// Two classes of points around a circle of 300 rows: small networks learn it in a moment.
fn rows(folder: &Path) {
    let mut text = String::from("x,y,z,kind\n");
    for row in 0..300_u32 {
        let (angle, radius) = (f64::from(row) * 0.7, f64::from(row * 37 % 100) / 50.0);
        let kind = if radius < 1.0 { "in" } else { "out" };
        let (x, y) = (radius * angle.cos(), radius * angle.sin());
        text += &format!("{x:.4},{y:.4},{:.4},{kind}\n", x * y);
    }
    write(folder.join("ring.csv"), text);
}

const BASE: [&str; 8] = [
    "search",
    "ring.csv",
    "--target=kind",
    "--for=nRF51822",
    "--flash=16K",
    "--ram=2K",
    "--set=training.epochs=9",
    "--json",
];

fn search(folder: &Path, more: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, BASE.iter().chain(more)))
}

fn text(path: impl AsRef<Path>) -> String {
    String::from_utf8(read(path)).expect("text")
}

fn array(finished: &Finished) -> Vec<Value> {
    serde_json::from_str(&finished.stdout).expect("a JSON array")
}

#[test]
fn the_front_is_within_the_budget_and_inspect_says_so() {
    let folder = empty_dir("search_front");
    rows(&folder);
    let log = ["--trials=12", "-o=a", "--threads=2", "--log=tensorboard"];
    let front = array(&search(&folder, &log).success());
    assert!(!front.is_empty());
    for (place, network) in front.iter().enumerate() {
        let predicted = &network["predicted"];
        let flash = predicted["flash_bytes"].as_u64().expect("flash");
        assert!(flash <= 16384 && predicted["ram_bytes"].as_u64().is_some_and(|ram| ram <= 2048));
        // No other is better in all, whatever its weights.
        let figures = |of: &Value| {
            let cost = |name: &str| of["predicted"][name].as_u64().expect("a number");
            (of["validation"].as_f64().expect("accuracy"), cost("flash_bytes"), cost("min_cycles"))
        };
        let (accuracy, _, cycles) = figures(network);
        for (other_accuracy, other_flash, other_cycles) in front.iter().map(figures) {
            let is_better =
                other_accuracy > accuracy && other_flash < flash && other_cycles < cycles;
            assert!(!is_better, "{front:#?}");
        }
        let run = network["run"].as_str().expect("a folder");
        let inspected =
            Finished::of(&mut host_trainer(&folder, ["inspect", run, "--for=nRF51822", "--json"]));
        let inspected: Value = serde_json::from_str(&inspected.success().stdout).expect("JSON");
        assert_eq!(inspected["predicted"]["flash_bytes"], predicted["flash_bytes"]);
        assert_eq!(inspected["predicted"]["ram_bytes"], predicted["ram_bytes"]);
        assert_eq!(inspected["predicted"]["time"]["min_cycles"], predicted["min_cycles"]);
        assert!(network["test"]["quantized"].is_f64(), "{network:#}");
        assert!(folder.join(run).join("tensorboard").is_dir());
        // `train` takes the preset, and trains the same network.
        let preset = format!("a/front/{:02}.toml", place + 1);
        let trained = ["train", &preset, "-o=again", "--for=cortex-m0", "--threads=1", "-q"];
        Finished::of(&mut host_trainer(&folder, trained)).success();
        let model = |run: &str| read(folder.join(run).join("model.thimble"));
        assert_eq!(model("again"), model(run));
    }
    let page = text(folder.join("a/search.html"));
    assert!(page.contains("data:image/svg+xml") && page.contains("01/report.html"));
    assert_eq!(text(folder.join("a/search.csv")).lines().count(), 1 + front.len());
    // Other threads find the same; the same folder repeats nothing.
    search(&folder, &["--trials=12", "-o=b", "--threads=1"]).success();
    assert_eq!(text(folder.join("a/search.csv")), text(folder.join("b/search.csv")));
    let model = folder.join("a/01/model.thimble");
    let time = |path: &Path| fs::metadata(path).and_then(|of| of.modified()).expect("a time");
    let before = time(&model);
    let again = array(&search(&folder, &["--trials=12", "-o=a", "--threads=2"]).success());
    assert_eq!((again, time(&model)), (front, before));
}

#[test]
fn a_killed_search_continues_to_the_same_front() {
    let folder = empty_dir("search_killed");
    rows(&folder);
    let trials = ["--trials=15", "--threads=1"];
    let options = |out| [&trials[..], &[out]].concat();
    search(&folder, &options("-o=whole")).success();
    let mut child = host_trainer(&folder, BASE.iter().chain(&options("-o=killed")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let scores = folder.join("killed/trials.toml");
    wait_for(&scores);
    child.kill().expect("killed");
    child.wait().expect("ended");
    search(&folder, &options("-o=killed")).success();
    for file in ["search.csv", "trials.toml", "front/01.toml", "01/model.thimble"] {
        let of = |out: &str| read(folder.join(out).join(file));
        assert!(of("whole") == of("killed"), "{file}");
    }
    // A damaged file of scores is named.
    write(&scores, "[[training]]\ntrial = ");
    search(&folder, &options("-o=killed")).refused(1, &["trials.toml", "damaged", "--output"]);
}

#[test]
fn two_searches_do_not_share_a_folder() {
    let folder = empty_dir("search_locked");
    rows(&folder);
    // Far longer than this test.
    let options = ["--trials=300", "--threads=1", "--set=training.batch_size=1", "-o=a"];
    let mut child = host_trainer(&folder, BASE.iter().chain(&options))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_for(&folder.join("a/trials.toml"));
    let second = search(&folder, &options);
    child.kill().expect("killed");
    child.wait().expect("ended");
    second.refused(1, &["is writing into the folder", "--output"]);
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "{} never comes", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn shards_are_the_whole() {
    let folder = empty_dir("search_shards");
    rows(&folder);
    // Two brackets: of 27 and of 3.
    let options = ["--trials=30", "--set=training.epochs=2"];
    let run = |more: &[&str]| search(&folder, &[&options[..], more].concat());
    run(&["-o=whole"]).success();
    run(&["-o=all", "--shard=1/2"]).success();
    run(&["-o=merged", "--collect", "all"]).refused(1, &["lack shard 2/2", "--shard"]);
    // The second shard is the task of an array.
    let mut array = host_trainer(&folder, BASE.iter().chain(&options).chain(&["-o=other"]));
    let slurm = [("TASK_ID", "8"), ("TASK_MIN", "7"), ("TASK_COUNT", "2")];
    for (name, value) in slurm {
        array.env(format!("SLURM_ARRAY_{name}"), value);
    }
    Finished::of(&mut array).success();
    run(&["-o=merged", "--collect", "all", "other"]).success();
    for file in ["search.csv", "front/01.toml", "01/model.thimble"] {
        let of = |out: &str| read(folder.join(out).join(file));
        assert!(of("whole") == of("merged"), "{file}");
    }
    run(&["-o=x", "--collect", "all", "other", "all/shard-1-of-2"])
        .refused(1, &["shard 1/2 is there twice"]);
    run(&["-o=x", "--seed=7", "--collect", "all", "other"])
        .refused(1, &["another search", "--seed 1", "--seed 7"]);
    run(&["-o=x", "--shard=1/3"]).refused(1, &["2 brackets", "--trials"]);
    // 1/1 is the whole, in a task of an array, too.
    let mut task =
        host_trainer(&folder, BASE.iter().chain(&options).chain(&["-o=one", "--shard=1/1"]));
    for (name, value) in slurm {
        task.env(format!("SLURM_ARRAY_{name}"), value);
    }
    Finished::of(&mut task).success();
    assert!(read(folder.join("one/search.csv")) == read(folder.join("whole/search.csv")));
    fs::remove_file(folder.join("other/shard-2-of-2/trials.toml")).expect("removed");
    run(&["-o=x", "--collect", "all", "other"]).refused(1, &["not finished", "trial 28"]);
}

#[test]
fn shards_of_a_sweep_are_the_whole() {
    let folder = empty_dir("sweep_shards");
    let sweep = |more: &[&str]| {
        let fixed = ["sweep", "digits", "--grid=seed=1,2,3", "--set=training.epochs=1", "-q"];
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(more)))
    };
    sweep(&["-o=a", "--shard=1/2"]).success();
    sweep(&["-o=b", "--shard=2/2"]).success();
    sweep(&["-o=merged", "--collect", "a"]).refused(1, &["lack shard 2/2"]);
    sweep(&["-o=merged", "--collect", "a", "b"]).success();
    let csv = text(folder.join("merged/sweep.csv"));
    let figures = |line: &str| line.rsplit_once(',').expect("seconds").0.to_string();
    for (line, shard) in
        csv.lines().skip(1).zip(["a/sweep-1-of-2", "b/sweep-2-of-2"].iter().cycle())
    {
        let own = text(folder.join(format!("{shard}.csv")));
        assert!(own.lines().any(|of| figures(of) == figures(line)), "{line}\n{own}");
        assert!(!line.ends_with(','), "{line}");
    }
    assert!(text(folder.join("merged/sweep.html")).contains("0003"));
}

#[test]
fn impossible_searches_are_refused_with_the_remedy() {
    let folder = empty_dir("search_refused");
    rows(&folder);
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments));
    let ring = ["search", "ring.csv", "--target=kind", "--for=nRF51822", "-o=x"];
    let budget = |option: &str| run(&[&ring[..], &[option]].concat());
    budget("--flash=5K")
        .refused(1, &["--flash 5,120", "bytes of flash on nRF51822", "more", "would do"]);
    budget("--flash=1M").refused(1, &["--flash: nRF51822 has 262,144 bytes, not 1,048,576"]);
    run(&[&ring[..], &["--cycles=1M", "--set=quantization.activations=int16"]].concat())
        .refused(1, &["--cycles", "int16", "quantization.activations=int8"]);
    budget("--cycles=9").refused(1, &["--cycles 9", "the smallest network", "cycles on nRF51822"]);
    run(&["search", "ring.csv", "--for=RP2040"]).refused(1, &["--target", "x,y,z,kind"]);
    run(&["search", "ring.csv", "--for=RP2041"]).refused(1, &["RP2041", "nRF51822"]);
    run(&["search", "digits", "--target=x", "--for=RP2040"]).refused(1, &["--target"]);
    run(&["search", "digits", "--for=STM32H743", "--cycles=1M"])
        .refused(1, &["Cortex-M7", "not published"]);
    run(&["search", "digits", "--for=RP2040", "--cycles=1x"]).refused(2, &["500k"]);
    assert!(!folder.join("x").exists(), "no folder is made");
}
