//! Errors of reading data: the file, the problem, and the remedy.

use std::io;
use std::path::PathBuf;

use thimble_support::foreign_text;

/// Errors of reading and splitting data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder has all files of the dataset.
    #[error(
        "the {dataset} files are not there. Looked in:{}\n\
         Run `host-trainer fetch {dataset}` to download them, or name the folder that has them \
         with --data-dir",
        list(.looked_in)
    )]
    NotFound {
        /// Name of the dataset.
        dataset: &'static str,
        /// Each searched folder, and the files that it lacks.
        looked_in: Vec<String>,
    },
    /// The network was imported without rows.
    #[error(
        "this network was imported without rows. Give it rows with `host-trainer quantize RUN \
         --calibrate ROWS.csv`, or set data.dataset in its preset"
    )]
    NoRows,
    /// A file or folder cannot be read or written.
    #[error("{}: {action}: {error}", foreign_text::path(.path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The operation that failed.
        action: &'static str,
        /// The operating system's error.
        #[source]
        error: io::Error,
    },
    /// The content of a file is invalid.
    #[error("{file}: {problem}. {remedy}")]
    Format {
        /// The file.
        file: String,
        /// Description of the problem.
        problem: String,
        /// Remedy.
        remedy: &'static str,
    },
    /// A table cannot be used.
    #[error("{}: {place}: {problem}", foreign_text::path(.file))]
    Table {
        /// The file.
        file: PathBuf,
        /// Line and column, or the key of the preset.
        place: String,
        /// Problem and remedy.
        problem: String,
    },
    /// An image, or a folder of images, cannot be used.
    #[error("{}: {problem}", foreign_text::path(.path))]
    Image {
        /// The file or folder.
        path: PathBuf,
        /// Problem and remedy.
        problem: String,
    },
    /// Features and targets of a dataset do not match.
    #[error("dataset {}: {problem}", foreign_text::shown(.dataset))]
    Dataset {
        /// Name of the dataset.
        dataset: String,
        /// Description of the problem.
        problem: String,
    },
    /// A split would be empty, or is not available.
    #[error("data.{part}: {problem}")]
    Split {
        /// `test` or `validation`, the key of the preset.
        part: &'static str,
        /// Description of the problem.
        problem: String,
    },
    /// No mirror sent the right file.
    #[error(
        "{file} could not be downloaded:{}\nTry again (what arrived is kept and continued), or put \
         the file into {} by hand",
        list(.attempts), foreign_text::path(.folder)
    )]
    Download {
        /// The file.
        file: String,
        /// The target folder.
        folder: PathBuf,
        /// The failure at each mirror.
        attempts: Vec<String>,
    },
    /// The user's cache folder is unknown.
    #[error("the cache folder is not known ({0}): name a folder with --data-dir")]
    NoCache(String),
}

impl Error {
    /// Returns a function that makes an [`Error::File`], for `map_err`.
    pub(crate) fn file(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |error| Error::File { path, action, error }
    }
}

/// Formats each item on its own line.
fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  - {item}")).collect()
}
