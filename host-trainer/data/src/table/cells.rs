//! Parsing of numeric cells, missing values, and messages for invalid numbers.

use thimble_support::foreign_text::shown;

use super::decode::text;
use super::dialect::Decimal;
use super::problem::Section;

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
        && let Some(value) = plain(cell)
    {
        return Ok(value);
    }
    if decimal == Decimal::Point
        && let Ok(text) = std::str::from_utf8(cell)
        && let Ok(value) = text.parse::<f32>()
        && value.is_finite()
    {
        return Ok(value);
    }
    unusual(cell, decimal)
}

/// Most digits of a number that [`plain`] parses: all numbers of so many are exact in an `f64`.
const PLAIN_DIGITS: usize = 15;

/// Powers of ten, all exact.
const POWERS: [f64; PLAIN_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Parses an optional sign, digits, and optionally a point and more digits, correctly rounded.
/// `None` for everything else, and for the few numbers that it cannot round.
///
/// Digits and power of ten are exact in an `f64`, so that their quotient is correctly rounded:
/// W. D. Clinger, *How to read floating point numbers accurately*, 1990. Rounding it a second time,
/// to `f32`, is right unless the first rounding has ended in the middle between two `f32`.
#[inline]
fn plain(cell: &[u8]) -> Option<f32> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.len() > PLAIN_DIGITS + 1 {
        return None;
    }
    let (mut mantissa, mut count, mut point) = (0_u64, 0, None);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + u64::from(digit);
            count += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(count);
        } else {
            return None;
        }
    }
    if count == 0 {
        return None;
    }
    let power = POWERS.get(count - point.unwrap_or(count)).filter(|_| count <= PLAIN_DIGITS)?;
    let value = rounded(mantissa as f64 / power)?;
    Some(if negative { -value } else { value })
}

/// Parses what [`plain`] does of a cell of at most eight bytes, by the bytes of a word. `word` begins
/// with the cell. Cells differ in sign, length and place of the point, which no branch predicts.
#[inline]
pub(super) fn short(word: u64, len: usize) -> Option<f32> {
    const WORD: usize = size_of::<u64>();
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    let byte = |byte: u8| ONES * u64::from(byte);
    if len > WORD {
        return None;
    }
    let is_negative = word as u8 == b'-';
    let len = len - usize::from(is_negative && len > 0);
    if len == 0 {
        return None;
    }
    // The last digit becomes the highest byte. What is before the first one becomes '0'.
    let skipped = 8 * (WORD - len) as u32;
    let digits = (word >> (8 * u32::from(is_negative))) << skipped;
    let digits = digits | (byte(b'0') & !(u64::MAX << skipped));
    // The lowest byte that is a point. Those above it may be found by mistake.
    let differences = digits ^ byte(b'.');
    let points = differences.wrapping_sub(ONES) & !differences & byte(0x80);
    let (digits, decimals) = match points {
        0 => (digits, 0),
        _ => {
            let at = points.trailing_zeros() / 8;
            let before = digits & !(u64::MAX << (8 * at));
            let behind = digits & (u64::MAX << (8 * at)) & !(0xff << (8 * at));
            if len == 1 {
                return None;
            }
            (behind | (before << 8) | u64::from(b'0'), WORD - 1 - at as usize)
        }
    };
    let values = digits.wrapping_sub(byte(b'0'));
    // Bytes from 0 to 9 reach 127 at most, others have or reach the highest bit.
    if (values | values.wrapping_add(byte(0x76))) & byte(0x80) != 0 {
        return None;
    }
    // Neighbors are joined three times: to four numbers of two digits, two of four, one of eight.
    let twos = (values.wrapping_mul(1 + (10 << 8)) >> 8) & (u64::MAX / 0xffff * 0xff);
    let fours = (twos.wrapping_mul(1 + (100 << 16)) >> 16) & (u64::MAX / 0xffff_ffff * 0xffff);
    let mantissa = fours.wrapping_mul(1 + (10_000 << 32)) >> 32;
    let value = rounded(mantissa as f64 / POWERS[decimals])?;
    Some(if is_negative { -value } else { value })
}

