//! Failures on the board end QEMU with a failing exit code, and the log contains the error and its
//! location.

use host_trainer::device::board::Board;
use host_trainer::device::command::{bulk, count};
use host_trainer::device::emulator::{Emulator, Options, Uart};
use thimble_tests::emulated::{LIMIT, board, default_model, firmware};
use thimble_tests::workspace::empty_dir;

/// Starts the firmware with a command; returns QEMU's exit code and the log.
fn ending(board: &'static Board, command: &[&str]) -> (Option<i32>, String) {
    let folder = empty_dir(&format!("ending-{}", command.join("-")));
    let mut emulator = Emulator::start(Options {
        uart: Uart::None,
        command,
        folder: Some(&folder),
        ..Options::serve(board, &firmware(&default_model()))
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let status = emulator.wait(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    // Another thread reads the log, which is complete once the emulator has ended.
    let log = emulator.wait_for_success(LIMIT).map_or_else(|e| e.to_string(), |()| String::new());
    (status.code(), log)
}

#[test]
fn a_panic_ends_qemu_with_a_failing_code() {
    let (code, log) = ending(board(), &["panic"]);
    assert_eq!(code, Some(101), "{log}");
    assert!(log.contains("panic at ") && log.contains(".rs:"), "where it was: {log}");
}

#[test]
fn a_command_that_fails_ends_qemu_with_a_failing_code() {
    for (command, word) in [
        (&["bulk", "missing", "out"][..], "opening IN"),
        (&["vectors", "missing", "out"], "opening IN"),
        (&["count", "missing", "out"], "opening IN"),
        (&["count", "in", "out", "missing"], "opening IN"),
        (&["count", "in"], "takes file names"),
        (&["nonsense"], "the command is not"),
        (&["bulk", "in"], "two file names"),
    ] {
        let (code, log) = ending(board(), command);
        assert_eq!(code, Some(1), "{command:?}: {log}");
        assert!(log.contains(word), "{command:?}: {log}");
    }
}

#[test]
fn inputs_that_are_no_whole_rows_are_refused() {
    let elf = firmware(&default_model());
    let error = bulk(board(), &elf, &[0; 65], LIMIT).expect_err("half a row").to_string();
    assert!(error.contains("not a whole number of rows"), "{error}");
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let elf = firmware(&default_model());
    for bytes in [&b""[..], b"no model", &default_model()[..100], &[0; 4 << 20]] {
        let error = count(board(), &elf, Some(bytes), &[0; 64], LIMIT).expect_err("no model");
        assert!(error.to_string().contains("model is refused"), "{error}");
    }
}
