//! Tables: CSV files, read as people have them.
//!
//! A file goes through [`decode`] (bytes to UTF-8), [`records`] (lines to cells, numbered as an
//! editor shows them), [`dialect`] (separator and decimal mark), [`header`] (names to columns),
//! [`cells`] (texts to numbers) and [`rows`] (a batch of rows at a time); [`load`] makes a dataset
//! of all of them.

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
pub use rows::{Row, RowReader, RowSpec};
pub use settings::{Missing, Table, TableTarget};

/// Returns the name of a file or folder without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".into(), |stem| stem.to_string_lossy().into_owned())
}
