//! `host-trainer features`: the outputs of a layer.

mod maps;
mod rows;
mod table;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use thimble_projection::ChosenLayer;

use self::maps::{Map, UmapChoice, maps};
use self::rows::{Rows, SplitRows};
use super::args::DataArgs;
use super::{files, terminal};
use crate::data::Locations;
use crate::experiment::SavedRun;
use crate::foreign_text;
use crate::report::grouped;
use crate::report::html::{FeaturesPage, Plot, features_html};
use crate::report::scatter_svg;

/// Arguments of `features`.
#[derive(Debug, Args)]
#[command(
    after_help = "Two outputs are drawn as they are, beside the data if that has two features. \
                        Others are projected by principal components and by UMAP."
)]
pub struct FeaturesArgs {
    /// Folder of a run, such as runs/digits
    pub run: PathBuf,
    /// Layer: its name, or its number from 0 among the layers with weights, as in the report. Its
    /// outputs are those of its activation
    pub layer: String,
    /// Split whose rows are used
    #[arg(long, value_enum, default_value_t = Rows::Training)]
    pub rows: Rows,
    /// Number of neighbors in UMAP [default: 15, or all of fewer rows]
    #[arg(long, value_name = "N", value_parser = neighbors)]
    pub neighbors: Option<usize>,
    /// Minimum distance of points in UMAP, from 0 to 1
    #[arg(long, value_name = "D", default_value_t = 0.1, value_parser = min_distance)]
    pub min_distance: f32,
    /// Output folder [default: the run's folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Print the result as a JSON object
    #[arg(long)]
    pub json: bool,
}

fn neighbors(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count >= 2 => Ok(count),
        _ => Err("a whole number from 2 on is needed, such as 15".into()),
    }
}

fn min_distance(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(distance) if (0.0..=1.0).contains(&distance) => Ok(distance),
        _ => Err("a number from 0 to 1 is needed, such as 0.1".into()),
    }
}

/// Writes a layer's outputs as CSV tables and scatter plots, and a page with all plots.
pub fn run(args: &FeaturesArgs, quiet: bool) -> anyhow::Result<()> {
    let saved = SavedRun::open_float(&args.run)?;
    let layer = ChosenLayer::find(&saved.network, &args.layer)?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let splits = saved.plan(&locations)?.splits;
    let rows = SplitRows::new(&splits, args.rows)?;
    let quiet_bar = quiet || args.json;
    let bar = terminal::bar(rows.len(), "rows", quiet_bar);
    let mut outputs = Vec::with_capacity(rows.len() * layer.width);
    for (_, subset) in &rows.splits {
        let mut progress = |done| bar.inc(done as u64);
        outputs.extend(layer.outputs(&saved.network, subset, &mut progress));
    }
    bar.finish_and_clear();
    let spinner = terminal::spinner("projections", quiet_bar);
    let umap = UmapChoice {
        neighbors: args.neighbors,
        min_distance: args.min_distance,
        seed: saved.preset.seed,
    };
    let maps = maps(&layer, &rows, &outputs, umap);
    spinner.finish_and_clear();
    let maps = maps?;
    let folder = files::run_folder(args.output.as_ref().unwrap_or(&args.run))?;
    // Layer names are free text; a file name needs safe characters.
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let base: String = format!("features-{}", args.layer.chars().map(plain).collect::<String>());
    let names: Vec<[String; 2]> = maps
        .iter()
        .map(|map| ["svg", "csv"].map(|ext| format!("{base}{}.{ext}", map.suffix)))
        .collect();
    let points: Vec<Vec<(f64, f64, usize)>> = maps.iter().map(|map| map.shown(&rows)).collect();
    let classes = rows.class_names();
    let plots: Vec<Plot<'_>> = maps
        .iter()
        .zip(&names)
        .zip(&points)
        .map(|((map, [svg, csv]), points)| Plot {
            scatter: map.scatter(points, classes),
            explanation: &map.explanation,
            files: [svg, csv],
        })
        .collect();
    for (plot, map) in plots.iter().zip(&maps) {
        let [svg, csv] = plot.files;
        folder.write(svg, scatter_svg(&plot.scatter).as_bytes())?;
        folder.write(csv, &table::table(&rows, &layer, &outputs, map)?)?;
    }
    let title = format!("{}: outputs of layer {}", saved.preset.name, layer.title());
    let splits: Vec<&str> = rows.splits.iter().map(|(name, _)| *name).collect();
    let splits = splits.join(", ");
    let html = features_html(&FeaturesPage {
        title: &title,
        plots: &plots,
        rows: rows.len(),
        splits: &splits,
    });
    let page = format!("{base}.html");
    folder.write(&page, html.as_bytes())?;
    let path = |name: &str| folder.path().join(name);
    let written: Vec<PathBuf> = names.iter().flatten().map(|name| path(name)).collect();
    if args.json {
        let explained = maps.iter().find_map(|map| map.explained);
        let value = json!({
            "layer": layer.number,
            "name": layer.name,
            "splits": splits.split(", ").collect::<Vec<_>>(),
            "rows": rows.len(),
            "width": layer.width,
            "explained": explained,
            "files": written.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
            "page": path(&page).display().to_string(),
        });
        terminal::json(&value)?;
    } else if !quiet {
        let mut text = format!(
            "{} {splits} rows of {} outputs\n",
            grouped(rows.len() as u64),
            grouped(layer.width as u64),
        );
        for note in maps.iter().filter_map(Map::note) {
            text += &format!("  {note}\n");
        }
        for file in written.iter().chain([&path(&page)]) {
            text += &format!("  {}\n", foreign_text::path(file));
        }
        terminal::print(&text)?;
    }
    Ok(())
}
