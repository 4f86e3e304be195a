//! Streaming reader of table rows, for files of any length.

mod diagnosis;

use std::path::{Path, PathBuf};

use thimble_support::foreign_text::shown;

use super::cells::{NoNumber, number, short};
use super::classes::ClassNames;
use super::decode::{open, text};
use super::dialect::{self, Decimal, Dialect};
use super::header::{Columns, resolve};
use super::problem::{Problem, Section};
use super::records::{Record, Records};
use super::settings::{Missing, Table, TableTarget};
use crate::Error;

/// Requested columns and classes of a file.
#[derive(Clone, Debug, Default)]
pub struct RowSpec {
    /// Names of the features in the model's order. If empty, all columns but the target.
    pub features: Vec<String>,
    /// Classes of the model, if known. Other classes are errors.
    pub classes: Option<Vec<String>>,
    /// Requires a target in each row if `true`. Otherwise it is read if the file has it.
    pub needs_target: bool,
    /// Replacements of missing features with `missing = "mean"`. NaN without them.
    pub means: Option<Vec<f32>>,
    /// `true` for another file than that of the settings.
    pub is_another_file: bool,
    /// Settings that remedies name.
    pub section: Section,
}

/// A row of a table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Line of the row, counted from 1.
    pub line: u64,
    /// Features.
    pub features: Vec<f32>,
    /// Features that are missing in the file.
    pub missing: Vec<u32>,
    /// Class, for classification, if it is not missing.
    pub class: Option<u16>,
    /// Targets, for regression, if none is missing.
    pub values: Vec<f32>,
}

/// Reader of the rows of a CSV file, one at a time.
pub struct RowReader {
    path: PathBuf,
    records: Records,
    record: Record,
    /// `true` if the record is a row that was not returned yet.
    waiting: bool,
    columns: Columns,
    decimal: Decimal,
    decimal_is_said: bool,
    missing: Missing,
    classes: Option<ClassNames>,
    spec: RowSpec,
    header: bool,
    /// Line of the first row, or 0 before it is read.
    first_row: u64,
    /// `true` if the line below the names has words where the next one has numbers.
    has_units_below_names: bool,
    left_out: u64,
    filled: u64,
    notes: Vec<String>,
    expected_rows: Option<usize>,
}

impl RowReader {
    /// Opens a file with the table's settings.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read. [`Error::Table`] with place and remedy if it is not a
    /// table, or lacks a required column.
    pub fn open(path: &Path, table: &Table, spec: RowSpec) -> Result<Self, Error> {
        let fail = |problem: Problem| problem.of(path);
        table.check().map_err(fail)?;
        let file = open(path, spec.section)?;
        let mut wanted: Vec<&str> = spec.features.iter().map(String::as_str).collect();
        if spec.needs_target {
            wanted.extend(table.target.names());
        }
        let dialect = dialect::find(&file, table, &wanted).map_err(fail)?;
        let mut notes = dialect::notes(&dialect, table);
        notes.extend(file.encoding.map(|encoding| format!("it is read as {encoding}")));
        let Dialect { format, decimal, skip, sample, line_bytes } = dialect;
        let expected_rows = file.bytes.map(|bytes| (bytes as f64 / line_bytes) as usize + 1);
        let mut records = Records::new(path.to_path_buf(), file.stream, format);
        for _ in 0..skip {
            records.skip_line()?;
        }
        let mut record = Record::default();
        if !records.read(&mut record)? {
            let text = "there are only blank lines: it needs a line of names and rows".to_string();
            return Err(fail(Problem::line(1, text)));
        }
        let first_line = record.line;
        check_first(&record, table, spec.section).map_err(fail)?;
        let mut columns = resolve(table, &spec, &sample).map_err(fail)?;
        let is_number = |row: &[String], at: &usize| {
            row.get(*at).is_some_and(|cell| number(cell.as_bytes(), decimal).is_ok())
        };
        let is_word = |row: &[String], at: &usize| {
            let is_sign = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
            row.get(*at).is_some_and(|cell| !cell.is_empty() && !cell.starts_with(is_sign))
        };
        let has_units_below_names = match sample.as_slice() {
            [_, units, row, ..] => {
                let mut features = columns.features.iter();
                features.all(|at| is_word(units, at) && is_number(row, at))
            }
            _ => false,
        };
        notes.append(&mut columns.notes);
        records.names = columns.names.clone();
        let classes = match (&table.target, &spec.classes) {
            (TableTarget::Values(_), _) => None,
            (TableTarget::Classes(_), Some(names)) => Some(ClassNames::known(names)),
            (TableTarget::Classes(_), None) => Some(ClassNames::default()),
        };
        Ok(RowReader {
            path: path.to_path_buf(),
            records,
            record,
            waiting: !table.header,
            columns,
            decimal,
            decimal_is_said: table.decimal.is_some(),
            missing: table.missing,
            classes,
            spec,
            header: table.header,
            first_row: if table.header { 0 } else { first_line },
            has_units_below_names,
            left_out: 0,
            filled: 0,
            notes,
            expected_rows,
        })
    }

