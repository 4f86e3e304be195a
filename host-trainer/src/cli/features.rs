//! `host-trainer features`: the outputs of a layer.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::DataArgs;
use super::{files, terminal};
use crate::data::{Locations, Subset};
use crate::experiment::SavedRun;
use crate::foreign_text::{self, spreadsheet_cell};
use crate::report::html::{Projection, scatter_html};
use crate::report::{grouped, percent};
use thimble_projection::{
    Components, LayerOutputs, UmapSettings, collect, principal_components, umap,
};

/// Maximum number of points in a scatter plot; more would overlap.
const POINTS: usize = 3000;

/// Arguments of `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// Folder of a run, such as runs/digits
    pub run: PathBuf,
    /// Layer: its name, or its index from 0
    pub layer: String,
    /// Split whose rows are used
    #[arg(long, value_enum, default_value_t = Rows::Test)]
    pub rows: Rows,
    /// Projection of the rows onto a plane
    #[arg(long, value_enum, default_value_t = Map::Pca)]
    pub map: Map,
    /// Number of neighbors in UMAP
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = neighbors)]
    pub neighbors: usize,
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

/// Split whose rows are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Training rows
    Train,
    /// Validation rows
    Validation,
    /// Test rows
    Test,
}

/// Projection of the rows onto a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Map {
    /// The first two principal components, a linear projection that preserves distances best
    Pca,
    /// UMAP, which places rows with similar outputs close together; needs a build with `--features
    /// umap`
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

/// Projects the rows onto a plane.
fn place(
    outputs: &LayerOutputs,
    args: &FeaturesArgs,
    seed: u64,
) -> anyhow::Result<(Vec<(f64, f64)>, Projection)> {
    let FeaturesArgs { map, neighbors, min_distance, .. } = *args;
    Ok(match map {
        Map::Pca => {
            let Components { points, explained } =
                principal_components(&outputs.values, outputs.width);
            (points, Projection::Components { explained })
        }
        Map::Umap => {
            let settings = UmapSettings { neighbors, min_distance, seed };
            let points = umap(&outputs.values, outputs.width, settings)?;
            (points, Projection::Umap { neighbors, min_distance })
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
            .context("the run has no validation rows. Give --rows test")?,
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
    let (places, projection) = placed?;
    let folder = files::run_folder(args.output.as_ref().unwrap_or(&args.run))?;
    // Layer names are free text; a file name needs safe characters.
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let layer: String = args.layer.chars().map(plain).collect();
    let (csv, page) = (format!("features-{layer}.csv"), format!("features-{layer}.html"));
    folder.write(&csv, &table(subset, &outputs, args.map, &places)?)?;
    let names = subset.dataset().class_names();
    let every = subset.len().div_ceil(POINTS).max(1);
    let points: Vec<(f64, f64, usize)> = (0..subset.len())
        .step_by(every)
        .zip(places.iter().step_by(every))
        .map(|(row, &(x, y))| (x, y, subset.class(row).map(usize::from).unwrap_or(0)))
        .collect();
    let title = format!("{}: outputs of layer {}", saved.preset.name, args.layer);
    let html = scatter_html(&title, names, &points, projection);
    folder.write(&page, html.as_bytes())?;
    let (csv, page) = (folder.path().join(csv), folder.path().join(page));
    let explained = match projection {
        Projection::Components { explained } => Some(explained),
        Projection::Umap { .. } => None,
    };
    if args.json {
        let value = json!({
            "layer": args.layer,
            "rows": subset.len(),
            "width": outputs.width,
            "explained": explained,
            "csv": csv.display().to_string(),
            "page": page.display().to_string(),
        });
        terminal::json(&value)?;
    } else if !quiet {
        let explained = explained.map_or(String::new(), |(first, second)| {
            let share = percent(first + second);
            format!("; two principal components explain {share} of their variance")
        });
        terminal::print(&format!(
            "{} rows of {} outputs{explained}\n  {}\n  {}\n",
            grouped(subset.len() as u64),
            grouped(outputs.width as u64),
            foreign_text::path(&csv),
            foreign_text::path(&page)
        ))?;
    }
    Ok(())
}

/// CSV table with one line per row: row index, class, position in the plot, outputs.
fn table(
    subset: &Subset,
    outputs: &LayerOutputs,
    map: Map,
    points: &[(f64, f64)],
) -> anyhow::Result<Vec<u8>> {
    let names = subset.dataset().class_names();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut cells = vec!["row".to_string(), "class".to_string()];
    let axes = match map {
        Map::Pca => ["pc1", "pc2"],
        Map::Umap => ["umap1", "umap2"],
    };
    cells.extend(axes.map(String::from));
    cells.extend((0..outputs.width).map(|index| format!("output_{index}")));
    csv.write_record(&cells)?;
    let rows = outputs.values.chunks_exact(outputs.width.max(1)).zip(points);
    for (row, (values, (x, y))) in rows.enumerate() {
        let class = subset.class(row).map(usize::from);
        let class = class.and_then(|class| names.get(class)).map_or("", String::as_str);
        cells.clear();
        let class = spreadsheet_cell(class).into_owned();
        cells.extend([row.to_string(), class, format!("{x:.6}"), format!("{y:.6}")]);
        cells.extend(values.iter().map(f32::to_string));
        csv.write_record(&cells)?;
    }
    Ok(csv.into_inner()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::Array2;

    use super::*;
    use crate::data::{Dataset, Features, Labels};

    #[test]
    fn a_name_with_a_comma_stays_one_cell() {
        let names = ["a", "a,b", "a\"b"].map(String::from).to_vec();
        let labels = Labels { indices: vec![0, 1, 2], names };
        let features = Features::Reals(Array2::zeros((3, 1)));
        let dataset = Dataset::new("d", vec![1], features, labels).unwrap();
        let outputs = LayerOutputs { width: 1, values: vec![0.5; 3] };
        let points = [(0.0, 1.0); 3];
        let csv = table(&Subset::all(Arc::new(dataset)), &outputs, Map::Pca, &points).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "row,class,pc1,pc2,output_0");
        let classes = ["a", "\"a,b\"", "\"a\"\"b\""];
        for (row, (line, class)) in lines[1..].iter().zip(classes).enumerate() {
            assert_eq!(*line, format!("{row},{class},0.000000,1.000000,0.5"));
        }
    }
}
