//! CSV dialect detection: separator and decimal mark.

use thimble_support::foreign_text::shown;

use super::decode::{Decoded, text};
use super::problem::Problem;
use super::records::{Format, Record, Records, Separator};
use super::settings::{Table, TableTarget};

/// Number of lines for the detection.
const LINES: usize = 100;

/// Candidate separators, the most likely first.
const SEPARATORS: [Separator; 5] = [
    Separator::Byte(b','),
    Separator::Byte(b';'),
    Separator::Byte(b'\t'),
    Separator::Byte(b'|'),
    Separator::Blanks,
];

/// Decimal mark of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decimal {
    /// A point.
    Point,
    /// A comma.
    Comma,
    /// Numbers such as 1,234, which may be 1.234 or 1234.
    Unknown,
}

/// CSV dialect of a file.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Lines and cells.
    pub format: Format,
    /// Decimal mark.
    pub decimal: Decimal,
    /// Number of lines before the table, such as `sep=;`.
    pub skip: usize,
    /// Cells of the first lines.
    pub sample: Vec<Vec<String>>,
    /// Mean length of a line in bytes.
    pub line_bytes: f64,
}

impl Separator {
    /// Returns the name for messages.
    pub fn name(self) -> String {
        match self {
            Separator::Byte(b'\t') => "a tab".to_string(),
            Separator::Byte(mark) => format!("`{}`", char::from(mark)),
            Separator::Blanks => "blanks".to_string(),
        }
    }

    fn of(mark: char) -> Self {
        match mark {
            ' ' => Separator::Blanks,
            mark => Separator::Byte(u8::try_from(mark).unwrap_or(b',')),
        }
    }
}

/// Detects the dialect of an opened file. `wanted` are names of required columns.
pub(super) fn find(file: &Decoded, table: &Table, wanted: &[&str]) -> Result<Dialect, Problem> {
    let terminator = match file.sample.contains(&b'\n') || !file.sample.contains(&b'\r') {
        true => b'\n',
        false => b'\r',
    };
    let comment = table.comment.and_then(|mark| u8::try_from(mark).ok());
    let format = |separator| Format { separator, terminator, comment };
    // The last line of a truncated sample is not complete.
    let whole = match file.sample.iter().rposition(|&byte| byte == terminator) {
        Some(last) if !file.whole => &file.sample[..=last],
        _ => file.sample.as_slice(),
    };
    let lines = whole.iter().filter(|&&byte| byte == terminator).count().max(1);
    let line_bytes = whole.len() as f64 / lines as f64;
    let first = whole.split(|&byte| byte == terminator).next().unwrap_or_default().trim_ascii();
    let declared = match first {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', rest @ ..] => match rest {
            [mark] => Some(Separator::of(char::from(*mark))),
            // A tab is trimmed away.
            [] => Some(Separator::Byte(b'\t')),
            _ => None,
        },
        _ => None,
    };
    let skip = usize::from(declared.is_some());
    let sample = |separator| sample(whole, format(separator), skip);
    let said = table.separator.map(Separator::of).or(declared);
    let (separator, sample) = match said {
        Some(separator) => (separator, sample(separator)),
        None => SEPARATORS
            .into_iter()
            .map(|separator| (separator, sample(separator)))
            // Of equal scores, the first separator wins.
            .rev()
            .max_by(|(_, a), (_, b)| {
                let score = |sample| score(sample, table.header, wanted);
                score(a).partial_cmp(&score(b)).unwrap_or(std::cmp::Ordering::Equal)
            })
            .unwrap_or((SEPARATORS[0], Vec::new())),
    };
    let decimal = match table.decimal {
        Some(',') => Decimal::Comma,
        Some(_) => Decimal::Point,
        None => decimal(&sample, table),
    };
    if separator == Separator::Byte(b',') && decimal == Decimal::Comma && said.is_some() {
        let quoted = whole.contains(&b'"');
        if !quoted {
            let problem = "it is the decimal mark of these numbers too: give the mark that stands \
                           between columns";
            return Err(match table.separator {
                Some(_) => Problem::key("separator", problem.to_string()),
                // The file says so itself.
                None => Problem::line(1, problem.to_string()),
            });
        }
    }
    Ok(Dialect { format: format(separator), decimal, skip, sample, line_bytes })
}

