//! Escaping of untrusted text for terminals, JSON, CSV and XML.
//!
//! Class labels, names of features and models, CSV cells, `metrics.json` and responses of a device
//! may contain escape sequences, newlines or bidirectional control characters. On a terminal these
//! move the cursor, rename the window or forge a line of output. [`shown`] escapes such text to a
//! single line. [`screen`] and [`message`] are the last check before printing.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Maximum characters of [`shown`], about one line of a terminal.
const LINE: usize = 120;

/// Maximum characters per line of [`message`], more than any message of the program has.
const LONGEST_LINE: usize = 4_000;

/// Returns the text on one line, safe for a terminal. Control characters and invisible characters
/// become escapes such as `\n` and `\u{1b}`. Text of more than 120 characters is truncated,
/// followed by its length in bytes.
pub fn shown(text: &str) -> String {
    let mut line = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LINE {
            // Writing to a string cannot fail.
            let _ = write!(line, "… ({} bytes)", text.len());
            break;
        }
        push(&mut line, character);
    }
    line
}

/// Returns the text on one line as [`shown`] does, without truncation.
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|character| push(&mut line, character));
    line
}

/// Escapes a path as [`escaped`] does. Invalid Unicode becomes U+FFFD.
pub fn path(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// Escapes a page of output for a terminal, except newlines, tabs and color sequences.
///
/// It is the last check. Untrusted text inside the page has already been escaped by [`shown`].
pub fn screen(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\x1b' => color_length(rest).unwrap_or(1),
            _ => character.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        match character {
            '\n' | '\t' => page.push(character),
            '\x1b' if length > 1 => page.push_str(piece),
            _ => push(&mut page, character),
        }
    }
    page
}

/// Escapes characters that XML does not allow, and bidirectional control characters, in an HTML or
/// SVG document. Newlines and tabs stay.
pub fn document(text: String) -> String {
    match text.chars().any(is_obeyed) {
        true => screen(&text.replace('\x1b', r"\u{1b}")),
        false => text,
    }
}

/// Escapes the text of a JSON value for a terminal. The parsed value stays the same.
pub fn json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if is_obeyed(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
            _ => json.push(character),
        }
    }
    json
}

/// Returns a text cell of a CSV file that is safe for spreadsheets. A cell that begins like a
/// formula gets a leading apostrophe (see OWASP, "CSV injection").
pub fn spreadsheet_cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// Escapes an error message as [`screen`] does, and truncates lines to 4,000 characters.
pub fn message(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}… ({} bytes)", screen(&line[..end]), line.len()),
        None => screen(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the length of a well-formed color sequence (`ESC [ … m`) at the start of the text.
fn color_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some("\x1b[".len() + end + 1)
}

fn push(line: &mut String, character: char) {
    match character {
        // Characters such as `\u{ad}` are invisible, and make different names look equal.
        _ if is_obeyed(character) || matches!(character, '\n' | '\t') => {
            line.extend(character.escape_default());
        }
        _ => line.push(character),
    }
}

/// Returns `true` for control and format characters except newline and tab.
fn is_obeyed(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t')) || is_unseen(character)
}

/// Returns `true` for Unicode format characters: bidirectional control characters (see "Trojan
/// Source", CVE-2021-42574), zero-width characters, line separators, and tags.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (foreign, expected) in [
            ("plain café 猫", "plain café 猫"),
            ("two\nlines\r\tand", r"two\nlines\r\tand"),
            ("\x1b[31mred\x1b]0;title\x07", r"\u{1b}[31mred\u{1b}]0;title\u{7}"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("a\u{202e}b\u{2066}c\u{200b}", r"a\u{202e}b\u{2066}c\u{200b}"),
            ("\u{2028}", r"\u{2028}"),
        ] {
            assert_eq!(shown(foreign), expected);
            assert_eq!(escaped(foreign), expected);
        }
    }

    #[test]
    fn paths_are_whole_and_one_line() {
        let folder = "f/".repeat(LINE);
        let named = path(Path::new(&format!("{folder}a\n\x1b[31m.csv")));
        assert_eq!(named, format!(r"{folder}a\n\u{{1b}}[31m.csv"));
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": "\u{9b}2J\u{7f}\u{e0001}\u{1b}[\n é" });
        let text = json(&format!("{value:#}"));
        assert!(!text.chars().any(is_obeyed), "{text}");
        assert_eq!(screen(&text), text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn documents_have_no_control_characters() {
        let text = document("<text>\u{1b}[31m\u{0}\n\u{202e}a</text>".to_string());
        assert_eq!(text, "<text>\\u{1b}[31m\\u{0}\n\\u{202e}a</text>");
    }

    #[test]
    fn cells_are_no_formulas() {
        for (cell, expected) in
            [("=1+1", "'=1+1"), ("-x", "'-x"), ("@a", "'@a"), ("+", "'+"), ("a=b", "a=b")]
        {
            assert_eq!(spreadsheet_cell(cell), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_to_a_line() {
        let long = "é".repeat(1_000_000);
        let line = shown(&long);
        assert!(line.ends_with("é… (2000000 bytes)"), "{line}");
        assert_eq!(line.chars().filter(|c| *c == 'é').count(), LINE);
        assert_eq!(shown(&"x".repeat(LINE)), "x".repeat(LINE));
        assert_eq!(escaped(&long), long);
    }

    #[test]
    fn a_page_keeps_newlines_and_colors_alone() {
        let page = "a\t\x1b[1;32mgreen\x1b[0m\n\x1b[2Jb\x1b]8;;x\x07\u{202e}\n\x1b[";
        let expected =
            "a\t\x1b[1;32mgreen\x1b[0m\n\\u{1b}[2Jb\\u{1b}]8;;x\\u{7}\\u{202e}\n\\u{1b}[";
        assert_eq!(screen(page), expected);
        assert_eq!(screen(&"y".repeat(10_000)).len(), 10_000);
        let long = format!("{}\nnext", "y".repeat(10_000));
        let expected = format!("{}… (10000 bytes)\nnext", "y".repeat(LONGEST_LINE));
        assert_eq!(message(&long), expected);
    }
}
