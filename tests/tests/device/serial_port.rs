//! `host-trainer device … --port` with pseudo-terminals as ports: with an emulated board, with
//! another program, or without a device.
//!
//! On Linux, whose pseudo-terminals can be set to a serial port's speed.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, io::Read};

use firmware::link::{Message, encode};
use host_trainer::device::emulator::Emulator;
use thimble_tests::command::{Finished, host_trainer, host_trainer_path};
use thimble_tests::emulated::{board, default_model, listening, serving, serving_firmware};
use thimble_tests::port::Port;
use thimble_tests::variant::variant;
use thimble_tests::workspace::{empty_dir, write};

fn emulator() -> Emulator {
    serving(&serving_firmware(board(), &default_model()))
}

/// Returns `host-trainer device` with these arguments and this connection.
fn device(folder: &Path, arguments: &[&str], place: [&str; 2]) -> Command {
    host_trainer(folder, ["--quiet", "device"].iter().chain(arguments).chain(&place))
}

fn at(path: &Path) -> [&str; 2] {
    ["--port", path.to_str().expect("a path of this test")]
}

fn ask(folder: &Path, arguments: &[&str], place: [&str; 2]) -> Finished {
    Finished::of(&mut device(folder, arguments, place))
}

/// A program that runs in the background.
struct Running(Child);

impl Running {
    fn of(command: &mut Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().expect("the program starts"))
    }

    /// Waits until it has printed this text.
    fn says(&mut self, words: &str) {
        let stdout = self.0.stdout.as_mut().expect("its output");
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&said).contains(words) {
            match stdout.read(&mut byte).expect("its output can be read") {
                0 => panic!("it ended without {words:?}: {}", String::from_utf8_lossy(&said)),
                _ => said.push(byte[0]),
            }
        }
    }

    fn ends(self) -> Finished {
        let output = self.0.wait_with_output().expect("the program ends");
        Finished {
            command: String::new(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into(),
            stderr: String::from_utf8_lossy(&output.stderr).into(),
        }
    }
}

#[test]
fn a_port_does_what_every_link_does() {
    let folder = empty_dir("port");
    write(folder.join("new.thimble"), variant(5));
    let mut emulator = emulator();
    let port = Port::of(&mut emulator);
    let ask = |arguments: &[&str]| ask(&folder, arguments, at(port.path())).success().stdout;
    assert!(ask(&["info"]).contains(board().name));
    assert!(ask(&["self-test"]).contains("vectors passed"));
    let evaluated = ask(&["evaluate", "digits", "--limit", "40"]);
    assert!(evaluated.contains("every byte equals the host's"), "{evaluated}");
    assert!(ask(&["trace"]).contains("the output bytes of every layer are equal"));
    assert!(ask(&["bench", "--runs", "3"]).contains("ticks of the emulator's clock"));
    assert!(ask(&["update", "new.thimble"]).contains("digits 5"));
    assert!(ask(&["update", "--rollback"]).contains("built-in model"));
    assert!(ask(&["monitor", "--seconds", "2"]).contains("dropped     0 frames"));
    assert!(ask(&["restart"]).contains(board().name));
}

#[test]
fn a_port_that_somebody_uses_is_refused_until_they_end() {
    let folder = empty_dir("port_busy");
    let mut emulator = emulator();
    let port = Port::of(&mut emulator);
    let mut first =
        Running::of(&mut device(&folder, &["monitor", "--seconds", "4"], at(port.path())));
    first.says("saturated");
    ask(&folder, &["info"], at(port.path()))
        .refused(1, &[port.path().to_str().expect("a path"), "Another program uses it"]);
    first.ends().success();
    ask(&folder, &["info"], at(port.path())).success();
}

#[test]
fn a_port_that_is_not_there_or_no_port_is_named() {
    let folder = empty_dir("port_missing");
    let missing = folder.join("ttyACM9");
    ask(&folder, &["info"], at(&missing)).refused(1, &["ttyACM9", "No such file", "There is"]);
    let file = folder.join("file");
    write(&file, b"no port");
    ask(&folder, &["info"], at(&file)).refused(1, &["file", "There is"]);
    Finished::of(&mut host_trainer(&folder, ["device", "list"])).success();
}