/// Returns the cells of the first lines in this format, up to the first line that cannot be parsed.
fn sample(bytes: &[u8], format: Format, skip: usize) -> Vec<Vec<String>> {
    let stream = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut records = Records::new("sample".into(), stream, format);
    let (mut found, mut record) = (Vec::new(), Record::default());
    for _ in 0..skip {
        if records.skip_line().is_err() {
            return found;
        }
    }
    while found.len() < LINES && records.read(&mut record).unwrap_or(false) {
        found.push(record.cells().map(|cell| text(cell).into_owned()).collect());
    }
    found
}

/// Returns the score of a separator: whether the required columns exist, whether there are several
/// columns, the share of lines with the usual number of cells, and the share of numeric cells.
fn score(sample: &[Vec<String>], header: bool, wanted: &[&str]) -> (bool, bool, f64, f64) {
    let most = |count: usize| sample.iter().filter(|cells| cells.len() == count).count();
    let usual = sample.iter().map(Vec::len).max_by_key(|&count| most(count)).unwrap_or(0);
    let there = match (header, sample.first()) {
        (true, Some(names)) => wanted.iter().all(|name| names.iter().any(|own| own == name)),
        _ => {
            wanted.iter().all(|name| name.parse().is_ok_and(|at: usize| (1..=usual).contains(&at)))
        }
    };
    let consistent = most(usual) as f64 / sample.len().max(1) as f64;
    let rows = sample.get(usize::from(header)..).unwrap_or_default();
    let cells = || rows.iter().flatten();
    let numbers = cells().filter(|cell| mark(cell).is_some()).count();
    let numeric = numbers as f64 / cells().count().max(1) as f64;
    (there && usual > 1, usual > 1, consistent, numeric)
}

/// Decimal marks and thousands separators within a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    None,
    Point,
    Comma,
    /// A comma before three digits: a decimal mark or a thousands separator.
    Either,
}

/// Detects a number and its marks.
fn mark(cell: &str) -> Option<Mark> {
    let digits = cell.trim_start_matches(['+', '-', '\u{2212}']);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent = exponent.trim_start_matches(['+', '-']);
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(exponent) || !mantissa.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if mantissa.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'.' && byte != b',') {
        return None;
    }
    match (mantissa.matches(',').count(), mantissa.matches('.').count()) {
        (0, 0) => Some(Mark::None),
        (0, 1) => Some(Mark::Point),
        (1, 0) => {
            let (whole, part) = mantissa.split_once(',')?;
            let thousands = part.len() == 3 && (1..=3).contains(&whole.len());
            let either = thousands && !whole.starts_with('0') && !digits.contains(['e', 'E']);
            Some(if either { Mark::Either } else { Mark::Comma })
        }
        // With both marks, the last one is the decimal mark: 1.234,5 and 1,234.5.
        (_, points) if points > 0 => {
            let comma = mantissa.rfind(',') > mantissa.rfind('.');
            Some(if comma { Mark::Comma } else { Mark::Point })
        }
        _ => None,
    }
}

/// Detects the decimal mark in the used columns.
fn decimal(sample: &[Vec<String>], table: &Table) -> Decimal {
    let names = if table.header { sample.first() } else { None };
    let is_used = |column: usize| {
        let number = (column + 1).to_string();
        let name = names.map_or(Some(&number), |names| names.get(column));
        let Some(name) = name else { return true };
        let is_class = matches!(&table.target, TableTarget::Classes(class) if class == name);
        let is_feature = table.features.is_empty() || table.features.contains(name);
        let is_target = table.target.names().contains(&name.as_str());
        (is_feature || is_target) && !is_class && !table.ignore.contains(name)
    };
    let rows = sample.iter().skip(usize::from(table.header));
    let cells = rows.flat_map(|cells| {
        cells.iter().enumerate().filter(|(column, _)| is_used(*column)).map(|(_, cell)| cell)
    });
    let (mut points, mut commas, mut either) = (0, 0, 0);
    for cell in cells {
        match mark(cell) {
            Some(Mark::Point) => points += 1,
            Some(Mark::Comma) => commas += 1,
            Some(Mark::Either) => either += 1,
            Some(Mark::None) | None => {}
        }
    }
    match (points, commas, either) {
        (0, 1.., _) => Decimal::Comma,
        (0, 0, 1..) => Decimal::Unknown,
        _ => Decimal::Point,
    }
}

