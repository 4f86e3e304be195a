//! Checkpoints in a run's folder, written periodically and when training stops.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::terminal;
use crate::foreign_text::{self, shown};
use crate::network::Network;
use crate::preset::Preset;
use crate::run_folder::RunFolder;
use crate::train::{Checkpoint, EpochRecord, Flow, Observer, Progress, StopFlag};

const FILE: &str = "checkpoint.safetensors";

/// Time between two checkpoints. A power failure loses little work, and the overhead is small.
const EVERY: Duration = Duration::from_secs(10);

/// Reports progress and writes checkpoints.
pub struct Checkpoints<'a, P> {
    progress: P,
    folder: &'a RunFolder,
    training: String,
    data: String,
    stop: StopFlag,
    last: Instant,
}

impl<'a, P> Checkpoints<'a, P> {
    /// Creates a writer into this folder, for a training on data with this fingerprint.
    pub fn new(
        progress: P,
        folder: &'a RunFolder,
        preset: &Preset,
        data: &str,
        stop: StopFlag,
    ) -> Self {
        let (training, data) = (training(preset), data.to_string());
        Checkpoints { progress, folder, training, data, stop, last: Instant::now() }
    }

    /// Returns the progress display.
    pub fn into_progress(self) -> P {
        self.progress
    }
}

impl<P: Observer<f32>> Observer<f32> for Checkpoints<'_, P> {
    fn batch_done(&mut self, progress: &Progress) {
        self.progress.batch_done(progress);
    }

    fn epoch_done(&mut self, record: &EpochRecord, network: &Network<f32>) -> Flow {
        self.progress.epoch_done(record, network)
    }

    fn trained(&mut self) {
        self.progress.trained();
    }

    fn resumable<'a>(&mut self, make: &dyn Fn() -> Checkpoint<'a>) {
        if self.last.elapsed() < EVERY && !self.stop.is_stopped() {
            return;
        }
        let write = |path: &Path| make().write(&self.training, &self.data, path);
        if let Err(error) = self.folder.write_by(FILE, write) {
            // Training does not need the disk, so that it continues with a note.
            terminal::note(&format!("the checkpoint cannot be written: {error}"));
        }
        self.last = Instant::now();
    }
}

/// Settings that affect the weights: all but those of later steps.
fn training(preset: &Preset) -> String {
    let mut preset = preset.clone();
    preset.description.clear();
    let activations = preset.quantization.activations;
    preset.quantization = Default::default();
    if preset.quantization_aware.is_some() {
        // Activations are rounded in training.
        preset.quantization.activations = activations;
    }
    preset.to_toml()
}

/// Returns the checkpoint in this folder if it belongs to exactly this training.
pub fn read_if_fits(
    folder: &RunFolder,
    preset: &Preset,
    data: &str,
) -> Option<Checkpoint<'static>> {
    let path = folder.path().join(FILE);
    let (checkpoint, was) = Checkpoint::from_bytes(&fs::read(&path).ok()?, &path).ok()?;
    (was.training == training(preset) && was.data == data).then_some(checkpoint)
}

/// Reads the checkpoint in this folder, for this preset and data with this fingerprint.
pub fn read(
    folder: &RunFolder,
    preset: &Preset,
    data: &str,
) -> anyhow::Result<Checkpoint<'static>> {
    let path = folder.path().join(FILE);
    let bytes = fs::read(&path).with_context(|| {
        format!(
            "{}: there is no checkpoint to resume from. Train without --resume",
            foreign_text::path(&path)
        )
    })?;
    let (checkpoint, was) = Checkpoint::from_bytes(&bytes, &path)?;
    let is = training(preset);
    if let Some((was, is)) = was.training.lines().zip(is.lines()).find(|(was, is)| was != is) {
        bail!(
            "{}: the checkpoint is of another training, with `{}` in place of `{}`. Give the \
             same settings, or train without --resume",
            foreign_text::path(&path),
            shown(was),
            shown(is)
        );
    }
    if was.data != data {
        bail!(
            "{}: the data has changed since the training was stopped. Restore it, or train \
             without --resume",
            foreign_text::path(&path)
        );
    }
    Ok(checkpoint)
}

/// Removes the checkpoint of a finished training.
pub fn remove(folder: &RunFolder) {
    // A checkpoint that remains costs only disk space.
    let _ = fs::remove_file(folder.path().join(FILE));
}
