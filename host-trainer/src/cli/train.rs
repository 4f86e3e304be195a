//! `host-trainer train`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model_format::Model;

use super::args::TrainArgs;
use super::progress::TrainProgress;
use super::terminal;
use crate::data::Locations;
use crate::experiment::{Experiment, Plan};
use crate::preset;
use crate::report::{Column, accuracy_text, confusion_text, grouped, model_text, percent, seconds};
use crate::run_folder::RunFolder;
use crate::train::{StopFlag, Threads};

/// What a shell gives a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Trains, quantizes, compares, writes.
pub fn run(args: &TrainArgs, quiet: bool) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?;
    preset.seed = args.seed.unwrap_or(preset.seed);
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(&preset.name));
    let plan = Plan::new(preset, &Locations::from_environment(args.data.data_dir.clone()))?;
    let folder = RunFolder::create(out)?;
    if !quiet {
        terminal::print(&introduction(&plan))?;
    }
    let stop = StopFlag::default();
    stop_on_interrupt(&stop);
    let batches = plan.splits.train.len().div_ceil(plan.preset.training.batch_size);
    let mut progress = TrainProgress::new(plan.preset.training.epochs, batches, quiet);
    let experiment = plan.run(&threads, &stop, &mut progress);
    progress.finish();
    let experiment = experiment?;
    experiment.write(&folder)?;
    terminal::print(&results(&experiment, &folder)?)?;
    Ok(())
}

/// Ctrl-C ends training after the current batch; a second one ends the program.
fn stop_on_interrupt(stop: &StopFlag) {
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
    use crate::report::style::{HEADING, paint};

    let preset = &plan.preset;
    let validation = match &plan.splits.validation {
        Some(rows) => format!(" · {} validation", grouped(rows.len() as u64)),
        None => String::new(),
    };
    format!(
        "{}  {}\n  data     {} training{validation} · {} test rows, {}\n  network  {}, {} parameters\n  \
         training {} epochs, batches of {}, {}, seed {}\n\n",
        paint(HEADING, &preset.name),
        preset.description,
        grouped(plan.splits.train.len() as u64),
        grouped(plan.splits.test.len() as u64),
        plan.origin,
        preset.network.shape(plan.network.inputs()),
        grouped(plan.network.parameters().len() as u64),
        preset.training.epochs,
        preset.training.batch_size,
        preset.training.optimizer.name(),
        preset.seed,
    )
}

/// What came out.
fn results(experiment: &Experiment, folder: &RunFolder) -> anyhow::Result<String> {
    use crate::report::style::{BAD, FAINT, HEADING, paint};

    let Experiment { outcome, float, int8, .. } = experiment;
    let model = Model::parse(experiment.model_bytes())?;
    let mut text = String::new();
    if outcome.interrupted {
        let epochs = outcome.history.epochs.len();
        let note = format!("stopped in epoch {epochs}: what was learnt until then is kept");
        text += &format!("{}\n", paint(BAD, note));
    }
    if let Some(last) = outcome.history.epochs.last() {
        let spent = outcome.history.epochs.iter().map(|record| record.seconds).sum();
        text += &format!(
            "trained in {}, {} an epoch on {}: loss {:.4}, accuracy {} on the training rows\n\n",
            seconds(spent),
            seconds(outcome.history.seconds_per_epoch()),
            match outcome.workers {
                1 => "one thread".to_string(),
                workers => format!("{workers} threads"),
            },
            last.train.loss(),
            percent(last.train.accuracy()),
        );
    }
    text += &accuracy_text(&[
        Column { title: "float", evaluation: float },
        Column { title: "int8", evaluation: int8 },
    ]);
    let matrices = [("float", &float.confusion), ("int8", &int8.confusion)];
    text += &format!("\n{}\n", paint(FAINT, "row: true class · column: taken for"));
    text += &confusion_text(&matrices, terminal::width());
    text += "\n";
    text += &model_text(&model, Some(outcome.network.parameters().len() * 4));
    text += &format!("\n{}\n", paint(HEADING, "written"));
    for (name, what) in Experiment::FILES {
        let path: PathBuf = folder.path().join(name);
        let width = folder.path().display().to_string().len() + 22;
        text += &format!("  {:<width$} {}\n", path.display(), paint(FAINT, what));
    }
    Ok(text)
}
