//! CSV parser: lines to cells, with line numbers.
//!
//! RFC 4180 with common extensions: whitespace around quotes, quotes inside plain cells, and lines
//! that end in CR. A quoted cell may span lines. An unclosed quote is reported at its beginning,
//! and not read to the end of the file.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use thimble_support::foreign_text::shown;

use super::super::Error;
use super::decode::text;
use super::problem::Problem;

/// Maximum length of a line in bytes.
const MAX_LINE: u64 = 4 << 20;

/// Maximum number of lines of a quoted cell.
const MAX_QUOTED_LINES: u64 = 200;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Separator of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// A byte.
    Byte(u8),
    /// Any number of spaces and tabs.
    Blanks,
}

/// Format of lines and cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// Separator of cells.
    pub separator: Separator,
    /// Last byte of a line.
    pub terminator: u8,
    /// First byte of a comment line.
    pub comment: Option<u8>,
}

/// Cells of one line.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The line, counted from 1.
    pub line: u64,
    bytes: Vec<u8>,
    /// Start and end of each cell in `bytes`.
    cells: Vec<(u32, u32)>,
}

impl Record {
    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns a trimmed cell. Empty if the line does not have it.
    #[inline]
    pub fn cell(&self, index: usize) -> &[u8] {
        match self.cells.get(index) {
            Some(&(start, end)) => &self.bytes[start as usize..end as usize],
            None => &[],
        }
    }

    /// Iterates over all cells.
    pub fn cells(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.len()).map(|index| self.cell(index))
    }

    /// Returns the first bytes of a trimmed cell as a little-endian word, and its length. What follows
    /// the cell in the word is undefined. `None` if the line does not have the cell.
    #[inline]
    pub fn word(&self, index: usize) -> Option<(u64, usize)> {
        let &(start, end) = self.cells.get(index)?;
        let bytes = self.bytes.get(start as usize..)?.first_chunk()?;
        Some((u64::from_le_bytes(*bytes), (end - start) as usize))
    }

    /// Appends a cell without the blanks around it.
    #[inline]
    fn push(&mut self, start: usize, end: usize) {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let mut rest = self.bytes.get(start..end).unwrap_or_default();
        while let [first, behind @ ..] = rest
            && is_blank(first)
        {
            rest = behind;
        }
        let start = end - rest.len();
        while let [before @ .., last] = rest
            && is_blank(last)
        {
            rest = before;
        }
        self.cells.push((start as u32, (start + rest.len()) as u32));
    }

    /// Appends zeros, so that a word can be read from each cell.
    fn pad(&mut self) {
        self.bytes.extend_from_slice(&[0; WORD]);
    }
}

/// Reader of records.
pub(super) struct Records {
    path: PathBuf,
    lines: BufReader<Box<dyn Read + Send>>,
    format: Format,
    /// Number of the next line.
    next: u64,
    line: Vec<u8>,
    /// Names of the columns, for errors.
    pub names: Vec<String>,
}

impl Records {
    pub fn new(path: PathBuf, stream: Box<dyn Read + Send>, format: Format) -> Self {
        let lines = BufReader::with_capacity(1 << 16, stream);
        Records { path, lines, format, next: 1, line: Vec::new(), names: Vec::new() }
    }

