//! Progress of a sweep: one bar with the remaining time of all points.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::progress::score;
use crate::cli::terminal;
use crate::preset::Preset;
use crate::train::{Observer, Progress};

/// Steps of the bar per epoch.
const STEPS: usize = 1000;

/// Shows the progress of a sweep on standard error: a bar on a terminal, one line per point
/// elsewhere.
pub(super) struct SweepProgress {
    bar: ProgressBar,
    /// Shows lines in place of a bar.
    lines: bool,
    quiet: bool,
}

/// Shows the progress of one point.
pub(super) struct PointProgress {
    bar: ProgressBar,
    name: String,
    /// Position of the bar when the point begins.
    start: u64,
}

impl SweepProgress {
    /// Creates the display for points with these presets.
    pub fn new<'a>(presets: impl Iterator<Item = &'a Preset>, quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let epochs: usize = presets.map(|preset| preset.training.epochs).sum();
        let bar = match terminal && !quiet {
            true => ProgressBar::new((epochs * STEPS) as u64),
            false => ProgressBar::hidden(),
        };
        bar.set_style(terminal::bar_style(
            "  {bar:32.cyan/black.bright} {eta:.dim} left  {wide_msg}",
        ));
        bar.enable_steady_tick(Duration::from_millis(500));
        SweepProgress { bar, lines: !terminal && !quiet, quiet }
    }

    /// Begins a point.
    pub fn begin(&self, name: String) -> PointProgress {
        if self.lines {
            self.line(&name);
        }
        PointProgress { bar: self.bar.clone(), name, start: self.bar.position() }
    }

    /// Ends a point. The bar advances by all its planned epochs, even after an early stop.
    pub fn end(&self, point: PointProgress, epochs: usize) {
        self.bar.set_position(point.start + (epochs * STEPS) as u64);
        if !self.lines && !self.quiet {
            self.line(&point.name);
        }
    }

    /// Prints a permanent line.
    pub fn line(&self, line: &str) {
        self.bar.suspend(|| {
            terminal::note(line);
        });
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer<f32> for PointProgress {
    fn batch_done(&mut self, progress: &Progress) {
        // Formatting is limited to a few batches per epoch.
        if progress.batch.is_multiple_of(progress.batches.div_ceil(8)) {
            let within = progress.batch * STEPS / progress.batches.max(1);
            self.bar.set_position(self.start + ((progress.epoch - 1) * STEPS + within) as u64);
            self.bar.set_message(format!(
                "{}  epoch {}/{}  {}",
                self.name,
                progress.epoch,
                progress.epochs,
                score(&progress.score)
            ));
        }
    }

    fn trained(&mut self) {
        self.bar.set_message(format!("{}  quantization", self.name));
    }
}
