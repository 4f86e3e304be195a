//! Stack overflows on every emulated board: they leave RAM, which is a fault, and overwrite
//! nothing. Models whose statics and stack do not fit are refused at build time.

use std::time::Duration;

use host_trainer::device::board::Board;
use host_trainer::device::emulator::{Emulator, Options, Uart};
use model_format::Model;
use thimble_tests::command::{Finished, cargo};
use thimble_tests::emulated::{LIMIT, firmware_for, on_every_board, own_model};
use thimble_tests::update::wide;
use thimble_tests::variant::variant;
use thimble_tests::workspace::{empty_dir, root, write};

/// Time limit for a board to start, including some faults.
const START: Duration = Duration::from_secs(60);

#[test]
fn a_stack_overflow_is_a_fault_on_every_board() {
    on_every_board(|board| {
        let name = board.name;
        let elf = firmware_for(board, &own_model(board));
        let mut emulator = Emulator::start(Options {
            uart: Uart::None,
            command: &["overflow"],
            ..Options::serve(board, &elf)
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        let status = emulator.wait(LIMIT).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(status.code(), Some(102), "{name}: {:?}", emulator.log());
        let error = emulator.wait_for_success(LIMIT).expect_err("it has faulted").to_string();
        assert!(error.contains("stack overflow"), "{name}: {error}");
    });
}

/// The board restarts after each fault, and rolls back to the previous model at the third start.
#[test]
fn a_model_that_faults_at_every_start_is_revoked() {
    for name in ["qemu-mps2-an386", "qemu-mps2-an505", "qemu-riscv", "microbit"] {
        let board = Board::named(name).unwrap_or_else(|error| panic!("{error}"));
        let elf = firmware_for(board, &own_model(board));
        let options = Options { command: &["faulty"], ..Options::serve(board, &elf) };
        let mut emulator = Emulator::start(options).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut client = emulator.connect().unwrap_or_else(|e| panic!("{name}: {e}"));
        let before = client.info().unwrap_or_else(|e| panic!("{name}: {e}"));
        client.update(&variant(1), |_| ()).unwrap_or_else(|e| panic!("{name}: {e}"));
        client.restart(None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let now = client.wait_for_start(START).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(now.checksum, before.checksum, "{name}");
        assert_eq!(now.slots.expect("slots").running, None, "{name}");
        let log = emulator.log().join("\n");
        assert_eq!(log.matches("stack overflow").count(), 2, "{name}: {log}");
        assert!(log.contains("faulted at its starts"), "{name}: {log}");
        // It accepts other models, too.
        client.update(&variant(2), |_| ()).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// 2,000 inputs fit into the micro:bit's 16 KB beside the stack for requests, but not beside the
/// stack for signatures.
#[test]
fn a_model_that_leaves_too_little_stack_is_not_built_in() {
    let folder = empty_dir("stack-build");
    write(folder.join("wide.thimble"), wide(2900));
    write(folder.join("wider.thimble"), wide(4000));
    let key = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAMll2NMN96jwpRTrWxgOg9eJMiN7j+17N9PmSqn0Xpwc=\n\
        -----END PUBLIC KEY-----\n";
    write(folder.join("owner.pub"), key);
    let build = |model: &str, signed: bool| {
        let mut command = cargo();
        command
            .args(["build", "--release", "--locked"])
            .current_dir(root().join("firmware/boards/microbit"))
            .env("THIMBLE_MODEL", folder.join(model))
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("THIMBLE_PUBLIC_KEY");
        if signed {
            command.args(["--features", "signed"]);
            command.env("THIMBLE_PUBLIC_KEY", folder.join("owner.pub"));
        }
        Finished::of(&mut command)
    };
    let words = ["does not fit into this board's RAM of 16384 bytes", "stack", "THIMBLE_MODEL"];
    build("wide.thimble", true).refused(101, &[words[0], words[1], "with signatures"]);
    build("wider.thimble", false).refused(101, &words);
    assert!(Model::parse(&wide(2900)).is_ok());
}
