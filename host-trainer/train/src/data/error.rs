//! Why data cannot be used: which file, what is wrong, what to do.

use std::io;
use std::path::PathBuf;

use thimble_support::foreign_text;

/// Why data cannot be used.
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
        /// Each folder that was tried, with what is missing there.
        looked_in: Vec<String>,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {action}: {error}", foreign_text::path(.path))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A file is not what its name promises.
    #[error("{file}: {problem}. {remedy}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A table cannot be used.
    #[error("{}: {place}: {problem}", foreign_text::path(.file))]
    Table {
        /// The file.
        file: PathBuf,
        /// Line and column, or the key that asks for what is not there.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An image, or a folder of images, cannot be used.
    #[error("{}: {problem}", foreign_text::path(.path))]
    Image {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Features and labels of a dataset do not fit together.
    #[error("dataset {}: {problem}", foreign_text::shown(.dataset))]
    Dataset {
        /// Name of the dataset.
        dataset: String,
        /// What is wrong.
        problem: String,
    },
    /// A part of the data would be empty or is asked for where it cannot be had.
    #[error("data.{part}: {problem}")]
    Split {
        /// `test` or `validation`, as the preset calls it.
        part: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// No mirror gave a file that is right.
    #[error(
        "{file} could not be downloaded:{}\nTry again (what arrived is kept and continued), or put \
         the file into {} by hand",
        list(.attempts), foreign_text::path(.folder)
    )]
    Download {
        /// The file.
        file: String,
        /// The folder that it would go to.
        folder: PathBuf,
        /// What happened at each mirror.
        attempts: Vec<String>,
    },
    /// The user's cache folder is not known.
    #[error("the cache folder is not known ({0}): name a folder with --data-dir")]
    NoCache(String),
}

impl Error {
    /// An [`Error::File`], for `map_err`.
    pub(crate) fn file(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |error| Error::File { path, action, error }
    }
}

/// Each item on a line of its own.
fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  - {item}")).collect()
}
