//! `host-trainer features`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::DataArgs;
use super::terminal;
use crate::data::{Locations, Subset};
use crate::experiment::SavedRun;
use crate::features::{LayerOutputs, UmapSettings, collect, principal_components, umap};
use crate::report::html::{Plane, scatter_html};
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
    /// How rows become points of a plane
    #[arg(long, value_enum, default_value_t = Map::Pca)]
    pub map: Map,
    /// Rows that UMAP takes for the neighbours of one
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = neighbors)]
    pub neighbors: usize,
    /// How near to one another UMAP may place rows, from 0 to 1
    #[arg(long, value_name = "D", default_value_t = 0.1, value_parser = min_distance)]
    pub min_distance: f32,
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

/// How rows become points of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Map {
    /// Along the two principal components: distances stay what they are, as far as two can show
    Pca,
    /// Rows with similar outputs become neighbours; needs a program that was built with
    /// `--features umap`
    Umap,
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

/// Rows as points of a plane.
struct Placed {
    points: Vec<(f64, f64)>,
    /// Share of the variance that each axis explains, where axes are components.
    explained: Option<(f64, f64)>,
    /// Names of its axes in the table.
    columns: [&'static str; 2],
    plane: Plane,
}

/// Places the rows as asked.
fn place(outputs: &LayerOutputs, args: &FeaturesArgs, seed: u64) -> anyhow::Result<Placed> {
    Ok(match args.map {
        Map::Pca => {
            let components = principal_components(&outputs.values, outputs.width);
            let (first, second) = components.explained;
            Placed {
                points: components.points,
                explained: Some(components.explained),
                columns: ["pc1", "pc2"],
                plane: Plane {
                    axes: (
                        format!("first component, {} of the variance", percent(first)),
                        format!("second component, {}", percent(second)),
                    ),
                    explanation: "Each point is a row, seen along the two directions in which the \
                                  outputs vary most (principal components). Classes that stand \
                                  apart here are easy to tell apart."
                        .to_string(),
                },
            }
        }
        Map::Umap => {
            let FeaturesArgs { neighbors, min_distance, .. } = *args;
            let settings = UmapSettings { neighbors, min_distance, seed };
            Placed {
                points: umap(&outputs.values, outputs.width, settings)?,
                explained: None,
                columns: ["umap1", "umap2"],
                plane: Plane {
                    axes: ("UMAP 1".to_string(), "UMAP 2".to_string()),
                    explanation: format!(
                        "Each point is a row, placed so that rows with similar outputs are \
                         neighbours (UMAP: {neighbors} neighbours, least distance {min_distance}). \
                         What lies together is alike; how large a group is, and how far from \
                         another, says little."
                    ),
                },
            }
        }
    })
}

/// Writes a layer's outputs as CSV, and as a scatter plot.
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
    let doing = match args.map {
        Map::Pca => "principal components",
        Map::Umap => "UMAP",
    };
    let spinner = terminal::spinner(doing, quiet || args.json);
    let placed = place(&outputs, args, saved.preset.seed);
    spinner.finish_and_clear();
    let placed = placed?;
    let folder = RunFolder::create(args.out.as_ref().unwrap_or(&args.run))?;
    let (csv, page) =
        (format!("features-{}.csv", args.layer), format!("features-{}.html", args.layer));
    folder.write(&csv, &table(subset, &outputs, &placed)?)?;
    let names = subset.dataset().class_names();
    let every = subset.len().div_ceil(POINTS).max(1);
    let points: Vec<(f64, f64, usize)> = (0..subset.len())
        .step_by(every)
        .zip(placed.points.iter().step_by(every))
        .map(|(row, &(x, y))| (x, y, subset.class(row).map(usize::from).unwrap_or(0)))
        .collect();
    let title = format!("{}: outputs of layer {}", saved.preset.name, args.layer);
    let html = scatter_html(&title, names, &points, &placed.plane);
    folder.write(&page, html.as_bytes())?;
    let (csv, page) = (folder.path().join(csv), folder.path().join(page));
    if args.json {
        let value = json!({
            "layer": args.layer,
            "rows": subset.len(),
            "width": outputs.width,
            "explained": placed.explained,
            "csv": csv.display().to_string(),
            "page": page.display().to_string(),
        });
        terminal::json(&value)?;
    } else if !quiet {
        let explained = placed.explained.map_or(String::new(), |(first, second)| {
            let share = percent(first + second);
            format!("; two principal components explain {share} of their variance")
        });
        terminal::print(&format!(
            "{} rows of {} outputs{explained}\n  {}\n  {}\n",
            grouped(subset.len() as u64),
            grouped(outputs.width as u64),
            csv.display(),
            page.display()
        ))?;
    }
    Ok(())
}

/// A row a line: its place, its class, where it stands in the plot, then all outputs.
fn table(subset: &Subset, outputs: &LayerOutputs, placed: &Placed) -> anyhow::Result<Vec<u8>> {
    let names = subset.dataset().class_names();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut cells = vec!["row".to_string(), "class".to_string()];
    cells.extend(placed.columns.map(String::from));
    cells.extend((0..outputs.width).map(|index| format!("output_{index}")));
    csv.write_record(&cells)?;
    let rows = outputs.values.chunks_exact(outputs.width.max(1)).zip(&placed.points);
    for (row, (values, (x, y))) in rows.enumerate() {
        let class = subset.class(row).map(usize::from);
        let class = class.and_then(|class| names.get(class)).map_or("", String::as_str);
        cells.clear();
        cells.extend([row.to_string(), class.to_string(), format!("{x:.6}"), format!("{y:.6}")]);
        cells.extend(values.iter().map(f32::to_string));
        csv.write_record(&cells)?;
    }
    Ok(csv.into_inner()?)
}
