//! `host-trainer bench`: how fast training is, beside the machine's own bound and other programs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use ndarray::Array2;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

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

/// Keeps the seconds of the best epoch.
struct Clock<'a> {
    best: f64,
    bar: &'a ProgressBar,
}

impl Observer<f32> for Clock<'_> {
    fn epoch_done(&mut self, record: &EpochRecord, _: &Network<f32>) -> Flow {
        self.best = self.best.min(record.seconds);
        self.bar.inc(1);
        Flow::Continue
    }
}

/// Measures epochs of a preset, the bound, and other programs where a Python is given.
///
/// Epochs are made before and after the others have theirs, who train as often, and the best of each
/// counts: so what else the machine does meanwhile weighs on all alike.
pub fn run(args: &BenchArgs, quiet: bool) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?.with_settings(&args.set)?;
    preset.training.epochs = args.epochs.get();
    // Every epoch is to be measured, none skipped.
    preset.training.early_stopping = None;
    preset.training.plateau = None;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let plan = Plan::new(preset, &Locations::from_environment(args.data.data_dir.clone()))?;
    let rows = plan.splits.train.len();
    let quiet = quiet || args.json;
    let own = || {
        let bar = terminal::bar(args.epochs.get(), "epochs", quiet);
        let epoch = own_epoch(&plan, &threads, &bar);
        bar.finish_and_clear();
        epoch
    };
    let (first, outcome) = own()?;
    let memory = peak_memory();
    let (others, epoch) = match &args.python {
        Some(python) => {
            let name = python.display();
            let spinner = terminal::spinner(&format!("as many epochs by {name}"), quiet);
            let others = peers(python, &plan, threads.count());
            spinner.finish_and_clear();
            (others?, own()?.0.min(first))
        }
        None => (Peers::default(), first),
    };
    let bound = gemm_bound(&threads).max(others.gemm.unwrap_or(0.0));
    let objective = Objective {
        loss: plan.preset.training.loss,
        label_smoothing: 0.0,
        head: outcome.network.head(),
    };
    let score = score_float(&outcome.network, &plan.splits.test, objective, &threads);
    let result = score.mean_absolute_error().unwrap_or_else(|| score.accuracy());
    let own = ("host-trainer".to_string(), epoch, result);
    let measured = Measured {
        preset: &plan.preset.name,
        network: plan.preset.network.shape(plan.network.inputs()),
        rows,
        batch_size: plan.preset.training.batch_size,
        workers: outcome.workers,
        threads: threads.count(),
        epochs: args.epochs.get(),
        programs: std::iter::once(own).chain(others.epochs).collect(),
        result: match score.mean_absolute_error() {
            Some(_) => "mean_absolute_error",
            None => "accuracy",
        },
        flops: plan.network.training_flops() as f64 * rows as f64,
        bound,
        others_without: not_told(&plan.preset.training),
        peak_memory: memory,
        weights: size_of_val(outcome.network.parameters()),
    };
    match args.json {
        true => terminal::json(&measured.json())?,
        false => terminal::print(&measured.text())?,
    }
    Ok(())
}

/// What a bench found.
struct Measured<'a> {
    preset: &'a str,
    network: String,
    rows: usize,
    batch_size: usize,
    /// Threads that a batch was shared out to.
    workers: usize,
    threads: usize,
    epochs: usize,
    /// Name, seconds of the best epoch, result on the test rows; our own first.
    programs: Vec<(String, f64, f64)>,
    /// What the result is.
    result: &'static str,
    /// Floating-point operations of the products of an epoch.
    flops: f64,
    /// The best product of large squares, in 10⁹ operations a second.
    bound: f64,
    others_without: Vec<&'static str>,
    /// Bytes, where the system tells.
    peak_memory: Option<u64>,
    /// Bytes of the parameters.
    weights: usize,
}

impl Measured<'_> {
    /// 10⁹ operations a second of an epoch that takes so long.
    fn rate(&self, seconds: f64) -> f64 {
        self.flops / seconds / 1e9
    }

    fn own_seconds(&self) -> f64 {
        self.programs.first().map_or(f64::NAN, |own| own.1)
    }

    fn json(&self) -> Value {
        let program = |(name, seconds, result): &(String, f64, f64)| {
            json!({
                "name": name,
                "epoch_seconds": seconds,
                "gflops": self.rate(*seconds),
                "share_of_bound": self.rate(*seconds) / self.bound,
                "times_as_long": seconds / self.own_seconds(),
                self.result: result,
            })
        };
        json!({
            "preset": self.preset,
            "network": self.network,
            "rows": self.rows,
            "batch_size": self.batch_size,
            "workers": self.workers,
            "threads": self.threads,
            "epochs": self.epochs,
            "programs": self.programs.iter().map(program).collect::<Vec<Value>>(),
            "gflop_an_epoch": self.flops / 1e9,
            "bound_gflops": self.bound,
            "others_without": self.others_without,
            "peak_memory_bytes": self.peak_memory,
            "weight_bytes": self.weights,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}  {}, {} rows in batches of {}, {} of {} threads; best of {} epochs\n\n",
            paint(HEADING, self.preset),
            self.network,
            self.rows,
            self.batch_size,
            self.workers,
            self.threads,
            self.epochs,
        );
        let classes = self.result == "accuracy";
        let title = if classes { "test accuracy" } else { "test |error|" };
        let mut table =
            Table::new(["", "epoch", "GFLOP/s", "of the bound", "times as long", title]);
        for (name, seconds, result) in &self.programs {
            let rate = self.rate(*seconds);
            table.row(vec![
                name.into(),
                format!("{:.1} ms", seconds * 1e3).into(),
                format!("{rate:.1}").into(),
                format!("{:.0} %", 100.0 * rate / self.bound).into(),
                Cell::styled(format!("{:.2}", seconds / self.own_seconds()), STRONG),
                if classes { percent(*result) } else { format!("{result:.4}") }.into(),
            ]);
        }
        table.lines().into_iter().for_each(|line| text += &(line + "\n"));
        text += &format!(
            "\nGFLOP/s counts the products of training alone, {:.2} GFLOP an epoch.\n\
             The bound is the best product of large squares: {:.0} GFLOP/s.\n",
            self.flops / 1e9,
            self.bound
        );
        if self.programs.len() > 1 && !self.others_without.is_empty() {
            text += &format!("The others train without {}.\n", self.others_without.join(", "));
        }
        if let Some(bytes) = self.peak_memory {
            text += &format!(
                "Peak memory {:.1} MB, data as bytes among them; the weights have {:.1} MB.\n",
                bytes as f64 / 1e6,
                self.weights as f64 / 1e6
            );
        }
        text
    }
}

/// Seconds of the best epoch, and what training gave.
fn own_epoch(
    plan: &Plan,
    threads: &Threads,
    bar: &ProgressBar,
) -> anyhow::Result<(f64, Outcome<f32>)> {
    let (stop, mut clock) = (StopFlag::default(), Clock { best: f64::INFINITY, bar });
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
    Ok((clock.best, outcome))
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
