//! Problems of tables in words: short, and free of what would steer a terminal.

use std::path::Path;

use super::super::Error;

/// Characters of a foreign text that a message shows.
const SHOWN: usize = 40;

/// Names that a message lists.
const LISTED: usize = 20;

/// A place in a table, and what is wrong there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    /// Line and column, or a key.
    pub place: String,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Problem {
    /// A problem with a key below `data.dataset.csv`.
    pub fn key(key: &str, text: String) -> Self {
        Problem { place: format!("data.dataset.csv.{key}"), text }
    }

    /// A problem with a line.
    pub fn line(line: u64, text: String) -> Self {
        Problem { place: format!("line {line}"), text }
    }

    /// A problem with a cell.
    pub fn cell(line: u64, column: &str, text: String) -> Self {
        Problem { place: format!("line {line}, column `{}`", shown(column)), text }
    }

    /// A problem with a column.
    pub fn column(column: &str, text: String) -> Self {
        Problem { place: format!("column `{}`", shown(column)), text }
    }

    /// The error that names the file too.
    pub fn of(self, file: &Path) -> Error {
        Error::Table { file: file.to_path_buf(), place: self.place, problem: self.text }
    }
}

/// Returns a foreign text as messages show it: control characters escaped, and cut where it is
/// long.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    for character in characters.by_ref().take(SHOWN) {
        match character {
            // What turns the direction of text is invisible, and steers a terminal as well.
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => out.extend(character.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_debug()),
            c => out.push(c),
        }
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out
}

/// Returns names as messages list them.
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
    fn foreign_text_is_escaped_and_cut() {
        assert_eq!(shown("21,5 °C"), "21,5 °C");
        assert_eq!(shown("\u{1b}[31mred\0\r\n"), "\\u{1b}[31mred\\0\\r\\n");
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
        let long = shown(&"x".repeat(7000));
        assert_eq!(long.chars().count(), 41);
        assert!(long.ends_with("x…"));
        let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let list = listed(names.iter().map(String::as_str));
        assert!(list.ends_with("19 and 5 more") && list.starts_with("0, 1"), "{list}");
    }
}
