//! Parsing of numeric cells, missing values, and messages for invalid numbers.

use thimble_support::foreign_text::shown;

use super::decode::text;
use super::dialect::Decimal;

/// Longest number with a decimal comma, in bytes.
const LONGEST: usize = 64;

/// Reason why a cell is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// The value is missing.
    Missing,
    /// The cell contains something else.
    Other,
}

/// Parses a number.
#[inline]
pub(super) fn number(cell: &[u8], decimal: Decimal) -> Result<f32, NoNumber> {
    if decimal == Decimal::Point
        && let Ok(text) = std::str::from_utf8(cell)
        && let Ok(value) = text.parse::<f32>()
        && value.is_finite()
    {
        return Ok(value);
    }
    unusual(cell, decimal)
}

/// Parses numbers with a decimal comma or a Unicode minus, and Boolean values.
fn unusual(cell: &[u8], decimal: Decimal) -> Result<f32, NoNumber> {
    if decimal == Decimal::Comma
        && cell.len() <= LONGEST
        && !cell.contains(&b'.')
        && let Ok(value) = with_point(cell).parse::<f32>()
        && value.is_finite()
    {
        return Ok(value);
    }
    let text = text(cell);
    if is_missing(&text) {
        return Err(NoNumber::Missing);
    }
    if text.eq_ignore_ascii_case("true") {
        return Ok(1.0);
    }
    if text.eq_ignore_ascii_case("false") {
        return Ok(0.0);
    }
    // Decoding has trimmed non-ASCII whitespace.
    let plain = text.replace('\u{2212}', "-");
    let plain = match decimal {
        Decimal::Comma if plain.contains('.') => return Err(NoNumber::Other),
        Decimal::Comma => plain.replacen(',', ".", 1),
        Decimal::Point | Decimal::Unknown => plain,
    };
    match plain.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(NoNumber::Other),
    }
}

fn with_point(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).replacen(',', ".", 1)
}

/// Markers of missing values, in lower case.
const MISSING: [&str; 24] = [
    "", "-", "--", "---", "\u{2013}", "\u{2014}", ".", "?", "na", "n/a", "n.a.", "nan", "-nan",
    "+nan", "nan(ind)", "1.#qnan", "-1.#ind", "null", "nil", "none", "<na>", "#n/a", "#na", "nat",
];

/// Returns `true` for a marker of a missing number.
pub(super) fn is_missing(text: &str) -> bool {
    // Longer texts are not in the list.
    text.len() <= 8 && MISSING.contains(&text.to_ascii_lowercase().as_str())
}

/// Returns `true` for a marker of a missing class. `none` and `-` are valid names of classes.
pub(super) fn is_missing_class(text: &str) -> bool {
    let class = matches!(text, "-" | "--" | "---" | ".") || text.eq_ignore_ascii_case("none");
    is_missing(text) && !class
}

/// Returns the message for a cell that is not a number, with the remedy. `said` is `true` if the
/// preset sets the decimal mark.
pub(super) fn explain(cell: &[u8], column: &str, decimal: Decimal, said: bool) -> String {
    let text = text(cell);
    let (cell, column) = (shown(&text), shown(column));
    let ignore = format!(
        "leave the column out by ignore = [\"{column}\"] in data.dataset.csv, or write numbers for \
         its words"
    );
    if text.contains('\n') {
        return format!("`{cell}` spans lines: close the quote at its beginning, or {ignore}");
    }
    let plain = text.replace('\u{2212}', "-");
    if plain.parse::<f64>().is_ok() && decimal != Decimal::Comma {
        return format!(
            "`{cell}` is not a finite number of 32 bits: correct it, or leave it empty and set \
             missing = \"drop\" or \"mean\""
        );
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let odd = |c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '\u{2212}');
    let marks: Vec<char> = text.chars().filter(|&c| odd(c)).collect();
    let count = |mark: char| marks.iter().filter(|&&own| own == mark).count();
    let only = |known: &str| digits > 0 && marks.iter().all(|&mark| known.contains(mark));
    let thousands =
        format!("`{cell}` is no number: take the marks between thousands out of the file");
    if is_date(&text) {
        return format!(
            "`{cell}` is a date or a time, not a number: leave the column out by ignore = \
             [\"{column}\"] in data.dataset.csv, or write a number for it, such as the hour"
        );
    }
    match decimal {
        Decimal::Unknown if only(",") && count(',') == 1 => {
            return format!(
                "`{cell}` may have a decimal comma, or thousands set off by one: set decimal = \
                 \",\" in data.dataset.csv for the first, take the commas out for the second"
            );
        }
        Decimal::Point | Decimal::Unknown if only(",eE") && count(',') == 1 => {
            let why = match said {
                true => "but decimal = \".\"",
                false => "while other numbers have a point, or none",
            };
            return format!(
                "`{cell}` has a comma, {why}: set decimal = \",\" in data.dataset.csv where it is \
                 the decimal mark, take it out where it sets off thousands"
            );
        }
        Decimal::Comma if only(".eE") && count('.') == 1 => {
            return format!(
                "`{cell}` has a point, while other numbers have a decimal comma: take it out where \
                 it sets off thousands, write a comma where it is the decimal mark"
            );
        }
        _ => {}
    }
    if only(".,") || only(".,' \u{a0}\u{202f}\u{2009}\u{2019}_") {
        return thousands;
    }
    let starts = text.trim_start_matches(['+', '-', '\u{2212}', '$', '€', '£', '~', '<', '>', '≈']);
    let begins = starts.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let value = starts
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ' '));
    if begins && value.chars().count() <= 12 && !value.chars().any(|c| c.is_ascii_digit()) {
        return match value.trim() {
            "" => format!("`{cell}` is no number: take the mark before it out of the cells"),
            unit => {
                let unit = shown(unit);
                format!(
                    "`{cell}` is a number with a unit: take the unit out of the cells, and set \
                     units = {{ \"{column}\" = \"{unit}\" }} in data.dataset.csv"
                )
            }
        };
    }
    format!("`{cell}` is no number: {ignore}")
}

