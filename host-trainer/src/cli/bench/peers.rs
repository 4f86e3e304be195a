//! The same training in PyTorch or Keras.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::data::{Shift, Subset, Targets};
use crate::experiment::Plan;
use crate::foreign_text;
use crate::train::{self, Schedule};

/// Python script that trains the same network with torch and keras.
const SCRIPT: &str = include_str!("../../../benches/peers.py");

/// Measurements of the other programs.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Peers {
    /// Name, seconds of the best epoch, accuracy or mean |error| on the test rows.
    pub epochs: Vec<(String, f64, f64)>,
    /// Their peak throughput of a large square matrix product, in 10⁹ operations per second.
    pub gemm: Option<f64>,
}

/// Training settings that the script does not apply.
pub(super) fn not_told(settings: &train::Settings) -> Vec<&'static str> {
    let used = [
        (settings.schedule != Schedule::Constant, "its schedule"),
        (settings.warm_up_epochs > 0.0, "warm-up"),
        (settings.label_smoothing > 0.0, "label smoothing"),
        (settings.clip.is_some(), "clipping"),
        (settings.augmentation.is_active(), "augmentation"),
        (settings.mixup.is_some(), "mixup"),
        (settings.distillation.is_some(), "distillation"),
        (settings.ema_momentum.is_some(), "the moving average"),
        (settings.pruning.is_some(), "pruning"),
    ];
    used.into_iter().filter_map(|(used, name)| used.then_some(name)).collect()
}

/// Measures an epoch of the same network on the same rows in the other programs.
pub(super) fn peers(python: &Path, plan: &Plan, threads: usize) -> anyhow::Result<Peers> {
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
        .with_context(|| format!("{}: cannot be started", foreign_text::path(python)))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", foreign_text::path(python), problem.lines().last().unwrap_or("it failed"));
    }
    let found: Peers = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: its output cannot be parsed", foreign_text::path(python)))?;
    if found.epochs.is_empty() {
        bail!(
            "{} has neither torch nor keras. Install one with pip install torch",
            foreign_text::path(python)
        );
    }
    Ok(found)
}

/// Writes rows as the network receives them, and their targets: values as f32, classes as i32, in
/// the byte order of this machine.
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
    use std::fs;

    use super::*;
    use crate::data::Locations;
    use crate::preset;

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
