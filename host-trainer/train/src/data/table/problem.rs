//! Messages about tables, with place and remedy, escaped for the terminal.

use std::path::Path;

use thimble_support::foreign_text::shown;

use super::super::Error;

/// Maximum number of names in a message.
const LISTED: usize = 20;

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
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let list = listed(names.iter().map(String::as_str));
        assert!(list.ends_with("19 and 5 more") && list.starts_with("0, 1"), "{list}");
    }
}