/// Rounds to `f32`, unless the number may be rounded already, to the middle between two of them.
#[inline]
fn rounded(value: f64) -> Option<f32> {
    // The lower 29 bits of the fraction are those that an f32 has not.
    (value.to_bits() & ((1 << 29) - 1) != 1 << 28).then_some(value as f32)
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
pub(super) fn explain(
    cell: &[u8],
    column: &str,
    decimal: Decimal,
    said: bool,
    section: Section,
) -> String {
    let text = text(cell);
    let (cell, column) = (shown(&text), shown(column));
    let by_key = format!("leave the column out by ignore = [\"{column}\"]");
    let otherwise = "name another column";
    let leave_out = section.remedy(&by_key, otherwise);
    let ignore = format!("{leave_out}, or write numbers for its words");
    if text.contains('\n') {
        return format!("`{cell}` spans lines: close the quote at its beginning, or {ignore}");
    }
    let plain = text.replace('\u{2212}', "-");
    if plain.parse::<f64>().is_ok() && decimal != Decimal::Comma {
        return format!(
            "`{cell}` is not a finite number of 32 bits: correct it{}",
            section.remedy(", or leave it empty and set missing = \"drop\" or \"mean\"", "")
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
            "`{cell}` is a date or a time, not a number: {leave_out}, or write a number for it, such as \
             the hour"
        );
    }
    match decimal {
        Decimal::Unknown if only(",") && count(',') == 1 => {
            return format!(
                "`{cell}` may have a decimal comma, or thousands set off by one: {} for the first, take \
                 the commas out for the second",
                section.remedy("set decimal = \",\"", "write a point")
            );
        }
        Decimal::Point | Decimal::Unknown if only(",eE") && count(',') == 1 => {
            let why = match said {
                true => "but decimal = \".\"",
                false => "while other numbers have a point, or none",
            };
            return format!(
                "`{cell}` has a comma, {why}: {} where it is the decimal mark, take it out where it sets \
                 off thousands",
                section.remedy("set decimal = \",\"", "write a point")
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
                let by_key = format!(", and set units = {{ \"{column}\" = \"{unit}\" }}");
                format!(
                    "`{cell}` is a number with a unit: take the unit out of the cells{}",
                    section.remedy(&by_key, "")
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
    fn plain_numbers_are_those_of_the_standard_library() {
        let mut parsed = 0;
        let mut check = |text: &str| {
            // What follows a cell must not matter.
            let mut word = *b",.0-1\xff9,";
            word.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            if text.len() <= 8 && !text.starts_with('+') {
                let value = short(u64::from_le_bytes(word), text.len());
                let expected: f32 = text.parse().unwrap();
                let is_rounded_once = plain(text.as_bytes()).is_some();
                assert_eq!(
                    value.map(f32::to_bits),
                    is_rounded_once.then_some(expected.to_bits()),
                    "{text}"
                );
            }
            if let Some(value) = plain(text.as_bytes()) {
                let expected: f32 = text.parse().unwrap();
                assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
                parsed += 1;
            }
        };
        for text in ["-0", "0.0", "-.0", "999999999999999", "0.00000000000001", "+.5", "-5."] {
            check(text);
        }
        // Around the middle between the 32-bit numbers 2²⁴ and 2²⁴ + 2.
        for text in ["16777217", "16777217.0", "16777217.000001", "16777216.999999"] {
            check(text);
        }
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 33
        };
        for _ in 0..20_000 {
            let (whole, part) = (next() % 10_u64.pow((next() % 8) as u32), next() % 1_000_000);
            let decimals = (next() % 7) as usize;
            let sign = ["", "-", "+"][(next() % 3) as usize];
            check(&format!("{sign}{whole}.{part:0decimals$}"));
        }
        assert!(parsed > 20_000, "{parsed}");
        for text in ["", "+", "-", ".", "1e3", "1..2", "1.2.3", "-+1", "1 ", "1234567890123456"] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
            let mut word = *b"00000000";
            word.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
            assert_eq!(short(u64::from_le_bytes(word), text.len()), None, "{text}");
        }
        for byte in (0..=255).filter(|byte| !b"0123456789.".contains(byte)) {
            for at in 1..5 {
                let mut word = *b"12345678";
                word[at] = byte;
                assert_eq!(short(u64::from_le_bytes(word), 5), None, "{byte} at {at}");
            }
        }
        assert_eq!(plain(b"16777217"), None);
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
            let message = explain(text.as_bytes(), "x", decimal, false, Section::Csv);
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains(['\n', '\u{1b}']), "{message}");
        }
    }
}
