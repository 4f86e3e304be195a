//! The Pareto front of a search: its networks are trained with all training rows, and evaluated on
//! the test rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use model_format::Model;

use super::results::{Results, Row};
use super::trainer::{Scores, Task, in_parallel};
use super::{network_text, run_path};
use crate::cli::log::{self, LogArgs};
use crate::cli::sweep::finished;
use crate::cli::train::{Interrupt, complete};
use crate::cli::{files, terminal};
use crate::experiment::{Error, Experiment, Plan};
use crate::foreign_text;
use crate::preset::Preset;
use crate::run_folder::RunFolder;
use crate::search::{Candidate, Cost, RUNGS, Score, front};
use crate::threads::Threads;
use crate::train::TrainError;

/// Folder of the presets.
const PRESETS: &str = "front";

/// Scores of a search, all or those so far.
pub(super) struct Found<'a> {
    pub task: &'a Task,
    /// Preset of the user.
    pub base: &'a Preset,
    pub scores: &'a Scores,
    pub candidates: &'a BTreeMap<usize, Candidate>,
    /// Log of the trainings of the front.
    pub log: LogArgs,
}

impl Found<'_> {
    /// Returns the scores of the trials that trained longest: in all epochs, or as long as any so far.
    fn longest(&self) -> Vec<(usize, Score)> {
        let of_rung = |rung: usize| {
            let scores = self.scores.iter().filter(move |((_, of), _)| *of == rung);
            let scores = scores.filter_map(|(&(trial, _), score)| Some((trial, (*score)?)));
            let within =
                |(_, score): &(usize, Score)| self.task.budget.exceeded(&score.cost).is_none();
            scores.filter(within).collect::<Vec<_>>()
        };
        let rungs = (0..RUNGS).rev().map(of_rung);
        rungs.into_iter().find(|scores| !scores.is_empty()).unwrap_or_default()
    }

    /// Returns the trials of the front of these, the smallest model first.
    fn front(&self, all: &[(usize, Score)]) -> Vec<(usize, Score)> {
        let points: Vec<[f64; 3]> = all.iter().map(|(_, score)| score.objectives()).collect();
        let mut best: Vec<(usize, Score)> = front(&points).into_iter().map(|i| all[i]).collect();
        best.sort_by(|(_, a), (_, b)| {
            a.cost.flash.cmp(&b.cost.flash).then(b.error.total_cmp(&a.error))
        });
        best
    }
}

/// Writes the presets of the front, trains them with the rows of `whole`, whose validation rows that the
/// user did not set aside have done their work, and writes and shows the results. After Ctrl-C, the
/// front so far is written without test figures.
pub(super) fn finish(
    found: &Found<'_>,
    whole: &Plan,
    folder: &RunFolder,
    workers: &[Threads],
    interrupt: &Interrupt,
    as_json: bool,
    quiet: bool,
) -> anyhow::Result<()> {
    let Found { task, base, candidates, .. } = *found;
    let all = found.longest();
    let front = found.front(&all);
    let mut rows = Vec::new();
    for &(trial, score) in &front {
        let Some(candidate) = candidates.get(&trial) else { continue };
        let mut preset = task.space.preset(candidate, task.epochs)?;
        preset.data = whole.preset.data.clone();
        rows.push(Row {
            number: rows.len(),
            trial,
            network: network_text(task, candidate),
            candidate: candidate.clone(),
            validation: score.figure,
            cost: score.cost,
            preset,
            metrics: None,
        });
    }
    let file =
        |row: &Row| (format!("{:02}.toml", row.number + 1), row.preset.to_toml().into_bytes());
    folder.write_folder(PRESETS, &rows.iter().map(file).collect::<Vec<_>>())?;
    let points = all.iter().map(|(_, score)| *score).collect();
    let mut results = Results {
        name: &base.name,
        chip: task.chip,
        regression: base.data.dataset.has_values(),
        trials: candidates.len(),
        points,
        rows,
    };
    if !interrupt.stop.is_stopped() && !results.rows.is_empty() {
        let bar = terminal::spinner("the networks of the front, with all training rows", quiet);
        let trained = train(&results.rows, whole, found, folder.path(), workers, interrupt);
        bar.finish_and_clear();
        for (row, trained) in results.rows.iter_mut().zip(trained?) {
            if let Some((metrics, cost)) = trained {
                (row.metrics, row.cost) = (Some(metrics), cost);
            }
        }
    }
    folder.write("search.csv", &results.csv()?)?;
    folder.write("search.html", results.page().as_bytes())?;
    if as_json {
        return Ok(terminal::json(&results.json(folder.path()))?);
    }
    terminal::print(&results.table())?;
    let path = |name: &str| foreign_text::path(&folder.path().join(name));
    let mut text = String::from("\n");
    for name in ["search.csv", "search.html"] {
        text += &format!("{}\n", path(name));
    }
    if !results.rows.is_empty() {
        text += &format!("{}  `host-trainer train` takes them\n", path("front/*.toml"));
    }
    if interrupt.stop.is_stopped() {
        text += "stopped; the same command continues\n";
    }
    Ok(terminal::print(&text)?)
}

/// Metrics of a finished network, and its cost.
type Trained = Option<(serde_json::Value, Cost)>;

/// Trains the networks of the front that are not finished yet.
fn train(
    rows: &[Row],
    whole: &Plan,
    found: &Found<'_>,
    out: &Path,
    workers: &[Threads],
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Trained>> {
    let done = Mutex::new((vec![None; rows.len()], None));
    in_parallel(workers, rows.len(), |index, threads| {
        let trained = one(&rows[index], whole, found, out, threads, interrupt);
        let Ok(mut state) = done.lock() else { return false };
        match trained {
            Ok(trained) => state.0[index] = trained,
            Err(error) => {
                state.1.get_or_insert(error);
            }
        }
        state.1.is_none() && !interrupt.stop.is_stopped()
    });
    match done.into_inner() {
        Ok((_, Some(error))) => Err(error),
        Ok((trained, None)) => Ok(trained),
        Err(_) => Ok(vec![None; rows.len()]),
    }
}

/// Trains a network, unless its folder has it already.
fn one(
    row: &Row,
    whole: &Plan,
    found: &Found<'_>,
    out: &Path,
    threads: &Threads,
    interrupt: &Interrupt,
) -> anyhow::Result<Trained> {
    let path = run_path(out, row.number);
    if finished(&path, &row.preset).is_none() {
        let plan = whole.with_network(row.preset.clone())?;
        let folder = files::run_folder(&path)?;
        let mut logged = found.log.observe((), &path, false);
        let trained = match plan.train(threads, &interrupt.stop, None, &mut logged) {
            Ok(trained) => trained,
            // One that diverges on all rows has no results; the others have.
            Err(error @ Error::Train(TrainError::Diverged { .. })) => {
                terminal::note(&format!("{:02}.toml: {error}", row.number + 1));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if trained.outcome.interrupted {
            return Ok(None);
        }
        let core = Some(found.task.chip.core);
        let experiment = complete(trained, &folder, core, false, threads, &Interrupt::default())?;
        log::finish(&mut logged, &path, &experiment);
    }
    let Some(metrics) = finished(&path, &row.preset) else { return Ok(None) };
    let bytes = files::read(&path.join(Experiment::MODEL))?;
    let cost = Cost::of(&Model::parse(&bytes)?, found.task.chip)?;
    Ok(Some((metrics, cost)))
}