    /// Reads the next record. Returns `false` at the end of the file. Skips blank lines and
    /// comments.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Error> {
        loop {
            self.line.clear();
            if !self.append_line()? {
                return Ok(false);
            }
            let start = self.line.trim_ascii_start();
            let comment = self.format.comment.is_some_and(|mark| start.first() == Some(&mark));
            if !start.is_empty() && !comment {
                break;
            }
        }
        record.line = self.next - 1;
        record.cells.clear();
        match self.line.contains(&b'"') {
            true => self.split_quoted(record)?,
            false => {
                std::mem::swap(&mut self.line, &mut record.bytes);
                split(self.format.separator, record);
            }
        }
        Ok(true)
    }

    /// Returns the separator of cells.
    pub fn separator(&self) -> Separator {
        self.format.separator
    }

    /// Skips a line.
    pub fn skip_line(&mut self) -> Result<(), Error> {
        self.line.clear();
        self.append_line().map(|_| ())
    }

    /// Appends a line without its terminator. Returns `false` at the end of the file.
    fn append_line(&mut self) -> Result<bool, Error> {
        let before = self.line.len();
        let mut lines = (&mut self.lines).take(MAX_LINE);
        lines
            .read_until(self.format.terminator, &mut self.line)
            .map_err(Error::file(&self.path, "cannot be read"))?;
        let count = self.line.len() - before;
        if count == 0 {
            return Ok(false);
        }
        if count as u64 == MAX_LINE {
            let text = format!("it has more than {MAX_LINE} bytes: this is no table of lines");
            return Err(Problem::line(self.next, text).of(&self.path));
        }
        if self.line.last() == Some(&self.format.terminator) {
            self.line.pop();
        }
        if self.line.len() > before && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.next += 1;
        Ok(true)
    }

    fn split_quoted(&mut self, record: &mut Record) -> Result<(), Error> {
        record.bytes.clear();
        let separator = self.format.separator;
        let ends = |byte: u8| match separator {
            Separator::Byte(mark) => byte == mark,
            Separator::Blanks => matches!(byte, b' ' | b'\t'),
        };
        let blank = |byte: u8| matches!(byte, b' ' | b'\t') && separator != Separator::Byte(byte);
        let mut at = 0;
        loop {
            while self.line.get(at).is_some_and(|&byte| blank(byte)) {
                at += 1;
            }
            if separator == Separator::Blanks && at >= self.line.len() && record.len() > 0 {
                record.pad();
                return Ok(());
            }
            let start = record.bytes.len();
            if self.line.get(at) == Some(&b'"') {
                let (opened, from) = (self.next - 1, at);
                at += 1;
                loop {
                    match self.line.get(at) {
                        Some(b'"') if self.line.get(at + 1) == Some(&b'"') => {
                            record.bytes.push(b'"');
                            at += 2;
                        }
                        Some(b'"') => break,
                        Some(&byte) => {
                            record.bytes.push(byte);
                            at += 1;
                        }
                        None => {
                            self.line.push(b'\n');
                            if self.next - opened > MAX_QUOTED_LINES || !self.append_line()? {
                                return Err(self.unclosed(opened, record.len(), from));
                            }
                        }
                    }
                }
                at += 1;
                let end = record.bytes.len();
                while let Some(&byte) = self.line.get(at).filter(|&&byte| !ends(byte)) {
                    record.bytes.push(byte);
                    at += 1;
                }
                let behind = record.bytes[end..].trim_ascii();
                if opened + 1 < self.next && !behind.is_empty() {
                    // Two unclosed quotes look like one closed cell.
                    return Err(self.unclosed(opened, record.len(), from));
                }
            } else {
                while let Some(&byte) = self.line.get(at).filter(|&&byte| !ends(byte)) {
                    record.bytes.push(byte);
                    at += 1;
                }
            }
            record.push(start, record.bytes.len());
            if at >= self.line.len() {
                record.pad();
                return Ok(());
            }
            at += 1;
        }
    }

    fn unclosed(&self, line: u64, column: usize, from: usize) -> Error {
        let rest = self.line[from..].split(|&byte| byte == b'\n').next().unwrap_or_default();
        let problem = format!(
            "the quote in `{}` is not closed: close it, or take it out",
            shown(&text(rest))
        );
        match self.names.get(column) {
            Some(name) => Problem::cell(line, name, problem).of(&self.path),
            None => Problem { place: format!("line {line}, column {}", column + 1), text: problem }
                .of(&self.path),
        }
    }
}

/// Splits a line without quotes into cells.
fn split(separator: Separator, record: &mut Record) {
    match separator {
        Separator::Byte(mark) => {
            let (mut start, len) = (0, record.bytes.len());
            record.pad();
            for word in (0..len).step_by(WORD) {
                let bytes = record.bytes.get(word..).and_then(|bytes| bytes.first_chunk());
                let mut marks = equal_bytes(bytes.map_or(0, |&b| u64::from_le_bytes(b)), mark);
                while marks != 0 {
                    let at = word + marks.trailing_zeros() as usize / 8;
                    record.push(start, at);
                    start = at + 1;
                    marks &= marks - 1;
                }
            }
            record.push(start, len);
        }
        Separator::Blanks => {
            let mut start = None;
            for at in 0..=record.bytes.len() {
                let blank = record.bytes.get(at).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
                match (start, blank) {
                    (None, false) => start = Some(at),
                    (Some(from), true) => {
                        record.push(from, at);
                        start = None;
                    }
                    _ => {}
                }
            }
            record.pad();
        }
    }
}