/// Returns `true` for a text that looks like a date or a time.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '/', ':', 'T', ' ', '.', 'Z', '+']).collect();
    let numbers = parts.iter().filter(|part| {
        !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit())
    });
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let other = text.chars().filter(|c| c.is_alphabetic()).count();
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let colons = text.matches(':').count();
    let dashes = text.trim_start_matches('-').matches(['-', '/']).count();
    let points = text.matches('.').count();
    let short = text.split('.').all(|part| part.len() <= 4);
    let german = points == 2
        && short
        && text.split('.').next().is_some_and(|day| day.len() <= 2)
        && text.split('.').nth(1).is_some_and(|month| month.len() <= 2);
    first
        && digits >= 3
        && other <= 3
        && numbers.count() >= 2
        && (colons >= 1 || dashes >= 2 || german)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_kinds_are_read() {
        for (text, value) in [
            ("1.5", 1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E3", 1000.0),
            ("-1e-3", -0.001),
        ] {
            assert_eq!(number(text.as_bytes(), Decimal::Point), Ok(value), "{text}");
        }
        for (text, value) in [("1,5", 1.5), ("-,5", -0.5), ("7", 7.0), ("1,5e2", 150.0)] {
            assert_eq!(number(text.as_bytes(), Decimal::Comma), Ok(value), "{text}");
        }
        assert_eq!(number("\u{2212}2.5".as_bytes(), Decimal::Point), Ok(-2.5));
        assert_eq!(number("\u{2212}2,5\u{a0}".as_bytes(), Decimal::Comma), Ok(-2.5));
        assert_eq!(number(b"True", Decimal::Point), Ok(1.0));
        assert_eq!(number(b"false", Decimal::Comma), Ok(0.0));
    }

    #[test]
    fn missing_numbers_are_known_and_classes_may_be_called_none() {
        for text in [
            "", "None", "NA", "N/A", "nan", "NaN", "null", "NULL", "-", "?", "#N/A", "<NA>", "-nan",
        ] {
            assert_eq!(number(text.as_bytes(), Decimal::Point), Err(NoNumber::Missing), "{text}");
            assert_eq!(number(text.as_bytes(), Decimal::Comma), Err(NoNumber::Missing), "{text}");
        }
        assert_eq!(number(b"inf", Decimal::Point), Err(NoNumber::Other));
        assert!(is_missing_class("NaN") && is_missing_class("") && is_missing_class("?"));
        assert!(!is_missing_class("none") && !is_missing_class("None") && !is_missing_class("-"));
    }

    #[test]
    fn what_is_no_number_is_explained_with_the_remedy() {
        for (text, decimal, expected) in [
            ("red", Decimal::Point, "`red` is no number: leave the column out by ignore = [\"x\"]"),
            ("1e99", Decimal::Point, "`1e99` is not a finite number"),
            ("-inf", Decimal::Point, "`-inf` is not a finite number"),
            ("20,17", Decimal::Point, "set decimal = \",\""),
            ("1,234", Decimal::Unknown, "may have a decimal comma, or thousands"),
            ("1,234,567", Decimal::Point, "marks between thousands"),
            ("1,234.5", Decimal::Point, "marks between thousands"),
            ("1.234,5", Decimal::Comma, "marks between thousands"),
            ("1 234,5", Decimal::Comma, "marks between thousands"),
            ("1'234.5", Decimal::Point, "marks between thousands"),
            ("1.5", Decimal::Comma, "has a point, while other numbers have a decimal comma"),
            ("21.5 °C", Decimal::Point, "units = { \"x\" = \"°C\" }"),
            ("45%", Decimal::Point, "units = { \"x\" = \"%\" }"),
            ("-3.5 mV", Decimal::Point, "units = { \"x\" = \"mV\" }"),
            ("$12", Decimal::Point, "take the mark before it out"),
            ("<0.05", Decimal::Point, "take the mark before it out"),
            ("2024-05-01", Decimal::Point, "is a date or a time"),
            ("2024-05-01T12:30:00Z", Decimal::Point, "is a date or a time"),
            ("12:30", Decimal::Point, "is a date or a time"),
            ("01.05.2024", Decimal::Comma, "is a date or a time"),
            ("5/1/2024", Decimal::Point, "is a date or a time"),
            ("a\nb", Decimal::Point, "spans lines"),
            ("\u{1b}[2J", Decimal::Point, "`\\u{1b}[2J` is no number"),
        ] {
            let message = explain(text.as_bytes(), "x", decimal, false);
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains(['\n', '\u{1b}']), "{message}");
        }
    }
}
