//! CSV files: detection of encoding and dialect, parsing, class labels, missing values.
//!
//! A file is processed by [`decode`] (bytes to UTF-8), [`records`] (lines to cells, with line
//! numbers), [`dialect`] (separator and decimal mark), [`header`] (names to columns), [`cells`]
//! (texts to numbers) and [`rows`] (one row at a time). [`load`] collects all rows in a dataset.

mod cells;
mod classes;
mod decode;
mod dialect;
mod header;
mod load;
mod problem;
mod records;
mod rows;
mod settings;

use std::path::Path;

pub(super) use classes::classes;
pub use load::Intake;
pub(super) use load::means;
pub use problem::Section;
pub use rows::{Row, RowReader, RowSpec};
pub use settings::{Missing, Table, TableTarget};

/// Returns the name of a file or folder without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".into(), |stem| stem.to_string_lossy().into_owned())
}
