//! `--log` of `train`, `sweep` and `search`: event files for TensorBoard.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::terminal;
use crate::experiment::Experiment;
use crate::foreign_text;
use crate::tensorboard::{FOLDER, Logged, Writer};

/// Format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Event files: `tensorboard --logdir runs` shows them
    Tensorboard,
}

/// Log of trainings.
#[derive(Clone, Copy, Debug, Args)]
pub struct LogArgs {
    /// Log losses, metrics, histograms of weights and confusion matrices into the folder of each run
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log: Option<Format>,
}

impl LogArgs {
    /// Returns the observer of a training that logs into the folder of its run, where the log of an
    /// earlier training is removed. A log that cannot be written is a note: it does not end the
    /// training.
    pub(super) fn observe<P>(self, inner: P, run: &Path, resumed: bool) -> Logged<P> {
        let writer = match self.log {
            Some(Format::Tensorboard) => Writer::create(run, resumed).map(Some),
            None if resumed => Ok(None),
            None => Writer::remove(run).map(|()| None),
        };
        Logged::new(
            inner,
            writer.unwrap_or_else(|error| {
                note(run, &error);
                None
            }),
        )
    }
}

/// Adds the confusion matrices of a finished run to its log.
pub(super) fn finish<P>(logged: &mut Logged<P>, run: &Path, experiment: &Experiment) {
    let Experiment { float, int8, .. } = experiment;
    let name = experiment.precision_name();
    let matrices = [("float", &float.confusion), (name, &int8.confusion)];
    if let Err(error) = logged.finish(&matrices) {
        note(run, &error);
    }
}

fn note(run: &Path, error: &std::io::Error) {
    let folder = foreign_text::path(&run.join(FOLDER));
    terminal::note(&format!("{folder}: the log cannot be written: {error}. Free some space"));
}
