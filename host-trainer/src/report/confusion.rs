//! Confusion matrices on the terminal.

use super::style::{BAD, FAINT, GOOD, HEADING, paint};
use super::table::{Cell, Table};
use crate::evaluate::Confusion;

/// Blanks between two adjacent matrices.
const GAP: usize = 5;

/// Confusion matrices side by side, or below one another if the terminal is too narrow.
///
/// Rows are true classes, columns are predicted classes.
pub fn confusion_text(matrices: &[(&str, &Confusion)], terminal_width: usize) -> String {
    let blocks: Vec<(usize, Vec<String>)> =
        matrices.iter().map(|(title, confusion)| block(title, confusion)).collect();
    let total: usize =
        blocks.iter().map(|(width, _)| width + GAP).sum::<usize>().saturating_sub(GAP);
    let mut text = String::new();
    if total > terminal_width {
        for (_, lines) in blocks {
            lines.iter().for_each(|line| push(&mut text, line));
            text.push('\n');
        }
        return text;
    }
    let height = blocks.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    for index in 0..height {
        let line: Vec<&str> =
            blocks.iter().filter_map(|(_, lines)| lines.get(index)).map(String::as_str).collect();
        push(&mut text, &line.join(&" ".repeat(GAP)));
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A matrix with its title, as lines of the same width.
fn block(title: &str, confusion: &Confusion) -> (usize, Vec<String>) {
    let mut header = vec![String::new()];
    header.extend(confusion.names().iter().cloned());
    let mut table = Table::new(header).gap(1);
    for (truth, name) in confusion.names().iter().enumerate() {
        let mut row = vec![Cell::styled(name.as_str(), FAINT)];
        row.extend(confusion.counts().row(truth).iter().enumerate().map(
            |(predicted, &count)| match (count, truth == predicted) {
                (0, _) => Cell::styled("·", FAINT),
                (_, true) => Cell::styled(count.to_string(), GOOD),
                (_, false) => Cell::styled(count.to_string(), BAD),
            },
        ));
        table.row(row);
    }
    let mut lines = table.lines();
    let width = lines.iter().map(|line| plain_width(line)).max().unwrap_or(0);
    let title_width = title.chars().count();
    let blanks = " ".repeat(width.saturating_sub(title_width));
    lines.insert(0, format!("{}{blanks}", paint(HEADING, title)));
    (width.max(title_width), lines)
}

fn plain_width(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_where_there_is_room() {
        let mut confusion = Confusion::new(vec!["cat".into(), "dog".into()]);
        (0..12).for_each(|_| confusion.add(0, 0));
        confusion.add(1, 0);
        let matrices = [("float", &confusion), ("int8", &confusion)];
        let plain =
            |width| anstream::adapter::strip_str(&confusion_text(&matrices, width)).to_string();
        assert_eq!(
            plain(80),
            "float           int8\n    cat dog         cat dog\ncat  12   ·     cat  12   ·\n\
             dog   1   ·     dog   1   ·\n"
        );
        assert_eq!(plain(20).lines().count(), 10);
    }
}
