//! Page that compares several runs.

use maud::{Markup, html};

use super::page::{kilobytes, page};
use crate::report::number::{grouped, percent, seconds, significant as number};

/// Results of one run, from its metrics.json.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Name of the run: its folder, or its place in a sweep.
    pub run: String,
    /// Path of its report, relative to the page.
    pub report: Option<String>,
    /// Name of the preset.
    pub preset: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Layer widths of the network.
    pub network: String,
    /// Data type of the quantized model's activations: `int8` or `int16`.
    pub data_type: String,
    /// Seed.
    pub seed: Option<u64>,
    /// Accuracy of float on the training rows of the kept epoch, each before its step.
    pub training: Option<f64>,
    /// Accuracy of float on the validation rows, if the results are those of test rows.
    pub validation: Option<f64>,
    /// Accuracy on the test rows: float, int8.
    pub accuracy: [Option<f64>; 2],
    /// Mean squared error on the test rows: float, int8.
    pub mse: [Option<f64>; 2],
    /// Size of the model file in bytes.
    pub flash: Option<u64>,
    /// Scratch memory in bytes.
    pub ram: Option<u64>,
    /// Multiply-accumulates per inference.
    pub macs: Option<u64>,
    /// Number of trained epochs.
    pub epochs: Option<u64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Mean seconds per epoch.
    pub epoch_seconds: Option<f64>,
}

/// A column of the comparison.
#[derive(Clone, Copy)]
pub struct Column {
    /// Title.
    pub title: &'static str,
    /// Value; `None` where a run has none.
    pub value: fn(&Compared) -> Option<f64>,
    /// Formats the value.
    pub text: fn(f64) -> String,
    /// Direction: true if larger values are better, `None` if neither is.
    pub more_is_better: Option<bool>,
}

/// All columns, in order.
pub const COLUMNS: [Column; 12] = [
    column("training", |run| run.training, percent, Some(true)),
    column("validation", |run| run.validation, percent, Some(true)),
    column("float", |run| run.accuracy[0], percent, Some(true)),
    column("quantized", |run| run.accuracy[1], percent, Some(true)),
    column("float MSE", |run| run.mse[0], number, Some(false)),
    column("quantized MSE", |run| run.mse[1], number, Some(false)),
    column("flash", |run| run.flash.map(|v| v as f64), |v| kilobytes(v as u64), Some(false)),
    column("RAM", |run| run.ram.map(|v| v as f64), |v| kilobytes(v as u64), Some(false)),
    column("MACs", |run| run.macs.map(|v| v as f64), |v| grouped(v as u64), Some(false)),
    column("epochs", |run| run.epochs.map(|v| v as f64), |v| grouped(v as u64), None),
    column("seconds", |run| run.seconds, seconds, Some(false)),
    column("per epoch", |run| run.epoch_seconds, seconds, Some(false)),
];

const fn column(
    title: &'static str,
    value: fn(&Compared) -> Option<f64>,
    text: fn(f64) -> String,
    more_is_better: Option<bool>,
) -> Column {
    Column { title, value, text, more_is_better }
}

/// Returns the columns that at least one of the runs has, each with its best value where the runs
/// differ.
pub fn columns(runs: &[Compared]) -> Vec<(Column, Option<f64>)> {
    COLUMNS
        .into_iter()
        .filter_map(|column| {
            let values: Vec<f64> = runs.iter().filter_map(column.value).collect();
            let first = *values.first()?;
            let best = column.more_is_better.filter(|_| values.iter().any(|&v| v != first));
            let pick = if best == Some(true) { f64::max } else { f64::min };
            Some((column, best.map(|_| values.into_iter().fold(first, pick))))
        })
        .collect()
}

/// Returns the comparison as a page, after an optional summary.
pub fn compare_html(title: &str, summary: Option<&str>, runs: &[Compared]) -> String {
    let columns = columns(runs);
    let body = html! {
        header {
            h1 { (title) }
            @if let Some(summary) = summary { p class="note" { (summary) } }
            p class="faint" { "Accuracy and error are those on each run's test rows. The best of a \
                               column is marked where the runs differ." }
        }
        table class="stack" {
            thead { tr {
                th scope="col" { "run" } th scope="col" { "network" } th scope="col" { "data" }
                th scope="col" { "activations" } th scope="col" { "seed" }
                @for (column, _) in &columns { th scope="col" { (column.title) } }
            } }
            tbody { @for run in runs { tr {
                th scope="row" {
                    @match &run.report {
                        Some(report) => a href=(report) { (run.run) },
                        None => (run.run),
                    }
                }
                td data-column="network" { (run.network) }
                td data-column="data" { (run.dataset) }
                td data-column="activations" { (run.data_type) }
                td data-column="seed" { (run.seed.map_or("–".into(), |seed| seed.to_string())) }
                @for (column, best) in &columns { (cell(run, column, *best)) }
            } } }
        }
    };
    page(title, body)
}

fn cell(run: &Compared, column: &Column, best: Option<f64>) -> Markup {
    let value = (column.value)(run);
    let is_best = best.is_some() && value == best;
    html! {
        td data-column=(column.title) {
            span class=[is_best.then_some("best")] { (value.map_or("–".into(), column.text)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_marked_only_where_runs_differ() {
        let run = |name: &str, int8, flash| Compared {
            run: name.into(),
            accuracy: [Some(0.98), Some(int8)],
            flash: Some(flash),
            ..Compared::default()
        };
        let runs = [run("a<b", 0.975, 1000), run("c", 0.97, 900)];
        let titles: Vec<_> = columns(&runs).iter().map(|(c, best)| (c.title, *best)).collect();
        let expected = [("float", None), ("quantized", Some(0.975)), ("flash", Some(900.0))];
        assert_eq!(titles, expected);
        let page = compare_html("t", Some("<c>"), &runs);
        assert_eq!(page.matches("class=\"best\"").count(), 2);
        assert!(page.contains("a&lt;b") && page.contains("&lt;c&gt;"));
    }
}
