//! `host-trainer new`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;

use super::args::model_file;
use super::evaluate::read_model;
use super::terminal;
use crate::foreign_text::shown;
use crate::project::{Project, Source, TARGETS, Target, Template};

/// `new`.
#[derive(Debug, Args)]
#[command(
    override_usage = "host-trainer new NAME --for CHIP --model RUN|FILE [--template TEMPLATE]\n       \
                            host-trainer new --for list"
)]
pub struct NewArgs {
    /// The folder to write; its name becomes that of the package
    #[arg(value_name = "NAME")]
    pub folder: Option<PathBuf>,
    /// The chip, a board with it, or an emulated machine, such as nRF52840, pico or qemu-riscv;
    /// `list` shows all
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: String,
    /// A model file, or the folder of a run
    #[arg(long, value_name = "RUN|FILE", value_parser = model_file())]
    pub model: Option<PathBuf>,
    /// The program to start from
    #[arg(long, value_enum, default_value_t)]
    pub template: Template,
}

/// Writes a firmware project with a model.
pub fn run(args: &NewArgs, quiet: bool) -> anyhow::Result<()> {
    if args.chip == "list" {
        terminal::print(&list())?;
        return Ok(());
    }
    let target = Target::named(&args.chip)?;
    let Some(folder) = &args.folder else {
        bail!("the project has no name. Give one: host-trainer new NAME --for {}", args.chip)
    };
    let Some(path) = &args.model else {
        bail!(
            "the project has no model. Give one with --model RUN or --model FILE; \
             `host-trainer train digits` makes one in runs/digits"
        )
    };
    let project = Project::new(folder, target, args.template)?;
    let bytes = read_model(path)?;
    let model = Model::parse(&bytes).with_context(|| path.display().to_string())?;
    project.write(&model, &Source::find())?;
    if !quiet {
        let folder = folder.display();
        terminal::print(&format!(
            "{folder}: firmware for the {} with the model {}, packed for {}. Next:\n\n\
             cd {folder}\ncargo run --release\n\n\
             {folder}/README.md says what the computer needs for that.\n",
            target.name,
            shown(model.name()),
            target.core
        ))?;
    }
    Ok(())
}

/// A table of chips and emulated machines.
fn list() -> String {
    let mut text = format!("{:<17} {:<11} {:<14} also known as\n", "chip", "core", "templates");
    for target in &TARGETS {
        let templates = if target.has_embassy() { "bare, embassy" } else { "bare" };
        text += &format!(
            "{:<17} {:<11} {templates:<14} {}\n",
            target.name,
            target.core.to_string(),
            target.aliases.join(", ")
        );
    }
    text
}
