//! `host-trainer train`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model_format::Model;
use serde_json::json;

use super::args::TrainArgs;
use super::checkpoint::{self, Checkpoints};
use super::progress::TrainProgress;
use super::terminal;
use crate::data::{Locations, Results};
use crate::evaluate::{Confusion, Threshold};
use crate::experiment::{Experiment, Plan};
use crate::pack::pack;
use crate::preset;
use crate::report::{
    Column, attempts_text, confusion_text, grouped, intake_text, intake_warnings, metrics,
    missing_classes, model_text, percent, quality_text, seconds, significant, warnings,
    warnings_text,
};
use crate::run_folder::RunFolder;
use crate::train::{StopFlag, Threads};

/// What a shell gives a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Trains, quantizes, compares, writes.
pub fn run(args: &TrainArgs, quiet: bool) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?.with_settings(&args.set)?;
    preset.seed = args.seed.unwrap_or(preset.seed);
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(&preset.name));
    let locations = Locations::from_environment(args.data.data_dir.clone())
        .with_progress(terminal::loading(quiet || args.json));
    let plan = Plan::new(preset, &locations)?;
    let folder = RunFolder::create(out)?;
    let resume = match args.resume {
        true => Some(checkpoint::read(&folder, &plan.preset)?),
        false => None,
    };
    let quiet = quiet || args.json;
    if !quiet {
        terminal::print(&introduction(&plan))?;
        terminal::print(&intake_text(&plan.preset.data.dataset, &plan.splits))?;
    }
    // Nobody shall miss them, whatever is quiet.
    terminal::warn(&warnings_text(&intake_warnings(&plan.splits)))?;
    let stop = StopFlag::default();
    stop_on_interrupt(&stop);
    let batches = plan.splits.train.len().div_ceil(plan.preset.training.batch_size);
    let progress = TrainProgress::new(plan.preset.training.epochs, batches, quiet);
    let mut watch = Checkpoints::new(progress, &folder, &plan.preset, stop.clone());
    let experiment = plan.run(&threads, &stop, resume, &mut watch);
    watch.progress().finish();
    let mut experiment = experiment?;
    if let Some(core) = args.core {
        experiment.quantized.bytes = pack(&Model::parse(experiment.model_bytes())?, core)?;
    }
    write_run(&experiment, &folder, &threads)?;
    if !experiment.outcome.interrupted {
        checkpoint::remove(&folder);
    }
    match args.json {
        true => {
            let mut value = metrics(&experiment);
            value["folder"] = json!(folder.path().display().to_string());
            terminal::json(&value)?;
        }
        false => terminal::print(&results(&experiment, &folder)?)?,
    }
    Ok(())
}

/// Writes all of a run into its folder; where that fails, as on a full disk, into a new folder for
/// temporary files: what was learnt is not lost for want of space.
///
/// # Errors
/// What could not be written, and where the run is instead.
pub(super) fn write_run(
    experiment: &Experiment,
    folder: &RunFolder,
    threads: &Threads,
) -> anyhow::Result<()> {
    let report = experiment.report(threads);
    let write = |folder: &RunFolder| {
        experiment.write(folder)?;
        match &report {
            Ok(report) => folder.write(Experiment::REPORT.0, report.as_bytes()),
            Err(_) => Ok(()),
        }
    };
    let Err(error) = write(folder) else { return Ok(report.map(|_| ())?) };
    let elsewhere = tempfile::Builder::new()
        .prefix(&format!("{}-", experiment.preset.name))
        .tempdir()
        .map_err(anyhow::Error::new)
        .and_then(|elsewhere| {
            write(&RunFolder::create(elsewhere.path())?)?;
            Ok(elsewhere.keep())
        });
    Err(match elsewhere {
        Ok(path) => anyhow::Error::new(error)
            .context(format!("the run was written to {} instead", path.display())),
        Err(_) => error.into(),
    })
}

/// Ctrl-C ends training after the current batch; a second one ends the program.
pub(super) fn stop_on_interrupt(stop: &StopFlag) {
    let stop = stop.clone();
    // Where no handler can be installed, Ctrl-C ends the program at once, as it does anywhere.
    let _ = ctrlc::set_handler(move || {
        if stop.is_stopped() {
            std::process::exit(INTERRUPTED);
        }
        stop.stop();
    });
}

/// What is going to happen.
fn introduction(plan: &Plan) -> String {
    use crate::report::style::{BAD, HEADING, paint};

    let preset = &plan.preset;
    let validation = match &plan.splits.validation {
        Some(rows) => format!(" · {} validation", grouped(rows.len() as u64)),
        None => String::new(),
    };
    let test = match plan.splits.results {
        Results::Test => format!(" · {} test", grouped(plan.splits.test.len() as u64)),
        Results::Validation => String::new(),
    };
    let notes: String = plan.notes.iter().map(|note| format!("\n           {note}")).collect();
    let scaled = match plan.splits.train.target_scaling() {
        Some(_) => ", of scaled targets (all other figures are in the target's own unit)",
        None => "",
    };
    let mut text = format!(
        "{}  {}\n  data     {} training{validation}{test} rows, {}{notes}\n  network  {}, {} parameters\n  \
         training {} epochs, batches of {}, {}, seed {}\n  loss     {}{scaled}\n",
        paint(HEADING, &preset.name),
        preset.description,
        grouped(plan.splits.train.len() as u64),
        plan.origin,
        preset.network.shape(plan.network.inputs()),
        grouped(plan.network.parameters().len() as u64),
        preset.training.epochs,
        preset.training.batch_size,
        preset.training.optimizer.name(),
        preset.seed,
        preset.training.loss.name(),
    );
    text += &class_weights_text(plan);
    for warning in missing_classes(&plan.splits) {
        text += &format!("  {}\n", paint(BAD, format!("warning: {warning}")));
    }
    text + "\n"
}

