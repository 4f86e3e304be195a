//! `host-trainer infer`: inference with the engine.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use model_format::{DataType, Model};
use rayon::prelude::*;
use serde_json::json;

use super::args::model_file;
use super::evaluate::read_model;
use super::predict::{PrepareArgs, answer_all, look, preset_in};
use super::{counts, files, terminal};
use crate::evaluate::HostEngine;
use crate::foreign_text;
use crate::predict::{ChosenPreparation, input, preparation};
use crate::report::grouped;

/// Arguments of `infer`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("inputs").required(true).args(["images", "raw_i8", "raw_i16", "counts"]))]
pub struct InferArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Images (PNG, JPEG, BMP, WebP or PNM), preprocessed as the training images were
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// File of quantized int8 inputs, row after row without separators
    #[arg(long, value_name = "FILE")]
    pub raw_i8: Option<PathBuf>,
    /// File of quantized int16 inputs, little-endian, for a model with int16 inputs
    #[arg(long, value_name = "FILE")]
    pub raw_i16: Option<PathBuf>,
    /// File of raw ADC or sensor counts, int16 little-endian, for a model trained with data.raw
    #[arg(long, value_name = "FILE")]
    pub counts: Option<PathBuf>,
    /// Output file for the rows of outputs, in the format of the inputs [default: predictions for
    /// images are printed]
    #[arg(long, short, value_name = "FILE", required_unless_present = "images")]
    pub output: Option<PathBuf>,
    /// Preprocessing of images
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Print the result as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Rows that one engine runs as a unit of parallel work.
const CHUNK: usize = 256;

/// Runs images or rows of inputs through a model.
pub fn run(args: &InferArgs, quiet: bool) -> anyhow::Result<()> {
    let inputs = [&args.raw_i8, &args.raw_i16, &args.counts].into_iter().flatten();
    let inputs: Vec<&Path> = inputs.chain([&args.model]).map(PathBuf::as_path).collect();
    if let Some(output) = &args.output {
        files::refuse_input_as_output(output, &inputs)?;
    }
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| foreign_text::path(&args.model))?;
    let (inputs, saturated) = match (&args.counts, args.images.as_slice()) {
        (Some(path), _) => counts::encode(&model, &counts::read_rows(&model, path)?)?,
        (None, []) => (values(args, &model)?, 0),
        (None, images) => {
            let preset = preset_in(args.model.parent())?;
            let dataset = preset.as_ref().map(|preset| &preset.data.dataset);
            let chosen = preparation(&model, &(&args.prepare).into(), dataset)?;
            if args.output.is_none() {
                return answer_all(&model, None, chosen, images, args.json);
            }
            (of_images(&model, chosen, images)?, 0)
        }
    };
    // clap requires it when there are no images.
    let Some(output) = &args.output else { bail!("no output: give --output FILE") };
    let rows = inputs.len() / model.input_bytes();
    let progress = progress(rows, quiet || args.json);
    let outputs = run_rows(&model, &inputs, &progress)?;
    progress.finish_and_clear();
    files::write(output, &outputs)?;
    if args.json {
        let mut value = json!({
            "model": model.name(),
            "rows": rows,
            "inputs": model.input_len(),
            "outputs": model.output_len(),
            "output": output.display().to_string(),
        });
        if args.counts.is_some() {
            value["saturated"] = json!(saturated);
        }
        terminal::json(&value)?;
    } else if !quiet {
        terminal::print(&format!(
            "{} rows of {} values through {}: {} values per row in {}\n",
            grouped(rows as u64),
            grouped(model.input_len() as u64),
            model.name(),
            grouped(model.output_len() as u64),
            foreign_text::path(output)
        ))?;
        if args.counts.is_some() {
            let saturated = grouped(saturated.into());
            terminal::print(&format!("{saturated} readings saturated\n"))?;
        }
    }
    Ok(())
}

/// Encodes all images as input bytes.
fn of_images(
    model: &Model<'_>,
    chosen: ChosenPreparation,
    images: &[PathBuf],
) -> anyhow::Result<Vec<u8>> {
    let mut inputs = Vec::with_capacity(images.len() * model.input_bytes());
    for path in images {
        inputs.extend(input(model, &look(path, chosen)?)?);
    }
    Ok(inputs)
}

/// Reads the input bytes of a file.
fn values(args: &InferArgs, model: &Model<'_>) -> anyhow::Result<Vec<u8>> {
    let (path, data_type) = match (&args.raw_i8, &args.raw_i16) {
        (Some(path), _) => (path, DataType::Int8),
        (None, Some(path)) => (path, DataType::Int16),
        // clap requires one of them.
        (None, None) => bail!("no inputs: give --raw-i8 FILE"),
    };
    let needed = model.input().quantization.data_type;
    if needed != data_type {
        let (takes, option) = match needed {
            DataType::Int8 => ("int8", "--raw-i8"),
            DataType::Int16 => ("int16", "--raw-i16"),
        };
        bail!(
            "{}: the model takes {takes}. Give the inputs with {option}",
            foreign_text::path(&args.model)
        );
    }
    let inputs = files::read(path)?;
    check_len(model, path, &inputs)?;
    Ok(inputs)
}

fn check_len(model: &Model<'_>, path: &Path, inputs: &[u8]) -> anyhow::Result<()> {
    let row = model.input_bytes();
    let (len, rest) = (inputs.len(), inputs.len() % row);
    if len == 0 {
        bail!("{} is empty. The model takes rows of {row} bytes", foreign_text::path(path));
    }
    if rest != 0 {
        bail!(
            "{} has {len} bytes, which is {} whole rows and {rest} bytes. The model takes {} \
             values per row, {row} bytes",
            foreign_text::path(path),
            len / row,
            model.input_len()
        );
    }
    Ok(())
}

/// Returns the outputs of all rows, in order.
fn run_rows(model: &Model<'_>, inputs: &[u8], progress: &ProgressBar) -> anyhow::Result<Vec<u8>> {
    let row = model.input_bytes();
    let chunks = inputs.par_chunks(row * CHUNK).map(|chunk| -> anyhow::Result<Vec<u8>> {
        let mut engine = HostEngine::new(model)?;
        let mut outputs = Vec::with_capacity(chunk.len() / row * model.output_bytes());
        for input in chunk.chunks_exact(row) {
            outputs.extend_from_slice(&engine.run(input)?);
        }
        progress.inc((chunk.len() / row) as u64);
        Ok(outputs)
    });
    let outputs: Vec<Vec<u8>> = chunks.collect::<anyhow::Result<_>>()?;
    Ok(outputs.concat())
}

/// Progress bar on a terminal; hidden elsewhere.
fn progress(rows: usize, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(rows as u64);
    bar.set_style(terminal::bar_style(
        "  {bar:32.cyan/black.bright} {human_pos} rows  {eta:.dim} left",
    ));
    bar
}
