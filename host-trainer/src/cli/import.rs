//! `host-trainer import`: conversion of TensorFlow Lite models.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model_format::Model;
use model_format::limits::MAX_TEXT;

use super::args::ImportArgs;
use super::{files, terminal};
use crate::foreign_text::{self, escaped};
use crate::import::{Options, OutputMeaning, import};
use crate::report::inspect_text;
use crate::report::style::{FAINT, paint};

/// Imports a `.tflite` file and shows the converted model.
pub fn run(args: &ImportArgs, quiet: bool) -> anyhow::Result<()> {
    let output: PathBuf = match &args.output {
        Some(output) => output.clone(),
        None => args.model.with_extension("thimble"),
    };
    let inputs: Vec<&Path> =
        std::iter::once(&args.model).chain(&args.labels).map(PathBuf::as_path).collect();
    files::refuse_input_as_output(&output, &inputs)?;
    let file = files::read(&args.model)?;
    let stem = args.model.file_stem().unwrap_or_default().to_string_lossy();
    let options = Options {
        name: args.name.clone().unwrap_or_else(|| stem.into_owned()),
        kind: match (&args.labels, args.classes) {
            (Some(labels), _) => OutputMeaning::Labels(read_labels(labels)?),
            (None, true) => OutputMeaning::Classes,
            (None, false) => OutputMeaning::Guess,
        },
    };
    let imported = import(&file, &options).with_context(|| foreign_text::path(&args.model))?;
    files::write(&output, &imported.bytes)?;
    if !quiet {
        let model = Model::parse(&imported.bytes)?;
        let mut text = inspect_text(&model, model.self_tests().len());
        for note in &imported.notes {
            text += &format!("\n{}", paint(FAINT, format!("note: {}", escaped(&note.to_string()))));
        }
        text += &format!("\nwritten to {}\n", foreign_text::path(&output));
        terminal::print(&text)?;
    }
    Ok(())
}

/// Reads labels, one per line; empty lines at the end are ignored.
fn read_labels(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = String::from_utf8(files::read(path)?)
        .with_context(|| format!("{}: labels must be UTF-8 text", foreign_text::path(path)))?;
    let labels: Vec<String> = text.trim_end().lines().map(|line| line.trim().into()).collect();
    if let Some(long) = labels.iter().position(|label| label.len() > MAX_TEXT) {
        anyhow::bail!(
            "{}: line {} is longer than {MAX_TEXT} bytes, the maximum of a label",
            foreign_text::path(path),
            long + 1
        );
    }
    Ok(labels)
}
