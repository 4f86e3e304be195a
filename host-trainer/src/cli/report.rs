//! `host-trainer report`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::args::{DataArgs, ThreadArgs};
use super::{files, terminal};
use crate::data::Locations;
use crate::experiment::{Experiment, SavedRun};
use crate::foreign_text;
use crate::train::Threads;

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's folder, such as runs/digits
    pub run: PathBuf,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print where the report is as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// Writes the report of a finished run again.
pub fn run(args: &ReportArgs, quiet: bool) -> anyhow::Result<()> {
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let folder = files::run_folder(&args.run)?;
    let saved = SavedRun::open(&args.run)?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let spinner = terminal::spinner("both networks over the test rows", quiet || args.json);
    let page = saved.report(&locations, &threads);
    spinner.finish_and_clear();
    let (name, what) = Experiment::REPORT;
    folder.write(name, page?.as_bytes())?;
    let page = args.run.join(name);
    if args.json {
        terminal::json(&json!({ "page": page.display().to_string() }))?;
    } else if !quiet {
        terminal::print(&format!("{}: {what}\n", foreign_text::path(&page)))?;
    }
    Ok(())
}
