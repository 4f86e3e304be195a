//! `host-trainer pack`: the weight layout of a core.

use anyhow::Context;
use clap::Args;
use model_format::{Layer, Model};

use super::args::model_file;
use super::evaluate::read_model;
use super::{files, terminal};
use crate::foreign_text::{self, shown};
use crate::pack::Core;
use crate::pack::{keep_self_tests, pack, strip};
use crate::report::bytes as in_bytes;
use crate::self_tests::from_file;
use std::path::PathBuf;

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Core whose kernels read the model
    #[arg(
        long = "for",
        value_name = "CORE",
        value_enum,
        required_unless_present_any = ["strip", "self_tests", "self_tests_from_file"]
    )]
    pub core: Option<Core>,
    /// Remove names, units and the preprocessing of images, which no computation needs; class
    /// labels stay
    #[arg(long)]
    pub strip: bool,
    /// Number of self-tests to keep, the first ones [default: all]
    #[arg(long, value_name = "N")]
    pub self_tests: Option<usize>,
    /// Make the inputs of self-tests from bytes of the model's layers: each then takes two or three
    /// bytes, whatever its size
    #[arg(long)]
    pub self_tests_from_file: bool,
    /// Output file
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Packs a model's weights for a core.
pub fn run(args: &PackArgs, quiet: bool) -> anyhow::Result<()> {
    files::refuse_input_as_output(&args.output, &[&args.model])?;
    let bytes = read_model(&args.model)?;
    let place = || foreign_text::path(&args.model);
    let model = Model::parse(&bytes).with_context(place)?;
    let mut packed = match args.core {
        Some(core) => pack(&model, core).with_context(place)?,
        None => bytes.clone(),
    };
    if args.strip {
        packed = strip(&Model::parse(&packed)?).with_context(place)?;
    }
    if let Some(count) = args.self_tests {
        packed = keep_self_tests(&Model::parse(&packed)?, count).with_context(place)?;
    }
    if args.self_tests_from_file {
        let model = Model::parse(&packed)?;
        packed = from_file(&model, model.self_tests().len()).with_context(place)?;
    }
    files::write(&args.output, &packed)?;
    if !quiet {
        let mut text = String::new();
        let dense = |layer| if let Layer::Dense(dense) = layer { Some(dense) } else { None };
        for (index, dense) in Model::parse(&packed)?.layers().filter_map(dense).enumerate() {
            text += &format!(
                "layer {index}: {} × {} weights, {}\n",
                dense.outputs(),
                dense.inputs(),
                dense.layout.name()
            );
        }
        text += &format!(
            "{}{} in {}: the same outputs, {} in place of {}\n",
            shown(model.name()),
            args.core.map_or(String::new(), |core| format!(" for {core}")),
            foreign_text::path(&args.output),
            in_bytes(packed.len() as u64),
            in_bytes(bytes.len() as u64)
        );
        terminal::print(&text)?;
    }
    Ok(())
}
