//! What can go wrong between the computer and a device.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use firmware::link::RequestError;

use thimble_support::foreign_text;

/// What can go wrong between the computer and a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection does not work.
    #[error("the connection to the device failed: {0}")]
    Connection(#[source] io::Error),
    /// Nobody listens where the device should be.
    #[error(
        "no device at {address}: {source}. Start an emulated one with `cargo run --release` in a \
         folder of firmware/boards, or use --qemu"
    )]
    Connect {
        /// Where it should be.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The other side closed the connection.
    #[error(
        "the device is gone: unplugged, or switched off. Plug it in and try again; it has the \
         model that it had"
    )]
    Closed,
    /// A serial port can't be used.
    #[error("the serial port {port} cannot be used: {problem}. {there}")]
    Port {
        /// Its name.
        port: String,
        /// What the system says.
        problem: String,
        /// Which ones there are, or what to do.
        there: String,
    },
    /// The device's model can't be used here.
    #[error("the model that the device sent cannot be used here: {0}")]
    Model(String),
    /// The device did not start with its new model.
    #[error(
        "the device has gone back to {running}: the new model did not pass its self-test at the \
         start"
    )]
    WentBack {
        /// The model that it runs.
        running: String,
    },
    /// The device did not answer in time.
    #[error(
        "the device did not answer within {} s; check that it runs Thimble's firmware and that \
         nobody else is connected to it",
        .0.as_secs_f32()
    )]
    NoAnswer(Duration),
    /// The device answered, but refused.
    #[error("the device refused: {0}")]
    Refused(RequestError),
    /// The device answered something else than was asked.
    #[error("the device gave another kind of answer than was asked for: {0}")]
    Unexpected(String),
    /// The device speaks another version of the protocol.
    #[error(
        "the device speaks version {device} of the protocol and this program version {here}; \
         flash the firmware that belongs to this program"
    )]
    Protocol {
        /// Version of the device.
        device: u8,
        /// Version of this program.
        here: u8,
    },
    /// A request does not fit into a frame: no model takes so many inputs.
    #[error("these are more inputs than any model takes")]
    TooLong,
    /// There is no such emulated board.
    #[error("there is no emulated board {name}; there is: {known}")]
    UnknownBoard {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The emulator is not installed.
    #[error(
        "{program} is not installed; firmware/boards/setup installs it, or on Debian and Ubuntu \
         `sudo apt-get install qemu-system-arm qemu-system-misc`, on macOS `brew install qemu`"
    )]
    NoEmulator {
        /// The program that is missing.
        program: String,
    },
    /// The emulator can't be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// The emulator ended when it should have gone on, or with a failing code.
    #[error("the emulated {board} ended with {status}{log}")]
    Ended {
        /// The board.
        board: &'static str,
        /// How it ended, in words.
        status: String,
        /// What the firmware and the emulator said last, each on a line of its own.
        log: String,
    },
    /// The emulator did not come to its end in time and was stopped.
    #[error("the emulated {board} was stopped after {} s{log}", .after.as_secs_f32())]
    TooSlow {
        /// The board.
        board: &'static str,
        /// The limit.
        after: Duration,
        /// What the firmware and the emulator said last, each on a line of its own.
        log: String,
    },
    /// A file has no key to sign with.
    #[error(
        "{}: there is no secret key of Ed25519 in it (PEM, PKCS#8); `host-trainer device new-key` \
         makes one",
        foreign_text::path(.path)
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be used.
    #[error("{}: {source}", foreign_text::path(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The firmware is not built.
    #[error(
        "{} is not there; build it with `cargo build --release` in firmware/boards/{board}, or \
         name another one with --elf",
        foreign_text::path(.path)
    )]
    NotBuilt {
        /// Where it should be.
        path: PathBuf,
        /// The board.
        board: &'static str,
    },
    /// The sources of the firmware can't be found.
    #[error(
        "firmware/boards is neither here nor in a folder above; run this in the Thimble \
         repository, or name the firmware with --elf"
    )]
    NoSources,
    /// The firmware does not build.
    #[error("the firmware for {board} does not build:\n{output}")]
    Build {
        /// The board.
        board: &'static str,
        /// What cargo said.
        output: String,
    },
    /// The firmware's log can't be decoded.
    #[error("{}: {problem}; it is not firmware that logs by defmt, or built by another version", foreign_text::path(.path))]
    Log {
        /// The firmware.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An emulated command wrote something else than it should.
    #[error("the emulated {board} wrote {what}")]
    Output {
        /// The board.
        board: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The inputs are not what the model takes.
    #[error(
        "{given} bytes of input are not a whole number of rows of {inputs}, the inputs of the device's model"
    )]
    Rows {
        /// Bytes that were given.
        given: usize,
        /// Inputs of the device's model.
        inputs: usize,
    },
    /// The device's model has no test vectors.
    #[error(
        "the device's model has no test vectors, so that nothing was tested: quantize it with \
         quantization.self_tests above 0 and update the device"
    )]
    NoSelfTests,
    /// The device's own test vectors did not all pass.
    #[error(
        "only {passed} of {vectors} test vectors passed: this device does not compute what it should"
    )]
    SelfTest {
        /// Test vectors in the model.
        vectors: u8,
        /// Of these, how many passed.
        passed: u8,
    },
}

impl Error {
    /// For `map_err`: names the file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
