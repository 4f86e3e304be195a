//! Errors of the link, the emulator, and keys.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use firmware::link::RequestError;

use thimble_support::foreign_text;

/// Errors of the link, the emulator, and keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection failed.
    #[error("the connection to the device failed: {0}")]
    Connection(#[source] io::Error),
    /// The connection to a device was refused.
    #[error(
        "no device at {address}: {source}. Start an emulated one with `cargo run --release` in a \
         folder of firmware/boards, or use --qemu"
    )]
    Connect {
        /// Address of the device.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The other side closed the connection.
    #[error(
        "the device disconnected: it was unplugged or switched off. Connect it and try again. Its \
         model is unchanged"
    )]
    Closed,
    /// A serial port cannot be used.
    #[error("the serial port {port} cannot be used: {problem}. {there}")]
    Port {
        /// Name of the port.
        port: String,
        /// The system's error.
        problem: String,
        /// The available ports, or the remedy.
        there: String,
    },
    /// The device's model cannot be used here.
    #[error("the model that the device sent cannot be used here: {0}")]
    Model(String),
    /// The device did not start with its new model.
    #[error(
        "the new model did not pass its self-test at the start. The device has rolled back to \
         {running}"
    )]
    WentBack {
        /// The model that it runs.
        running: String,
    },
    /// The device did not answer in time.
    #[error(
        "the device did not answer within {} s. Check that it runs Thimble's firmware and that \
         no other program is connected to it",
        .0.as_secs_f32()
    )]
    NoAnswer(Duration),
    /// The device refused the request.
    #[error("the device refused: {0}")]
    Refused(RequestError),
    /// The device sent a response of another kind.
    #[error("the device sent an unexpected response: {0}")]
    Unexpected(String),
    /// The device uses another version of the protocol.
    #[error(
        "the device uses version {device} of the protocol, and this program version {here}. Flash \
         the firmware of this program's release"
    )]
    Protocol {
        /// Version of the device.
        device: u8,
        /// Version of this program.
        here: u8,
    },
    /// A request does not fit into a frame; no model takes so many inputs.
    #[error("the request has more inputs than any model takes")]
    TooLong,
    /// There is no emulated board of this name.
    #[error("there is no emulated board {name}. Emulated boards: {known}")]
    UnknownBoard {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// The emulator is not installed.
    #[error(
        "{program} is not installed. Run firmware/boards/setup, or on Debian and Ubuntu `sudo \
         apt-get install qemu-system-arm qemu-system-misc`, on macOS `brew install qemu`"
    )]
    NoEmulator {
        /// The missing program.
        program: String,
    },
    /// The emulator cannot be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// The emulator ended early or with a failing exit code.
    #[error("the emulated {board} ended with {status}{log}")]
    Ended {
        /// The board.
        board: &'static str,
        /// Exit status as text.
        status: String,
        /// The last log lines of the firmware and the emulator.
        log: String,
    },
    /// The emulator did not end in time and was stopped.
    #[error("the emulated {board} was stopped after {} s{log}", .after.as_secs_f32())]
    TooSlow {
        /// The board.
        board: &'static str,
        /// The limit.
        after: Duration,
        /// The last log lines of the firmware and the emulator.
        log: String,
    },
    /// A file contains no signing key.
    #[error(
        "{}: the file contains no Ed25519 secret key (PEM, PKCS#8). Generate one with `host-trainer \
         device new-key`",
        foreign_text::path(.path)
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", foreign_text::path(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The firmware is not built.
    #[error(
        "{} does not exist. Build it with `cargo build --release` in firmware/boards/{board}, or \
         give another file with --elf",
        foreign_text::path(.path)
    )]
    NotBuilt {
        /// Expected path.
        path: PathBuf,
        /// The board.
        board: &'static str,
    },
    /// `THIMBLE_MODEL` names a file that cannot be read.
    #[error(
        "THIMBLE_MODEL is {}: {source}. It is relative to the board's folder; unset it to run the \
         firmware as it was built",
        foreign_text::path(.model)
    )]
    ModelVariable {
        /// The file.
        model: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// `THIMBLE_MODEL` names a model, and the firmware was built with another one.
    #[error(
        "THIMBLE_MODEL is {}, but {} was built with another model. Build it with this one (cd \
         firmware/boards/{board} && cargo build --release), or unset THIMBLE_MODEL, or give another \
         file with --elf",
        foreign_text::path(.model),
        foreign_text::path(.firmware)
    )]
    BuiltWithout {
        /// The firmware.
        firmware: PathBuf,
        /// The model that is not in it.
        model: PathBuf,
        /// The board.
        board: &'static str,
    },
    /// The sources of the firmware cannot be found.
    #[error(
        "firmware/boards is neither in this folder nor in one above. Run this in the Thimble \
         repository, or give the firmware with --elf"
    )]
    NoSources,
    /// The firmware does not build.
    #[error("the firmware for {board} does not build:\n{output}")]
    Build {
        /// The board.
        board: &'static str,
        /// Output of cargo.
        output: String,
    },
    /// The firmware's log cannot be decoded.
    #[error("{}: {problem}. The file is not firmware with a defmt log, or uses another version of defmt", foreign_text::path(.path))]
    Log {
        /// The firmware.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// An emulated command wrote malformed output.
    #[error("the emulated {board} wrote {what}")]
    Output {
        /// The board.
        board: &'static str,
        /// The problem.
        what: String,
    },
    /// The length of the inputs does not match the model.
    #[error(
        "{given} bytes of input are not a whole number of rows of {inputs}, the inputs of the device's model"
    )]
    Rows {
        /// Number of input bytes.
        given: usize,
        /// Number of inputs of the device's model.
        inputs: usize,
    },
    /// The device's model has no self-tests.
    #[error(
        "the device's model has no test vectors, so that nothing was tested. Quantize it with \
         quantization.self_tests above 0 and update the device"
    )]
    NoSelfTests,
    /// Some of the device's self-tests failed.
    #[error("only {passed} of {vectors} test vectors passed. This device computes wrong outputs")]
    SelfTest {
        /// Number of self-tests in the model.
        vectors: u8,
        /// Number of passed self-tests.
        passed: u8,
    },
}

impl Error {
    /// Names the file in an I/O error, for `map_err`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
