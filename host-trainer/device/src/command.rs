//! Bulk inference in the emulator, through files in place of the slow UART.
//!
//! `firmware/boards/emulated` defines the formats, and [`Board::build_for_commands`] builds the
//! firmware.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use super::Error;
use super::board::Board;
use super::emulator::{Emulator, Options, Uart};

/// A model for the firmware to load, with its inputs.
pub struct Vector<'a> {
    /// The model file.
    pub model: &'a [u8],
    /// Any number of rows of inputs.
    pub inputs: &'a [i8],
}

/// Cost of one inference, over all measured rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Number of measured rows.
    pub rows: u64,
    /// Minimum of the executed instructions, to the resolution of the board's timer.
    pub instructions_min: u64,
    /// Mean of the executed instructions.
    pub instructions_mean: u64,
    /// Maximum of the executed instructions.
    pub instructions_max: u64,
    /// Maximum stack usage in bytes.
    pub stack_bytes: u64,
}

/// Length that marks a refused model in the firmware's responses.
const REFUSED: u32 = u32::MAX;

/// Runs rows of inputs through the model in the firmware, and returns rows of outputs.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, [`Error::TooSlow`] after `limit`.
pub fn bulk(
    board: &'static Board,
    elf: &Path,
    inputs: &[i8],
    limit: Duration,
) -> Result<Vec<i8>, Error> {
    let output = run(board, elf, "bulk", &unsigned(inputs), limit)?;
    Ok(signed(&output))
}

/// Recorded sensor of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensing {
    /// Two analog channels, for a PWM pin: pairs of i16.
    Dial,
    /// An accelerometer, for a light: samples of three i16.
    Motion,
    /// The same with the windows and features of the preset `activity`.
    Activity,
    /// The same with features of frequencies, those of `firmware/boards/emulated/src/sensors.rs`.
    Spectrum,
}

/// Runs a sensor application on a recording with this model. Returns the responses that
/// `firmware/boards/emulated/src/sensors.rs` defines, or `None` for a refused model.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, [`Error::TooSlow`] after `limit`.
pub fn sense(
    board: &'static Board,
    elf: &Path,
    sensing: Sensing,
    model: &[u8],
    recording: &[i16],
    limit: Duration,
) -> Result<Option<Vec<u8>>, Error> {
    let command = match sensing {
        Sensing::Dial => "dial",
        Sensing::Motion => "motion",
        Sensing::Activity => "activity",
        Sensing::Spectrum => "spectrum",
    };
    let inputs: Vec<u8> = recording.iter().flat_map(|count| count.to_le_bytes()).collect();
    let records = [Vector { model, inputs: &signed(&inputs) }];
    let answers = answers(board, elf, command, &records, limit)?;
    Ok(answers.into_iter().flatten().next().map(|answer| unsigned(&answer)))
}

