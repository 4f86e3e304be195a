//! `host-trainer bench`: training speed, with the machine's peak and other programs for comparison.

mod measured;
mod peers;

use std::fs;
use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;
use ndarray::Array2;
use rayon::prelude::*;

use self::measured::Measured;
use self::peers::{Peers, not_told, peers};
use super::args::BenchArgs;
use super::terminal;
use crate::data::Locations;
use crate::evaluate::score_float;
use crate::experiment::Plan;
use crate::foreign_text;
use crate::network::{Network, Objective, PackedOperand, Real};
use crate::preset;
use crate::threads::Threads;
use crate::train::{self, EpochRecord, Flow, Observer, Outcome, StopFlag, Training};

/// Side of the square matrices whose product gives the peak: large enough for the kernel's best
/// rate, small enough for the caches.
const SIDE: usize = 2048;

/// Number of measured products; the fastest counts.
const PRODUCTS: usize = 8;

/// Records the seconds of the fastest epoch.
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

/// Measures epochs of a preset, the machine's peak, and other programs if a Python interpreter is
/// given.
///
/// Our epochs run before and after those of the other programs, with as many epochs each. The
/// fastest epoch of each program counts. Other load on the machine therefore affects all programs
/// alike.
pub fn run(args: &BenchArgs, quiet: bool) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?.with_settings(&args.set)?;
    preset.training.epochs = args.epochs.get();
    // Every epoch is measured; none is skipped.
    if let Some(aware) = &mut preset.quantization_aware {
        aware.float_epochs = 0;
    }
    preset.training.early_stopping = None;
    preset.training.reduce_lr_on_plateau = None;
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
            let name = foreign_text::path(python);
            let spinner = terminal::spinner(&format!("as many epochs by {name}"), quiet);
            let others = peers(python, &plan, threads.count());
            spinner.finish_and_clear();
            (others?, own()?.0.min(first))
        }
        None => (Peers::default(), first),
    };
    let bound = gemm_bound(&threads).max(others.gemm.unwrap_or(0.0));
    let objective = Objective { label_smoothing: 0.0, ..plan.objective() };
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

/// Returns the seconds of the fastest epoch, and the outcome of training.
fn own_epoch(
    plan: &Plan,
    threads: &Threads,
    bar: &ProgressBar,
) -> anyhow::Result<(f64, Outcome<f32>)> {
    let (stop, mut clock) = (StopFlag::default(), Clock { best: f64::INFINITY, bar });
    let mut splits = plan.splits.clone();
    splits.validation = None;
    let teachers = plan.teachers()?;
    let training = Training {
        aware: plan.preset.aware(),
        splits: &splits,
        settings: &plan.preset.training,
        seed: plan.preset.seed,
        threads,
        stop: &stop,
        resume: None,
        teachers: &teachers,
    };
    let outcome = train::train(plan.network.clone(), training, &mut clock)?;
    Ok((clock.best, outcome))
}

/// Peak memory of the program so far, in bytes, where the system reports it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Peak throughput of all threads together on the product of large square matrices, in 10⁹
/// operations per second. Each thread computes its share of the rows.
fn gemm_bound(threads: &Threads) -> f64 {
    let rows = SIDE.div_ceil(threads.count());
    let (a, b) =
        (Array2::<f32>::from_elem((rows, SIDE), 0.5), Array2::from_elem((SIDE, SIDE), 0.5));
    let mut packed = PackedOperand::default();
    f32::pack(b.view(), &mut packed);
    let mut outs = vec![Array2::<f32>::zeros((rows, SIDE)); threads.count()];
    let mut best = f64::INFINITY;
    for _ in 0..PRODUCTS {
        let start = Instant::now();
        threads.install(|| {
            outs.par_iter_mut().with_max_len(1).for_each(|out| {
                f32::matmul(a.view(), &packed, out.view_mut(), false);
            });
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    2.0 * (rows * threads.count()) as f64 * (SIDE * SIDE) as f64 / best / 1e9
}
