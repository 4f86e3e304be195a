//! Result tables after training and evaluation: metrics and memory.

use anstyle::Style;
use model_format::Model;

use super::number::{bytes, grouped, percent, r_squared, significant};
use super::style::{HEADING, STRONG, paint};
use super::table::{Cell, Table};
use crate::data::Results;
use crate::evaluate::{Confusion, Evaluation, Regression, summary_figures};

/// A variant of a model with its evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// `float` or `int8`.
    pub title: &'a str,
    /// Evaluation on the rows of results.
    pub evaluation: &'a Evaluation,
}

/// Metrics of each variant of the model: accuracy and related metrics in total and per class, or
/// errors for values.
pub fn quality_text(columns: &[Column<'_>], results: Results) -> String {
    let Some(first) = columns.first().map(|column| column.evaluation) else {
        return String::new();
    };
    match &first.regression {
        Some(_) => regression_text(columns, first.outputs.len() / first.width.max(1), results),
        None => accuracy_text(columns, &first.confusion, results),
    }
}

fn header(columns: &[Column<'_>]) -> Table {
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|column| column.title.to_string()));
    header.push("rows".to_string());
    Table::new(header)
}

/// A table row with a metric of each column.
fn figures(
    columns: &[Column<'_>],
    name: &str,
    style: Style,
    rows: Option<u64>,
    figure: &dyn Fn(&Evaluation) -> String,
) -> Vec<Cell> {
    let mut cells = vec![Cell::styled(name, style)];
    cells.extend(columns.iter().map(|c| Cell::styled(figure(c.evaluation), style)));
    cells.push(rows.map_or(String::new(), grouped).into());
    cells
}

fn accuracy_text(columns: &[Column<'_>], first: &Confusion, results: Results) -> String {
    let mut table = header(columns);
    let all: Vec<_> = columns
        .iter()
        .map(|c| summary_figures(&c.evaluation.confusion, c.evaluation.ranking.as_ref()))
        .collect();
    for (index, (name, _)) in all.first().into_iter().flatten().enumerate() {
        let (name, style, rows) = match index {
            0 => (format!("{} {name}", results.name()), STRONG, Some(u64::from(first.total()))),
            _ => (format!("  {name}"), Style::new(), None),
        };
        let mut cells = vec![Cell::styled(name, style)];
        cells.extend(all.iter().map(|figures| {
            let text = figures.get(index).map_or(String::new(), |(_, value)| percent(*value));
            Cell::styled(text, style)
        }));
        cells.push(rows.map_or(String::new(), grouped).into());
        table.row(cells);
    }
    if columns.iter().any(|column| column.evaluation.ranking.is_some()) {
        table.row(figures(columns, "  loss (cross-entropy)", Style::new(), None, &|e| {
            e.ranking.as_ref().map_or(String::new(), |ranking| significant(ranking.log_loss))
        }));
    }
    // Ordered by the first column, the worst first.
    let mut classes: Vec<usize> = (0..first.names().len()).collect();
    // A class without rows has no accuracy, and is last.
    let key = |class: &usize| Some(first.class_accuracy(*class)).filter(|a| a.is_finite());
    classes.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    for class in classes {
        let name = format!("  class {}", first.names()[class]);
        let rows = Some(u64::from(first.class_total(class)));
        table.row(figures(columns, &name, Style::new(), rows, &|e| {
            percent(e.confusion.class_accuracy(class))
        }));
    }
    joined(&table)
}

fn regression_text(columns: &[Column<'_>], rows: usize, results: Results) -> String {
    let mut table = header(columns);
    type Figure = fn(&Regression) -> String;
    let all: [(&str, Figure); 3] = [
        ("mean squared error", |r| significant(r.mean_squared_error)),
        ("mean absolute error", |r| significant(r.mean_absolute_error)),
        ("R²", |r| r_squared(r.r_squared)),
    ];
    let outputs = columns.first().map_or(&[][..], |column| &column.evaluation.per_output);
    let pooled = if outputs.len() > 1 { ", all outputs" } else { "" };
    for (index, (name, figure)) in all.into_iter().enumerate() {
        let (name, style, rows) = match index {
            0 => (format!("{} {name}{pooled}", results.name()), STRONG, Some(rows as u64)),
            _ => (format!("  {name}{pooled}"), Style::new(), None),
        };
        table.row(figures(columns, &name, style, rows, &|e| {
            e.regression.as_ref().map_or(String::new(), figure)
        }));
    }
    // A single output equals the total.
    for (output, of) in outputs.iter().enumerate().filter(|_| outputs.len() > 1) {
        for (name, figure) in all {
            let unit = if of.unit.is_empty() { String::new() } else { format!(" [{}]", of.unit) };
            let name = format!("  {}{unit}: {name}", of.name);
            table.row(figures(columns, &name, Style::new(), None, &|e| {
                e.per_output.get(output).map_or(String::new(), |of| figure(&of.errors))
            }));
        }
    }
    joined(&table)
}

/// Requirements of a model: flash, RAM, work.
pub fn model_text(model: &Model<'_>, float_bytes: Option<usize>) -> String {
    let scratch = model.scratch_len() as u64 * 4;
    let flash = bytes(model.file_len() as u64);
    let flash = match float_bytes {
        Some(float) => format!(
            "{flash} of flash (float weights: {}, {:.1} times as much)",
            bytes(float as u64),
            float as f64 / model.file_len() as f64
        ),
        None => format!("{flash} of flash"),
    };
    format!(
        "{}\n  size   {flash}\n  RAM    {} of scratch memory\n  work   {} multiply-accumulates per \
         inference\n",
        paint(HEADING, "model"),
        bytes(scratch),
        grouped(model.macs())
    )
}

pub(super) fn joined(table: &Table) -> String {
    table.lines().into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::OutputRegression;

    #[test]
    fn float_and_int8_stand_side_by_side() {
        let evaluation = |wrong: usize| {
            let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
            (0..8).for_each(|row| confusion.add(0, usize::from(row < wrong)));
            Evaluation {
                outputs: Vec::new(),
                width: 2,
                answers: Vec::new(),
                confusion,
                ranking: None,
                regression: None,
                per_output: Vec::new(),
                loss: None,
                data_loss: None,
            }
        };
        let (float, int8) = (evaluation(1), evaluation(2));
        let text = quality_text(
            &[
                Column { title: "float", evaluation: &float },
                Column { title: "int8", evaluation: &int8 },
            ],
            Results::Test,
        );
        let plain = anstream::adapter::strip_str(&text).to_string();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = plain.lines().map(words).collect();
        assert_eq!(lines[0], "float int8 rows");
        assert_eq!(lines[1], "test accuracy 87.50 % 75.00 % 8");
        assert_eq!(lines[2], "balanced accuracy (mean recall) 87.50 % 75.00 %");
        assert_eq!(lines[3], "precision, mean of classes 100.00 % 100.00 %");
        assert_eq!(lines[4], "F1, mean of classes 93.33 % 85.71 %");
        assert_eq!(lines[5..], ["class a 87.50 % 75.00 % 8", "class b – – 0"]);
    }

    #[test]
    fn values_have_errors_in_place_of_accuracy() {
        let errors =
            Regression { mean_squared_error: 0.25, mean_absolute_error: 0.5, r_squared: 0.75 };
        let output = |name: &str, mean_absolute_error| OutputRegression {
            name: name.into(),
            unit: "lx".into(),
            errors: Regression { mean_absolute_error, ..errors },
        };
        let mut evaluation = Evaluation {
            outputs: vec![0.0; 4],
            width: 1,
            answers: Vec::new(),
            confusion: Confusion::new(Vec::new()),
            ranking: None,
            regression: Some(errors),
            per_output: vec![output("a", 0.125)],
            loss: None,
            data_loss: None,
        };
        let text = quality_text(
            &[Column { title: "float", evaluation: &evaluation }],
            Results::Validation,
        );
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert!(plain.contains("validation mean squared error"), "{plain}");
        assert!(plain.contains("0.250      4") && plain.contains("R²"), "{plain}");
        assert!(!plain.contains("a [lx]"), "one output is all: {plain}");
        evaluation.per_output.push(output("b", 0.875));
        let text =
            quality_text(&[Column { title: "float", evaluation: &evaluation }], Results::Test);
        let plain = anstream::adapter::strip_str(&text).to_string();
        let line = plain.lines().find(|line| line.contains("b [lx]: mean absolute error"));
        assert!(line.unwrap().contains("0.875") && plain.contains("all outputs"), "{plain}");
    }
}
