//! How well a model does, and what it needs: the tables after training and evaluation.

use model_format::Model;

use super::number::{bytes, grouped, percent};
use super::style::{HEADING, STRONG, paint};
use super::table::{Cell, Table};
use crate::evaluate::Evaluation;

/// One way to run a model, with how well it does.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// `float` or `int8`.
    pub title: &'a str,
    /// How well it does on the test rows.
    pub evaluation: &'a Evaluation,
}

/// Accuracy and accuracy per class, one column a way to run the model.
pub fn accuracy_text(columns: &[Column<'_>]) -> String {
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|column| column.title.to_string()));
    header.push("rows".to_string());
    let mut table = Table::new(header);
    let row = |name: &str, style, share: &dyn Fn(&Evaluation) -> f64, rows: u32| {
        let mut cells = vec![Cell::styled(name, style)];
        cells.extend(
            columns.iter().map(|column| Cell::styled(percent(share(column.evaluation)), style)),
        );
        cells.push(grouped(u64::from(rows)).into());
        cells
    };
    let Some(first) = columns.first().map(|column| &column.evaluation.confusion) else {
        return String::new();
    };
    table.row(row("test accuracy", STRONG, &|e| e.confusion.accuracy(), first.total()));
    for (class, name) in first.names().iter().enumerate() {
        let name = format!("  class {name}");
        let share = move |e: &Evaluation| e.confusion.class_accuracy(class);
        table.row(row(&name, anstyle::Style::new(), &share, first.class_total(class)));
    }
    joined(&table)
}

/// What a model needs: flash, RAM, work.
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
        "{}\n  size   {flash}\n  RAM    {} of scratch memory\n  work   {} multiply-accumulates an \
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
    use crate::evaluate::Confusion;

    #[test]
    fn float_and_int8_stand_side_by_side() {
        let evaluation = |wrong: usize| {
            let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
            (0..8).for_each(|row| confusion.add(0, usize::from(row < wrong)));
            Evaluation { confusion, loss: None }
        };
        let (float, int8) = (evaluation(1), evaluation(2));
        let text = accuracy_text(&[
            Column { title: "float", evaluation: &float },
            Column { title: "int8", evaluation: &int8 },
        ]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(
            plain,
            "                  float      int8   rows\n\
             test accuracy   87.50 %   75.00 %      8\n  class a       87.50 %   75.00 %      8\n  \
             class b             –         –      0\n"
        );
    }
}
