//! `host-trainer sweep`: one training per point of a grid of settings.

mod grid;
mod progress;
mod results;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use self::grid::{Point, points};
use self::progress::{PointProgress, SweepProgress};
use self::results::{Row, csv, json, page, run_path, table};
use super::args::{DataArgs, ThreadArgs};
use super::checkpoint::{self, Checkpoints};
use super::identity::{self, Kind};
use super::log::LogArgs;
use super::shard::ShardArgs;
use super::shard::{self, Part, Shard};
use super::table::TableArgs;
use super::train::{Interrupt, complete};
use super::{files, quantize, terminal};
use crate::atomic_file;
use crate::data::{Locations, Source};
use crate::experiment::{Error, Experiment, Plan, SavedRun, check_run, read_metrics};
use crate::foreign_text;
use crate::preset::Preset;
use crate::run_folder::{MANIFEST, ManifestError, RunFolder, RunFolderError};
use crate::threads::Threads;
use crate::train::TrainError;

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Name of a preset, a file that ends in .toml, or a CSV file with --target
    #[arg(value_name = "PRESET|FILE.toml|DATA.csv")]
    pub preset: String,
    /// Columns of a CSV file
    #[command(flatten)]
    pub table: TableArgs,
    /// Setting and its values, such as training.batch_size=32,128; repeatable: every combination is
    /// trained
    #[arg(long, value_name = "KEY=VALUE,VALUE,…", required = true)]
    pub grid: Vec<String>,
    /// Override a setting in all runs; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Output folder, with a folder per run [default: runs/sweep-PRESET]; finished runs are not
    /// repeated
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Part of the sweep
    #[command(flatten)]
    pub shards: ShardArgs,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Log of the trainings
    #[command(flatten)]
    pub log: LogArgs,
    /// Print a JSON array with an object per run
    #[arg(long)]
    pub json: bool,
}

/// Name of the tables of results.
const NAME: &str = "sweep";

/// Identity of a sweep's folder.
const KIND: Kind = Kind { noun: "sweep", file: "sweep.json", evidence: "0001", option: "--grid " };

/// Trains each point of the grid that is not finished, and shows all that are.
pub fn run(args: &SweepArgs, quiet: bool) -> anyhow::Result<()> {
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let base = args.table.find(&args.preset, &args.set, &locations)?.with_settings(&args.set)?;
    let points = points(&args.grid)?;
    let presets: Vec<Preset> =
        points.iter().map(|point| base.with_settings(point)).collect::<Result<_, _>>()?;
    let out = args
        .output
        .clone()
        .unwrap_or_else(|| Path::new("runs").join(format!("sweep-{}", base.name)));
    // Shards share the folder; each point has one writer.
    let folder = RunFolder::shared(&out)?;
    identity::keep(&folder, KIND, &args.grid, &base.to_toml())?;
    if !args.shards.collect.is_empty() {
        let shards = shard::collect(&args.shards.collect, Part::Table(NAME))?;
        let places: Vec<&Path> = shards.iter().map(|table| atomic_file::folder(table)).collect();
        for place in &places {
            identity::check(place, KIND, &args.grid, &base.to_toml())?;
        }
        let place = |number: usize| run_path(places[number % places.len()], number);
        let rows = rows(&points, &presets, &place);
        return show(args, &folder, &base.name, NAME, &rows);
    }
    let shard = Shard::of_task(args.shards.shard)?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let interrupt = Interrupt::default();
    interrupt.watch();
    let stop = interrupt.stop.clone();
    let mut to_do: Vec<(usize, Todo)> = Vec::new();
    let mut data = HashMap::new();
    for (number, preset) in presets.iter().enumerate() {
        if shard.is_none_or(|shard| shard.has(number))
            && let Some(todo) = left_to_do(&run_path(&out, number), preset, || {
                let key = format!("{:?} {}", preset.data, preset.seed);
                let read = || preset.data.load(&locations, preset.seed).ok();
                data.entry(key).or_insert_with(|| Some(read()?.fingerprint())).clone()
            })
        {
            to_do.push((number, todo));
        }
    }
    let quiet = quiet || args.json;
    let trainings = to_do.iter().filter(|(_, todo)| matches!(todo, Todo::Train(_)));
    let progress = SweepProgress::new(trainings.map(|&(number, _)| &presets[number]), quiet);
    let mut failure = None;
    for (number, todo) in to_do {
        if stop.is_stopped() {
            break;
        }
        let preset = &presets[number];
        let point = format!("{}/{}  {}", number + 1, presets.len(), points[number].join("  "));
        let done = files::run_folder(&run_path(&out, number)).and_then(|folder| match todo {
            Todo::Train(why) => {
                if let Some(why) = why {
                    progress.line(&format!("  {why}"));
                }
                let mut point = progress.begin(point);
                let done =
                    train(preset, &folder, &locations, &threads, &interrupt, &mut point, args.log);
                progress.end(point, preset.training.epochs);
                done
            }
            Todo::Quantize => {
                progress.line(&format!("{point}: only the model is missing, and is made"));
                quantize::finish(&folder, &locations, &threads)
            }
            Todo::Report => {
                progress.line(&format!("{point}: only the report is missing, and is made"));
                Ok(SavedRun::open(folder.path())?
                    .report(&locations, false, &threads)?
                    .write(&folder)?)
            }
        });
        match done {
            Ok(()) => {}
            // A point that diverges, or whose batch is too large, is a result too.
            Err(error) if error.downcast_ref::<Error>().is_some() => {
                progress.line(&format!("  {}", terminal::message(&error)));
                failure.get_or_insert(error);
            }
            // Another process trains this point and reports it.
            Err(error) if is_locked(&error) => progress.line(&format!("  {error}")),
            Err(error) => return Err(error),
        }
    }
    progress.finish();
    let rows = rows(&points, &presets, &|number| run_path(&out, number));
    if let Some(failure) = failure.filter(|_| rows.iter().all(|row| row.metrics.is_none())) {
        return Err(failure.context("no point of the grid could be trained"));
    }
    // Each shard has its own table, so that none overwrites another.
    let name = shard.map_or(NAME.to_string(), |shard| shard.name(NAME));
    show(args, &folder, &base.name, &name, &rows)
}

