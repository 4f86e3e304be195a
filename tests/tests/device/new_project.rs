//! `host-trainer new`: projects that build, and that give on an emulated core what `infer` gives.
//!
//! By default there is one project for each core family and hardware library that builds within
//! seconds, and each kind of input; `THIMBLE_NEW_PROJECTS=all` builds one for every chip and
//! template, as the workflow on GitHub does.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use host_trainer::device::log::Strings;
use host_trainer::pack::{Core, pack};
use host_trainer::project::{Runner, TARGETS, Target};
use model_format::{DataType, Model};
use object::{Object, ObjectSymbol};
use thimble_nn::{Answer, encode_reals};
use thimble_tests::command::{Finished, cargo, host_trainer};
use thimble_tests::minimal::stack_and_statics;
use thimble_tests::sealed::sealed;
use thimble_tests::workspace::{empty_dir, profile_dir, read, root, write};

/// The environment variable for all projects.
const ALL: &str = "THIMBLE_NEW_PROJECTS";

/// One build at a time: they share a folder, which cargo locks, and the time limit is each one's.
static BUILDS: Mutex<()> = Mutex::new(());

fn model_path(name: &str) -> PathBuf {
    root().join("firmware/models").join(format!("{name}.thimble"))
}

/// `host-trainer new` in this folder, with these arguments.
fn new<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Finished {
    let arguments: Vec<A> = arguments.into_iter().collect();
    let arguments = ["new".as_ref()].into_iter().chain(arguments.iter().map(AsRef::as_ref));
    Finished::of(&mut host_trainer(folder, arguments))
}

/// Writes a project for a chip, and returns its folder.
fn project(target: &Target, template: &str, model: &str) -> PathBuf {
    let name = format!("{}-{template}-{model}", target.name.to_lowercase());
    let folder = empty_dir(&format!("new_project-{name}"));
    let model = model_path(model);
    let arguments = [
        name.as_ref(),
        "--for".as_ref(),
        target.name.as_ref(),
        "--template".as_ref(),
        template.as_ref(),
        "--model".as_ref(),
        model.as_os_str(),
    ];
    let said = new(&folder, arguments).success();
    assert!(said.stdout.contains(target.name), "{said:#?}");
    let folder = folder.join(name);
    // The releases that the boards are built with: nothing is downloaded again.
    let lock = root().join("firmware/boards/Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).expect("the boards' lock file");
    folder
}

/// The folder of all builds, so that each library is built once for a target.
fn target_dir() -> PathBuf {
    profile_dir().join("new-projects")
}

/// `cargo` in the folder of a project.
fn cargo_in(folder: &Path) -> Command {
    let mut command = cargo();
    command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target_dir())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    // The compiler that `firmware/boards/setup` chose where rustup has no servers.
    let config = root().join("firmware/boards/.cargo/config.toml");
    if config.exists() {
        command.arg("--config").arg(config);
    }
    command
}

fn build(folder: &Path) -> Finished {
    let _one = BUILDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    Finished::of(cargo_in(folder).args(["build", "--release"]))
}

/// Builds a project without a warning, and checks its formatting, and that its stack grows away from
/// the statics; returns the program.
fn build_clean(target: &Target, folder: &Path) -> PathBuf {
    let built = build(folder).success();
    assert!(!built.stderr.contains("warning"), "{built:#?}");
    Finished::of(cargo_in(folder).args(["fmt", "--check"])).success();
    let name = folder.file_name().expect("the project's name");
    let elf = target_dir().join(target.triple).join("release").join(name);
    if target.memory.is_some() {
        let (stack, statics) = stack_and_statics(&elf);
        assert!(stack <= statics, "{}: {stack:#x}, {statics:#x}", target.name);
    }
    elf
}

/// The values of `src/example.rs`.
fn example(folder: &Path) -> Vec<f32> {
    let text = String::from_utf8(read(folder.join("src/example.rs"))).expect("Rust");
    let (_, array) = text.split_once("= [").expect("an array");
    let lines = array.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).filter_map(|value| value.trim().parse().ok()).collect()
}

