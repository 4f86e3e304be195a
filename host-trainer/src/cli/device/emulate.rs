//! `host-trainer device emulate`: a board in QEMU.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::cli::files;
use crate::data::{Row, RowReader, RowSpec, Section, Table, TableTarget, activity_recording};
use crate::device::Error;
use crate::device::board::{Board, Log};
use crate::device::client::POLL;
use crate::device::emulator::{Emulator, Options, Uart};
use crate::device::log::{Level, Line};
use crate::foreign_text::{self, escaped};

/// Default port of an emulated board.
const DEFAULT_PORT: u16 = 7878;
/// Environment variable that overrides the port.
const PORT_VARIABLE: &str = "THIMBLE_PORT";
/// Name of the file with the recording that the sensor plays.
const RECORDING: &str = "in";
/// Exit code that a shell reports for a program ended by Ctrl-C.
pub(super) const INTERRUPTED: i32 = 130;

/// Emulates a board until it ends or the user stops it. Ends this program with the firmware's exit
/// code, so that `cargo run` passes it on.
pub fn run(board: &str, elf: &Path, port: Option<u16>, play: Option<&Path>) -> anyhow::Result<()> {
    let board = Board::named(board)?;
    let folder = play.map(recording).transpose()?;
    let port = port.or_else(|| env::var(PORT_VARIABLE).ok()?.parse().ok()).unwrap_or(DEFAULT_PORT);
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let interrupted = Arc::new(AtomicBool::new(false));
    let on_signal = interrupted.clone();
    // It fails only if this program has another Ctrl-C handler, which then ends the program.
    let _ = ctrlc::set_handler(move || on_signal.store(true, Ordering::SeqCst));
    let (first_line, started) = mpsc::channel();
    let mut emulator = Emulator::start(Options {
        uart: Uart::Listen(address),
        on_line: Box::new(move |line| {
            show(line);
            if line.level <= Level::Info {
                // The receiver may be gone when the second line arrives.
                let _ = first_line.send(());
            }
        }),
        command: if folder.is_some() { &["play", RECORDING] } else { &[] },
        folder: folder.as_ref().map(TempDir::path),
        ..Options::serve(board, elf)
    })?;
    let mut greeted = false;
    let status = loop {
        if let Some(status) = emulator.ended()? {
            break status;
        }
        if interrupted.load(Ordering::SeqCst) {
            drop((emulator, folder));
            std::process::exit(INTERRUPTED);
        }
        if board.log == Log::Memory && !greeted {
            anstream::eprintln!(
                "the log of this board is in its memory, which only a debugger reads"
            );
        }
        if !greeted && (board.log == Log::Memory || started.recv_timeout(POLL).is_ok()) {
            greeted = true;
            anstream::eprintln!(
                "its UART is at {address}. Query it with `cargo thimble device info --tcp \
                 {address}` from another terminal. Ctrl-C ends it"
            );
        } else {
            std::thread::sleep(POLL);
        }
    };
    drop(folder);
    Ok(finish(emulator, status)?)
}

/// Returns a folder with the samples of a recording, three little-endian i16 each.
fn recording(play: &Path) -> anyhow::Result<TempDir> {
    let embedded = || play.to_str().and_then(activity_recording).filter(|_| !play.exists());
    let counts = match embedded() {
        Some(counts) => counts,
        None => samples(play)?,
    };
    let folder = tempfile::tempdir().context("a temporary folder is needed")?;
    let bytes: Vec<u8> = counts.into_iter().flat_map(i16::to_le_bytes).collect();
    files::write(&folder.path().join(RECORDING), &bytes)?;
    Ok(folder)
}

/// Reads the samples of a CSV file with the columns x, y and z.
fn samples(path: &Path) -> anyhow::Result<Vec<i16>> {
    let axes = ["x", "y", "z"].map(String::from);
    let spec = RowSpec {
        features: axes.to_vec(),
        is_another_file: true,
        section: Section::None,
        ..RowSpec::default()
    };
    let table = Table::new(path, TableTarget::Values(Vec::new()));
    let mut reader = RowReader::open(path, &table, spec)?;
    let (mut row, mut counts) = (Row::default(), Vec::new());
    while reader.read(&mut row)? {
        for (value, axis) in row.features.iter().zip(&axes) {
            // Of 12 bits.
            if value.fract() != 0.0 || !(-2048.0..=2047.0).contains(value) {
                bail!(
                    "{}, line {}, column {axis}: {value} is no count of the sensor. Counts are \
                     whole numbers from -2048 to 2047",
                    foreign_text::path(path),
                    row.line
                );
            }
            counts.push(*value as i16);
        }
    }
    match counts.is_empty() {
        true => bail!("{}: the recording has no samples", foreign_text::path(path)),
        false => Ok(counts),
    }
}

fn finish(mut emulator: Emulator, status: ExitStatus) -> Result<(), Error> {
    // The log gives the reason for a failing code, unless QEMU did not start the firmware.
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
    let text = escaped(&line.to_string());
    let (level, rest) = text.split_at(5);
    anstream::eprintln!("{style}{level}{style:#}{rest}");
}
