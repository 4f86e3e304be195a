//! `host-trainer bench`: how fast training is, beside the machine's own bound and other programs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use ndarray::Array2;
use rayon::prelude::*;
use serde::Deserialize;

use super::args::BenchArgs;
use super::terminal;
use crate::data::{Locations, Shift, Subset, Targets};
use crate::evaluate::score_float;
use crate::experiment::Plan;
use crate::network::{Network, Objective, Panels, Real};
use crate::preset;
use crate::report::style::{HEADING, STRONG, paint};
use crate::report::{Cell, Table, percent};
use crate::train::{
    self, EpochRecord, Flow, Observer, Outcome, Schedule, StopFlag, Threads, Training,
};

/// Side of the matrices whose product is the bound: large enough for the kernel's best, small
/// enough for the caches.
const SIDE: usize = 2048;

/// Products that are measured, the best of which counts.
const PRODUCTS: usize = 8;

/// The script that trains the same network elsewhere; it knows torch and keras.
const SCRIPT: &str = include_str!("../../benches/peers.py");

/// Keeps the seconds of each epoch.
#[derive(Default)]
struct Clock(Vec<f64>);

impl Observer<f32> for Clock {
    fn epoch_done(&mut self, record: &EpochRecord, _: &Network<f32>) -> Flow {
        self.0.push(record.seconds);
        Flow::Continue
    }
}

/// Measures epochs of a preset, the bound, and other programs where a Python is given.
///
/// Epochs are made before and after the others have theirs, who train as often, and the best of each
/// counts: so what else the machine does meanwhile weighs on all alike.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?.with_settings(&args.set)?;
    preset.training.epochs = args.epochs.get();
    // Every epoch is to be measured, none skipped.
    preset.training.early_stopping = None;
    preset.training.plateau = None;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let plan = Plan::new(preset, &Locations::from_environment(args.data.data_dir.clone()))?;
    let rows = plan.splits.train.len();
    let flops = plan.network.training_flops() as f64 * rows as f64;
    let (first, outcome) = own_epoch(&plan, &threads)?;
    let memory = peak_memory();
    let others = match &args.python {
        Some(python) => peers(python, &plan, threads.count())?,
        None => Peers::default(),
    };
    let epoch = match args.python {
        Some(_) => own_epoch(&plan, &threads)?.0.min(first),
        None => first,
    };
    let bound = gemm_bound(&threads).max(others.gemm.unwrap_or(0.0));
    let objective = Objective {
        loss: plan.preset.training.loss,
        label_smoothing: 0.0,
        head: outcome.network.head(),
    };
    let score = score_float(&outcome.network, &plan.splits.test, objective, &threads);
    let own_result = match score.mean_absolute_error() {
        Some(error) => error,
        None => score.accuracy(),
    };
    let classes = score.mean_absolute_error().is_none();
    let mut text = format!(
        "{}  {}, {rows} rows in batches of {}, {} of {} threads; best of {} epochs\n\n",
        paint(HEADING, &plan.preset.name),
        plan.preset.network.shape(plan.network.inputs()),
        plan.preset.training.batch_size,
        outcome.workers,
        threads.count(),
        args.epochs,
    );
    let title = if classes { "test accuracy" } else { "test |error|" };
    let mut table = Table::new(["", "epoch", "GFLOP/s", "of the bound", "times as long", title]);
    let mut row = |name: &str, seconds: f64, result: f64| {
        let rate = flops / seconds / 1e9;
        table.row(vec![
            name.into(),
            format!("{:.1} ms", seconds * 1e3).into(),
            format!("{rate:.1}").into(),
            format!("{:.0} %", 100.0 * rate / bound).into(),
            Cell::styled(format!("{:.2}", seconds / epoch), STRONG),
            if classes { percent(result) } else { format!("{result:.4}") }.into(),
        ]);
    };
    row("host-trainer", epoch, own_result);
    others.epochs.iter().for_each(|(name, seconds, result)| row(name, *seconds, *result));
    table.lines().into_iter().for_each(|line| text += &(line + "\n"));
    text += &format!(
        "\nGFLOP/s counts the products of training alone, {:.2} GFLOP an epoch.\n\
         The bound is the best product of large squares: {bound:.0} GFLOP/s.\n",
        flops / 1e9
    );
    let differences = not_told(&plan.preset.training);
    if !others.epochs.is_empty() && !differences.is_empty() {
        text += &format!("The others train without {}.\n", differences.join(", "));
    }
    if let Some(bytes) = memory {
        let state = size_of_val(outcome.network.parameters());
        text += &format!(
            "Peak memory {:.1} MB, data as bytes among them; the weights have {:.1} MB.\n",
            bytes as f64 / 1e6,
            state as f64 / 1e6
        );
    }
    terminal::print(&text)?;
    Ok(())
}

/// Seconds of the best epoch, and what training gave.
fn own_epoch(plan: &Plan, threads: &Threads) -> anyhow::Result<(f64, Outcome<f32>)> {
    let (stop, mut clock) = (StopFlag::default(), Clock::default());
    let mut splits = plan.splits.clone();
    splits.validation = None;
    let training = Training {
        splits: &splits,
        settings: &plan.preset.training,
        seed: plan.preset.seed,
        threads,
        stop: &stop,
        resume: None,
    };
    let outcome = train::train(plan.network.clone(), training, &mut clock)?;
    Ok((clock.0.into_iter().fold(f64::INFINITY, f64::min), outcome))
}

