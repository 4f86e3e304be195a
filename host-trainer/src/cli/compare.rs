//! `host-trainer compare`: runs side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{files, terminal};
use crate::experiment::{Experiment, read_metrics};
use crate::foreign_text;
use crate::report::html::{Compared, columns, compare_html};
use crate::report::style::STRONG;
use crate::report::{Cell, Table, results_of};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Folders of runs, such as runs/digits runs/mnist
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the comparison as an HTML page, too
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

/// Compares runs side by side.
pub fn run(args: &CompareArgs, quiet: bool) -> anyhow::Result<()> {
    if let Some(page) = &args.html {
        let files = args
            .runs
            .iter()
            .flat_map(|run| Experiment::FILES.into_iter().map(|(name, _)| run.join(name)));
        let files: Vec<PathBuf> = files.collect();
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        files::refuse_input_as_output(page, &files)?;
    }
    let metrics =
        args.runs.iter().map(|run| read_metrics(run)).collect::<Result<Vec<Value>, _>>()?;
    let runs: Vec<Compared> =
        args.runs.iter().zip(&metrics).map(|(run, metrics)| compared(run, metrics)).collect();
    match args.json {
        true => terminal::json(&json(&runs))?,
        false => terminal::print(&text(&runs))?,
    }
    if let Some(path) = &args.html {
        let title = format!("{} runs side by side", runs.len());
        files::write(path, compare_html(&title, None, &runs).as_bytes())?;
        if !quiet && !args.json {
            terminal::print(&format!("\n{}\n", foreign_text::path(path)))?;
        }
    }
    Ok(())
}

/// Extracts the compared values from a run's metrics.json.
pub(super) fn compared(run: &Path, metrics: &Value) -> Compared {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_string();
    let names = ["int16", "mixed"].into_iter();
    let data_type = names.rev().find(|name| metrics[*name].is_object()).unwrap_or("int8");
    let test = |name: &str| {
        ["float", data_type].map(|network| results_of(&metrics[network])[name].as_f64())
    };
    let int8 = &metrics[data_type];
    Compared {
        run: run.display().to_string(),
        report: None,
        preset: text(&metrics["preset"]),
        dataset: text(&metrics["dataset"]),
        network: text(&metrics["network"]),
        data_type: data_type.to_string(),
        seed: metrics["seed"].as_u64(),
        training: metrics["float"]["train"]["accuracy"].as_f64(),
        validation: metrics["float"]["validation"]["accuracy"].as_f64(),
        accuracy: test("accuracy"),
        mse: test("mean_squared_error"),
        flash: int8["model_bytes"].as_u64(),
        ram: int8["scratch_bytes"].as_u64(),
        macs: int8["macs"].as_u64(),
        epochs: metrics["training"]["epochs"].as_u64(),
        seconds: metrics["training"]["seconds"].as_f64(),
        epoch_seconds: metrics["training"]["seconds_per_epoch"].as_f64(),
    }
}

fn text(runs: &[Compared]) -> String {
    let columns = columns(runs);
    let mut header = ["run", "network", "activations"].map(String::from).to_vec();
    header.extend(columns.iter().map(|(column, _)| column.title.to_string()));
    let mut table = Table::new(header);
    for run in runs {
        let mut cells = vec![
            Cell::from(run.run.as_str()),
            run.network.as_str().into(),
            run.data_type.as_str().into(),
        ];
        for (column, best) in &columns {
            let value = (column.value)(run);
            let text = value.map_or("–".to_string(), column.text);
            cells.push(match best.is_some() && value == *best {
                true => Cell::styled(text, STRONG),
                false => text.into(),
            });
        }
        table.row(cells);
    }
    table.lines().into_iter().map(|line| line.trim_end().to_string() + "\n").collect()
}

fn json(runs: &[Compared]) -> Value {
    let columns = columns(runs);
    let object = |run: &Compared| {
        let mut value = json!({
            "run": run.run, "preset": run.preset, "dataset": run.dataset,
            "network": run.network, "activations": run.data_type, "seed": run.seed,
        });
        for (column, _) in &columns {
            value[column.title] = json!((column.value)(run));
        }
        value
    };
    Value::Array(runs.iter().map(object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_different_kinds_stand_side_by_side() {
        let metrics = json!({
            "network": "2-1", "seed": 3,
            "float": { "test": { "accuracy": 0.5 } }, "int8": { "test": {}, "macs": 7 },
        });
        let other = json!({ "float": { "test": { "mean_squared_error": 0.25 } } });
        let runs = [compared(Path::new("a"), &metrics), compared(Path::new("b"), &other)];
        let plain = anstream::adapter::strip_str(&text(&runs)).to_string();
        let lines: Vec<Vec<&str>> =
            plain.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["run", "network", "activations", "float", "float", "MSE", "MACs"]);
        assert_eq!(lines[1], ["a", "2-1", "int8", "50.00", "%", "–", "7"]);
        assert_eq!(lines[2], ["b", "–", "int8", "–", "0.250", "–"]);
        assert_eq!(json(&runs)[1]["float MSE"], 0.25);
    }
}
