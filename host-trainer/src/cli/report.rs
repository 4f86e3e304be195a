//! `host-trainer report`: the report of a finished run.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::args::{DataArgs, ThreadArgs};
use super::{files, terminal};
use crate::data::Locations;
use crate::experiment::{Experiment, SavedRun};
use crate::foreign_text;
use crate::threads::Threads;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of a run, such as runs/digits
    pub run: PathBuf,
    /// Leave out the section that runs the model in the browser
    #[arg(long)]
    pub no_playground: bool,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print the paths of the pages as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Writes the report of a finished run again, and its page in three dimensions.
pub fn run(args: &ReportArgs, quiet: bool) -> anyhow::Result<()> {
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let folder = files::run_folder(&args.run)?;
    let saved = SavedRun::open(&args.run)?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let spinner = terminal::spinner("both networks over the test rows", quiet || args.json);
    let pages = saved.report(&locations, !args.no_playground, &threads);
    spinner.finish_and_clear();
    let pages = pages?;
    pages.write(&folder)?;
    let path = |name: &str| args.run.join(name);
    if args.json {
        let surface = pages.surface.map(|_| path(Experiment::SURFACE.0).display().to_string());
        let page = path(Experiment::REPORT.0).display().to_string();
        terminal::json(&json!({ "page": page, "surface": surface }))?;
    } else if !quiet {
        let line = |((name, what), _): ((&str, &str), &str)| {
            format!("{}: {what}\n", foreign_text::path(&path(name)))
        };
        terminal::print(&pages.files().map(line).collect::<String>())?;
    }
    Ok(())
}