/// The answer of `host-trainer infer` for the example of a project, as lines of its log.
fn expected(folder: &Path) -> Vec<String> {
    let path = folder.join("model.thimble");
    let file = read(&path);
    let model = Model::parse(&file).expect("the project's model");
    let values = example(folder);
    assert_eq!(values.len(), model.input_len());
    let input_data_type = model.input_quantization().data_type;
    let (option, input): (_, Vec<u8>) = if model.real_channels().is_some() {
        let mut bytes = vec![0; model.input_bytes()];
        encode_reals(&model, values.into_iter(), &mut bytes).expect("real numbers");
        ("--raw-i8", bytes)
    } else if model.channels().is_some() {
        let bytes = values.iter().flat_map(|count| (*count as i16).to_le_bytes());
        ("--counts", bytes.collect())
    } else {
        assert_eq!(input_data_type, DataType::Int8);
        ("--raw-i8", values.iter().map(|value| *value as i8 as u8).collect())
    };
    let input_path = folder.join("input.raw");
    write(&input_path, input);
    let output = folder.join("output.raw");
    let arguments = [
        "infer".as_ref(),
        path.as_os_str(),
        option.as_ref(),
        input_path.as_os_str(),
        "-o".as_ref(),
        output.as_os_str(),
    ];
    Finished::of(&mut host_trainer(folder, arguments)).success();
    let output = read(&output);
    let answer = Answer::new(&model, &output);
    match answer.class() {
        Some(class) => vec![format!("class {} ({})", class.index(), class.label())],
        None => answer
            .reals()
            .enumerate()
            .map(|(output, value)| format!("output {output}: {value}"))
            .collect(),
    }
}

/// Builds a project for an emulated machine and runs it.
fn run(target: &str, model: &str) {
    let target = Target::named(target).expect("an emulated machine");
    let folder = project(target, "bare", model);
    build_clean(target, &folder);
    let _one = BUILDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let ran = Finished::of(cargo_in(&folder).args(["run", "--release", "--quiet"])).success();
    assert!(ran.stdout.contains("self-tests passed"), "{ran:#?}");
    assert!(!ran.stdout.contains(": 0 self-tests passed"), "{ran:#?}");
    for line in expected(&folder) {
        assert_eq!(ran.stdout.lines().filter(|said| *said == line).count(), 3, "{line}: {ran:#?}");
    }
}

#[test]
fn real_numbers_on_an_emulated_cortex_m4() {
    run("qemu-mps2-an386", "wine");
}

#[test]
fn quantized_values_on_an_emulated_cortex_m3() {
    run("qemu-mps2-an385", "digits");
}

#[test]
fn counts_on_an_emulated_riscv_core() {
    run("qemu-riscv", "eggcrate-adc");
}

/// Time within which an emulated chip logs its first answer.
const LOG_LIMIT: Duration = Duration::from_secs(60);

/// The log of a program in memory, where a debugger reads it, from QEMU's machine of this name; it
/// ends with this value.
struct Log {
    child: Child,
    strings: Strings,
    buffer: (u64, u64),
    dump: PathBuf,
}

impl Log {
    fn start(qemu: &str, machine: &str, elf_path: &Path) -> Self {
        let elf = read(elf_path);
        let file = object::File::parse(&*elf).expect("an ELF file");
        let is_buffer = |symbol: &object::Symbol<'_, '_>| {
            symbol.name().is_ok_and(|name| name.contains("defmt_rtt") && name.contains("BUFFER"))
        };
        let buffer = file.symbols().find(is_buffer).expect("the buffer of defmt-rtt");
        let buffer = (buffer.address(), buffer.size());
        let strings = Strings::read(&elf, elf_path).expect("strings of defmt");
        let child = Command::new(qemu)
            .args(["-machine", machine, "-display", "none", "-serial", "null"])
            // So that the cycle counter counts instructions. It would count the computer's cycles, and a
            // loop that waits for some would soon have overwritten the first lines.
            .args(["-icount", "shift=0"])
            .args(["-monitor", "stdio", "-kernel"])
            .arg(elf_path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{qemu}: {error}: firmware/boards/setup"));
        Log { child, strings, buffer, dump: elf_path.with_extension("log-buffer") }
    }

    /// The lines that the program has logged until now, as many as the buffer holds.
    fn lines(&mut self) -> Vec<String> {
        let (address, len) = self.buffer;
        let path = self.dump.display();
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "memsave {address:#x} {len} \"{path}\"").expect("QEMU reads");
        std::thread::sleep(Duration::from_millis(200));
        let bytes = fs::read(&self.dump).unwrap_or_default();
        // A zero ends each line; what is behind the last one is unfinished.
        let end = bytes.iter().rposition(|byte| *byte == 0).map_or(0, |last| last + 1);
        let end = bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 2);
        let mut lines = vec![];
        let bytes = &bytes[..end.min(bytes.len())];
        self.strings.decoder().push(bytes, |line| lines.push(line.message));
        lines
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.dump);
    }
}