/// Runs other models than the built-in one. Returns the rows of outputs of each, or `None` for a
/// refused model.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, [`Error::TooSlow`] after `limit`.
pub fn vectors(
    board: &'static Board,
    elf: &Path,
    vectors: &[Vector<'_>],
    limit: Duration,
) -> Result<Vec<Option<Vec<i8>>>, Error> {
    answers(board, elf, "vectors", vectors, limit)
}

/// Counts the executed instructions of one inference of other models than the built-in one,
/// averaged over the rows of each; `None` for a refused model.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, [`Error::TooSlow`] after `limit`.
pub fn costs(
    board: &'static Board,
    elf: &Path,
    vectors: &[Vector<'_>],
    limit: Duration,
) -> Result<Vec<Option<u32>>, Error> {
    let answers = answers(board, elf, "costs", vectors, limit)?;
    let count = |bytes: Vec<i8>| {
        unsigned(&bytes).try_into().map(u32::from_le_bytes).map_err(|bytes: Vec<u8>| {
            Error::Output {
                board: board.name,
                what: format!("{} bytes that are no count of instructions", bytes.len()),
            }
        })
    };
    answers.into_iter().map(|answer| answer.map(count).transpose()).collect()
}

/// Runs other models than the built-in one, as [`costs`] does, under a plugin of QEMU, whose argument
/// makes it write to the file `plugin`. Returns what it has written.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, or with QEMU's message if it does not load
/// the plugin; [`Error::TooSlow`] after `limit`; [`Error::File`] if the plugin has written nothing.
pub fn costs_under_plugin(
    board: &'static Board,
    elf: &Path,
    vectors: &[Vector<'_>],
    argument: &str,
    limit: Duration,
) -> Result<String, Error> {
    let folder = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let command = ["costs", "in", "out"];
    run_in(folder.path(), board, elf, &command, &records(vectors), Some(argument), limit)?;
    let written = folder.path().join("plugin");
    fs::read_to_string(&written).map_err(Error::file(&written))
}

/// Returns the records of models and their inputs.
fn records(vectors: &[Vector<'_>]) -> Vec<u8> {
    let mut records = Vec::new();
    for vector in vectors {
        put_blob(&mut records, vector.model);
        put_blob(&mut records, &unsigned(vector.inputs));
    }
    records
}

/// Returns the response of a command to each record.
fn answers(
    board: &'static Board,
    elf: &Path,
    command: &str,
    vectors: &[Vector<'_>],
    limit: Duration,
) -> Result<Vec<Option<Vec<i8>>>, Error> {
    let output = run(board, elf, command, &records(vectors), limit)?;
    let answers = take_answers(&output).filter(|answers| answers.len() == vectors.len());
    answers.ok_or_else(|| Error::Output {
        board: board.name,
        what: format!("{} bytes that are not {} answers", output.len(), vectors.len()),
    })
}

/// Counts the instructions of an inference for every row, and measures the stack: of the model in the
/// firmware, or of another one.
///
/// # Errors
/// [`Error::Ended`] with the firmware's log if it fails, [`Error::TooSlow`] after `limit`.
pub fn count(
    board: &'static Board,
    elf: &Path,
    model: Option<&[u8]>,
    inputs: &[i8],
    limit: Duration,
) -> Result<Cost, Error> {
    let folder = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let command: &[&str] = match model {
        Some(bytes) => {
            let path = folder.path().join("model");
            fs::write(&path, bytes).map_err(Error::file(&path))?;
            &["count", "in", "out", "model"]
        }
        None => &["count", "in", "out"],
    };
    let output = run_in(folder.path(), board, elf, command, &unsigned(inputs), None, limit)?;
    let line = String::from_utf8_lossy(&output);
    parse_cost(&line).ok_or_else(|| Error::Output {
        board: board.name,
        what: format!("{:?} instead of what an inference costs", line.trim_end()),
    })
}

/// Starts the firmware with a command, an input file and an output file.
fn run(
    board: &'static Board,
    elf: &Path,
    command: &str,
    input: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, Error> {
    let folder = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    run_in(folder.path(), board, elf, &[command, "in", "out"], input, None, limit)
}

/// Starts the firmware as [`run`] does, with its files in this folder: `in` and `out`, which the folder
/// does not have, and what else the command names.
fn run_in(
    folder: &Path,
    board: &'static Board,
    elf: &Path,
    command: &[&str],
    input: &[u8],
    plugin: Option<&str>,
    limit: Duration,
) -> Result<Vec<u8>, Error> {
    // Short names in a separate folder: the firmware's command line is short and does not allow
    // spaces in an argument, which a user's folders may contain.
    let (input_path, output_path) = (folder.join("in"), folder.join("out"));
    fs::write(&input_path, input).map_err(Error::file(&input_path))?;
    let mut emulator = Emulator::start(Options {
        uart: Uart::None,
        command,
        count_instructions: matches!(command, ["count" | "costs", ..]),
        plugin,
        folder: Some(folder),
        ..Options::serve(board, elf)
    })?;
    emulator.wait_for_success(limit)?;
    fs::read(&output_path).map_err(Error::file(&output_path))
}

/// Appends length, bytes, and zeros up to a multiple of four bytes.
fn put_blob(to: &mut Vec<u8>, bytes: &[u8]) {
    // Test models and inputs are far below 4 GB; a truncated length is refused as a record.
    to.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    to.extend_from_slice(bytes);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// Parses all responses; `None` if the last one is incomplete.
fn take_answers(mut output: &[u8]) -> Option<Vec<Option<Vec<i8>>>> {
    let mut answers = Vec::new();
    while !output.is_empty() {
        let (len, rest) = output.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len);
        if len == REFUSED {
            answers.push(None);
            output = rest;
            continue;
        }
        let len = len as usize;
        let (padded, rest) = rest.split_at_checked(len.checked_next_multiple_of(4)?)?;
        answers.push(Some(signed(&padded[..len])));
        output = rest;
    }
    Some(answers)
}

/// Parses `rows=R instructions_min=… instructions_mean=… instructions_max=… stack=B`.
fn parse_cost(line: &str) -> Option<Cost> {
    let field = |name: &str| {
        line.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some(Cost {
        rows: field("rows")?,
        instructions_min: field("instructions_min")?,
        instructions_mean: field("instructions_mean")?,
        instructions_max: field("instructions_max")?,
        stack_bytes: field("stack")?,
    })
}

fn unsigned(values: &[i8]) -> Vec<u8> {
    values.iter().map(|value| *value as u8).collect()
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| *byte as i8).collect()
}

/// Reads a file of int8 rows.
///
/// # Errors
/// [`Error::File`] if it cannot be read, [`Error::Rows`] if its length is not a whole number of
/// rows.
pub fn read_rows(path: &Path, inputs: usize) -> Result<Vec<i8>, Error> {
    let bytes = fs::read(path).map_err(Error::file(path))?;
    if bytes.is_empty() || bytes.len() % inputs != 0 {
        return Err(Error::Rows { given: bytes.len(), inputs });
    }
    Ok(signed(&bytes))
}

/// Writes a file of int8 rows.
///
/// # Errors
/// [`Error::File`] if it cannot be written.
pub fn write_rows(path: &Path, rows: &[i8]) -> Result<(), Error> {
    let written: io::Result<()> = fs::write(path, unsigned(rows));
    written.map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_padded_to_words() {
        let mut bytes = Vec::new();
        put_blob(&mut bytes, &[1, 2, 3, 4, 5]);
        assert_eq!(bytes, [5, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0]);
        put_blob(&mut bytes, &[]);
        assert_eq!(bytes.len(), 16);
    }

    #[test]
    fn answers_are_told_apart() {
        let bytes = [2, 0, 0, 0, 7, 255, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(take_answers(&bytes), Some(vec![Some(vec![7, -1]), None, Some(vec![])]));
        assert_eq!(take_answers(&bytes[..7]), None);
        assert_eq!(take_answers(&bytes[..3]), None);
    }

    #[test]
    fn a_cost_needs_every_figure() {
        let line =
            "rows=2 instructions_min=40 instructions_mean=60 instructions_max=80 stack=372\n";
        let cost = parse_cost(line).unwrap();
        assert_eq!((cost.rows, cost.instructions_mean, cost.stack_bytes), (2, 60, 372));
        assert_eq!(parse_cost("rows=2 stack=372"), None);
    }
}
