//! `host-trainer device`: commands for devices and the emulator.

mod bench;
mod calibration;
mod emulate;
mod evaluate;
mod infer;
mod predict;
mod recognize;
mod record;
mod show;
mod stream;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::device::Error;
use crate::device::board::Board;
use crate::device::client::Client;
use crate::device::connection::{self, AnyClient, Stream};
use crate::device::emulator::{Emulator, Options};

/// Time limit for an emulator to end after its UART closed.
const ENDING: Duration = Duration::from_secs(5);

/// Query, update or emulate a device
#[derive(Debug, Subcommand)]
pub enum DeviceArgs {
    /// List serial ports, and the Thimble devices on them
    List,
    /// Show the device's identity and its model
    Info(Link),
    /// Run an image or rows of raw inputs through the device's model
    Infer(infer::InferArgs),
    /// Predict the rows of a CSV file on the device, in the units of its columns
    Predict(predict::PredictArgs),
    /// Record the device's sensor into a labeled CSV file
    Record(record::RecordArgs),
    /// Classify windows of the device's sensor on the device
    Recognize(recognize::RecognizeArgs),
    /// Run the model's self-tests on the device
    SelfTest(Link),
    /// Run the test rows of a dataset on the device, and compare every output byte with the host's
    Evaluate(evaluate::EvaluateArgs),
    /// Measure the inference time on the device
    Bench(bench::BenchArgs),
    /// Compare the device with the host layer by layer
    Trace(show::TraceArgs),
    /// Install another model on the device, or roll back to the previous one
    Update(update::UpdateArgs),
    /// Generate a key pair that signs models, for `update --sign` and for boards built with the
    /// public key
    NewKey {
        /// File for the secret key; the public key is written beside it, with the suffix `.pub`
        file: PathBuf,
    },
    /// Restart the device
    Restart(update::RestartArgs),
    /// Watch the device, and show its changes every second
    Monitor(show::MonitorArgs),
    /// Emulate a board; `cargo run --release` in a board's folder does this
    Emulate {
        /// Name of the board
        board: String,
        /// Firmware (ELF file)
        elf: PathBuf,
        /// Port on 127.0.0.1 for its UART [default: $THIMBLE_PORT, or 7878]
        #[arg(long)]
        port: Option<u16>,
        /// Recording that its accelerometer plays, again and again: a CSV file of raw counts with columns
        /// x, y and z, or a recording of the dataset `activity`, such as walking_01
        #[arg(long, value_name = "FILE|RECORDING")]
        play: Option<PathBuf>,
    },
}

/// Connection to a device.
#[derive(Debug, Args)]
pub struct Link {
    #[command(flatten)]
    place: Place,
    /// Firmware for --qemu [default: the build in firmware/boards/BOARD]
    #[arg(long, value_name = "PATH", requires = "qemu")]
    elf: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Serial port of the device, such as /dev/ttyACM0 or COM3
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// TCP address of the device's UART
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// Board to emulate in QEMU for this command
    #[arg(long, value_name = "BOARD")]
    qemu: Option<String>,
}

/// Runs a device command.
///
/// # Errors
/// Returns an error that names the cause and, where there is one, the remedy.
pub fn run(args: DeviceArgs, quiet: bool) -> anyhow::Result<()> {
    match args {
        DeviceArgs::List => show::list(),
        DeviceArgs::Info(link) => link.ask(show::info),
        DeviceArgs::Infer(args) => infer::run(args),
        DeviceArgs::Predict(args) => predict::run(args),
        DeviceArgs::Record(args) => record::run(args),
        DeviceArgs::Recognize(args) => recognize::run(args),
        DeviceArgs::SelfTest(link) => link.ask(show::self_test),
        DeviceArgs::Evaluate(args) => evaluate::run(args, quiet),
        DeviceArgs::Bench(args) => bench::run(args, quiet),
        DeviceArgs::Trace(args) => show::trace(args),
        DeviceArgs::Update(args) => update::run(args, quiet),
        DeviceArgs::NewKey { file } => update::new_key(&file),
        DeviceArgs::Restart(args) => update::run_restart(args),
        DeviceArgs::Monitor(args) => show::monitor(&args),
        DeviceArgs::Emulate { board, elf, port, play } => {
            emulate::run(&board, &elf, port, play.as_deref())
        }
    }
}

impl Link {
    /// Connects, checks that a Thimble device with this protocol answers, and runs the request.
    fn ask(
        self,
        question: impl FnOnce(&mut AnyClient) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.ask_counting(false, question)
    }

    /// Like [`ask`](Self::ask), with optional instruction counts in the emulator.
    fn ask_counting(
        self,
        count_instructions: bool,
        question: impl FnOnce(&mut AnyClient) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Some(board) = &self.place.qemu else {
            let mut client = self.connect()?;
            client.info()?;
            return question(&mut client);
        };
        let board = Board::named(board)?;
        let elf = self.elf.map_or_else(|| board.built(), Ok)?;
        let mut emulator =
            Emulator::start(Options { count_instructions, ..Options::serve(board, &elf) })?;
        let mut client = emulator.connect()?.map(|stream| Box::new(stream) as Box<dyn Stream>);
        let asked = match client.info() {
            Ok(_) => question(&mut client),
            Err(error) => Err(error.into()),
        };
        asked.map_err(|error| match error.downcast_ref() {
            // The firmware has ended, and its log gives the reason.
            Some(Error::Closed) => {
                emulator.wait_for_success(ENDING).err().map_or(error, anyhow::Error::from)
            }
            _ => error,
        })
    }

    /// Connects to a running device.
    fn connect(&self) -> Result<AnyClient, Error> {
        match (&self.place.port, &self.place.tcp) {
            (Some(port), _) => connection::serial(port),
            // The parser ensures that one of them is given.
            (None, address) => {
                let client = Client::connect(address.as_deref().unwrap_or_default())?;
                Ok(client.map(|stream| Box::new(stream) as Box<dyn Stream>))
            }
        }
    }
}
