//! `host-trainer sweep`: one training for each point of a grid.

mod grid;
mod progress;
mod results;

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

pub use grid::Shard;

use self::grid::points;
use self::progress::{PointProgress, SweepProgress};
use self::results::{Row, csv, json, page, run_path, table};
use super::args::SweepArgs;
use super::checkpoint::{self, Checkpoints};
use super::terminal;
use super::train::{stop_on_interrupt, write_run};
use crate::data::Locations;
use crate::experiment::{Error, Experiment, Plan};
use crate::preset::{self, Preset};
use crate::run_folder::RunFolder;
use crate::train::{StopFlag, Threads, TrainError};

/// Trains each point of the grid that is not done yet, and shows all that are.
pub fn run(args: &SweepArgs, quiet: bool) -> anyhow::Result<()> {
    let base = preset::find(&args.preset)?.with_settings(&args.set)?;
    let points = points(&args.grid)?;
    let presets: Vec<Preset> =
        points.iter().map(|point| base.with_settings(point)).collect::<Result<_, _>>()?;
    let out =
        args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("sweep-{}", base.name)));
    let folder = RunFolder::create(&out)?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let stop = StopFlag::default();
    stop_on_interrupt(&stop);
    let to_do: Vec<usize> = (0..presets.len())
        .filter(|&number| args.shard.is_none_or(|shard| shard.has(number)))
        .filter(|&number| finished(&out, number, &presets[number]).is_none())
        .collect();
    let quiet = quiet || args.json;
    let progress = SweepProgress::new(to_do.iter().map(|&number| &presets[number]), quiet);
    let mut failure = None;
    for &number in &to_do {
        if stop.is_stopped() {
            break;
        }
        let preset = &presets[number];
        let name = format!("{}/{}  {}", number + 1, presets.len(), points[number].join("  "));
        let folder = RunFolder::create(run_path(&out, number))?;
        let mut watch = Checkpoints::new(progress.begin(name), &folder, preset, stop.clone());
        let experiment = train_point(preset, &folder, &locations, &threads, &stop, &mut watch);
        progress.end(watch.into_progress(), preset.training.epochs);
        match experiment {
            // What was stopped goes on from its checkpoint next time.
            Ok(experiment) if experiment.outcome.interrupted => {}
            Ok(experiment) => {
                write_run(&experiment, &folder, &threads)?;
                checkpoint::remove(&folder);
            }
            // One point that diverges, or asks for too large a batch, is a result too.
            Err(error) => {
                progress.line(&format!("  {error}"));
                failure.get_or_insert(error);
            }
        }
    }
    progress.finish();
    let rows: Vec<Row> = presets
        .iter()
        .enumerate()
        .map(|(number, preset)| Row {
            number,
            point: points[number].clone(),
            metrics: finished(&out, number, preset),
        })
        .collect();
    if let Some(failure) = failure.filter(|_| rows.iter().all(|row| row.metrics.is_none())) {
        return Err(anyhow::Error::new(failure).context("no point of the grid could be trained"));
    }
    // Each shard has a table of its own, so that none overwrites another's.
    let name = match args.shard {
        Some(shard) => format!("sweep-{}-of-{}", shard.index + 1, shard.count),
        None => "sweep".to_string(),
    };
    let (csv_name, page_name) = (format!("{name}.csv"), format!("{name}.html"));
    folder.write(&csv_name, &csv(&args.grid, &rows)?)?;
    folder.write(&page_name, page(&base.name, &rows).as_bytes())?;
    if args.json {
        terminal::json(&json(&out, &rows))?;
        return Ok(());
    }
    terminal::print(&table(&args.grid, &rows))?;
    let (csv, page) = (out.join(csv_name), out.join(page_name));
    terminal::print(&format!("\n{}\n{}\n", csv.display(), page.display()))?;
    Ok(())
}

/// Trains a point, from its checkpoint where it has one that can be gone on from.
fn train_point(
    preset: &Preset,
    folder: &RunFolder,
    locations: &Locations,
    threads: &Threads,
    stop: &StopFlag,
    watch: &mut Checkpoints<'_, PointProgress>,
) -> Result<Experiment, Error> {
    // An older result must not be taken for that of this training, should it end half-way.
    let _ = fs::remove_file(folder.path().join("metrics.json"));
    let begin = || Plan::new(preset.clone(), locations);
    match checkpoint::read_if_fits(folder, preset) {
        None => begin()?.run(threads, stop, None, watch),
        Some(place) => match begin()?.run(threads, stop, Some(place), watch) {
            // Such as one of another number of threads.
            Err(Error::Train(TrainError::Checkpoint(_))) => {
                begin()?.run(threads, stop, None, watch)
            }
            done => done,
        },
    }
}

/// The metrics of a point that was trained before, by this sweep or another part of it.
fn finished(out: &Path, number: usize, preset: &Preset) -> Option<Value> {
    let folder = run_path(out, number);
    let text = fs::read_to_string(folder.join("preset.toml")).ok()?;
    // What was trained with other settings is trained anew.
    if text != preset.to_toml() {
        return None;
    }
    serde_json::from_str(&fs::read_to_string(folder.join("metrics.json")).ok()?).ok()
}
