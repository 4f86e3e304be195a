//! Text decoding of CSV files: byte order marks, UTF-16, Windows-1252, and detection of other file
//! types.
//!
//! A cell that is not UTF-8 is decoded as Windows-1252, the superset of Latin-1 that spreadsheets
//! write.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::super::Error;
use super::problem::{Problem, Section};

/// Size of the sample for detecting encoding and dialect, in bytes.
pub(super) const SAMPLE: usize = 64 * 1024;

/// An opened file: a sample of its first bytes, and the stream of all bytes. Both are in UTF-8 or
/// in another superset of ASCII.
pub(super) struct Decoded {
    /// The first bytes, at most [`SAMPLE`].
    pub sample: Vec<u8>,
    /// `true` if the sample is the whole file.
    pub whole: bool,
    /// All bytes from the first.
    pub stream: Box<dyn Read + Send>,
    /// Size of the file in bytes, if known.
    pub bytes: Option<u64>,
    /// Name of the encoding, unless it is UTF-8.
    pub encoding: Option<&'static str>,
}

/// Opens a file and detects its encoding.
pub(super) fn open(path: &Path, section: Section) -> Result<Decoded, Error> {
    let cannot = || Error::file(path, "cannot be read");
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path.is_relative() => {
            let folder = std::env::current_dir().unwrap_or_default();
            let text = format!(
                "it is not in {}: a file in a preset is relative to the current folder. Run the \
                 command where the file is, or give its whole path",
                thimble_support::foreign_text::path(&folder)
            );
            Problem { place: section.place("file"), text }.of(path)
        }
        _ => Error::file(path, "cannot be opened")(error),
    })?;
    let metadata = file.metadata().map_err(cannot())?;
    if metadata.is_dir() {
        let text = "it is a folder: name a CSV file in it".to_string();
        return Err(Problem { place: section.place("file"), text }.of(path));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    decoded(Box::new(file), bytes).map_err(cannot())?.map_err(|problem| problem.of(path))
}

type Opened = Result<Decoded, Problem>;

fn decoded(mut file: Box<dyn Read + Send>, bytes: Option<u64>) -> io::Result<Opened> {
    let mut start = [0_u8; 4096];
    let filled = fill(&mut file, &mut start)?;
    let start = &start[..filled];
    if start.is_empty() {
        let text = "the file is empty: it needs a line of names and rows".to_string();
        return Ok(Err(Problem::line(1, text)));
    }
    if let Some(text) = no_table(start) {
        return Ok(Err(Problem::line(1, text)));
    }
    let chained = |skip: usize| io::Cursor::new(start[skip..].to_vec()).chain(file);
    let (mut stream, encoding): (Box<dyn Read + Send>, _) = match utf_16(start) {
        Some((order, skip)) => (Box::new(Utf16::new(chained(skip), order)), Some("UTF-16")),
        None => {
            let skip = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            (Box::new(chained(skip)), None)
        }
    };
    let mut sample = vec![0; SAMPLE];
    let filled = fill(&mut stream, &mut sample)?;
    sample.truncate(filled);
    let whole = filled < SAMPLE;
    let latin = std::str::from_utf8(&sample).is_err_and(|error| error.error_len().is_some());
    let encoding = encoding.or(latin.then_some("Latin-1 (Windows-1252)"));
    let stream = Box::new(io::Cursor::new(sample.clone()).chain(stream));
    Ok(Ok(Decoded { sample, whole, stream, bytes, encoding }))
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Detects other file types by their first bytes, and returns a message with the remedy.
fn no_table(start: &[u8]) -> Option<String> {
    let known: [(&[u8], &str, &str); 12] = [
        (b"PK\x03\x04", "a workbook (xlsx, ods) or a zip archive", "save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook (xls)", "save its sheet as CSV"),
        (b"\x1f\x8b", "compressed by gzip", "unpack it with gunzip"),
        (b"BZh", "compressed by bzip2", "unpack it with bunzip2"),
        (b"\xfd7zXZ", "compressed by xz", "unpack it with unxz"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with unzstd"),
        (b"PAR1", "a Parquet file", "write it with pandas' to_csv(index=False)"),
        (b"\x89HDF", "an HDF5 file", "write it with pandas' to_csv(index=False)"),
        (b"\x93NUMPY", "a NumPy array", "write it with numpy.savetxt(delimiter=\",\")"),
        (b"SQLite format", "an SQLite database", "export the table as CSV"),
        (b"%PDF", "a PDF", "export its table as CSV"),
        (b"\xff\xfe\0\0", "UTF-32", "save it as UTF-8"),
    ];
    let words = |what: &str, remedy: &str| format!("the file is {what}, not CSV: {remedy}");
    if let Some((_, what, remedy)) = known.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return Some(words(what, remedy));
    }
    let text = start.trim_ascii_start();
    match text.first() {
        Some(b'{') => Some(words("JSON", "write its rows as CSV")),
        Some(b'[') if matches!(text.get(1), Some(b'{' | b'[')) => {
            Some(words("JSON", "write its rows as CSV"))
        }
        Some(b'<') if matches!(text.get(1), Some(b'!' | b'?' | b'h' | b'H')) => {
            Some(words("a page of the web", "download the CSV file itself"))
        }
        _ => None,
    }
}

/// Byte order of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Little,
    Big,
}

