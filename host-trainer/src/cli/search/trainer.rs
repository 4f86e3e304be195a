//! Trainings of a search on all threads, each recorded in the search's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use crate::chips::Chip;
use crate::cli::terminal;
use crate::experiment::Plan;
use crate::foreign_text;
use crate::run_folder::RunFolder;
use crate::search::{
    Budget, Candidate, Evaluate, Score, Space, Trial, TrialError, epochs, evaluate, untrained_cost,
};
use crate::threads::Threads;
use crate::train::StopFlag;

/// Name of the file with the scores.
pub(super) const FILE: &str = "trials.toml";

/// Everything that trials have in common.
pub(super) struct Task {
    /// Data and splits.
    pub plan: Plan,
    /// Candidates.
    pub space: Space,
    /// Chip.
    pub chip: &'static Chip,
    /// Budget on the chip.
    pub budget: Budget,
    /// Epochs of the last rung.
    pub epochs: usize,
    /// Seed.
    pub seed: u64,
}

/// Scores by trial and rung; `None` for a training that diverged.
pub(super) type Scores = BTreeMap<(usize, usize), Option<Score>>;

/// A training in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Number of the trial, from 0.
    trial: usize,
    rung: usize,
    score: Option<Score>,
}

#[derive(Default, Serialize, Deserialize)]
struct Entries {
    #[serde(default)]
    training: Vec<Entry>,
}

/// Reason to end a search.
#[derive(Debug)]
pub(super) enum End {
    /// Ctrl-C.
    Stopped,
    /// An error.
    Failed(anyhow::Error),
    /// Results of a shard lack this trial.
    Missing(usize),
}

impl<E: Into<anyhow::Error>> From<E> for End {
    fn from(error: E) -> Self {
        End::Failed(error.into())
    }
}

/// Trains candidates that have no score yet.
pub(super) struct Trainer<'a> {
    pub task: &'a Task,
    /// Folder of the scores; `None` to take only those that there are.
    pub folder: Option<&'a RunFolder>,
    /// One thread each.
    pub workers: &'a [Threads],
    pub stop: &'a StopFlag,
    pub bar: &'a ProgressBar,
    /// Shows lines in place of a bar.
    pub lines: bool,
    pub scores: Scores,
    /// Candidates by number of the trial.
    pub candidates: BTreeMap<usize, Candidate>,
}

/// Reads the scores of a folder; none if there is no file.
pub(super) fn read(folder: &Path) -> anyhow::Result<Scores> {
    let path: PathBuf = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Scores::new()),
        Err(error) => {
            return Err(error).context(format!("{} cannot be read", foreign_text::path(&path)));
        }
    };
    let entries: Entries = toml::from_str(&text).with_context(|| {
        format!(
            "{}: the file is damaged. Remove it to search again, or choose another folder with \
             --output",
            foreign_text::path(&path)
        )
    })?;
    Ok(entries.training.into_iter().map(|of| ((of.trial, of.rung), of.score)).collect())
}

/// Writes the scores.
pub(super) fn write(folder: &RunFolder, scores: &Scores) -> anyhow::Result<()> {
    let entry =
        |(&(trial, rung), &score): (&(usize, usize), &Option<Score>)| Entry { trial, rung, score };
    let training = scores.iter().map(entry).collect();
    // Floating-point numbers of TOML are read back exactly.
    let text = toml::to_string(&Entries { training }).context("the scores cannot be written")?;
    Ok(folder.write(FILE, text.as_bytes())?)
}

