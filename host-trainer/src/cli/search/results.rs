//! Results of a search as a table, CSV, page, and JSON.

use std::path::Path;

use serde_json::{Value, json};

use super::run_path;
use crate::chips::Chip;
use crate::experiment::Experiment;
use crate::foreign_text::spreadsheet_cell;
use crate::preset::Preset;
use crate::report::html::{SearchPage, search_html};
use crate::report::{Axes, Cell, ScatterPlot, Table, grouped, percent, results_of, significant};
use crate::search::{Candidate, Cost, Score};

/// A network of the front.
pub(super) struct Row {
    pub number: usize,
    /// Number of its trial, from 0.
    pub trial: usize,
    /// Widths, such as `64-32-10`.
    pub network: String,
    pub candidate: Candidate,
    /// Accuracy or mean squared error on the selection rows.
    pub validation: f64,
    pub cost: Cost,
    pub preset: Preset,
    /// Metrics after the training with all training rows.
    pub metrics: Option<Value>,
}

/// A front with the search that it is of.
pub(super) struct Results<'a> {
    /// Name of the preset.
    pub name: &'a str,
    pub chip: &'static Chip,
    pub regression: bool,
    /// Number of tried networks.
    pub trials: usize,
    /// Scores of all that trained as long as the front.
    pub points: Vec<Score>,
    /// The front, the smallest model first.
    pub rows: Vec<Row>,
}

impl Row {
    /// Accuracy or mean squared error on the test rows: float, quantized.
    fn test(&self) -> [Option<f64>; 2] {
        let Some(metrics) = &self.metrics else { return [None; 2] };
        let quantized =
            ["int8", "int16", "mixed"].into_iter().find(|name| metrics[*name].is_object());
        let figure = |network: &str| {
            let of = results_of(&metrics[network]);
            of["accuracy"].as_f64().or(of["mean_squared_error"].as_f64())
        };
        [figure("float"), quantized.and_then(figure)]
    }

    /// Returns activation function, data type of weights and learning rate.
    fn settings(&self) -> [String; 3] {
        let activation = match self.candidate.hidden.is_empty() {
            true => "–".to_string(),
            false => self.candidate.activation.name().to_string(),
        };
        let rate = self.candidate.learning_rate.to_string();
        [activation, self.candidate.weights.name().to_string(), rate]
    }
}