    /// Reads the next row. Returns `false` at the end of the file.
    ///
    /// # Errors
    /// [`Error::Table`] with line, column and remedy.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, Error> {
        loop {
            if !std::mem::take(&mut self.waiting) && !self.records.read(&mut self.record)? {
                return Ok(false);
            }
            if self.record.cell(0).is_empty() && self.record.cells().all(<[u8]>::is_empty) {
                continue;
            }
            if self.first_row == 0 {
                self.first_row = self.record.line;
            }
            match self.row(row) {
                Ok(true) => return Ok(true),
                Ok(false) => self.left_out += 1,
                Err(problem) => return Err(problem.of(&self.path)),
            }
        }
    }

    /// Parses a row from the record. Returns `false` for a row to be dropped.
    fn row(&mut self, row: &mut Row) -> Result<bool, Problem> {
        let columns = &self.columns;
        let (record, line) = (&self.record, self.record.line);
        if record.len() != columns.width {
            let more = record.cells().skip(columns.width).any(|cell| !cell.is_empty());
            if record.len() < columns.width || more {
                return Err(self.wrong_count());
            }
        }
        row.line = line;
        row.features.clear();
        row.missing.clear();
        row.values.clear();
        row.class = None;
        for (at, &column) in columns.features.iter().enumerate() {
            match cell_number(record, column, self.decimal) {
                Ok(value) => row.features.push(value),
                Err(NoNumber::Missing) => match self.missing {
                    Missing::Refuse => return Err(self.missing_value(column)),
                    Missing::Drop => return Ok(false),
                    Missing::Mean => {
                        let mean = self.spec.means.as_ref().and_then(|means| means.get(at));
                        row.features.push(mean.copied().unwrap_or(f32::NAN));
                        row.missing.push(at as u32);
                        self.filled += 1;
                    }
                },
                Err(NoNumber::Other) => return Err(self.no_number(column)),
            }
        }
        let Some(&first) = columns.targets.first() else { return Ok(true) };
        if let Some(classes) = &mut self.classes {
            row.class = classes.find(record.cell(first), line, &columns.names[first])?;
            return match row.class {
                None if self.spec.needs_target => self.without_target(first),
                _ => Ok(true),
            };
        }
        for &column in &columns.targets {
            match cell_number(record, column, self.decimal) {
                Ok(value) => row.values.push(value),
                Err(NoNumber::Other) => return Err(self.no_number(column)),
                Err(NoNumber::Missing) if self.spec.needs_target => {
                    return self.without_target(column);
                }
                Err(NoNumber::Missing) => {
                    row.values.clear();
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    fn without_target(&self, column: usize) -> Result<bool, Problem> {
        match self.missing {
            Missing::Refuse => Err(self.missing_value(column)),
            Missing::Drop | Missing::Mean => Ok(false),
        }
    }

    /// Returns the names of the features, in order.
    pub fn feature_names(&self) -> Vec<&str> {
        self.columns.features.iter().map(|&at| self.columns.names[at].as_str()).collect()
    }

    /// Returns `true` if the file has the target.
    pub fn has_target(&self) -> bool {
        !self.columns.targets.is_empty()
    }

    /// Returns the number of rows that were dropped because of missing values.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns the number of missing values so far that were replaced by the means of the training
    /// rows.
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// Returns notes on the detected dialect for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the estimated number of rows by the size of the file, or `None` if it is not a
    /// regular file.
    pub fn expected_rows(&self) -> Option<usize> {
        self.expected_rows
    }

    /// Returns the text of a cell of the row that was read last, or `None` if there is no such column.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        let at = self.columns.names.iter().position(|name| name == column)?;
        Some(text(self.record.cell(at)).trim().to_string())
    }

    /// Returns the names of all columns.
    pub(crate) fn column_names(&self) -> &[String] {
        &self.columns.names
    }

    /// Returns the name of a row's class, for a table with classes.
    pub(crate) fn class_name(&self, row: &Row) -> Option<&str> {
        Some(self.classes.as_ref()?.names().get(usize::from(row.class?))?)
    }

    /// Returns the classes that were found or given.
    pub(super) fn classes(&self) -> Option<&ClassNames> {
        self.classes.as_ref()
    }

    /// Returns the name of the first target's column.
    pub(super) fn target_name(&self) -> &str {
        self.columns.targets.first().map_or("", |&at| self.columns.names[at].as_str())
    }
}

/// Parses the number of a cell.
#[inline]
fn cell_number(record: &Record, column: usize, decimal: Decimal) -> Result<f32, NoNumber> {
    if decimal == Decimal::Point
        && let Some((word, len)) = record.word(column)
        && let Some(value) = short(word, len)
    {
        return Ok(value);
    }
    number(record.cell(column), decimal)
}

/// Checks that the first line contains names.
fn check_first(record: &Record, table: &Table, section: Section) -> Result<(), Problem> {
    let first = text(record.cell(0));
    let mark = first.chars().next();
    if table.header && record.len() == 1 && matches!(mark, Some('#' | '%' | '!')) {
        let text = format!(
            "`{}` seems to be a comment, not the names of columns: take the line out{}",
            shown(&first),
            section.remedy(&format!(", or set comment = \"{}\"", mark.unwrap_or('#')), "")
        );
        return Err(Problem::line(record.line, text));
    }
    Ok(())
}
