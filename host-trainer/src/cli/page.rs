//! `host-trainer page`: a page that runs a model in a browser.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::args::{DataArgs, ThreadArgs, model_file};
use super::evaluate::read_model;
use super::predict::preset_in;
use super::{files, terminal};
use crate::atomic_file;
use crate::data::Locations;
use crate::experiment::{Experiment, SavedRun};
use crate::foreign_text;
use crate::page::{PageContent, of_model, of_run, page_html};
use crate::report::html::kilobytes;
use crate::threads::Threads;

/// Arguments of `page`.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Source of the model
    #[command(flatten)]
    pub source: SourceArgs,
    /// Output file [default: try.html beside the model]
    #[arg(long, short, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
    /// Print the path of the page as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// The model that a page runs.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Model file, or folder of a run, whose float network is compared
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Writes the page.
pub fn run(args: &PageArgs, quiet: bool) -> anyhow::Result<()> {
    let model = &args.source.model;
    let beside = || atomic_file::folder(model).join("try.html");
    let output = args.output.clone().unwrap_or_else(beside);
    files::refuse_input_as_output(&output, &[model])?;
    let page = page_html(&content(&args.source)?);
    files::write(&output, page.as_bytes())?;
    if args.json {
        let page = json!({ "page": output.display().to_string(), "bytes": page.len() });
        terminal::json(&page)?;
    } else if !quiet {
        let (path, size) = (foreign_text::path(&output), kilobytes(page.len() as u64));
        terminal::print(&format!("{path}: {size}; open it in a browser\n"))?;
    }
    Ok(())
}

/// Returns the content of the page for a model, or for the model of a run.
pub(crate) fn content(args: &SourceArgs) -> anyhow::Result<PageContent> {
    let bytes = read_model(&args.model)?;
    let place = || foreign_text::path(&args.model);
    let folder = atomic_file::folder(&args.model);
    if !is_of_run(&args.model, folder) {
        let preset = preset_in(args.model.parent())?;
        let dataset = preset.as_ref().map(|preset| &preset.data.dataset);
        return of_model(&bytes, dataset).with_context(place);
    }
    let run = SavedRun::open(folder)?;
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let plan = run.plan(&locations).map_err(|error| terminal::message(&error.into()));
    of_run(&run, &bytes, plan.as_ref().map_err(String::clone), &threads).with_context(place)
}

/// Returns whether the file is the model of the run in its folder.
fn is_of_run(model: &Path, folder: &Path) -> bool {
    model.file_name().is_some_and(|name| name == Experiment::MODEL)
        && folder.join("weights.safetensors").is_file()
}
