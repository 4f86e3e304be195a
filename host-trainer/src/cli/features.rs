//! `host-trainer features`.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::DataArgs;
use super::terminal;
use crate::data::{Locations, Subset};
use crate::experiment::SavedRun;
use crate::features::{LayerOutputs, collect, principal_components};
use crate::report::html::scatter_html;
use crate::report::{grouped, percent};
use crate::run_folder::RunFolder;

/// Points of a scatter plot: more hide one another.
const POINTS: usize = 3000;

/// `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// A run's folder, such as runs/digits
    pub run: PathBuf,
    /// A layer: its name, or its number from 0
    pub layer: String,
    /// The rows to look at
    #[arg(long, value_enum, default_value_t = Rows::Test)]
    pub rows: Rows,
    /// Folder to write into [default: the run's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// Print one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Those trained on
    Train,
    /// Those held back for validation
    Validation,
    /// Those held back for the test
    Test,
}

/// Writes a layer's outputs as CSV, and as a scatter plot along their principal components.
pub fn run(args: &FeaturesArgs, quiet: bool) -> anyhow::Result<()> {
    let saved = SavedRun::open(&args.run)?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let splits = saved.plan(&locations)?.splits;
    let subset = match args.rows {
        Rows::Train => &splits.train,
        Rows::Test => &splits.test,
        Rows::Validation => splits
            .validation
            .as_ref()
            .context("the run held no rows back for validation: give --rows test")?,
    };
    let bar = terminal::bar(subset.len(), "rows", quiet || args.json);
    let outputs =
        collect(&saved.network, &args.layer, subset, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let outputs = outputs?;
    let spinner = terminal::spinner("principal components", quiet || args.json);
    let components = principal_components(&outputs.values, outputs.width);
    spinner.finish_and_clear();
    let folder = RunFolder::create(args.out.as_ref().unwrap_or(&args.run))?;
    let (csv, page) =
        (format!("features-{}.csv", args.layer), format!("features-{}.html", args.layer));
    folder.write(&csv, table(subset, &outputs, &components.points).as_bytes())?;
    let names = subset.dataset().class_names();
    let every = subset.len().div_ceil(POINTS).max(1);
    let points: Vec<(f64, f64, usize)> = (0..subset.len())
        .step_by(every)
        .zip(components.points.iter().step_by(every))
        .map(|(row, &(x, y))| (x, y, subset.class(row).map(usize::from).unwrap_or(0)))
        .collect();
    let title = format!("{}: outputs of layer {}", saved.preset.name, args.layer);
    let html = scatter_html(&title, names, &points, components.explained);
    folder.write(&page, html.as_bytes())?;
    let (csv, page) = (folder.path().join(csv), folder.path().join(page));
    let (first, second) = components.explained;
    if args.json {
        let value = json!({
            "layer": args.layer,
            "rows": subset.len(),
            "width": outputs.width,
            "explained": [first, second],
            "csv": csv.display().to_string(),
            "page": page.display().to_string(),
        });
        terminal::print(&format!("{value:#}\n"))?;
    } else if !quiet {
        terminal::print(&format!(
            "{} rows of {} outputs; two principal components explain {} of their variance\n  {}\n  \
             {}\n",
            grouped(subset.len() as u64),
            grouped(outputs.width as u64),
            percent(first + second),
            csv.display(),
            page.display()
        ))?;
    }
    Ok(())
}

/// A row a line: its place, its class, where it stands in the plot, then all outputs.
fn table(subset: &Subset, outputs: &LayerOutputs, points: &[(f64, f64)]) -> String {
    let names = subset.dataset().class_names();
    let mut csv = String::from("row,class,pc1,pc2");
    for index in 0..outputs.width {
        // Writing into a string cannot fail.
        let _ = write!(csv, ",output_{index}");
    }
    csv.push('\n');
    let rows = outputs.values.chunks_exact(outputs.width.max(1)).zip(points);
    for (row, (values, (x, y))) in rows.enumerate() {
        let class = subset.class(row).map(usize::from);
        let class = class.and_then(|class| names.get(class)).map_or("", String::as_str);
        let _ = write!(csv, "{row},{},{x:.6},{y:.6}", quoted(class));
        for value in values {
            let _ = write!(csv, ",{value}");
        }
        csv.push('\n');
    }
    csv
}

/// A text as a cell: in quotes where it needs them (RFC 4180).
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_comma_stays_one_cell() {
        assert_eq!(["a", "a,b", "a\"b"].map(quoted), ["a", "\"a,b\"", "\"a\"\"b\""]);
    }
}
