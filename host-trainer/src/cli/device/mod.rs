//! `host-trainer device …`.

mod bench;
mod emulate;
mod evaluate;
mod infer;
mod predict;
mod show;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::device::Error;
use crate::device::board::Board;
use crate::device::client::Client;
use crate::device::connection::{self, AnyClient, Stream};
use crate::device::emulator::{Emulator, Options};

/// How long an emulator that has closed its UART may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// Ask a device, or emulate one.
#[derive(Debug, Subcommand)]
pub enum DeviceArgs {
    /// List serial ports, and which of them a Thimble device answers on
    List,
    /// Show who the device is and which model it runs
    Info(Link),
    /// Say what the device's model sees in a photograph, or run rows of raw inputs through it
    Infer(infer::InferArgs),
    /// Ask the device about the rows of a CSV file, in the units of its columns
    Predict(predict::PredictArgs),
    /// Have the device run its model's own test vectors
    SelfTest(Link),
    /// Send the test rows of a dataset through the device, and compare every byte with this machine
    Evaluate(evaluate::EvaluateArgs),
    /// Measure how long an inference takes the device
    Bench(bench::BenchArgs),
    /// Compare the device with this machine layer by layer
    Trace(show::TraceArgs),
    /// Give the device another model, or the one that it had before
    Update(update::UpdateArgs),
    /// Make a key that signs models, for `update --sign` and for boards built with its public half
    NewKey {
        /// Where the secret half goes; the public one goes beside it, with `.pub` at the end
        file: PathBuf,
    },
    /// Start the device anew
    Restart(update::RestartArgs),
    /// Show every second what changes in the device
    Monitor(show::MonitorArgs),
    /// Emulate a board; `cargo run --release` in a board's folder does this
    Emulate {
        /// Name of the board
        board: String,
        /// Its firmware
        elf: PathBuf,
        /// Port on 127.0.0.1 at which its UART listens [default: $THIMBLE_PORT, or 7878]
        #[arg(long)]
        port: Option<u16>,
    },
}

/// Where the device is.
#[derive(Debug, Args)]
pub struct Link {
    #[command(flatten)]
    place: Place,
    /// The firmware for --qemu [default: what was built in firmware/boards/BOARD]
    #[arg(long, value_name = "PATH", requires = "qemu")]
    elf: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// A device at this serial port, such as /dev/ttyACM0 or COM3
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// A device whose UART is at this address
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
    /// An emulated board, started for the occasion
    #[arg(long, value_name = "BOARD")]
    qemu: Option<String>,
}

/// Does what was asked.
///
/// # Errors
/// An error that names the cause and, where there is one, the remedy.
pub fn run(args: DeviceArgs, quiet: bool) -> anyhow::Result<()> {
    match args {
        DeviceArgs::List => show::list(),
        DeviceArgs::Info(link) => link.ask(show::info),
        DeviceArgs::Infer(args) => infer::run(args),
        DeviceArgs::Predict(args) => predict::run(args),
        DeviceArgs::SelfTest(link) => link.ask(show::self_test),
        DeviceArgs::Evaluate(args) => evaluate::run(args, quiet),
        DeviceArgs::Bench(args) => bench::run(args, quiet),
        DeviceArgs::Trace(args) => show::trace(args),
        DeviceArgs::Update(args) => update::run(args, quiet),
        DeviceArgs::NewKey { file } => update::new_key(&file),
        DeviceArgs::Restart(args) => update::run_restart(args),
        DeviceArgs::Monitor(args) => show::monitor(&args),
        DeviceArgs::Emulate { board, elf, port } => Ok(emulate::run(&board, &elf, port)?),
    }
}

impl Link {
    /// Connects, sees whether a device is there that speaks this protocol, and asks.
    fn ask(
        self,
        question: impl FnOnce(&mut AnyClient) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.ask_counting(false, question)
    }

    /// The same; an emulator counts instructions if asked to.
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
            // The firmware has ended, and its log says why.
            Some(Error::Closed) => {
                emulator.wait_for_success(ENDING).err().map_or(error, anyhow::Error::from)
            }
            _ => error,
        })
    }

    /// Connects to a device that is there already.
    fn connect(&self) -> Result<AnyClient, Error> {
        match (&self.place.port, &self.place.tcp) {
            (Some(port), _) => connection::serial(port),
            // The parser has seen to it that there is one.
            (None, address) => {
                let client = Client::connect(address.as_deref().unwrap_or_default())?;
                Ok(client.map(|stream| Box::new(stream) as Box<dyn Stream>))
            }
        }
    }
}