impl Evaluate for Trainer<'_> {
    type Error = End;

    fn fits(&mut self, candidate: &Candidate) -> Result<bool, End> {
        let Task { plan, space, chip, budget, .. } = self.task;
        if self.stop.is_stopped() {
            return Err(End::Stopped);
        }
        let (inputs, outputs) = (plan.network.inputs(), plan.network.outputs());
        if candidate.least_bytes(inputs, outputs) > budget.flash {
            return Ok(false);
        }
        let Some(threads) = self.workers.first() else { return Err(End::Stopped) };
        match untrained_cost(plan, space, candidate, chip, threads) {
            Ok(cost) => Ok(budget.exceeded(&cost).is_none()),
            // Such as an activation function that is not quantized.
            Err(TrialError::Quantize(_) | TrialError::Choice(_) | TrialError::Preset(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn train(&mut self, rung: usize, trials: &[Trial]) -> Result<Vec<Option<Score>>, End> {
        for trial in trials {
            self.candidates.insert(trial.number, trial.candidate.clone());
        }
        let known = |trial: &&Trial| self.scores.contains_key(&(trial.number, rung));
        let missing: Vec<&Trial> = trials.iter().filter(|trial| !known(trial)).collect();
        match (self.folder, missing.first()) {
            (Some(folder), Some(_)) => self.train_missing(rung, &missing, folder)?,
            (None, Some(trial)) => return Err(End::Missing(trial.number)),
            (_, None) => {}
        }
        let score = |trial: &Trial| self.scores.get(&(trial.number, rung)).copied().flatten();
        Ok(trials.iter().map(score).collect())
    }
}

impl Trainer<'_> {
    fn train_missing(
        &mut self,
        rung: usize,
        trials: &[&Trial],
        folder: &RunFolder,
    ) -> Result<(), End> {
        let count = epochs(rung, self.task.epochs);
        if self.lines {
            terminal::note(&format!("  networks to train: {}, epochs: {count}", trials.len()));
        }
        let (task, stop, bar) = (self.task, self.stop, self.bar);
        let scores = Mutex::new((&mut self.scores, None::<End>));
        in_parallel(self.workers, trials.len(), |index, threads| {
            let number = trials[index].number;
            let trained = task.space.preset(&trials[index].candidate, count);
            let trained = trained.map_err(TrialError::from).and_then(|preset| {
                let plan = task.plan.with_network(preset)?;
                evaluate(&plan, task.chip, threads, stop, &mut ())
            });
            let Ok(mut state) = scores.lock() else { return false };
            let (scores, end) = &mut *state;
            match trained {
                // A stopped training has no score.
                Ok(None) if stop.is_stopped() => {}
                Ok(score) => {
                    scores.insert((number, rung), score);
                    bar.inc(1);
                    if let Err(error) = write(folder, scores) {
                        end.get_or_insert(End::Failed(error));
                    }
                }
                Err(error) => {
                    end.get_or_insert(error.into());
                }
            }
            end.is_none() && !stop.is_stopped()
        });
        match scores.into_inner() {
            Ok((_, Some(end))) => Err(end),
            _ if stop.is_stopped() => Err(End::Stopped),
            _ => Ok(()),
        }
    }
}

/// Runs `work` for each index below `count`, each on one of the workers, until one returns `false`.
pub(super) fn in_parallel(
    workers: &[Threads],
    count: usize,
    work: impl Fn(usize, &Threads) -> bool + Sync,
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for threads in workers {
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || !work(index, threads) {
                        return;
                    }
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Cost;

    #[test]
    fn scores_come_back_exactly() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        assert!(read(outer.path()).unwrap().is_empty());
        let cost = Cost { flash: 1, ram: 2, cycles: None };
        let score = Score { error: 0.1 + 0.2, log_loss: 1e-17, figure: 1.0 / 3.0, cost };
        let timed = Score { cost: Cost { cycles: Some(u64::from(u32::MAX)), ..cost }, ..score };
        let scores: Scores =
            [((0, 0), Some(score)), ((1, 0), None), ((1, 2), Some(timed))].into_iter().collect();
        write(&folder, &scores).unwrap();
        assert_eq!(read(outer.path()).unwrap(), scores);
        folder.write(FILE, b"[[training]]\ntrial = ").unwrap();
        assert!(format!("{:#}", read(outer.path()).unwrap_err()).contains("damaged"));
    }

    #[test]
    fn work_is_shared() {
        let workers: Vec<Threads> =
            (0..3).map(|_| Threads::new(std::num::NonZero::new(1)).unwrap()).collect();
        let done = Mutex::new(vec![0; 20]);
        in_parallel(&workers, 20, |index, _| {
            done.lock().unwrap()[index] += 1;
            true
        });
        assert_eq!(done.into_inner().unwrap(), vec![1; 20]);
    }
}
