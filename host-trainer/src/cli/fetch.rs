//! `host-trainer fetch`: downloads of datasets.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::bail;
use indicatif::ProgressBar;
use serde_json::json;

use super::args::FetchArgs;
use super::evaluate::source;
use super::terminal;
use crate::data::{FetchProgress, cache_folder, fetch};
use crate::foreign_text;

/// Downloads a dataset.
pub fn run(args: &FetchArgs, quiet: bool) -> anyhow::Result<()> {
    let source = source(&args.dataset)?;
    if source.has_test() != Some(true) {
        bail!("{source} is embedded in the program. There is nothing to download");
    }
    let folder = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => cache_folder()?.join(source.name()),
    };
    let mut display = Display { bar: None, quiet: quiet || args.json };
    fetch(&source, &folder, &args.mirror, &mut display)?;
    if args.json {
        let folder = folder.display().to_string();
        terminal::json(&json!({ "dataset": source.name(), "folder": folder }))?;
    } else if !quiet {
        let hint = if args.data_dir.is_some() { " --data-dir with this folder" } else { "" };
        terminal::print(&format!(
            "{source} is in {}: host-trainer train {source}{hint}\n",
            foreign_text::path(&folder)
        ))?;
    }
    Ok(())
}

/// Progress of a download: a bar on a terminal, plain lines elsewhere.
struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Display {
    fn line(&mut self, line: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if !self.quiet {
            terminal::note(line);
        }
    }
}

impl FetchProgress for Display {
    fn present(&mut self, path: &Path) {
        self.line(&format!("  {}: already there", foreign_text::path(path)));
    }

    fn start(&mut self, file: &str, mirror: &str, received: u64, total: Option<u64>) {
        if self.quiet {
            return;
        }
        if !io::stderr().is_terminal() {
            self.line(&format!("  {file} from {mirror}"));
            return;
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        bar.set_style(terminal::bar_style(
            "  {msg} {bar:32.cyan/black.bright} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
        ));
        bar.set_message(file.to_string());
        bar.set_position(received);
        bar.reset_eta();
        self.bar = Some(bar);
    }

    fn received(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    fn failed(&mut self, attempt: &str) {
        self.line(&format!("  {attempt}"));
    }

    fn done(&mut self, path: &Path) {
        self.line(&format!("  {}: complete and checked", foreign_text::path(path)));
    }
}
