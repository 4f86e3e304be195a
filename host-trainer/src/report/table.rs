//! Tables for the terminal, with column widths that fit the contents.

use anstyle::Style;

use super::style::{FAINT, paint};
use crate::foreign_text::shown;

/// A cell: its text, on one line with escaped control characters, and its style.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::styled(text, Style::new())
    }
}

impl Cell {
    /// Creates a cell with this style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Cell { text: shown(&text.into()), style }
    }
}

/// A table with a header. The first column is left-aligned, all others right-aligned.
#[derive(Clone, Debug)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Cell>>,
    gap: usize,
}

impl Table {
    /// Creates a table with this header and no rows.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let header = header.into_iter().map(|text| shown(&text.into())).collect();
        Table { header, rows: Vec::new(), gap: 3 }
    }

    /// Sets the number of blanks between columns.
    pub fn gap(mut self, gap: usize) -> Self {
        self.gap = gap;
        self
    }

    /// Appends a row, with as many cells as the header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Returns the lines of the table, all of equal width.
    pub fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = self.header.iter().map(|text| width(text)).collect();
        for row in &self.rows {
            for (most, cell) in widths.iter_mut().zip(row) {
                *most = width(&cell.text).max(*most);
            }
        }
        let header: Vec<Cell> =
            self.header.iter().map(|text| Cell::styled(text.as_str(), FAINT)).collect();
        let gap = " ".repeat(self.gap);
        let line = |row: &Vec<Cell>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &most))| {
                let blanks = " ".repeat(most.saturating_sub(width(&cell.text)));
                let text = paint(cell.style, &cell.text);
                if column == 0 { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
            });
            cells.collect::<Vec<_>>().join(&gap)
        };
        std::iter::once(&header).chain(&self.rows).map(line).collect()
    }
}

/// Width on the terminal. The texts here have no wide or combining characters.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_in_its_cell() {
        let mut table = Table::new(["a\nb"]);
        table.row(["\x1b[2Jc".into()]);
        let lines = table.lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains(r"a\nb") && lines[1].contains(r"\u{1b}[2Jc"), "{lines:?}");
    }

    #[test]
    fn columns_align() {
        let mut table = Table::new(["", "float"]).gap(2);
        table.row(["accuracy".into(), "98.33 %".into()]);
        table.row(["é".into(), Cell::styled("–", FAINT)]);
        let lines = table.lines();
        let plain: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(plain, ["            float", "accuracy  98.33 %", "é               –"]);
    }
}