/// The most memory that the program had so far, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The most floating-point operations a second that all threads together reach with the product of
/// large squares, in 10⁹: each thread computes its share of the rows.
fn gemm_bound(threads: &Threads) -> f64 {
    let rows = SIDE.div_ceil(threads.count());
    let (a, b) =
        (Array2::<f32>::from_elem((rows, SIDE), 0.5), Array2::from_elem((SIDE, SIDE), 0.5));
    let mut panels = Panels::default();
    f32::pack(b.view(), &mut panels);
    let mut outs = vec![Array2::<f32>::zeros((rows, SIDE)); threads.count()];
    let mut best = f64::INFINITY;
    for _ in 0..PRODUCTS {
        let start = Instant::now();
        threads.install(|| {
            outs.par_iter_mut().with_max_len(1).for_each(|out| {
                f32::product(a.view(), &panels, out.view_mut(), false);
            });
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (rows * threads.count()) as f64 * (SIDE * SIDE) as f64 / best / 1e9
}

/// What other programs reached.
#[derive(Debug, Default, Deserialize)]
struct Peers {
    /// Name, seconds of the best epoch, accuracy or mean |error| on the test rows.
    epochs: Vec<(String, f64, f64)>,
    /// Their best product of large squares, in 10⁹ operations a second.
    gemm: Option<f64>,
}

/// What the other programs are not told of a training.
fn not_told(settings: &train::Settings) -> Vec<&'static str> {
    let used = [
        (settings.schedule != Schedule::Constant, "its schedule"),
        (settings.warm_up_epochs > 0.0, "warm-up"),
        (settings.label_smoothing > 0.0, "label smoothing"),
        (settings.clip.is_some(), "clipping"),
        (settings.augmentation.shift > 0, "augmentation"),
    ];
    used.into_iter().filter_map(|(used, name)| used.then_some(name)).collect()
}

/// What other programs need for an epoch of the same network on the same rows.
fn peers(python: &Path, plan: &Plan, threads: usize) -> anyhow::Result<Peers> {
    let Plan { preset, network, splits, .. } = plan;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let task = serde_json::json!({
        "folder": folder.path(),
        "inputs": network.inputs(),
        "layers": preset.network.layers,
        "classes": matches!(splits.train.dataset().targets(), Targets::Classes(_)),
        "loss": preset.training.loss.name(),
        "optimizer": preset.training.optimizer,
        "batch_size": preset.training.batch_size,
        "epochs": preset.training.epochs,
        "threads": threads,
    });
    for (name, subset) in [("train", &splits.train), ("test", &splits.test)] {
        write_rows(folder.path(), name, subset).context("the data for Python cannot be written")?;
    }
    let output = Command::new(python)
        .args(["-c", SCRIPT, &task.to_string()])
        .output()
        .with_context(|| format!("{}: cannot be started", python.display()))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", python.display(), problem.lines().last().unwrap_or("it failed"));
    }
    let found: Peers = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: its answer is not understood", python.display()))?;
    if found.epochs.is_empty() {
        bail!("{} has neither torch nor keras: pip install torch", python.display());
    }
    Ok(found)
}

/// Writes rows as the network sees them, and their targets: numbers as f32, classes as i32, in the
/// byte order of this machine.
fn write_rows(folder: &Path, name: &str, subset: &Subset) -> io::Result<()> {
    let mut inputs = BufWriter::new(File::create(folder.join(format!("{name}.inputs")))?);
    let mut targets = BufWriter::new(File::create(folder.join(format!("{name}.targets")))?);
    let mut row = vec![0.0_f32; subset.dataset().width()];
    for (position, &index) in subset.rows().iter().enumerate() {
        subset.gather(position, Shift::NONE, &mut row);
        row.iter().try_for_each(|value| inputs.write_all(&value.to_ne_bytes()))?;
        match subset.dataset().targets() {
            Targets::Classes(labels) => {
                let class = i32::from(labels.indices[index as usize]);
                targets.write_all(&class.to_ne_bytes())?;
            }
            Targets::Values(values) => {
                let row = values.values.row(index as usize);
                row.iter().try_for_each(|value| targets.write_all(&value.to_ne_bytes()))?;
            }
        }
    }
    inputs.flush()?;
    targets.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let preset = preset::find("digits").unwrap();
        Plan::new(preset, &Locations::default()).unwrap()
    }

    #[test]
    fn a_python_that_is_not_there_is_named() {
        let error = peers(Path::new("/no/such/python"), &plan(), 1).unwrap_err();
        assert!(error.to_string().contains("/no/such/python: cannot be started"), "{error}");
    }

    #[test]
    fn rows_are_written_whole() {
        let (folder, plan) = (tempfile::tempdir().unwrap(), plan());
        write_rows(folder.path(), "test", &plan.splits.test).unwrap();
        let length = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len() as usize;
        let rows = plan.splits.test.len();
        assert_eq!((length("test.inputs"), length("test.targets")), (rows * 64 * 4, rows * 4));
    }
}
