//! What a sweep reached: as a table, as CSV, as a page, as JSON.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::grid::{Point, keys};
use crate::cli::compare::compared;
use crate::experiment::Experiment;
use crate::report::html::{Compared, compare_html};
use crate::report::style::{STRONG, paint};
use crate::report::{Cell, Table, percent, seconds, significant};

/// The folder of a point.
pub(super) fn run_path(out: &Path, number: usize) -> PathBuf {
    out.join(format!("{:04}", number + 1))
}

/// A point with what it reached.
pub(super) struct Row {
    pub number: usize,
    pub point: Point,
    pub metrics: Option<Value>,
}

impl Row {
    /// Float, quantized: accuracies or squared errors; then seconds.
    fn figures(&self) -> Option<[f64; 3]> {
        let metrics = self.metrics.as_ref()?;
        let quantized = ["int8", "int16"].into_iter().find(|name| metrics[*name].is_object())?;
        let figure = |name: &str| {
            let test = &metrics[name]["test"];
            test["accuracy"].as_f64().or(test["mean_squared_error"].as_f64())
        };
        Some([figure("float")?, figure(quantized)?, metrics["training"]["seconds"].as_f64()?])
    }

    fn is_regression(&self) -> bool {
        let error = |metrics: &Value| metrics["float"]["test"]["mean_squared_error"].is_number();
        self.metrics.as_ref().is_some_and(error)
    }

    /// An accuracy or a squared error.
    fn figure_text(&self, figure: f64) -> String {
        if self.is_regression() { significant(figure) } else { percent(figure) }
    }

    fn values(&self) -> Vec<&str> {
        self.point.iter().filter_map(|setting| Some(setting.split_once('=')?.1)).collect()
    }
}

pub(super) fn csv(axes: &[String], rows: &[Row]) -> String {
    let quoted = |text: &str| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    };
    let mut csv = format!("run,{},float,quantized,seconds\n", keys(axes).join(","));
    for row in rows {
        let values: Vec<String> = row.values().into_iter().map(quoted).collect();
        let figures = match row.figures() {
            Some([float, quantized, seconds]) => format!("{float},{quantized},{seconds:.3}"),
            None => ",,".to_string(),
        };
        csv += &format!("{:04},{},{figures}\n", row.number + 1, values.join(","));
    }
    csv
}

/// All points that are done, side by side, each with a link to its own report.
pub(super) fn page(name: &str, rows: &[Row]) -> String {
    let of_row = |row: &Row| {
        let folder = format!("{:04}", row.number + 1);
        Some(Compared {
            run: format!("{folder} · {}", row.point.join(", ")),
            report: Some(format!("{folder}/{}", Experiment::REPORT.0)),
            ..compared(Path::new(&folder), row.metrics.as_ref()?)
        })
    };
    let runs: Vec<Compared> = rows.iter().filter_map(of_row).collect();
    let title = format!("{name}: {} of {} points of the sweep", runs.len(), rows.len());
    let summary = best(rows).and_then(|best| {
        let row = rows.iter().find(|row| row.figures().is_some_and(|f| f[0] == best))?;
        let [float, quantized, _] = row.figures()?;
        let (float, quantized) = (row.figure_text(float), row.figure_text(quantized));
        let what = if row.is_regression() { "mean squared error" } else { "accuracy" };
        Some(format!(
            "The best by its float network: {:04} · {}, {what} {float} in float, {quantized} quantized.",
            row.number + 1,
            row.point.join(", ")
        ))
    });
    compare_html(&title, summary.as_deref(), &runs)
}

/// The best figure of a float network, where there is one.
fn best(rows: &[Row]) -> Option<f64> {
    let regression = rows.iter().any(Row::is_regression);
    let better = |a: &f64, b: &f64| if regression { b.total_cmp(a) } else { a.total_cmp(b) };
    rows.iter().filter_map(|row| Some(row.figures()?[0])).max_by(better)
}

pub(super) fn table(axes: &[String], rows: &[Row]) -> String {
    let mut header = vec!["run"];
    header.extend(keys(axes));
    header.extend(["float", "quantized", "time"]);
    let mut table = Table::new(header);
    let best = best(rows);
    for row in rows {
        let figures = row.figures();
        let style = match (figures, best) {
            (Some([float, ..]), Some(best)) if float == best => STRONG,
            _ => anstyle::Style::new(),
        };
        let mut cells = vec![Cell::styled(format!("{:04}", row.number + 1), style)];
        cells.extend(row.values().into_iter().map(|value| Cell::styled(value, style)));
        match figures {
            Some([float, quantized, time]) => cells.extend(
                [row.figure_text(float), row.figure_text(quantized), seconds(time)]
                    .map(|text| Cell::styled(text, style)),
            ),
            None => cells.extend(["–", "–", "–"].map(Cell::from)),
        }
        table.row(cells);
    }
    let mut text: String = table.lines().into_iter().map(|line| line + "\n").collect();
    if best.is_some() {
        text += &format!(
            "\n{} is the best, by what the float network reaches\n",
            paint(STRONG, "bold")
        );
    }
    text
}

/// An array with an object a point: its settings as they were typed, its folder, and its metrics,
/// null where it is not done.
pub(super) fn json_text(out: &Path, rows: &[Row]) -> String {
    let object = |row: &Row| {
        let settings = row.point.iter().filter_map(|setting| setting.split_once('='));
        let settings = settings.map(|(key, value)| (key.to_string(), json!(value)));
        json!({
            "run": run_path(out, row.number).display().to_string(),
            "settings": Value::Object(settings.collect()),
            "metrics": row.metrics,
        })
    };
    format!("{:#}\n", Value::Array(rows.iter().map(object).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::grid::points;
    use super::*;

    #[test]
    fn results_become_csv() {
        let metrics = serde_json::json!({
            "float": { "test": { "accuracy": 0.75 } },
            "int8": { "test": { "accuracy": 0.5 } },
            "training": { "seconds": 1.25 },
        });
        let axes = ["a=1".to_string(), "c=[1, 2]".to_string()];
        let point = points(&axes).unwrap().remove(0);
        let rows = [
            Row { number: 0, point: point.clone(), metrics: Some(metrics) },
            Row { number: 1, point, metrics: None },
        ];
        assert_eq!(
            csv(&axes, &rows),
            "run,a,c,float,quantized,seconds\n0001,1,\"[1, 2]\",0.75,0.5,1.250\n\
             0002,1,\"[1, 2]\",,,\n"
        );
        assert!(table(&axes, &rows).contains("75.00 %"));
        let page = page("name", &rows);
        assert!(
            page.contains("0001 · a=1, c=[1, 2], accuracy 75.00 % in float, 50.00 %"),
            "{page}"
        );
    }
}