/// Builds a project for a chip that QEMU emulates, and reads its log as a debugger does.
fn log(target: &str, template: &str, model: &str, qemu: &str, machine: &str) {
    let target = Target::named(target).expect("a chip");
    let folder = project(target, template, model);
    let elf = build_clean(target, &folder);
    let mut log = Log::start(qemu, machine, &elf);
    let start = Instant::now();
    let expected = expected(&folder);
    loop {
        let lines = log.lines();
        let is_there = |line: &String| lines.iter().any(|said| said.contains(line));
        if expected.iter().all(is_there) {
            assert!(lines[0].contains("self-tests passed"), "{lines:#?}");
            return;
        }
        assert!(start.elapsed() < LOG_LIMIT, "no {expected:?} in {lines:#?}");
    }
}

#[test]
fn tasks_of_embassy_on_a_cortex_m0() {
    log("nRF51822", "embassy", "wine", "qemu-system-arm", "microbit");
}

#[test]
fn a_risc_v_chip() {
    log("FE310", "bare", "motion", "qemu-system-riscv32", "sifive_e,revb=true");
}

#[test]
fn every_chip_and_template() {
    if std::env::var_os(ALL).is_none_or(|value| value != "all") {
        eprintln!("{ALL}=all builds a project for every chip and template");
        return;
    }
    for target in &TARGETS {
        match target.runner {
            Runner::Qemu(..) => run(target.name, "wine"),
            Runner::ProbeRs(_) => {
                build_clean(target, &project(target, "bare", "wine"));
            }
        }
        if target.has_embassy() {
            build_clean(target, &project(target, "embassy", "wine"));
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let folder = empty_dir("new_project-refused");
    let model = model_path("wine");
    let model = model.to_str().expect("a path in UTF-8");
    let refused = |arguments: &[&str], named: &[&str]| {
        new(&folder, arguments).refused(1, named);
    };
    refused(&["x", "--for", "nRF52480", "--model", model], &["nRF52840", "--for list"]);
    refused(&["x", "--for", "Z80", "--model", model], &["Z80", "--for list"]);
    refused(&["2x", "--for", "RP2040", "--model", model], &["2x", "my-sensor"]);
    refused(&["x", "--for", "RP2040"], &["--model"]);
    refused(&["--for", "RP2040", "--model", model], &["new NAME"]);
    refused(
        &["x", "--for", "FE310", "--model", model, "--template", "embassy"],
        &["FE310", "--template"],
    );
    refused(&["x", "--for", "RP2040", "--model", "no.thimble"], &["no.thimble"]);
    write(folder.join("damaged.thimble"), b"THMB, or not");
    refused(&["x", "--for", "RP2040", "--model", "damaged.thimble"], &["damaged.thimble"]);
    fs::remove_file(folder.join("damaged.thimble")).expect("it was written");
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 0, "nothing is left");

    fs::create_dir(folder.join("full")).expect("an empty folder");
    write(folder.join("full/mine"), "");
    refused(
        &["full", "--for", "RP2040", "--model", model],
        &["full", "not empty", "Give a folder"],
    );
    let listed = new(&folder, ["--for", "list"]).success();
    for name in ["nRF51822", "microbit", "qemu-riscv", "embassy"] {
        assert!(listed.stdout.contains(name), "{listed:#?}");
    }
}

/// Builds a project for a Cortex-M4 with another file in place of its model.
fn build_with(case: &str, model: &[u8]) -> Finished {
    let target = Target::named("qemu-mps2-an386").expect("an emulated machine");
    let folder = project(target, "bare", "digits");
    // A folder of its own for each case: tests run at the same time.
    let own = empty_dir(&format!("new_project-bad-{case}")).join("project");
    fs::rename(&folder, &own).expect("a folder that nobody else has");
    write(own.join("model.thimble"), model);
    build(&own)
}

#[test]
fn a_model_that_cannot_run_ends_the_build_in_words() {
    let good = read(model_path("digits"));

    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let error = Model::parse(&damaged).expect_err("it is damaged").to_string();
    build_with("damaged", &damaged).refused(101, &["model.thimble", &error, "host-trainer"]);

    let mut newer = good.clone();
    newer[4] += 1;
    let newer = sealed(newer);
    let error = Model::parse(&newer).expect_err("it is of a later version").to_string();
    assert!(error.contains("version"), "{error}");
    build_with("newer", &newer).refused(101, &["model.thimble", &error]);

    let model = Model::parse(&good).expect("a good model");
    let of_m0 = pack(&model, Core::CortexM0).expect("it can be packed");
    build_with("packed", &of_m0)
        .refused(101, &["model.thimble", "layer 0", "thumbv7em", "host-trainer pack MODEL --for"]);
}
