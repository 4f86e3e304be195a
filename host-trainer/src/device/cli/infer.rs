//! `host-trainer device infer`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use firmware::Engine;
use model_format::Model;

use super::Link;
use crate::cli::{counts, files, terminal};
use crate::device::command::{read_rows, write_rows};
use crate::device::connection::AnyClient;
use crate::device::local;
use crate::predict::{input, load, picture_size, predict, prepare, show};

/// `device infer`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("inputs").required(true).args(["image", "raw_i8", "counts"]))]
pub struct InferArgs {
    /// A photograph, PNG or JPEG: one dark thing on light paper, or light on dark
    image: Option<PathBuf>,
    /// A file of int8 values, as many a row as the model has inputs
    #[arg(long, value_name = "FILE")]
    raw_i8: Option<PathBuf>,
    /// A file of what sensors count, int16 little-endian, as many a row as the model has inputs
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// Write the rows of outputs here, as they are, instead of showing them
    #[arg(long, short, value_name = "FILE", conflicts_with = "image")]
    output: Option<PathBuf>,
    /// Where the device is
    #[command(flatten)]
    link: Link,
}

/// Runs inputs through the device's model.
pub fn run(args: InferArgs) -> anyhow::Result<()> {
    let InferArgs { image, raw_i8, counts, output, link } = args;
    link.ask(|client| match (image, counts) {
        (Some(path), _) => photograph(client, &path),
        (None, Some(path)) => rows_of_counts(client, &path, output.as_deref()),
        // The parser has seen to it that there is one of the three.
        (None, None) => rows(client, &raw_i8.unwrap_or_default(), output.as_deref()),
    })
}

/// Says what the device sees in a photograph.
fn photograph(client: &mut AnyClient, path: &Path) -> anyhow::Result<()> {
    let photograph = load(path)?;
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let ink =
        prepare(&photograph, picture_size(&model)?).with_context(|| path.display().to_string())?;
    let bytes = input(&model, &ink.pixels);
    let device = client.infer_bytes(&bytes)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(local::refused)?;
    if engine.run_bytes(&bytes).map_err(local::refused)? != device {
        bail!(
            "the device gives other bytes than this machine: `host-trainer device trace` names the \
             layer"
        );
    }
    // The same bytes mean the same.
    let answers = predict(&model, None, &ink)?;
    terminal::print(&show(&ink, &answers, terminal::has_colours()))?;
    println!("the device's answer, and every byte of it this machine's");
    Ok(())
}

fn rows(client: &mut AnyClient, input: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    let inputs = client.info()?.input_bytes;
    let rows = read_rows(input, inputs)?;
    let mut outputs = Vec::new();
    for row in rows.chunks_exact(inputs) {
        let output = client.infer(row)?;
        if out.is_none() {
            println!("{}", output.iter().map(i8::to_string).collect::<Vec<_>>().join(" "));
        }
        outputs.extend_from_slice(&output);
    }
    if let Some(path) = out {
        write_rows(path, &outputs)?;
    }
    Ok(())
}

fn rows_of_counts(client: &mut AnyClient, path: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    if let Some(out) = out {
        files::refuse_input_as_output(out, &[path])?;
    }
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let precision = model.output().quantization.precision;
    let mut outputs = Vec::new();
    for row in counts::read_rows(&model, path)? {
        let output = client.infer_counts(row)?;
        if out.is_none() {
            let values = precision.values(&output).map(|value| value.to_string());
            println!("{}", values.collect::<Vec<_>>().join(" "));
        }
        outputs.extend_from_slice(&output);
    }
    match out {
        Some(path) => files::write(path, &outputs),
        None => Ok(()),
    }
}
