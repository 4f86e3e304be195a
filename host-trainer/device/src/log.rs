//! Firmware log: defmt frames, decoded with the strings of the ELF file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fmt};

use defmt_decoder::{DecodeError, Location, StreamDecoder, Table};
use thimble_support::foreign_text;

use super::Error;

/// A line of the firmware's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Severity.
    pub level: Level,
    /// Message.
    pub message: String,
    /// Source location in the firmware, as `FILE:LINE`.
    pub place: Option<String>,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Normal events.
    Info,
    /// Unexpected events that the firmware handles.
    Warn,
    /// Events that end an operation.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5} {}", self.level, self.message)?;
        // The location is shown only from warnings on.
        match &self.place {
            Some(place) if self.level > Level::Info => write!(f, " ({place})"),
            _ => Ok(()),
        }
    }
}

/// Log strings and source locations of a firmware's ELF file.
pub struct Strings {
    table: Table,
    places: BTreeMap<u64, Location>,
    /// Base folder of relative source locations.
    here: PathBuf,
}

impl Strings {
    /// Parses an ELF file; `path` is for errors.
    ///
    /// # Errors
    /// [`Error::Log`] if it has no strings, or strings of an unsupported version of defmt.
    pub fn read(elf: &[u8], path: &Path) -> Result<Self, Error> {
        let failed = |problem: String| Error::Log { path: path.into(), problem };
        let table = Table::parse(elf)
            .map_err(|error| failed(format!("{error:#}")))?
            .ok_or_else(|| failed("it has no section .defmt".into()))?;
        // The debug information contains the locations; without it the log is still decoded.
        let places = table.get_locations(elf).unwrap_or_default();
        let here = env::current_dir().unwrap_or_default();
        Ok(Strings { table, places, here })
    }

    /// Returns a decoder for one start of the firmware.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder { strings: self, stream: self.table.new_stream_decoder() }
    }
}

/// Decodes the bytes of a log into lines.
pub struct Decoder<'t> {
    strings: &'t Strings,
    stream: Box<dyn StreamDecoder + Send + Sync + 't>,
}

impl Decoder<'_> {
    /// Decodes the next bytes, and passes every completed line to `each`.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Line)) {
        self.stream.received(bytes);
        loop {
            match self.stream.decode() {
                Ok(frame) => {
                    let place = self.strings.places.get(&frame.index());
                    each(Line {
                        level: match frame.level().map(|level| level.as_str()) {
                            Some("error") => Level::Error,
                            Some("warn") => Level::Warn,
                            Some("debug" | "trace") => Level::Debug,
                            _ => Level::Info,
                        },
                        message: frame.display_message().to_string(),
                        place: place.map(|at| {
                            let file = at.file.strip_prefix(&self.strings.here);
                            format!("{}:{}", foreign_text::path(file.unwrap_or(&at.file)), at.line)
                        }),
                    });
                }
                // The next bytes may complete the frame.
                Err(DecodeError::UnexpectedEof) => return,
                Err(DecodeError::Malformed) => {
                    each(Line {
                        level: Level::Warn,
                        message: "a line of the log arrived damaged".into(),
                        place: None,
                    });
                    if !self.strings.table.encoding().can_recover() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_says_where() {
        let line = |level| Line { level, message: "so".into(), place: Some("a.rs:1".into()) };
        assert_eq!(line(Level::Info).to_string(), "INFO  so");
        assert_eq!(line(Level::Error).to_string(), "ERROR so (a.rs:1)");
    }

    #[test]
    fn what_is_no_firmware_is_refused() {
        let error = Strings::read(b"not an ELF file", Path::new("x.elf")).err().unwrap();
        assert!(error.to_string().starts_with("x.elf: "), "{error}");
    }
}