#[test]
fn a_port_without_permission_is_refused_with_the_remedy() {
    let port = Port::answering(|_| vec![]);
    fs::set_permissions(port.path(), fs::Permissions::from_mode(0o000)).expect("it is ours");
    // Root has all permissions: then another user runs a copy that is accessible to them.
    let everywhere = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(everywhere.path(), fs::Permissions::from_mode(0o755)).expect("ours, too");
    let program = everywhere.path().join("host-trainer");
    fs::copy(host_trainer_path(), &program).expect("a copy");
    let mut command = Command::new(&program);
    command.args(["--quiet", "device", "info"]).args(at(port.path())).current_dir("/");
    if fs::File::open(port.path()).is_ok() {
        command.uid(65_534).gid(65_534);
    }
    Finished::of(&mut command).refused(1, &["You may not use it", "dialout"]);
}

#[test]
fn a_device_that_does_not_answer_is_given_up() {
    let folder = empty_dir("port_silent");
    let silent = Port::answering(|_| vec![]);
    ask(&folder, &["info"], at(silent.path()))
        .refused(1, &["did not answer within 10 s", "Thimble's firmware"]);
}

/// Not a device: a program that sends everything back.
#[test]
fn an_echo_is_no_device() {
    let folder = empty_dir("port_echo");
    let echo = Port::answering(<[u8]>::to_vec);
    ask(&folder, &["info"], at(echo.path())).refused(1, &["did not answer"]);
}

#[test]
fn a_device_with_an_older_protocol_is_named() {
    let folder = empty_dir("port_older");
    let old = Port::answering(|_| {
        // Information as protocol 1 had it: kind 0, version 1, and more.
        let message = Message { sequence: 1, body: (0u8, 1u8, "board", "0.0.1") };
        let mut buffer = [0; 64];
        encode(&message, &mut buffer).expect("it fits").to_vec()
    });
    ask(&folder, &["info"], at(old.path())).refused(1, &["version 1", "Flash the firmware"]);
}

#[test]
fn a_device_that_is_unplugged_in_the_middle_is_gone() {
    for (name, arguments) in [
        ("port_unplugged_evaluate", &["evaluate", "digits"][..]),
        ("port_unplugged_update", &["update", "new.thimble"]),
    ] {
        let folder = empty_dir(name);
        write(folder.join("new.thimble"), variant(6));
        let mut emulator = emulator();
        let mut port = Port::of(&mut emulator);
        let running = Running::of(&mut device(&folder, arguments, at(port.path())));
        // Of 27,000, and of 3,300.
        port.wait_until_sent(2000);
        port.unplug();
        running.ends().refused(1, &["the device disconnected"]);
    }
}

#[test]
fn a_monitor_waits_for_the_device_that_is_plugged_in_again() {
    let folder = empty_dir("port_again");
    // A persistent name as udev creates it.
    let name = folder.join("thimble");
    let plug = |port: &Port| {
        let _ = fs::remove_file(&name);
        std::os::unix::fs::symlink(port.path(), &name).expect("a link");
    };
    let (mut first, mut second) = (emulator(), emulator());
    let mut port = Port::of(&mut first);
    plug(&port);
    let mut monitor = Running::of(&mut device(&folder, &["monitor"], at(&name)));
    monitor.says("saturated");
    port.unplug();
    monitor.says("the device disconnected");
    let port = Port::of(&mut second);
    plug(&port);
    monitor.says("saturated");
    monitor.0.kill().expect("it goes on until it is ended");
    monitor.0.wait().expect("it ends");
}

#[test]
fn a_second_client_over_tcp_is_told_to_look_for_the_first() {
    let folder = empty_dir("tcp_two");
    let (_emulator, address) = listening(&serving_firmware(board(), &default_model()));
    let place = ["--tcp", address.as_str()];
    let mut first = Running::of(&mut device(&folder, &["monitor", "--seconds", "15"], place));
    first.says("saturated");
    ask(&folder, &["info"], place).refused(1, &["did not answer", "no other program is connected"]);
    first.ends().success();
    ask(&folder, &["info"], place).success();
}
