//! Errors of presets, with the file, the key, and the remedy.

use std::io;
use std::path::PathBuf;

use thimble_support::foreign_text::{self, escaped, shown};

/// Errors of reading and checking a preset.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no preset of this name.
    #[error("there is no preset `{name}`{}. There are: {known}; a file must end in .toml",
        suggestion(.nearest.as_deref()))]
    Unknown {
        /// The requested name.
        name: String,
        /// Names of all embedded presets.
        known: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    #[error("{}: {}: {error}", foreign_text::path(.path), match .error.kind() {
        io::ErrorKind::NotFound => "there is no such file, and a preset of your own is one like the \
                                    preset.toml that every run writes",
        _ => "the preset cannot be read",
    })]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        error: io::Error,
    },
    /// The file is not a preset.
    #[error("{origin}:{line}:{column}: {}{}{}", escaped(.key), escaped(.message),
        suggestion(.nearest.as_deref()))]
    Toml {
        /// The file.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// The column in it, counted from 1.
        column: usize,
        /// The key with its tables, followed by `: `. Empty if there is none.
        key: String,
        /// Description of the problem.
        message: String,
        /// The most similar key or value.
        nearest: Option<String>,
    },
    /// A `key=value` setting cannot be parsed.
    #[error("setting `{}`: {}{}", shown(.setting), escaped(.problem),
        suggestion(.nearest.as_deref()))]
    Override {
        /// The given setting.
        setting: String,
        /// Description of the problem.
        problem: String,
        /// The most similar key or value.
        nearest: Option<String>,
    },
    /// Settings are incompatible.
    #[error("{origin}: {key}: {problem}")]
    Setting {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// Description of the problem.
        problem: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(" (did you mean `{nearest}`?)"))
}
