//! `host-trainer search`: the best networks within the budget of a chip.

mod args;
mod front;
mod results;
mod trainer;
mod validation;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::ProgressBar;

pub use args::SearchArgs;

use self::trainer::{End, Scores, Task, Trainer, read};
use super::identity::{self, Kind};
use super::shard::{self, Part, Shard};
use super::train::Interrupt;
use super::{files, terminal};
use crate::chips::Chip;
use crate::data::{Locations, Results};
use crate::experiment::Plan;
use crate::foreign_text;
use crate::preset::Preset;
use crate::quantize::Activations;
use crate::report::grouped;
use crate::run_folder::RunFolder;
use crate::search::{BRACKET, Budget, Candidate, Space, brackets, search, smallest, trainings};
use crate::threads::Threads;

/// Name of the folders of shards.
const SHARD: &str = "shard";

/// Identity of a search's folder.
const KIND: Kind =
    Kind { noun: "search", file: "search.json", evidence: trainer::FILE, option: "" };

/// Searches, trains the networks of the front, and shows them.
pub fn run(args: &SearchArgs, quiet: bool) -> anyhow::Result<()> {
    let quiet = quiet || args.json;
    let chip = Chip::named(&args.chip)?;
    let budget = Budget {
        flash: args.flash.map_or(chip.flash, |flash| flash as u64),
        ram: args.ram.map_or(chip.ram, |ram| ram as u64),
        cycles: args.cycles,
    };
    if budget.cycles.is_some() && chip.timing.is_none() {
        bail!(
            "--cycles: the timings of {}'s core, {}, are not published. Leave --cycles out",
            chip.name,
            chip.core_name
        );
    }
    for (option, asked, has) in
        [("--flash", budget.flash, chip.flash), ("--ram", budget.ram, chip.ram)]
    {
        if asked > has {
            bail!("{option}: {} has {} bytes, not {}", chip.name, grouped(has), grouped(asked));
        }
    }
    let locations = Locations::from_environment(args.place.data_dir.clone())
        .with_progress(terminal::loading(quiet));
    let base = args.table.find(&args.data, &args.set, &locations)?.with_settings(&args.set)?;
    let base = Preset { seed: args.seed.unwrap_or(base.seed), ..base };
    if base.quantization.activations == Activations::Int16 && budget.cycles.is_some() {
        bail!(
            "--cycles: the cycles of int16 activations are not predicted. Leave --cycles out, or \
             take --set quantization.activations=int8"
        );
    }
    let whole = Plan::new(base.clone(), &locations)?;
    if whole.splits.results != Results::Test {
        bail!(
            "{}: there are no test rows, and the validation rows choose among networks. Set data.test, \
             such as test = {{ random = {{ fraction = 0.2 }} }}",
            base.name
        );
    }
    let plan = Plan::new(validation::validated(&base), &locations)?;
    let space = Space::new(
        plan.preset.clone(),
        plan.network.inputs(),
        budget.flash,
        budget.cycles.is_some(),
    );
    let (seed, epochs) = (base.seed, base.training.epochs);
    let task = Task { plan, space, chip, budget, epochs, seed };
    let workers = workers(args.threads.threads)?;
    let Some(first) = workers.first() else { bail!("threads cannot be started") };
    let smallest = smallest(&task.plan, &task.space, chip, &budget, first)?;
    let shard = match args.shards.collect.is_empty() {
        true => Shard::of_task(args.shards.shard)?,
        false => None,
    };
    let brackets = brackets(args.trials.get());
    if let Some(shard) = shard.filter(|shard| shard.count() > brackets.len()) {
        bail!(
            "shard {shard}: {} trials are {} brackets of {BRACKET}, which is the most shards that \
             have work. Give more --trials, or fewer shards",
            args.trials,
            brackets.len()
        );
    }
    let out = args.output.clone().unwrap_or_else(|| {
        let name = format!("search-{}-{}", base.name, chip.name.to_ascii_lowercase());
        Path::new("runs").join(name)
    });
    let path = shard.map_or(out.clone(), |shard| out.join(shard.name(SHARD)));
    // Two searches in one folder exclude each other.
    let folder = files::run_folder(&path)?;
    let options = options(args, &task);
    identity::keep(&folder, KIND, &options, &base.to_toml())?;
    let interrupt = Interrupt::default();
    interrupt.watch();
    let own = |number: usize| shard.is_none_or(|shard| shard.has(number));
    let lines = !io::stderr().is_terminal() && !quiet;
    let bar = bar(
        brackets.iter().enumerate().filter(|(n, _)| own(*n)).map(|(_, b)| trainings(b)).sum(),
        quiet,
    );
    let mut trainer = Trainer {
        task: &task,
        folder: Some(&folder),
        workers: &workers,
        stop: &interrupt.stop,
        bar: &bar,
        lines,
        scores: read(folder.path())?,
        candidates: BTreeMap::new(),
    };
    if !args.shards.collect.is_empty() {
        trainer.scores = collected(args, &options, &base)?;
        trainer.folder = None;
    }
    bar.inc(trainer.scores.len() as u64);
    let mut end = None;
    for (number, bracket) in brackets.iter().enumerate().filter(|(number, _)| own(*number)) {
        if lines {
            terminal::note(&format!("bracket {}/{}", number + 1, brackets.len()));
        }
        if let Err(reason) = search(&task.space, seed, bracket.clone(), &smallest, &mut trainer) {
            end = Some(reason);
            break;
        }
    }
    bar.finish_and_clear();
    if end.is_none() && trainer.folder.is_none() {
        // The merged search is whole: without --collect it trains nothing again.
        trainer::write(&folder, &trainer.scores)?;
    }
    match end {
        Some(End::Failed(error)) => return Err(error),
        Some(End::Missing(trial)) => bail!(
            "--collect: a shard is not finished, which trial {} shows. Run the shards again; each \
             continues",
            trial + 1
        ),
        Some(End::Stopped) | None => {}
    }
    let (scores, candidates) = (trainer.scores, trainer.candidates);
    if let Some(shard) = shard {
        return finish_shard(shard, &folder, &scores, end.is_some(), quiet);
    }
    let (log, base) = (args.log, &base);
    let found = front::Found { task: &task, base, scores: &scores, candidates: &candidates, log };
    front::finish(&found, &whole, &folder, &workers, &interrupt, args.json, quiet)
}

