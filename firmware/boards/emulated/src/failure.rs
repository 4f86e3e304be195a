//! Why a semihosting command ended early.

use defmt::Format;
use semihosting::io;

/// Why a semihosting command ended early; logged, then QEMU exits with code 1.
#[derive(Format)]
pub enum Failure {
    /// The command line is wrong.
    Command(&'static str),
    /// A file of the computer could not be used; the second is the computer's `errno`.
    File(&'static str, Option<i32>),
    /// What a file contains is not what the command takes.
    Content(&'static str),
    /// The model can't be run.
    Model(&'static str),
}

impl Failure {
    /// For `map_err`: names what was being done with which file.
    pub fn file(doing: &'static str) -> impl Fn(io::Error) -> Failure {
        move |error| Failure::File(doing, error.raw_os_error())
    }
}
