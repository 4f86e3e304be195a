//! Commands to the firmware: the semihosting command line.

use core::ffi::CStr;

use heapless::CString;
use semihosting::experimental::env;

use crate::failure::Failure;

/// Longest command line, with its NUL; the host passes plain file names in QEMU's own folder.
const COMMAND_LINE_LEN: usize = 256;
/// Longest file name, with its NUL.
const FILE_NAME_LEN: usize = 64;

/// A file name as semihosting takes it.
pub struct FileName(CString<FILE_NAME_LEN>);

impl FileName {
    /// The name for an open call.
    pub fn as_c_str(&self) -> &CStr {
        self.0.as_c_str()
    }

    fn new(text: &str) -> Result<Self, Failure> {
        let mut name = CString::new();
        match name.extend_from_bytes(text.as_bytes()) {
            Ok(()) => Ok(FileName(name)),
            Err(_) => Err(Failure::Command("a file name is longer than 63 bytes")),
        }
    }
}

/// One start of the firmware does one of these; `IN` and `OUT` are files of the computer.
pub enum Command {
    /// Without a command: answer requests on the UART for ever.
    Serve,
    /// `bulk IN OUT`: run every row of `IN` through the model, write the rows of outputs to `OUT`.
    Bulk(FileName, FileName),
    /// `vectors IN OUT`: load and run the models of `IN` (see [`crate::vectors`]).
    Vectors(FileName, FileName),
    /// `costs IN OUT`: count the instructions of the models of `IN` (see [`crate::vectors`]).
    Costs(FileName, FileName),
    /// `count IN OUT [MODEL]`: measure time and stack of one inference, for every row of `IN`, of the
    /// model that is built in or of that in a file.
    Count(FileName, FileName, Option<FileName>),
    /// `dial IN OUT`: analog channels and a PWM pin, played (see [`crate::sensors`]).
    Dial(FileName, FileName),
    /// `motion IN OUT`: an accelerometer and a light, played (see [`crate::sensors`]).
    Motion(FileName, FileName),
    /// `activity IN OUT`: the same with windows that overlap.
    Activity(FileName, FileName),
    /// `spectrum IN OUT`: the same with features of frequencies.
    Spectrum(FileName, FileName),
    /// `play IN`: answer requests, with an accelerometer that plays the samples of `IN`.
    Play(FileName),
    /// `panic`: do so, for a test to see how a panic ends.
    Panic,
    /// `overflow`: use up the stack, for a test to see how that ends.
    Overflow,
    /// `faulty`: answer requests, but use up the stack at the end of every start with a model from a
    /// slot, and restart then.
    Faulty,
}

impl Command {
    /// Reads the command line.
    ///
    /// # Errors
    /// [`Failure::Command`] if there is a command that is not one of the above, or a name too long.
    pub fn read() -> Result<Self, Failure> {
        let Ok(args) = env::args::<COMMAND_LINE_LEN>() else {
            // Longer than ours ever is: QEMU fills in the ELF's path when no command is given.
            return Ok(Command::Serve);
        };
        // The first word is the program's name; what is not UTF-8 is none of the words below.
        let mut words = (&args).skip(1).map(|word| word.unwrap_or(""));
        let Some(command) = words.next() else { return Ok(Command::Serve) };
        match command {
            "panic" => return Ok(Command::Panic),
            "overflow" => return Ok(Command::Overflow),
            "faulty" => return Ok(Command::Faulty),
            "play" => {
                return match (words.next(), words.next()) {
                    (Some(input), None) => Ok(Command::Play(FileName::new(input)?)),
                    _ => Err(Failure::Command("play takes a file name, IN")),
                };
            }
            _ => {}
        }
        let build = match command {
            "bulk" => Command::Bulk,
            "vectors" => Command::Vectors,
            "costs" => Command::Costs,
            "count" => {
                let names = [words.next(), words.next(), words.next(), words.next()];
                let [Some(input), Some(output), model, None] = names else {
                    return Err(Failure::Command("count takes file names, IN, OUT and MODEL"));
                };
                let model = model.map(FileName::new).transpose()?;
                return Ok(Command::Count(FileName::new(input)?, FileName::new(output)?, model));
            }
            "dial" => Command::Dial,
            "motion" => Command::Motion,
            "activity" => Command::Activity,
            "spectrum" => Command::Spectrum,
            _ => {
                return Err(Failure::Command(
                    "the command is not bulk, vectors, costs, count, dial, motion, activity, spectrum, \
                     play, panic, overflow or faulty",
                ));
            }
        };
        match (words.next(), words.next(), words.next()) {
            (Some(input), Some(output), None) => {
                Ok(build(FileName::new(input)?, FileName::new(output)?))
            }
            _ => Err(Failure::Command("a command takes two file names, IN and OUT")),
        }
    }
}