/// Starts the workers: one thread per training, so that each has the same result with any number of them.
fn workers(count: Option<NonZero<usize>>) -> anyhow::Result<Vec<Threads>> {
    let count = count.or(std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let one = || Threads::new(NonZero::new(1)).context("threads cannot be started");
    (0..count).map(|_| one()).collect()
}

/// Returns the options that the scores depend on.
fn options(args: &SearchArgs, task: &Task) -> Vec<String> {
    let Budget { flash, ram, cycles } = task.budget;
    let mut options = vec![
        format!("--for {}", task.chip.name),
        format!("--flash {flash}"),
        format!("--ram {ram}"),
        format!("--trials {}", args.trials),
        format!("--seed {}", task.seed),
    ];
    options.extend(cycles.map(|cycles| format!("--cycles {cycles}")));
    // A fingerprint.
    options.push(format!("data {}", task.plan.data.chars().take(16).collect::<String>()));
    options
}

/// Reads the scores of all shards, which must be of this search.
fn collected(args: &SearchArgs, options: &[String], base: &Preset) -> anyhow::Result<Scores> {
    let mut scores = Scores::new();
    for place in shard::collect(&args.shards.collect, Part::Folder(SHARD))? {
        identity::check(&place, KIND, options, &base.to_toml())?;
        scores.extend(read(&place)?);
    }
    Ok(scores)
}

fn finish_shard(
    shard: Shard,
    folder: &RunFolder,
    scores: &Scores,
    stopped: bool,
    quiet: bool,
) -> anyhow::Result<()> {
    if !quiet {
        let next = match stopped {
            true => "stopped; the same command continues",
            false => "finished; the same command with --collect in place of --shard merges all",
        };
        let path = foreign_text::path(folder.path());
        terminal::print(&format!("{path}: {} trainings of shard {shard}, {next}\n", scores.len()))?;
    }
    Ok(())
}

fn bar(count: usize, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "  {bar:32.cyan/black.bright} {pos}/{len} trainings  {eta:.dim} left";
    ProgressBar::new(count as u64).with_style(terminal::bar_style(style))
}

/// Folder of a network of the front.
fn run_path(out: &Path, place: usize) -> PathBuf {
    out.join(format!("{:02}", place + 1))
}

/// Text for a candidate of a task.
fn network_text(task: &Task, candidate: &Candidate) -> String {
    candidate.shape(task.plan.network.inputs(), task.plan.network.outputs())
}
