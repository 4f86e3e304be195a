//! `host-trainer bench`: how fast training is, beside the machine's own bound and other programs.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use ndarray::Array2;
use rayon::prelude::*;

use super::args::BenchArgs;
use super::terminal;
use crate::data::Locations;
use crate::experiment::Plan;
use crate::network::{Network, Panels, Real};
use crate::preset::{self, Preset};
use crate::report::style::{HEADING, STRONG, paint};
use crate::report::{Cell, Table};
use crate::train::{self, EpochRecord, Flow, Observer, StopFlag, Threads, Training};

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
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let mut preset = preset::find(&args.preset)?.with_settings(&args.set)?;
    preset.training.epochs = args.epochs.get();
    // Every epoch is to be measured, none skipped.
    preset.training.early_stopping = None;
    preset.training.plateau = None;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let plan = Plan::new(preset, &Locations::from_environment(args.data.data_dir.clone()))?;
    let bound = gemm_bound(&threads);
    let rows = plan.splits.train.len();
    let flops = plan.network.training_flops() as f64 * rows as f64;
    let (stop, mut clock) = (StopFlag::default(), Clock::default());
    let mut splits = plan.splits.clone();
    splits.validation = None;
    let training = Training {
        splits: &splits,
        settings: &plan.preset.training,
        seed: plan.preset.seed,
        threads: &threads,
        stop: &stop,
        resume: None,
    };
    let outcome = train::train(plan.network.clone(), training, &mut clock)?;
    let epoch = median(&mut clock.0);
    let rate = flops / epoch / 1e9;
    let mut text = format!(
        "{}  {}, {rows} rows in batches of {}, {} of {} threads; median of {} epochs\n\n",
        paint(HEADING, &plan.preset.name),
        plan.preset.network.shape(plan.network.inputs()),
        plan.preset.training.batch_size,
        outcome.workers,
        threads.count(),
        args.epochs,
    );
    text += &format!(
        "products of {SIDE} × {SIDE}, each thread its own: {bound:.0} GFLOP/s, the machine's bound\n\n"
    );
    let mut table = Table::new(["", "epoch", "GFLOP/s", "of the bound", "ratio"]);
    let row = |name: &str, epoch: f64| -> Vec<Cell> {
        let rate = flops / epoch / 1e9;
        vec![
            name.into(),
            format!("{:.1} ms", epoch * 1e3).into(),
            format!("{rate:.1}").into(),
            format!("{:.0} %", 100.0 * rate / bound).into(),
        ]
    };
    let mut own = row("host-trainer", epoch);
    own.push(Cell::styled("1.00", STRONG));
    table.row(own);
    if let Some(python) = &args.python {
        for (name, seconds) in peers(python, &plan.preset, &plan.network, rows, threads.count())? {
            let mut cells = row(&name, seconds);
            cells.push(format!("{:.2}", seconds / epoch).into());
            table.row(cells);
        }
    }
    table.lines().into_iter().for_each(|line| text += &(line + "\n"));
    text += &format!(
        "\nGFLOP/s counts the products of training alone, {:.2} GFLOP an epoch; {rate:.1} of them a \
         second\n",
        flops / 1e9
    );
    terminal::print(&text)?;
    Ok(())
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
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

/// Seconds that other programs need for an epoch of the same network.
fn peers(
    python: &Path,
    preset: &Preset,
    network: &Network<f32>,
    rows: usize,
    threads: usize,
) -> anyhow::Result<Vec<(String, f64)>> {
    let layers: Vec<_> = network
        .dense_layers()
        .map(|(dense, _)| serde_json::json!([dense.outputs, dense.activation.name()]))
        .collect();
    let task = serde_json::json!({
        "inputs": network.inputs(),
        "layers": layers,
        "loss": preset.training.loss.name(),
        "learning_rate": preset.training.optimizer.learning_rate(),
        "optimizer": preset.training.optimizer.name(),
        "batch_size": preset.training.batch_size,
        "epochs": preset.training.epochs,
        "rows": rows,
        "threads": threads,
    });
    let output = Command::new(python)
        .args(["-c", SCRIPT, &task.to_string()])
        .env("OMP_NUM_THREADS", threads.to_string())
        .output()
        .with_context(|| format!("{}: cannot be started", python.display()))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", python.display(), problem.lines().last().unwrap_or("it failed"));
    }
    let found: Vec<(String, f64)> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: its answer is not understood", python.display()))?;
    if found.is_empty() {
        bail!("{} has neither torch nor keras: pip install torch", python.display());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_epoch_counts() {
        assert_eq!(median(&mut [3.0, 1.0, 9.0]), 3.0);
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn a_python_without_peers_is_named() {
        let preset = preset::find("digits").unwrap();
        let network = Network::new(64, &preset.network.specs(), 1).unwrap();
        let error = peers(Path::new("/no/such/python"), &preset, &network, 100, 1).unwrap_err();
        assert!(error.to_string().contains("/no/such/python: cannot be started"), "{error}");
    }
}
