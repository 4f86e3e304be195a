//! Why a semihosting command ended early.

use defmt::Formatter;
use semihosting::io;

/// Why a semihosting command ended early; logged, then QEMU exits with code 1.
pub enum Failure {
    /// The command line is wrong.
    Command(&'static str),
    /// A file of the computer could not be used; the second is the computer's `errno`.
    File(&'static str, Option<i32>),
    /// The content of a file does not fit the command.
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

impl defmt::Format for Failure {
    fn format(&self, f: Formatter<'_>) {
        match self {
            Failure::Command(problem) => defmt::write!(f, "the command line: {=str}", problem),
            Failure::File(doing, Some(errno)) => {
                defmt::write!(f, "{=str}: the computer says errno {=i32}", doing, errno);
            }
            Failure::File(doing, None) => defmt::write!(f, "{=str}: it ends too early", doing),
            Failure::Content(problem) => defmt::write!(f, "{=str}", problem),
            Failure::Model(problem) => defmt::write!(f, "{=str}", problem),
        }
    }
}
