//! Why a line is no row of the table, and what to do about it.

use thimble_support::foreign_text::shown;

use super::super::cells::explain;
use super::super::decode::text;
use super::super::problem::Problem;
use super::super::records::Separator;
use super::RowReader;

impl RowReader {
    /// Returns the problem of a missing value.
    pub(super) fn missing_value(&self, column: usize) -> Problem {
        let cell = text(self.record.cell(column));
        let cell = match cell.is_empty() {
            true => String::new(),
            false => format!(" (`{}`)", shown(&cell)),
        };
        let text = format!(
            "the value is missing{cell}: fill it in{}",
            self.spec.section.remedy(
                ", or set missing = \"drop\" (the row) or \"mean\" (its feature's)",
                ", or take the line out"
            )
        );
        Problem::cell(self.record.line, &self.columns.names[column], text)
    }

    /// Returns the problem of a cell that should be a number.
    pub(super) fn no_number(&self, column: usize) -> Problem {
        let (cell, name) = (self.record.cell(column), &self.columns.names[column]);
        let (line, words) = (self.record.line, text(cell));
        let first = text(self.record.cell(0));
        let fail = |text: String| Problem::cell(line, name, text);
        if self.header && words == name.as_str() {
            return fail("the names of the first line come again: take the line out".into());
        }
        if let Some(problem) = self.comment(&first) {
            return problem;
        }
        if self.header && line == self.first_row && self.has_units_below_names {
            let by_key =
                format!(", and set units = {{ \"{}\" = \"{}\" }}", shown(name), shown(&words));
            return fail(format!(
                "`{}` is no number: where the line below the names has units, take it out{}",
                shown(&words),
                self.spec.section.remedy(&by_key, "")
            ));
        }
        if !self.header && line == self.first_row {
            return fail(format!(
                "`{}` is no number: where the first line names the columns, leave header = false \
                 out",
                shown(&words)
            ));
        }
        let mut text = explain(cell, name, self.decimal, self.decimal_is_said, self.spec.section);
        if self.columns.targets.contains(&column) && text.contains("ignore = ") {
            let (word, name) = (shown(&words), shown(name));
            text = format!(
                "`{word}` is no number: where the column names classes, set target = {{ classes = \
                 \"{name}\" }} in data.dataset.csv"
            );
        }
        fail(text)
    }

    /// Returns the problem of a line that seems to be a comment, by its first cell.
    fn comment(&self, first: &str) -> Option<Problem> {
        let mark = first.chars().next()?;
        if !matches!(mark, '#' | '%' | '!') && !first.starts_with("//") {
            return None;
        }
        let text = format!(
            "`{}` seems to be a comment: take the line out{}",
            shown(first),
            self.spec.section.remedy(&format!(", or set comment = \"{mark}\""), "")
        );
        Some(Problem::line(self.record.line, text))
    }

    /// Returns the problem of a line with too few or too many cells.
    pub(super) fn wrong_count(&self) -> Problem {
        let (found, width) = (self.record.len(), self.columns.width);
        let cells: Vec<_> = self.record.cells().map(text).collect();
        let first = cells.first().map(|cell| cell.as_ref()).unwrap_or_default();
        if let Some(problem) = self.comment(first) {
            return problem;
        }
        let named = match self.header {
            true => format!("the first line names {width}"),
            false => format!("the first line has {width}"),
        };
        let fields = format!("{found} fields, but {named}");
        let is_number = |cell: &str| cell.parse::<f64>().is_ok();
        let names = &self.columns.names;
        let remedy = if found < width
            && self.record.line == self.first_row
            && names.iter().any(|name| is_number(name))
        {
            "the names and the first row seem to stand in one line: break it between them".into()
        } else if width == 1 && found > 1 && self.header {
            format!(
                "lines above the names (`{}`) are no part of the table: take them out{}",
                shown(&names[0]),
                self.spec
                    .section
                    .remedy(", or set comment to the character that they begin with", "")
            )
        } else if found < width {
            "complete the line".to_string()
        } else if let Some(cell) =
            self.merged(&cells.iter().map(|c| c.as_ref()).collect::<Vec<_>>())
        {
            format!("two lines have run into one at `{}`: break it there", shown(&cell))
        } else if self.decimal_commas(&cells.iter().map(|c| is_number(c)).collect::<Vec<_>>()) {
            "where commas stand within its numbers, as decimal marks or between thousands, \
             another mark must stand between columns: write the file with `;`"
                .to_string()
        } else {
            let cell = &cells[width.min(cells.len() - 1)];
            format!(
                "take `{}` and what follows out, or put quotes around a cell that has the \
                 separator in it",
                shown(cell)
            )
        };
        Problem::line(self.record.line, format!("{fields}: {remedy}"))
    }

    /// Returns the place at which two lines were merged into one. The last cell of the first and
    /// the first cell of the second are one cell, or adjacent.
    fn merged(&self, cells: &[&str]) -> Option<String> {
        let width = self.columns.width;
        let is_number = |cell: &str| cell.replace(',', ".").parse::<f64>().is_ok();
        let fits = |cells: &[&str], skip: usize| {
            self.columns.features.iter().filter(|&&at| at >= skip).all(|&at| {
                cells.get(at - skip).is_some_and(|cell| is_number(cell) || cell.is_empty())
            })
        };
        let joint = cells.get(width - 1)?;
        if cells.len() + 1 == 2 * width && width > 1 {
            let inner =
                self.columns.features.iter().all(|&at| at + 1 == width || is_number(cells[at]));
            let has_both = joint.chars().any(|c| c.is_ascii_digit()) && !is_number(joint);
            return (inner && has_both && fits(&cells[width..], 1)).then(|| joint.to_string());
        }
        let both = cells.len() == 2 * width && fits(cells, 0) && fits(&cells[width..], 0);
        both.then(|| format!("{joint} {}", cells[width]))
    }

    /// Returns `true` if the surplus cells can be fractional parts of numbers with decimal commas.
    fn decimal_commas(&self, are_numbers: &[bool]) -> bool {
        let too_many = are_numbers.len().saturating_sub(self.columns.width);
        let pairs = are_numbers.windows(2).filter(|pair| pair[0] && pair[1]).count();
        let targets = if self.classes.is_some() { 0 } else { self.columns.targets.len() };
        let is_comma = self.records.separator() == Separator::Byte(b',');
        is_comma && pairs >= too_many && too_many <= self.columns.features.len() + targets
    }
}