/// Returns the points with the metrics of those that are finished.
fn rows(points: &[Point], presets: &[Preset], place: &dyn Fn(usize) -> PathBuf) -> Vec<Row> {
    let row = |(number, (point, preset)): (usize, (&Point, &Preset))| {
        let folder = place(number);
        Row { number, point: point.clone(), metrics: finished(&folder, preset), folder }
    };
    points.iter().zip(presets).enumerate().map(row).collect()
}

/// Writes the results as table and page, and shows them.
fn show(
    args: &SweepArgs,
    folder: &RunFolder,
    preset: &str,
    name: &str,
    rows: &[Row],
) -> anyhow::Result<()> {
    let (csv_name, page_name) = (format!("{name}.csv"), format!("{name}.html"));
    folder.write(&csv_name, &csv(&args.grid, rows)?)?;
    folder.write(&page_name, page(preset, folder.path(), rows).as_bytes())?;
    if args.json {
        terminal::json(&json(rows))?;
        return Ok(());
    }
    terminal::print(&table(&args.grid, rows))?;
    let [csv, page] = [csv_name, page_name].map(|name| folder.path().join(name));
    terminal::print(&format!("\n{}\n{}\n", foreign_text::path(&csv), foreign_text::path(&page)))?;
    Ok(())
}

/// Trains a point, from its checkpoint if it has a usable one.
fn train(
    preset: &Preset,
    folder: &RunFolder,
    locations: &Locations,
    threads: &Threads,
    interrupt: &Interrupt,
    point: &mut PointProgress,
    log: LogArgs,
) -> anyhow::Result<()> {
    let begin = || Plan::new(preset.clone(), locations);
    let plan = begin()?;
    let stop = &interrupt.stop;
    let place = checkpoint::read_if_fits(folder, preset, &plan.data);
    let resumed = place.is_some();
    let logged = log.observe(point, folder.path(), resumed);
    let mut watch = Checkpoints::new(logged, folder, preset, &plan.data, stop.clone());
    let trained = match plan.train(threads, stop, place, &mut watch) {
        // For example, one with another number of threads.
        Err(Error::Train(TrainError::Checkpoint(_))) if resumed => {
            begin()?.train(threads, stop, None, &mut watch)?
        }
        trained => trained?,
    };
    // An interrupted point resumes from its checkpoint next time.
    if trained.outcome.interrupted {
        return Ok(());
    }
    let experiment = complete(trained, folder, None, false, threads, &Interrupt::default())?;
    super::log::finish(&mut watch.into_progress(), folder.path(), &experiment);
    checkpoint::remove(folder);
    Ok(())
}

/// Remaining work for a point.
enum Todo {
    /// Everything, with the reason why the existing files do not count.
    Train(Option<String>),
    /// The model, its metrics and the report.
    Quantize,
    /// The report.
    Report,
}

/// Returns the remaining work for a point by its `run.json`. `data` returns the fingerprint of its
/// data, if that can be read.
fn left_to_do(
    folder: &Path,
    preset: &Preset,
    data: impl FnOnce() -> Option<String>,
) -> Option<Todo> {
    if !folder.join(MANIFEST).exists() {
        return Some(Todo::Train(None));
    }
    let saved = match SavedRun::open_learnt(folder) {
        Ok(saved) if is_of(&saved.preset, preset) => saved,
        // The base preset is the same, so that the file was edited by hand.
        Ok(_) => {
            let why = format!("{}: it was trained with other settings", foreign_text::path(folder));
            return Some(Todo::Train(Some(why)));
        }
        Err(error) => return Some(Todo::Train(Some(error.to_string()))),
    };
    if data().is_some_and(|data| data != saved.manifest.data) {
        let why = format!("{}: it was trained on other data", foreign_text::path(folder));
        return Some(Todo::Train(Some(why)));
    }
    match check_run(&saved.folder) {
        Ok(_) if folder.join(Experiment::REPORT.0).is_file() => None,
        Ok(_) => Some(Todo::Report),
        Err(ManifestError::NotQuantized { .. }) => Some(Todo::Quantize),
        // A missing or changed model is made again; metrics of the training are not.
        Err(error) => match saved.manifest.check(folder, Some(&[Experiment::METRICS])) {
            Ok(()) => Some(Todo::Quantize),
            Err(_) => Some(Todo::Train(Some(error.to_string()))),
        },
    }
}

/// Returns the metrics of a folder's run, if it is finished and of this preset.
pub(super) fn finished(folder: &Path, preset: &Preset) -> Option<Value> {
    // A training with other settings does not count.
    let text = fs::read_to_string(folder.join("preset.toml")).ok()?;
    let saved = Preset::read(&text, "preset.toml").ok()?;
    is_of(&saved, preset).then(|| read_metrics(folder).ok())?
}

/// Returns whether a run with the preset `saved` is the requested one. A run writes the feature
/// names of its table if the preset does not list them.
fn is_of(saved: &Preset, asked: &Preset) -> bool {
    let mut asked = asked.clone();
    if let (Source::Csv(asked), Source::Csv(saved)) = (&mut asked.data.dataset, &saved.data.dataset)
        && asked.features.is_empty()
    {
        asked.features.clone_from(&saved.features);
    }
    asked.to_toml() == saved.to_toml()
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(RunFolderError::Locked { .. }))
}