/// Detects UTF-16 by its byte order mark, or by every second byte being zero. Returns the byte
/// order and the number of bytes to skip.
fn utf_16(start: &[u8]) -> Option<(Order, usize)> {
    match start {
        [0xff, 0xfe, ..] => return Some((Order::Little, 2)),
        [0xfe, 0xff, ..] => return Some((Order::Big, 2)),
        _ => {}
    }
    let pairs = start.len().min(256) / 2;
    let zeros = |offset: usize| (0..pairs).filter(|&at| start[2 * at + offset] == 0).count();
    match (zeros(0), zeros(1)) {
        (even, odd) if pairs >= 4 && odd * 10 >= pairs * 7 && even * 5 < pairs => {
            Some((Order::Little, 0))
        }
        (even, odd) if pairs >= 4 && even * 10 >= pairs * 7 && odd * 5 < pairs => {
            Some((Order::Big, 0))
        }
        _ => None,
    }
}

/// Stream that converts UTF-16 to UTF-8.
struct Utf16<R> {
    file: R,
    order: Order,
    /// A high surrogate that waits for its low surrogate.
    units: Vec<u16>,
    odd: Option<u8>,
    ready: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf16<R> {
    fn new(file: R, order: Order) -> Self {
        Utf16 { file, order, units: Vec::new(), odd: None, ready: Vec::new(), taken: 0 }
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut bytes = [0_u8; 8192];
        let kept = usize::from(self.odd.is_some());
        if let Some(odd) = self.odd.take() {
            bytes[0] = odd;
        }
        let filled = kept + fill(&mut self.file, &mut bytes[kept..])?;
        let last = filled < bytes.len();
        let (pairs, rest) = bytes[..filled].as_chunks::<2>();
        self.odd = rest.first().copied();
        self.units.extend(pairs.iter().map(|&pair| match self.order {
            Order::Little => u16::from_le_bytes(pair),
            Order::Big => u16::from_be_bytes(pair),
        }));
        let waiting = match self.units.last() {
            Some(0xd800..=0xdbff) if !last => self.units.pop(),
            _ => None,
        };
        self.ready.clear();
        self.taken = 0;
        for character in char::decode_utf16(self.units.drain(..)) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.units.extend(waiting);
        Ok(!self.ready.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() && !self.more()? {
            return Ok(0);
        }
        let count = out.len().min(self.ready.len() - self.taken);
        out[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// Characters of Windows-1252 from 0x80 to 0x9f. The five undefined ones stay control characters.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Returns the trimmed text of a cell, decoded from UTF-8 or Windows-1252.
pub(super) fn text(cell: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(cell) {
        Ok(text) => Cow::Borrowed(text.trim()),
        Err(_) => {
            let character = |&byte: &u8| match byte {
                0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
                _ => char::from(byte),
            };
            let text: String = cell.iter().map(character).collect();
            Cow::Owned(text.trim().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Vec<u8>, Option<&'static str>), String> {
        match decoded(Box::new(io::Cursor::new(bytes.to_vec())), None).unwrap() {
            Ok(mut decoded) => {
                let mut all = Vec::new();
                decoded.stream.read_to_end(&mut all).unwrap();
                assert!(all.starts_with(&decoded.sample));
                Ok((all, decoded.encoding))
            }
            Err(problem) => Err(problem.text),
        }
    }

    #[test]
    fn utf_16_of_both_orders_and_without_a_mark_becomes_utf_8() {
        let text = "temp;Zustand\n21,5;kühl 😀\n".repeat(900);
        for (mark, big) in [(true, false), (true, true), (false, false), (false, true)] {
            let units = text.encode_utf16();
            let first = if mark { vec![0xfeff_u16] } else { vec![] };
            let bytes: Vec<u8> = first
                .into_iter()
                .chain(units)
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let (found, encoding) = read(&bytes).unwrap();
            assert!(found == text.as_bytes(), "mark {mark:?}, big {big}");
            assert_eq!(encoding, Some("UTF-16"));
        }
    }

    #[test]
    fn marks_are_taken_off_and_latin_1_is_recognized() {
        assert_eq!(read(b"\xef\xbb\xbfa,b\n"), Ok((b"a,b\n".to_vec(), None)));
        let latin = b"temp \xb0C,b\n".to_vec();
        assert_eq!(read(&latin), Ok((latin.clone(), Some("Latin-1 (Windows-1252)"))));
        assert_eq!(text(b" 5 \xb0C\xa0"), "5 °C");
        assert_eq!(text(b"\x80 5"), "€ 5");
        assert_eq!(text("°C\u{a0}".as_bytes()), "°C");
    }

    #[test]
    fn other_files_are_named_with_the_remedy() {
        for (bytes, expected) in [
            (b"PK\x03\x04....".as_slice(), "save its sheet as CSV"),
            (b"\x1f\x8b\x08\0", "gunzip"),
            (b"{\"a\": 1}", "JSON"),
            (b"<!DOCTYPE html>", "page of the web"),
            (b"", "empty"),
        ] {
            let message = read(bytes).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let message = open(folder.path(), Section::Csv).err().unwrap().to_string();
        assert!(message.contains("it is a folder"), "{message}");
    }
}
