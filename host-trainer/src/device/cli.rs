//! `host-trainer device …`.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};

use super::Error;
use super::board::{Board, Log};
use super::client::{Client, POLL};
use super::command::{read_rows, write_rows};
use super::emulator::{Emulator, Options, Uart};
use super::log::{Level, Line};

/// The port at which an emulated board listens, unless told otherwise.
const DEFAULT_PORT: u16 = 7878;
/// The environment variable that names another.
const PORT_VARIABLE: &str = "THIMBLE_PORT";
/// How long an emulator that has closed its UART may take to end.
const ENDING: Duration = Duration::from_secs(5);
/// What a shell gives a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Ask a device, or emulate one.
#[derive(Debug, Subcommand)]
pub enum DeviceArgs {
    /// Show who the device is and which model it runs
    Info(Link),
    /// Run rows of int8 inputs through the device's model
    Infer {
        /// A file of int8 values, as many a row as the model has inputs
        #[arg(long, value_name = "FILE")]
        raw_i8: PathBuf,
        /// Write the rows of outputs here, as int8, instead of showing them
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Where the device is
        #[command(flatten)]
        link: Link,
    },
    /// Have the device run its model's own test vectors
    SelfTest(Link),
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
/// An [`Error`] that names the cause and, where there is one, the remedy.
pub fn run(args: DeviceArgs) -> Result<(), Error> {
    match args {
        DeviceArgs::Info(link) => link.ask(info),
        DeviceArgs::Infer { raw_i8, out, link } => {
            link.ask(|client| infer(client, &raw_i8, out.as_deref()))
        }
        DeviceArgs::SelfTest(link) => link.ask(self_test),
        DeviceArgs::Emulate { board, elf, port } => emulate(&board, &elf, port),
    }
}

impl Link {
    /// Connects, and asks.
    fn ask(
        self,
        question: impl FnOnce(&mut Client<TcpStream>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(address) = &self.place.tcp {
            return question(&mut Client::connect(address)?);
        }
        // The parser has seen to it that there is one of the two.
        let board = Board::named(self.place.qemu.as_deref().unwrap_or_default())?;
        let elf = self.elf.map_or_else(|| board.built(), Ok)?;
        let mut emulator = Emulator::start(Options::serve(board, &elf))?;
        let mut client = emulator.connect()?;
        question(&mut client).map_err(|error| match error {
            // The firmware has ended, and its log says why.
            Error::Closed => emulator.wait_for_success(ENDING).err().unwrap_or(error),
            other => other,
        })
    }
}

fn info(client: &mut Client<TcpStream>) -> Result<(), Error> {
    let info = client.info()?;
    println!("board       {}, firmware {}", info.board, info.firmware);
    println!(
        "model       {} (checksum {:08x}), {} bytes",
        info.model, info.checksum, info.model_bytes
    );
    println!(
        "shape       {} inputs, {} outputs, {} layers",
        info.input_bytes, info.output_bytes, info.layers
    );
    println!("memory      {} bytes of scratch", info.scratch_bytes);
    if let Some(stack) = info.stack_bytes {
        println!("stack       {stack} bytes at the most so far");
    }
    println!("bad frames  {} since it started", info.bad_frames);
    Ok(())
}

fn infer(client: &mut Client<TcpStream>, input: &Path, out: Option<&Path>) -> Result<(), Error> {
    let inputs = client.info()?.input_bytes;
    let rows = read_rows(input, inputs)?;
    let mut outputs = Vec::new();
    for row in rows.chunks_exact(inputs) {
        let output = client.infer(row)?;
        if out.is_none() {
            println!("{}", output.iter().map(i8::to_string).collect::<Vec<_>>().join(" "));
        }
        outputs.extend_from_slice(&output);
    }
    match out {
        Some(path) => write_rows(path, &outputs),
        None => Ok(()),
    }
}

fn self_test(client: &mut Client<TcpStream>) -> Result<(), Error> {
    let report = client.self_test()?;
    if !report.all_passed() {
        return Err(Error::SelfTest { vectors: report.vectors, passed: report.passed });
    }
    println!("{} of {} test vectors passed", report.passed, report.vectors);
    Ok(())
}

/// Emulates a board until it ends or the user has enough. Ends this program with the firmware's
/// exit code: whoever runs `cargo run` wants that one.
fn emulate(board: &str, elf: &Path, port: Option<u16>) -> Result<(), Error> {
    let board = Board::named(board)?;
    let port = port.or_else(|| env::var(PORT_VARIABLE).ok()?.parse().ok()).unwrap_or(DEFAULT_PORT);
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let interrupted = Arc::new(AtomicBool::new(false));
    let on_signal = interrupted.clone();
    // It fails only if somebody else in this program handles Ctrl-C: then they end us.
    let _ = ctrlc::set_handler(move || on_signal.store(true, Ordering::SeqCst));
    let (first_line, started) = mpsc::channel();
    let mut emulator = Emulator::start(Options {
        uart: Uart::Listen(address),
        on_line: Box::new(move |line| {
            show(line);
            if line.level <= Level::Info {
                // Nobody listens to the second line any more.
                let _ = first_line.send(());
            }
        }),
        ..Options::serve(board, elf)
    })?;
    let mut greeted = false;
    let status = loop {
        if let Some(status) = emulator.ended()? {
            break status;
        }
        if interrupted.load(Ordering::SeqCst) {
            drop(emulator);
            std::process::exit(INTERRUPTED);
        }
        if board.log == Log::Memory && !greeted {
            anstream::eprintln!(
                "the log of this board stays in its memory, where only a debugger finds it"
            );
        }
        if !greeted && (board.log == Log::Memory || started.recv_timeout(POLL).is_ok()) {
            greeted = true;
            anstream::eprintln!(
                "its UART is at {address}: ask it with `cargo run -p host-trainer -- device info \
                 --tcp {address}` from another terminal; Ctrl-C ends it"
            );
        } else {
            std::thread::sleep(POLL);
        }
    };
    finish(emulator, status)
}

fn finish(mut emulator: Emulator, status: ExitStatus) -> Result<(), Error> {
    // A failing code has its reason in the log, unless QEMU did not even start the firmware.
    match emulator.wait_for_success(Duration::ZERO) {
        Err(error) if status.code().is_none_or(|code| code == 1) => Err(error),
        _ => {
            drop(emulator);
            std::process::exit(status.code().unwrap_or(1))
        }
    }
}

fn show(line: &Line) {
    let style = match line.level {
        Level::Debug => Style::new().dimmed(),
        Level::Info => AnsiColor::Green.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default().bold(),
    };
    let text = line.to_string();
    let (level, rest) = text.split_at(5);
    anstream::eprintln!("{style}{level}{style:#}{rest}");
}
