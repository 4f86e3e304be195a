//! `host-trainer import`: conversion of quantized models, and the way to float networks.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use model_format::Model;
use model_format::limits::MAX_TEXT;

use super::args::{DataArgs, ThreadArgs};
use super::max_loss::MaxLoss;
use super::{files, terminal};
use crate::foreign_text::{self, escaped};
use crate::import::{Imported, Options, OutputMeaning, import};
use crate::pack::Core;
use crate::report::inspect_text;
use crate::report::style::{FAINT, paint};

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Model of Keras (.keras, .h5), ONNX, PyTorch (.pt, .safetensors) or TensorFlow Lite
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Output: the folder of a run for a float network [default: runs/NAME], the model file for an
    /// int8 `.tflite` [default: MODEL.thimble beside the input]
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Rows for the quantization of a float network: a CSV file of features, or of features and
    /// targets; a preset; or a dataset
    #[arg(long, value_name = "ROWS")]
    pub calibrate: Option<String>,
    /// Layers of a PyTorch state dict in the order of `forward`, with activations, such as "fc1,
    /// relu, fc2"
    #[arg(long, value_name = "LIST")]
    pub layers: Option<String>,
    /// Text file with one class label per line, in the order of the outputs
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Treat the outputs as classes although the model has no final softmax; the labels are 0, 1,
    /// 2, …
    #[arg(long, conflicts_with = "labels")]
    pub classes: bool,
    /// Name of the model [default: the file's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Core to pack the model of a float network for
    #[arg(long = "for", value_name = "CORE", value_enum)]
    pub core: Option<Core>,
    /// Limit of the quantization loss
    #[command(flatten)]
    pub max_loss: MaxLoss,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Imports a float network as a run, or a quantized one as a model, which it shows.
pub fn run(args: &ImportArgs, quiet: bool) -> anyhow::Result<()> {
    #[cfg(feature = "import")]
    if super::import_float::takes(&args.model) {
        let labels = args.labels.as_deref().map(read_labels).transpose()?;
        return super::import_float::run(args, labels, quiet);
    }
    let output = output(args)?;
    let file = files::read(&args.model)?;
    let labels = args.labels.as_deref().map(read_labels).transpose()?;
    let options = options(args, labels);
    let imported = import(&file, &options);
    #[cfg(not(feature = "import"))]
    refuse_float(args, &file, imported.as_ref().err())?;
    let imported = imported.with_context(|| foreign_text::path(&args.model))?;
    written(&imported, &output, quiet)
}

/// Returns the file to write the model to.
pub(super) fn output(args: &ImportArgs) -> anyhow::Result<PathBuf> {
    let output = match &args.output {
        Some(output) => output.clone(),
        None => args.model.with_extension("thimble"),
    };
    let inputs: Vec<&Path> =
        std::iter::once(&args.model).chain(&args.labels).map(PathBuf::as_path).collect();
    files::refuse_input_as_output(&output, &inputs)?;
    Ok(output)
}

/// Returns the options of a quantized model.
pub(super) fn options(args: &ImportArgs, labels: Option<Vec<String>>) -> Options {
    let stem = args.model.file_stem().unwrap_or_default().to_string_lossy();
    Options {
        name: args.name.clone().unwrap_or_else(|| stem.into_owned()),
        kind: match (labels, args.classes) {
            (Some(labels), _) => OutputMeaning::Labels(labels),
            (None, true) => OutputMeaning::Classes,
            (None, false) => OutputMeaning::Guess,
        },
    }
}

/// Writes a model file and shows it.
pub(super) fn written(imported: &Imported, output: &Path, quiet: bool) -> anyhow::Result<()> {
    files::write(output, &imported.bytes)?;
    if !quiet {
        let model = Model::parse(&imported.bytes)?;
        let mut text = inspect_text(&model, model.self_tests().len());
        for note in &imported.notes {
            text += &format!("\n{}", paint(FAINT, format!("note: {}", escaped(&note.to_string()))));
        }
        text += &format!("\nwritten to {}\n", foreign_text::path(output));
        terminal::print(&text)?;
    }
    Ok(())
}

/// Names the command that imports float networks, which this build does not contain.
#[cfg(not(feature = "import"))]
fn refuse_float(
    args: &ImportArgs,
    file: &[u8],
    error: Option<&crate::import::ImportError>,
) -> anyhow::Result<()> {
    use crate::import::{ImportError, is_float};

    let place = foreign_text::path(&args.model);
    let what = match error {
        Some(ImportError::Foreign { what, .. }) if !what.contains("gzip") => what.to_string(),
        Some(_) if is_float(file) => "a float TensorFlow Lite model".to_string(),
        _ => return Ok(()),
    };
    anyhow::bail!(
        "{place}: the file is {what}, and this build imports int8 `.tflite` models only. In Thimble's \
         folder, run `cargo thimble import {place}`. Elsewhere, install host-trainer with --features \
         full"
    )
}

/// Reads labels, one per line; a byte order mark and empty lines at the end are ignored.
fn read_labels(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = String::from_utf8(files::read(path)?)
        .with_context(|| format!("{}: labels must be UTF-8 text", foreign_text::path(path)))?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let labels: Vec<String> = text.lines().map(|line| line.trim().into()).collect();
    for (at, label) in labels.iter().enumerate() {
        let problem = if label.is_empty() {
            "is empty, but each output needs a label".to_string()
        } else if label.len() > MAX_TEXT {
            format!("is longer than {MAX_TEXT} bytes, the maximum of a label")
        } else if let Some(first) = labels[..at].iter().position(|other| other == label) {
            format!("has the same label as line {}: give each output its own", first + 1)
        } else {
            continue;
        };
        anyhow::bail!("{}: line {} {problem}", foreign_text::path(path), at + 1);
    }
    Ok(labels)
}
