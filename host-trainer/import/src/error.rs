//! Errors of an import: each names the file's part, the problem and the remedy.

use std::fmt::Display;

/// Reason why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{0}")]
    Read(String),
    /// The type of the file is not supported.
    #[error("the file is {what}. {remedy}")]
    Format {
        /// The type of the file.
        what: String,
        /// The remedy.
        remedy: String,
    },
    /// The file is truncated or damaged.
    #[error("{what}: {problem}. The file is cut off or damaged. Save or download it again")]
    Damaged {
        /// The part of the file.
        what: String,
        /// The problem.
        problem: String,
    },
    /// A layer, node or tensor is not supported.
    #[error("{place}: {problem}")]
    Place {
        /// The layer, node or tensor, with its index and name.
        place: String,
        /// Problem and remedy.
        problem: String,
    },
    /// The layers of a state dict are missing or wrong.
    #[error("{0}")]
    Layers(String),
}

impl Error {
    /// Returns the error for a type of file.
    pub(crate) fn format(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Format { what: what.into(), remedy: remedy.into() }
    }

    /// Returns the error for a damaged part of a file.
    pub(crate) fn damaged(what: impl Into<String>, problem: impl Display) -> Self {
        Error::Damaged { what: what.into(), problem: problem.to_string() }
    }

    /// Returns the error for a layer, node or tensor.
    pub(crate) fn place(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Place { place: place.into(), problem: problem.into() }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Error>;
