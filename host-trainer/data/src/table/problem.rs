//! Messages about tables, with place and remedy, escaped for the terminal.

use std::path::Path;

use thimble_support::foreign_text::shown;

use super::super::Error;

/// Maximum number of names in a message.
const LISTED: usize = 20;

/// Section of a preset with the settings of a file, for remedies in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// `data.dataset.csv`.
    #[default]
    Csv,
    /// `data.dataset.recordings`, with fewer keys.
    Recordings,
    /// The file is in no preset.
    None,
}

impl Section {
    /// Returns the remedy by a key of `data.dataset.csv`, such as `set missing = "drop"`, or another one where
    /// there is no such key.
    pub(super) fn remedy(self, by_key: &str, otherwise: &str) -> String {
        match self {
            Section::Csv => format!("{by_key} in data.dataset.csv"),
            Section::Recordings | Section::None => otherwise.to_string(),
        }
    }

    /// Returns the remedy that the first line is a row: `header` is a key of recordings, too.
    pub(super) fn remedy_without_header(self) -> &'static str {
        match self {
            Section::Csv => {
                "set header = false in data.dataset.csv, and the columns are called 1, 2, …"
            }
            Section::Recordings => {
                "set header = false in data.dataset.recordings, and the columns are called 1, 2, …"
            }
            Section::None => "write a line with the names of the columns above it",
        }
    }

    /// Returns the place of a problem with the setting that `data.dataset.csv` has under this key.
    pub(super) fn place(self, key: &str) -> String {
        match (self, key) {
            (Section::Csv, _) => format!("data.dataset.csv.{key}"),
            (Section::Recordings, "features") => "data.dataset.recordings.axes".into(),
            (Section::Recordings, "file") => "data.dataset.recordings.path".into(),
            (Section::Recordings, key) if key.starts_with("target") => {
                "data.dataset.recordings.label".into()
            }
            (Section::Recordings, key) => format!("data.dataset.recordings.{key}"),
            (Section::None, _) => "line 1".into(),
        }
    }
}

/// A problem and its place in a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    /// Line and column, or a key.
    pub place: String,
    /// Problem and remedy.
    pub text: String,
}

impl Problem {
    /// Creates a problem with a key below `data.dataset.csv`.
    pub fn key(key: &str, text: String) -> Self {
        Problem { place: format!("data.dataset.csv.{key}"), text }
    }

    /// Creates a problem with a line.
    pub fn line(line: u64, text: String) -> Self {
        Problem { place: format!("line {line}"), text }
    }

    /// Creates a problem with a cell.
    pub fn cell(line: u64, column: &str, text: String) -> Self {
        Problem { place: format!("line {line}, column `{}`", shown(column)), text }
    }

    /// Creates a problem with a column.
    pub fn column(column: &str, text: String) -> Self {
        Problem { place: format!("column `{}`", shown(column)), text }
    }

    /// Converts to an error that includes the file.
    pub fn of(self, file: &Path) -> Error {
        Error::Table { file: file.to_path_buf(), place: self.place, problem: self.text }
    }
}

/// Formats names as a list for messages.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(LISTED).map(shown).collect::<Vec<_>>().join(", ");
    let more = names.count();
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_keys_that_there_are() {
        for (section, expected) in [
            (Section::Csv, ["data.dataset.csv.features", "data.dataset.csv.target.classes"]),
            (
                Section::Recordings,
                ["data.dataset.recordings.axes", "data.dataset.recordings.label"],
            ),
            (Section::None, ["line 1"; 2]),
        ] {
            assert_eq!(["features", "target.classes"].map(|key| section.place(key)), expected);
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let list = listed(names.iter().map(String::as_str));
        assert!(list.ends_with("19 and 5 more") && list.starts_with("0, 1"), "{list}");
    }
}
