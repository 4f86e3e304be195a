//! Results of a sweep as a table, CSV, page, and JSON.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::grid::{Point, keys};
use crate::cli::compare::compared;
use crate::experiment::Experiment;
use crate::foreign_text::spreadsheet_cell;
use crate::report::html::{Compared, compare_html};
use crate::report::style::{STRONG, paint};
use crate::report::{Cell, Table, percent, results_of, seconds, significant};

/// Folder of a point.
pub(super) fn run_path(out: &Path, number: usize) -> PathBuf {
    out.join(format!("{:04}", number + 1))
}

/// A point with its results.
pub(super) struct Row {
    pub number: usize,
    /// Folder of its run.
    pub folder: PathBuf,
    pub point: Point,
    pub metrics: Option<Value>,
}

impl Row {
    /// Accuracies or squared errors, and seconds.
    fn figures(&self) -> Option<Figures> {
        let metrics = self.metrics.as_ref()?;
        let quantized =
            ["int8", "int16", "mixed"].into_iter().find(|name| metrics[*name].is_object())?;
        let figure = |of: &Value| of["accuracy"].as_f64().or(of["mean_squared_error"].as_f64());
        let selection = &metrics["selection"];
        let train = &metrics["float"]["train"];
        let train = train["accuracy"].as_f64().or(train["mean_absolute_error"].as_f64());
        Some(Figures {
            train: train.unwrap_or(f64::NAN),
            selection: [figure(&selection["float"])?, figure(&selection[quantized])?],
            test: [
                figure(results_of(&metrics["float"]))?,
                figure(results_of(&metrics[quantized]))?,
            ],
            seconds: metrics["training"]["seconds"].as_f64()?,
        })
    }

    /// Split whose rows select the best point: `validation` or `training`.
    fn part(&self) -> Option<&str> {
        self.metrics.as_ref()?["selection"]["part"].as_str()
    }

    fn is_regression(&self) -> bool {
        let error =
            |metrics: &Value| results_of(&metrics["float"])["mean_squared_error"].is_number();
        self.metrics.as_ref().is_some_and(error)
    }

    /// Text for an accuracy or a squared error.
    fn figure_text(&self, figure: f64) -> String {
        if self.is_regression() { significant(figure) } else { percent(figure) }
    }

    fn values(&self) -> Vec<&str> {
        self.point.iter().filter_map(|setting| Some(setting.split_once('=')?.1)).collect()
    }
}

/// Metrics of a point; of two values the first is float, the second quantized.
#[derive(Clone, Copy)]
struct Figures {
    /// Accuracy of float on the training rows of the kept epoch, each before its step; for
    /// regression, the mean absolute error.
    train: f64,
    /// On the rows that select the best point.
    selection: [f64; 2],
    /// On the test rows, which select nothing.
    test: [f64; 2],
    /// Seconds of training.
    seconds: f64,
}

/// Splits whose rows select among these points.
fn parts(rows: &[Row]) -> String {
    let mut parts: Vec<&str> = rows.iter().filter_map(Row::part).collect();
    parts.sort_unstable();
    parts.dedup();
    parts.join(" or ")
}

pub(super) fn csv(axes: &[String], rows: &[Row]) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let figures = vec![
        "train_float",
        "selection_rows",
        "selection_float",
        "selection_quantized",
        "float",
        "quantized",
        "seconds",
    ];
    csv.write_record([vec!["run"], keys(axes), figures].concat())?;
    for row in rows {
        let mut cells = vec![format!("{:04}", row.number + 1)];
        cells.extend(row.values().into_iter().map(|value| match value.parse::<f64>() {
            Ok(_) => value.to_string(),
            Err(_) => spreadsheet_cell(value).into_owned(),
        }));
        cells.extend(match row.figures() {
            Some(Figures { train, selection, test, seconds }) => [
                if train.is_nan() { String::new() } else { train.to_string() },
                row.part().unwrap_or_default().to_string(),
                selection[0].to_string(),
                selection[1].to_string(),
                test[0].to_string(),
                test[1].to_string(),
                format!("{seconds:.3}"),
            ],
            None => [const { String::new() }; 7],
        });
        csv.write_record(&cells)?;
    }
    Ok(csv.into_inner()?)
}

/// Page of all finished points, side by side, each with a link to its own report.
pub(super) fn page(name: &str, out: &Path, rows: &[Row]) -> String {
    let of_row = |row: &Row| {
        let folder = format!("{:04}", row.number + 1);
        // Shards may be in other folders.
        let report = relative(&row.folder, out).join(Experiment::REPORT.0);
        Some(Compared {
            run: format!("{folder} · {}", row.point.join(", ")),
            report: Some(report.display().to_string()),
            ..compared(Path::new(&folder), row.metrics.as_ref()?)
        })
    };
    let runs: Vec<Compared> = rows.iter().filter_map(of_row).collect();
    let title = format!("{name}: {} of {} points of the sweep", runs.len(), rows.len());
    let summary = best(rows).and_then(|row| {
        let Figures { selection, test, .. } = row.figures()?;
        let [chosen, float, quantized] =
            [selection[0], test[0], test[1]].map(|figure| row.figure_text(figure));
        let what = if row.is_regression() { "mean squared error" } else { "accuracy" };
        Some(format!(
            "The best by its float network on {} rows: {:04} · {}, {what} {chosen}. On the test \
             rows, which were not used for selection: {float} in float, {quantized} quantized.",
            parts(rows),
            row.number + 1,
            row.point.join(", ")
        ))
    });
    compare_html(&title, summary.as_deref(), &runs)
}

/// Returns a path as seen from a folder; the whole path if they have nothing in common.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (path, folder) = (whole(path), whole(folder));
    let common = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return path;
    }
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

