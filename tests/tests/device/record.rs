//! Recordings over the link, from an emulated board whose accelerometer plays a recording; learnt,
//! sent to the board and recognized.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use host_trainer::device::client::Client;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::{LIMIT, board, default_model, firmware, free_address, listening};
use thimble_tests::workspace::{empty_dir, read, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
}

/// `device emulate`, which plays a recording.
struct Playing(Child, String);

impl Playing {
    fn start(folder: &Path, play: &str) -> Playing {
        let elf = firmware(&default_model());
        let (elf, address) = (elf.display().to_string(), free_address());
        let port = format!("--port={}", address.port());
        let arguments = ["device", "emulate", board().name, &elf, &port, "--play", play];
        let mut command = host_trainer(folder, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let playing = Playing(command.spawn().expect("it was built"), address.to_string());
        let deadline = Instant::now() + LIMIT;
        while Client::connect(&playing.1).and_then(|mut client| client.info()).is_err() {
            assert!(Instant::now() < deadline, "the board does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        playing
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        signal(&self.0, "-TERM");
        let _ = self.0.wait();
    }
}

/// Counts of sample `n`: still with some noise, or shaken along x.
fn sample(n: u32, is_shaken: bool) -> [i32; 3] {
    let noise = |axis: u32| (n * 37 + axis * 11) as i32 % 7;
    let swing = if is_shaken { 300 * (n as i32 % 4) } else { 0 };
    [noise(0) + swing, noise(1), 500 + noise(2)]
}

fn recording(is_shaken: bool) -> String {
    let rows = (0..60).map(|n| sample(n, is_shaken).map(|count| count.to_string()).join(","));
    format!("x,y,z\n{}\n", rows.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_recording_has_every_sample_in_order() {
    let folder = empty_dir("record");
    write(folder.join("shaken.csv"), recording(true));
    let playing = Playing::start(&folder, "shaken.csv");
    let link = ["--tcp", &playing.1];
    let record = |more: &[&str]| run(&folder, &[&["device", "record", "-o"], more, &link].concat());
    // Four seconds at 25 Hz: the recording of 60 samples, and its beginning again.
    let said = record(&["a.csv", "--label", "shake, \"fast\"", "--seconds=4"]).success();
    assert!(said.stderr.contains("LIS3DH") && said.stderr.contains("100 samples"), "{said:#?}");
    let text = String::from_utf8(read(folder.join("a.csv"))).expect("text");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("recording,time,x,y,z,label"));
    for n in 0..100 {
        let [x, y, z] = sample(n % 60, true);
        let time = f64::from(n) / 25.0;
        let expected = format!("1,{time:.6},{x},{y},{z},\"shake, \"\"fast\"\"\"");
        assert_eq!(lines.next(), Some(expected.as_str()), "sample {n}");
    }
    assert_eq!(lines.next(), None);
    // A recording is not replaced, and has a name.
    record(&["a.csv", "--label=x", "--seconds=1"])
        .refused(1, &["a.csv", "cannot be created", "--output"]);
    assert_eq!(read(folder.join("a.csv")), text.as_bytes());
    record(&["b.csv", "--label= ", "--seconds=1"]).refused(1, &["--label", "needs a name"]);
    record(&["b.csv", "--label=x", "--seconds=0"]).refused(2, &["--seconds", "above 0"]);
    assert!(!folder.join("b.csv").exists());

    // Ctrl-C ends a recording without a duration, and keeps it whole.
    let arguments = [&["device", "record", "-o", "b.csv", "--label", "still"], &link[..]].concat();
    let mut command = host_trainer(&folder, arguments);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it was built");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("Ctrl-C ends the recording"), "{first}");
    let rows = || fs::read_to_string(folder.join("b.csv")).map_or(0, |text| text.lines().count());
    let deadline = Instant::now() + LIMIT;
    while rows() < 100 {
        assert!(Instant::now() < deadline, "nothing is recorded");
        thread::sleep(Duration::from_millis(5));
    }
    signal(&child, "-INT");
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{rest:?}");
    let text = String::from_utf8(read(folder.join("b.csv"))).expect("text");
    assert!(text.ends_with(",still\n") && text.lines().all(|line| line.split(',').count() == 6));
}

#[test]
fn a_board_without_a_sensor_is_named() {
    let folder = empty_dir("record_none");
    let (_emulator, address) = listening(&firmware(&default_model()));
    let arguments = ["device", "record", "-o", "a.csv", "--label=x", "--tcp", &address];
    run(&folder, &arguments).refused(1, &["reads no sensor", "--play"]);
    assert!(!folder.join("a.csv").exists());
    let emulate = |play: &str| {
        let elf = firmware(&default_model()).display().to_string();
        run(&folder, &["device", "emulate", board().name, &elf, "--play", play])
    };
    emulate("none.csv").refused(1, &["none.csv"]);
    write(folder.join("mg.csv"), "x,y,z\n1,2,3\n1,2.5,3\n");
    emulate("mg.csv").refused(1, &["mg.csv", "line 3", "column y", "2.5 is no count"]);
    write(folder.join("empty.csv"), "x,y,z\n");
    emulate("empty.csv").refused(1, &["empty.csv", "no samples"]);
}

/// The preset of the documentation, with fewer epochs.
const GESTURES: &str = r#"
name = "gestures"
[data]
scaling = "standard"
[data.dataset.recordings]
path = "gestures"
axes = ["x", "y", "z"]
label = "label"
recording = "recording"
time = "time"
window = { length = 50, step = 25, each = ["deviation", "mean"], magnitude = ["log_deviation", "crossings"] }
[network]
layers = [{ dense = { units = 8, activation = "relu" } }, { dense = { units = 2 } }]
[training]
epochs = 40
batch_size = 8
optimizer = { adam = { learning_rate = 0.01 } }
"#;

#[test]
fn what_is_recorded_is_learnt_and_recognized() {
    let folder = empty_dir("recognize");
    fs::create_dir(folder.join("gestures")).expect("a folder");
    write(folder.join("gestures.toml"), GESTURES);
    for (class, is_shaken) in [("still", false), ("shaken", true)] {
        write(folder.join(format!("{class}.csv")), recording(is_shaken));
        let playing = Playing::start(&folder, &format!("{class}.csv"));
        for number in 1..=5 {
            let file = format!("gestures/{class}-{number}.csv");
            let arguments = ["device", "record", "-o", &file, "--label", class, "--seconds=10"];
            run(&folder, &[&arguments[..], &["--tcp", &playing.1]].concat()).success();
        }
    }
    run(&folder, &["train", "gestures.toml", "--quiet", "-o=run"]).success();
    for class in ["still", "shaken"] {
        let playing = Playing::start(&folder, &format!("{class}.csv"));
        let link = ["--tcp", &playing.1];
        let recognize = ["device", "recognize", "run", "--seconds=10"];
        run(&folder, &[&recognize[..], &link].concat())
            .refused(1, &["the device runs `digits`", "gestures", "device update"]);
        run(&folder, &[&["device", "update", "run"], &link[..]].concat()).success();
        let said = run(&folder, &[&recognize[..], &link].concat()).success().stdout;
        // 250 samples, windows of 50 every 25.
        assert_eq!(said.lines().count(), 9, "{said}");
        for (window, line) in said.lines().enumerate() {
            let end = 2 + window;
            assert_eq!(line.trim(), format!("{end}.00 s  {class}"), "{said}");
        }
    }
}
