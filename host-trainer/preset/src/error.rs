//! Why a preset cannot be used: which file, which key, what to do.

use std::io;
use std::path::PathBuf;

use thimble_support::foreign_text::{self, escaped, shown};

/// Why a preset cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no preset of this name.
    #[error("there is no preset `{name}`{}. There are: {known}; a file must end in .toml",
        suggestion(.nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The presets that there are.
        known: String,
        /// The one that was probably meant.
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
        /// What the system says.
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
        /// The key, with its tables and `: ` behind it; empty when there is none.
        key: String,
        /// What is wrong.
        message: String,
        /// The key or value that was probably meant.
        nearest: Option<String>,
    },
    /// A setting given by key and value cannot be understood.
    #[error("setting `{}`: {}{}", shown(.setting), escaped(.problem),
        suggestion(.nearest.as_deref()))]
    Override {
        /// What was given.
        setting: String,
        /// What is wrong with it.
        problem: String,
        /// The key or value that was probably meant.
        nearest: Option<String>,
    },
    /// Two settings do not go together.
    #[error("{origin}: {key}: {problem}")]
    Setting {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(" (did you mean `{nearest}`?)"))
}
