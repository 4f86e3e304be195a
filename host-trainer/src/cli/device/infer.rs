//! `host-trainer device infer`: inference on a device.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;
use thimble_nn::Engine;

use super::Link;
use crate::cli::args::model_file;
use crate::cli::evaluate::read_model;
use crate::cli::predict::{PrepareArgs, look, preset_in, text};
use crate::cli::{counts, files, terminal};
use crate::device::command::{read_rows, write_rows};
use crate::device::connection::AnyClient;
use crate::device::local;
use crate::foreign_text;
use crate::predict::{input, predict, preparation};

/// Arguments of `device infer`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("inputs").required(true).args(["image", "raw_i8", "counts"]))]
pub struct InferArgs {
    /// Image (PNG, JPEG, BMP, WebP or PNM), preprocessed as the training images were
    image: Option<PathBuf>,
    /// File of quantized int8 inputs, one value per model input and row
    #[arg(long, value_name = "FILE")]
    raw_i8: Option<PathBuf>,
    /// File of raw ADC or sensor counts, int16 little-endian, one count per model input and row
    #[arg(long, value_name = "FILE")]
    counts: Option<PathBuf>,
    /// Output file for the rows of raw outputs [default: outputs are printed]
    #[arg(long, short, value_name = "FILE", conflicts_with = "image")]
    output: Option<PathBuf>,
    /// Model file, or folder of its run, with the preprocessing of the image [default: the model on
    /// the device]
    #[arg(long, value_name = "MODEL|RUN", value_parser = model_file(), requires = "image")]
    model: Option<PathBuf>,
    /// Preprocessing of the image
    #[command(flatten)]
    prepare: PrepareArgs,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Runs inputs through the device's model.
pub fn run(args: InferArgs) -> anyhow::Result<()> {
    let InferArgs { image, raw_i8, counts, output, model, prepare, link } = args;
    link.ask(|client| match (image, counts) {
        (Some(path), _) => about_image(client, &path, model.as_deref(), &prepare),
        (None, Some(path)) => rows_of_counts(client, &path, output.as_deref()),
        // The parser ensures that one of the three is given.
        (None, None) => rows(client, &raw_i8.unwrap_or_default(), output.as_deref()),
    })
}

/// Shows the device's prediction for an image.
fn about_image(
    client: &mut AnyClient,
    path: &Path,
    described: Option<&Path>,
    prepare: &PrepareArgs,
) -> anyhow::Result<()> {
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let chosen = match described {
        None => preparation(&model, &prepare.into(), None)?,
        Some(path) => {
            let file = read_model(path)?;
            let described = Model::parse(&file).with_context(|| foreign_text::path(path))?;
            if described.input_len() != model.input_len() {
                bail!(
                    "{}: the model takes {} values, and the model on the device {}. Give the \
                     model that runs on the device",
                    foreign_text::path(path),
                    described.input_len(),
                    model.input_len()
                );
            }
            let preset = preset_in(path.parent())?;
            let dataset = preset.as_ref().map(|preset| &preset.data.dataset);
            preparation(&described, &prepare.into(), dataset)?
        }
    };
    let image = look(path, chosen)?;
    let bytes = input(&model, &image)?;
    let device = client.infer_bytes(&bytes)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(local::refused)?;
    if engine.run_bytes(&bytes).map_err(local::refused)? != device {
        bail!(
            "the device's output differs from the host's. Find the layer with `host-trainer \
             device trace`"
        );
    }
    // Equal bytes have equal predictions.
    let answers = predict(&model, None, &image)?;
    terminal::print(&text(path, chosen, &image, &answers))?;
    println!("the device's output; every byte equals the host's");
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
    let data_type = model.output().quantization.data_type;
    let mut outputs = Vec::new();
    for row in counts::read_rows(&model, path)? {
        let output = client.infer_counts(row)?;
        if out.is_none() {
            let values = data_type.values(&output).map(|value| value.to_string());
            println!("{}", values.collect::<Vec<_>>().join(" "));
        }
        outputs.extend_from_slice(&output);
    }
    match out {
        Some(path) => files::write(path, &outputs),
        None => Ok(()),
    }
}