/// Returns the highest bit of each byte that equals `mark`.
#[inline]
fn equal_bytes(word: u64, mark: u8) -> u64 {
    const LOW_BITS: u64 = u64::from_le_bytes([0x7f; WORD]);
    let zeros = word ^ u64::from_le_bytes([mark; WORD]);
    // A sum of seven bits reaches the highest bit unless they are all zero, and no other byte.
    !(((zeros & LOW_BITS) + LOW_BITS) | zeros | LOW_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, separator: Separator) -> Result<Vec<(u64, Vec<String>)>, String> {
        let terminator = if text.contains('\n') { b'\n' } else { b'\r' };
        let format = Format { separator, terminator, comment: Some(b'#') };
        let stream = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let mut records = Records::new("x.csv".into(), stream, format);
        records.names = vec!["first".into(), "second".into()];
        let (mut found, mut record) = (Vec::new(), Record::default());
        while records.read(&mut record).map_err(|error| error.to_string())? {
            let cells = record.cells().map(|cell| super::text(cell).into_owned()).collect();
            found.push((record.line, cells));
        }
        Ok(found)
    }

    fn commas(text: &str) -> Vec<(u64, Vec<String>)> {
        all(text, Separator::Byte(b',')).unwrap()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| cell.to_string()).collect())
    }

    #[test]
    fn lines_are_numbered_as_an_editor_shows_them() {
        let text = "\r\na, b\r\n\r\n   \r\n# none\r\n\"x\r\ny\",2\r\n\r\n3,4";
        assert_eq!(
            commas(text),
            [row(2, &["a", "b"]), row(6, &["x\ny", "2"]), row(9, &["3", "4"])]
        );
        assert_eq!(
            commas("a,b\r1,2\r\r3,4\r"),
            [row(1, &["a", "b"]), row(2, &["1", "2"]), row(4, &["3", "4"])]
        );
    }

    #[test]
    fn quotes_and_blanks_are_read_as_programs_write_them() {
        assert_eq!(
            commas("\"a,b\", \"say \"\"hi\"\"\" ,5\" pipe,"),
            [row(1, &["a,b", "say \"hi\"", "5\" pipe", ""])]
        );
        assert_eq!(commas("\"\",\"b\"c,,"), [row(1, &["", "bc", "", ""])]);
        let blanks = all("  1   2\t\"a b\"  3 \n4 5\n", Separator::Blanks).unwrap();
        assert_eq!(blanks, [row(1, &["1", "2", "a b", "3"]), row(2, &["4", "5"])]);
        let tabs = all("1\t\t\"x\"\t\n", Separator::Byte(b'\t')).unwrap();
        assert_eq!(tabs, [row(1, &["1", "", "x", ""])]);
    }

    #[test]
    fn bytes_that_equal_a_mark_are_found_and_no_others() {
        // A comma and a minus differ by their lowest bit.
        for word in [*b",-,-0,,-", *b"--------", *b"\xac\x2c\xff\0,\x2d\x2c\x80"] {
            let found = equal_bytes(u64::from_le_bytes(word), b',').to_le_bytes();
            assert_eq!(found, word.map(|byte| if byte == b',' { 0x80 } else { 0 }));
        }
    }

    #[test]
    fn cells_are_words_with_their_length() {
        for (text, separator) in
            [("12.5,\"-3\", x", Separator::Byte(b',')), ("12.5 -3  x", Separator::Blanks)]
        {
            let format = Format { separator, terminator: b'\n', comment: None };
            let stream = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
            let (mut records, mut record) =
                (Records::new("x.csv".into(), stream, format), Record::default());
            assert!(records.read(&mut record).unwrap());
            for (index, cell) in ["12.5", "-3", "x"].into_iter().enumerate() {
                let (word, len) = record.word(index).unwrap();
                assert_eq!(&word.to_le_bytes()[..len], cell.as_bytes());
            }
            assert_eq!(record.word(3), None);
        }
    }

    #[test]
    fn an_unclosed_quote_is_refused_where_it_begins() {
        let rest = "1,mild\n".repeat(900);
        for text in [
            format!("a,b\n1,\"co ol\n{rest}"),
            "a,b\n1,\"co ol\n2,x\n".to_string(),
            // Another quote later makes it look closed.
            format!("a,b\n1,\"co ol\n{}2,\"mild\"\n", "1,mild\n".repeat(9)),
        ] {
            let message = all(&text, Separator::Byte(b',')).unwrap_err();
            let expected = "line 2, column `second`: the quote in `\"co ol` is not closed";
            assert!(message.contains(expected), "{message}");
            assert!(message.len() < 150, "{message}");
        }
        let long = "x".repeat(MAX_LINE as usize + 1);
        assert!(all(&long, Separator::Byte(b',')).unwrap_err().contains("no table of lines"));
    }
}
