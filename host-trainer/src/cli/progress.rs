//! Training progress: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use indicatif::ProgressBar;

use super::terminal;
use crate::network::{BatchScore, Network};
use crate::report::{percent, seconds, significant};
use crate::train::{BatchRecord, EpochRecord, Flow, Observer, Progress};

/// Maximum number of lines for a training of many epochs.
const LINES: usize = 15;

/// Shows the progress of training on standard error.
pub struct TrainProgress {
    output: Output,
    epochs: usize,
    start: Instant,
}

enum Output {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl TrainProgress {
    /// Creates the display for this number of epochs and of batches per epoch.
    pub fn new(epochs: usize, batches: usize, quiet: bool) -> Self {
        let output = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Output::Nothing,
            (false, false) => Output::Lines,
            (false, true) => {
                let bar = ProgressBar::new((epochs * batches) as u64);
                bar.set_style(terminal::bar_style(
                    "  {bar:32.cyan/black.bright} {msg}  {eta:.dim} left",
                ));
                Output::Bar(bar)
            }
        };
        TrainProgress { output, epochs, start: Instant::now() }
    }

    /// Creates the display of one training of several: only the bar, on a terminal.
    pub fn bar(epochs: usize, batches: usize, quiet: bool) -> Self {
        TrainProgress::new(epochs, batches, quiet || !io::stderr().is_terminal())
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: &str) {
        match &self.output {
            Output::Bar(bar) => bar.println(line),
            // Training continues when a progress line cannot be written.
            Output::Lines => drop(writeln!(io::stderr().lock(), "{line}")),
            Output::Nothing => {}
        }
    }

    /// Returns whether an epoch gets a line: every epoch of a short training, some of a long one.
    fn is_milestone(&self, epoch: usize) -> bool {
        let every = self.epochs.div_ceil(LINES);
        epoch == 1 || epoch == self.epochs || epoch.is_multiple_of(every)
    }
}

impl Observer<f32> for TrainProgress {
    fn trained(&mut self) {
        self.finish();
        let quiet = matches!(self.output, Output::Nothing);
        self.output =
            match terminal::spinner("quantization, and both networks over the rows", quiet) {
                _ if quiet => Output::Nothing,
                bar => Output::Bar(bar),
            };
    }

    fn batch_done(&mut self, progress: &Progress) {
        if let Output::Bar(bar) = &self.output {
            bar.set_position(((progress.epoch - 1) * progress.batches + progress.batch) as u64);
            // Formatting is limited to a few batches per epoch.
            if progress.batch.is_multiple_of(progress.batches.div_ceil(8)) {
                bar.set_message(format!(
                    "epoch {}/{}  {}",
                    progress.epoch,
                    progress.epochs,
                    score(&progress.score)
                ));
            }
        }
    }

    fn batch_logged(&mut self, record: &BatchRecord) {
        let BatchRecord { epoch, batch, loss } = record;
        self.line(&format!("  epoch {epoch}  batch {batch:>6}   loss {loss:.4}"));
    }

    fn epoch_done(&mut self, record: &EpochRecord, _: &Network<f32>) -> Flow {
        if !self.is_milestone(record.epoch) {
            return Flow::Continue;
        }
        let width = self.epochs.to_string().len();
        let mut line =
            format!("  epoch {:>width$}/{}   {}", record.epoch, self.epochs, score(&record.train));
        if let Some(validation) = &record.validation {
            line += &format!("   validation {}", score(validation));
        }
        line += &format!("   {}", seconds(self.start.elapsed().as_secs_f64()));
        self.line(&line);
        Flow::Continue
    }
}

/// Text for loss and accuracy, or mean absolute error.
pub(super) fn score(score: &BatchScore) -> String {
    match score.mean_absolute_error() {
        Some(error) => {
            let (loss, error) = (significant(score.loss()), significant(error));
            format!("loss {loss:>8}  mean absolute error {error:>8}")
        }
        None => format!("loss {:.4}  accuracy {:>8}", score.loss(), percent(score.accuracy())),
    }
}