/// The weight of each class in the loss, where classes have weights.
fn class_weights_text(plan: &Plan) -> String {
    const SHOWN: usize = 12;
    let Some(weights) = plan.splits.train.class_weights() else { return String::new() };
    let names = plan.splits.train.dataset().class_names();
    let each = names.iter().zip(weights).take(SHOWN);
    let each: Vec<String> =
        each.map(|(name, weight)| format!("{name} {}", significant((*weight).into()))).collect();
    let more = if names.len() > SHOWN { " …" } else { "" };
    format!("  weights  {}{more}\n", each.join(" · "))
}

/// What came out.
fn results(experiment: &Experiment, folder: &RunFolder) -> anyhow::Result<String> {
    use crate::report::style::{BAD, FAINT, HEADING, paint};

    let Experiment { outcome, float, int8, .. } = experiment;
    let model = Model::parse(experiment.model_bytes())?;
    let mut text = String::new();
    if outcome.interrupted {
        let epochs = outcome.history.epochs.len();
        let note = format!(
            "stopped in epoch {epochs}: what was learnt until then is kept; --resume goes on"
        );
        text += &format!("{}\n", paint(BAD, note));
    }
    if let Some(kept) = outcome.kept_epoch() {
        let spent = outcome.history.epochs.iter().map(|record| record.seconds).sum();
        let accuracy = match kept.train.mean_absolute_error() {
            Some(error) => format!("mean absolute error {}", significant(error)),
            None => format!("accuracy {}", percent(kept.train.accuracy())),
        };
        text += &format!(
            "trained in {}, {} an epoch on {}: loss {:.4}{}, {accuracy} on the training rows\n",
            seconds(spent),
            seconds(outcome.history.seconds_per_epoch()),
            match outcome.workers {
                1 => "one thread".to_string(),
                workers => format!("{workers} threads"),
            },
            kept.train.loss(),
            match experiment.splits.train.target_scaling() {
                Some(_) => " of scaled targets",
                None => "",
            },
        );
    }
    if let Some(epoch) = outcome.best_epoch {
        let epochs = outcome.history.epochs.len();
        text += &format!(
            "epoch {epoch} of {epochs} was the best, and is what was kept: all figures are its\n"
        );
    }
    text += &threshold_text(experiment);
    text += "\n";
    let name = experiment.precision_name();
    let columns =
        [Column { title: "float", evaluation: float }, Column { title: name, evaluation: int8 }];
    for warning in warnings(&experiment.splits, &columns) {
        text += &format!("{}\n\n", paint(BAD, format!("warning: {warning}")));
    }
    text += &quality_text(&columns, experiment.splits.results);
    text += &confusions_text(&[("float", &float.confusion), (name, &int8.confusion)]);
    text += &format!("\n{}\n", attempts_text(&experiment.choice));
    text += &model_text(&model, Some(outcome.network.parameters().len() * 4));
    text += &format!("\n{}\n", paint(HEADING, "written"));
    let files = Experiment::FILES.into_iter().chain([Experiment::REPORT]);
    for (name, what) in files.filter(|(n, _)| experiment.has_classes() || *n != "confusion.svg") {
        let path: PathBuf = folder.path().join(name);
        let width = folder.path().display().to_string().len() + 22;
        text += &format!("  {:<width$} {}\n", path.display(), paint(FAINT, what));
    }
    Ok(text)
}

/// The threshold between two classes and the rows that chose it, where it is not 0.5.
fn threshold_text(experiment: &Experiment) -> String {
    let threshold = experiment.objective.threshold;
    let (rule, part) = (experiment.preset.training.threshold, experiment.selection.part);
    let why = match rule {
        Threshold::Fixed(_) if rule == Threshold::default() => return String::new(),
        Threshold::Fixed(_) => "as set".to_string(),
        Threshold::F1 => format!("which has the best F1 of the rarer class on {part} rows"),
        Threshold::Balanced => format!("which has the best balanced accuracy on {part} rows"),
    };
    let names = experiment.float.confusion.names();
    let second = names.get(1).map_or("", String::as_str);
    format!("rows are taken for `{second}` above a probability of {threshold:.4}, {why}\n")
}

/// Confusion matrices side by side, with a line above; nothing where there are no classes.
pub(crate) fn confusions_text(matrices: &[(&str, &Confusion)]) -> String {
    use crate::report::style::{FAINT, paint};

    if matrices.iter().all(|(_, confusion)| confusion.names().is_empty()) {
        return String::new();
    }
    let line = paint(FAINT, "row: true class · column: taken for");
    format!("\n{line}\n{}", confusion_text(matrices, terminal::width()))
}