impl Results<'_> {
    fn figure(&self, figure: Option<f64>) -> String {
        match (figure, self.regression) {
            (None, _) => "–".to_string(),
            (Some(figure), true) => significant(figure),
            (Some(figure), false) => percent(figure),
        }
    }

    /// Returns titles and rows of the table.
    fn cells(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let titles = [
            "run",
            "network",
            "activation",
            "weights",
            "learning rate",
            "validation",
            "test float",
            "test quantized",
            "flash",
            "RAM",
            "cycles",
        ];
        let row = |row: &Row| {
            let [float, quantized] = row.test().map(|figure| self.figure(figure));
            let cycles = row.cost.cycles.map_or("–".to_string(), grouped);
            let [flash, ram] = [row.cost.flash, row.cost.ram].map(grouped);
            let mut cells = vec![format!("{:02}", row.number + 1), row.network.clone()];
            cells.extend(row.settings());
            let validation = self.figure(Some(row.validation));
            cells.extend([validation, float, quantized, flash, ram, cycles]);
            cells
        };
        (titles.map(String::from).to_vec(), self.rows.iter().map(row).collect())
    }

    fn summary(&self) -> String {
        format!(
            "{} networks were tried for {}. Validation rows selected those of the front: no other \
             is {} with as little flash and as few cycles. Test rows select nothing",
            self.trials,
            self.chip.name,
            if self.regression { "as exact" } else { "as accurate" }
        )
    }

    /// Table for the terminal.
    pub fn table(&self) -> String {
        if self.rows.is_empty() {
            return "no network has been trained yet\n".to_string();
        }
        let (titles, rows) = self.cells();
        let mut table = Table::new(titles).gap(2);
        for row in rows {
            table.row(row.into_iter().map(Cell::from));
        }
        let lines: String = table.lines().into_iter().map(|line| line + "\n").collect();
        format!("{lines}\n{}\n", self.summary())
    }

    /// CSV with a line per network of the front.
    pub fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record([
            "run",
            "trial",
            "network",
            "activation",
            "weights",
            "activations",
            "learning_rate",
            "validation",
            "test_float",
            "test_quantized",
            "flash",
            "ram",
            "cycles",
        ])?;
        for row in &self.rows {
            let [activation, weights, rate] = row.settings();
            let optional = |figure: Option<f64>| figure.map_or(String::new(), |f| f.to_string());
            let [float, quantized] = row.test().map(optional);
            csv.write_record([
                format!("{:02}", row.number + 1),
                (row.trial + 1).to_string(),
                spreadsheet_cell(&row.network).into_owned(),
                activation,
                weights,
                row.candidate.activations.name().to_string(),
                rate,
                row.validation.to_string(),
                float,
                quantized,
                row.cost.flash.to_string(),
                row.cost.ram.to_string(),
                row.cost.cycles.map_or(String::new(), |cycles| cycles.to_string()),
            ])?;
        }
        Ok(csv.into_inner()?)
    }

    /// JSON array with an object per network of the front.
    pub fn json(&self, out: &Path) -> Value {
        let object = |row: &Row| {
            let [activation, weights, _] = row.settings();
            json!({
                "run": run_path(out, row.number).display().to_string(),
                "network": row.network,
                "activation": activation,
                "weights": weights,
                "activations": row.candidate.activations.name(),
                "learning_rate": row.candidate.learning_rate,
                "validation": row.validation,
                "test": { "float": row.test()[0], "quantized": row.test()[1] },
                "predicted": {
                    "flash_bytes": row.cost.flash,
                    "ram_bytes": row.cost.ram,
                    "min_cycles": row.cost.cycles,
                },
            })
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    /// Page with plots of the front, and links to the reports of its networks.
    pub fn page(&self) -> String {
        let (titles, rows) = self.cells();
        let classes = ["tried", "front"].map(String::from);
        let scale = if self.regression { 1.0 } else { 100.0 };
        let points = |cost: fn(&Cost) -> Option<f64>| {
            let tried = self.points.iter();
            let tried = tried.filter_map(|of| Some((cost(&of.cost)?, of.figure * scale, 0)));
            // On top of the others.
            let front = self.rows.iter();
            let front = front.filter_map(|row| Some((cost(&row.cost)?, row.validation * scale, 1)));
            tried.chain(front).collect::<Vec<_>>()
        };
        let flash = points(|cost| Some(cost.flash as f64 / 1024.0));
        let cycles = points(|cost| cost.cycles.map(|cycles| cycles as f64 / 1000.0));
        let unit = if self.regression { "mean squared error" } else { "accuracy in %" };
        let plot = |title, x, points| ScatterPlot {
            title,
            titles: (x, unit),
            points,
            classes: &classes,
            only: None,
            axes: Axes::Independent,
        };
        let mut plots = vec![plot("Validation rows and flash", "flash in KB", &flash[..])];
        if !cycles.is_empty() {
            let x = "thousand cycles";
            plots.push(plot("Validation rows and cycles", x, &cycles[..]));
        }
        let report = |row: &Row| {
            let link = format!("{:02}/{}", row.number + 1, Experiment::REPORT.0);
            row.metrics.as_ref().map(|_| link)
        };
        search_html(&SearchPage {
            title: &format!("{}: networks for {}", self.name, self.chip.name),
            summary: &self.summary(),
            plots: &plots,
            titles: &titles,
            rows: &rows,
            reports: &self.rows.iter().map(report).collect::<Vec<_>>(),
        })
    }
}