/// Returns notes on the detected dialect for the user.
pub(super) fn notes(dialect: &Dialect, table: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    let separator = dialect.format.separator;
    if table.separator.is_none() && separator != Separator::Byte(b',') {
        notes.push(format!("columns are separated by {}", shown(&separator.name())));
    }
    if table.decimal.is_none() && dialect.decimal == Decimal::Comma {
        notes.push("numbers have a decimal comma".to_string());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, table: &Table) -> (Separator, Decimal) {
        let sample = text.as_bytes().to_vec();
        let stream = Box::new(std::io::Cursor::new(sample.clone()));
        let file = Decoded { sample, whole: true, stream, bytes: None, encoding: None };
        let dialect = find(&file, table, &table.target.names()).unwrap();
        (dialect.format.separator, dialect.decimal)
    }

    fn table() -> Table {
        Table::new("x.csv", TableTarget::Classes("state".into()))
    }

    #[test]
    fn separators_are_found_by_names_and_by_shape() {
        let byte = Separator::Byte;
        for (text, separator, decimal) in [
            ("temp,hum,state\n20.5,4,cool\n", byte(b','), Decimal::Point),
            ("temp;hum;state\n20.5;4;cool\n", byte(b';'), Decimal::Point),
            ("temp;hum;state\n20,5;4,25;cool\n", byte(b';'), Decimal::Comma),
            ("temp\thum\tstate\n20,5\t4\tcool, dry\n", byte(b'\t'), Decimal::Comma),
            ("temp|hum|state\n1|2|a,b;c\n", byte(b'|'), Decimal::Point),
            ("temp  hum state\n1.5   2 a\n", Separator::Blanks, Decimal::Point),
            ("sep=;\ntemp;hum;state\n1;2;a\n", byte(b';'), Decimal::Point),
            ("\"temp\",\"hum\",\"state\"\n\"20,5\",\"4,1\",\"a;b\"\n", byte(b','), Decimal::Comma),
            ("a note;state\n1,2;x\n3,4;y\n", byte(b';'), Decimal::Comma),
            ("temp;state\n1,234;x\n", byte(b';'), Decimal::Unknown),
            ("temp;hum;state\n1,234;2.5;x\n", byte(b';'), Decimal::Point),
            ("temp;hum;state\n1,234;0,5;x\n", byte(b';'), Decimal::Comma),
            ("temp;hum;state\n1.234,5;7;x\n", byte(b';'), Decimal::Comma),
        ] {
            assert_eq!(found(text, &table()), (separator, decimal), "{text}");
        }
        let target = TableTarget::Classes("3".into());
        let headless = Table { header: false, ..Table::new("x.csv", target) };
        let text = "20,17;40,82;cool\n23,17;33,7;mild\n";
        assert_eq!(found(text, &headless), (byte(b';'), Decimal::Comma));
    }

    #[test]
    fn columns_that_are_left_out_do_not_decide() {
        let text = "day;temp;state\n01.5;20,5;cool\n";
        assert_eq!(found(text, &table()).1, Decimal::Point);
        let ignoring = Table { ignore: vec!["day".into()], ..table() };
        assert_eq!(found(text, &ignoring).1, Decimal::Comma);
        let said = Table { decimal: Some(','), ..table() };
        assert_eq!(found(text, &said).1, Decimal::Comma);
    }
}