/// Returns the point with the best float network on the selection rows, if there is one. Of
/// several, the one with the best quantized model. Test rows select nothing.
fn best(rows: &[Row]) -> Option<&Row> {
    let regression = rows.iter().any(Row::is_regression);
    let better = |a: &f64, b: &f64| if regression { b.total_cmp(a) } else { a.total_cmp(b) };
    let figures = rows.iter().rev().filter_map(|row| Some((row.figures()?, row)));
    let best = figures.max_by(|(a, _), (b, _)| {
        let ([a, a_quantized], [b, b_quantized]) = (a.selection, b.selection);
        better(&a, &b).then(better(&a_quantized, &b_quantized))
    });
    best.map(|(_, row)| row)
}

pub(super) fn table(axes: &[String], rows: &[Row]) -> String {
    let mut header = vec!["run"];
    header.extend(keys(axes));
    let part = parts(rows);
    let (chosen_float, chosen_quantized) = (format!("{part} float"), format!("{part} quantized"));
    let trained = match rows.iter().any(Row::is_regression) {
        true => "training error",
        false => "training",
    };
    header.extend([
        trained,
        &chosen_float,
        &chosen_quantized,
        "test float",
        "test quantized",
        "time",
    ]);
    let mut table = Table::new(header);
    let best = best(rows);
    for row in rows {
        let figures = row.figures();
        let style = match best {
            Some(best) if best.number == row.number => STRONG,
            _ => anstyle::Style::new(),
        };
        let mut cells = vec![Cell::styled(format!("{:04}", row.number + 1), style)];
        cells.extend(row.values().into_iter().map(|value| Cell::styled(value, style)));
        match figures {
            Some(Figures { train, selection, test, seconds: time }) => {
                let figures = [&[train], &selection[..], &test].concat();
                let texts = figures.into_iter().map(|figure| row.figure_text(figure));
                let texts = texts.chain([seconds(time)]);
                cells.extend(texts.map(|text| Cell::styled(text, style)));
            }
            None => cells.extend(["–"; 6].map(Cell::from)),
        }
        table.row(cells);
    }
    let mut text: String = table.lines().into_iter().map(|line| line + "\n").collect();
    if best.is_some() {
        text += &format!(
            "\n{} is the best by its float network on {part} rows; test rows select nothing\n",
            paint(STRONG, "bold")
        );
    }
    text
}

/// JSON array with one object per point: its settings as typed, its folder, and its metrics, or
/// null if it is not finished.
pub(super) fn json(rows: &[Row]) -> Value {
    let object = |row: &Row| {
        let settings = row.point.iter().filter_map(|setting| setting.split_once('='));
        let settings = settings.map(|(key, value)| (key.to_string(), json!(value)));
        json!({
            "run": row.folder.display().to_string(),
            "settings": Value::Object(settings.collect()),
            "metrics": row.metrics,
        })
    };
    Value::Array(rows.iter().map(object).collect())
}

#[cfg(test)]
mod tests {
    use super::super::grid::points;
    use super::*;

    #[test]
    fn results_become_csv() {
        let metrics = serde_json::json!({
            "float": { "train": { "accuracy": 0.9375 }, "test": { "accuracy": 0.75 } },
            "int8": { "test": { "accuracy": 0.5 } },
            "selection": {
                "part": "validation",
                "float": { "accuracy": 0.875 },
                "int8": { "accuracy": 0.625 },
            },
            "training": { "seconds": 1.25 },
        });
        let axes = ["a=1".to_string(), "c=[1, 2]".to_string()];
        let point = points(&axes).unwrap().remove(0);
        let rows = [
            Row {
                number: 0,
                folder: "o/0001".into(),
                point: point.clone(),
                metrics: Some(metrics),
            },
            Row { number: 1, folder: "o/0002".into(), point, metrics: None },
        ];
        assert_eq!(
            String::from_utf8(csv(&axes, &rows).unwrap()).unwrap(),
            "run,a,c,train_float,selection_rows,selection_float,selection_quantized,float,quantized,seconds\n\
             0001,1,\"[1, 2]\",0.9375,validation,0.875,0.625,0.75,0.5,1.250\n\
             0002,1,\"[1, 2]\",,,,,,,\n"
        );
        let table = table(&axes, &rows);
        assert!(table.contains("validation float") && table.contains("75.00 %"), "{table}");
        let page = page("name", Path::new("o"), &rows);
        assert!(
            page.contains("on validation rows: 0001 · a=1, c=[1, 2], accuracy 87.50 %"),
            "{page}"
        );
        assert!(page.contains("href=\"0001/report.html\""), "{page}");
        assert!(page.contains("75.00 % in float, 50.00 % quantized"), "{page}");
        assert_eq!(relative(Path::new("a/b/0001"), Path::new("a/c/d")), Path::new("../../b/0001"));
    }

    #[test]
    fn of_equal_float_networks_the_best_int8_one_counts() {
        let row = |number, float: f64, int8: f64| {
            let metrics = serde_json::json!({
                // Test rows would rank the other way, and select nothing.
                "float": { "test": { "accuracy": 1.0 - float } },
                "int8": { "test": { "accuracy": 1.0 - int8 } },
                "selection": { "float": { "accuracy": float }, "int8": { "accuracy": int8 } },
                "training": { "seconds": 1.0 },
            });
            Row { number, folder: PathBuf::new(), point: Vec::new(), metrics: Some(metrics) }
        };
        let rows = [row(0, 0.9, 0.7), row(1, 0.9, 0.8), row(2, 0.9, 0.8), row(3, 0.8, 0.9)];
        assert_eq!(best(&rows).unwrap().number, 1);
        assert!(best(&[]).is_none());
    }
}
