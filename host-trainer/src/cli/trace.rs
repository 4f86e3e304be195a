//! `host-trainer trace`: the outputs of every layer.

use anyhow::{Context, bail};
use clap::Args;
use model_format::{DataType, Layer, Model};
use thimble_nn::Engine;

use super::args::model_file;
use super::evaluate::read_model;
use super::{counts, files, terminal};
use crate::foreign_text::{self, shown};
use crate::report::layer_titles;
use crate::report::style::{HEADING, paint};
use std::path::PathBuf;

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// File of raw inputs, int8 or int16 little-endian, or `self-test` for the model's self-tests
    #[arg(default_value = "self-test")]
    pub input: String,
    /// Read raw ADC or sensor counts, int16 little-endian, for a model trained with data.raw
    #[arg(long)]
    pub counts: bool,
    /// Index of the row or self-test, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub row: usize,
}

/// Number of values shown per layer.
const SHOWN: usize = 8;

/// Runs one input through a model and shows the output of every layer.
///
/// The hash of a layer is the CRC-32 of its output's bytes. Two machines that differ can be
/// compared layer by layer.
pub fn run(args: &TraceArgs) -> anyhow::Result<()> {
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| foreign_text::path(&args.model))?;
    let input = input(&model, args)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let data_type = model.input().quantization.data_type;
    let mut text = format!("{}\n", paint(HEADING, shown(model.name())));
    text += &line("input", model.input_len(), data_type, &input);
    let layers: Vec<(String, Layer<'_>)> =
        layer_titles(&model).into_iter().zip(model.layers()).collect();
    engine.run_traced(&input, |index, output| {
        // The engine reports one output per layer.
        if let Some((title, layer)) = layers.get(index) {
            let data_type = layer.output().data_type;
            text += &line(title, layer.outputs(), data_type, output);
        }
    })?;
    terminal::print(&text)?;
    Ok(())
}

/// Returns the requested input: a row of a file, or a self-test.
fn input(model: &Model<'_>, args: &TraceArgs) -> anyhow::Result<Vec<u8>> {
    let row = args.row;
    if args.input == "self-test" {
        let count = model.self_tests().len();
        return match model.self_tests().nth(row) {
            Some(test) => Ok(test.input.to_vec()),
            None => bail!("there is no self-test {row}. The model has {count}, numbered from 0"),
        };
    }
    if args.counts {
        let rows = counts::read_rows(model, args.input.as_ref())?;
        return match rows.get(row) {
            Some(row) => Ok(counts::encode(model, std::slice::from_ref(row))?.0),
            None => bail!(
                "{} has {} rows, numbered from 0. There is no row {row}",
                args.input,
                rows.len()
            ),
        };
    }
    let bytes = files::read(args.input.as_ref())
        .context("INPUT is a file of raw inputs, or `self-test`")?;
    let len = model.input_bytes();
    let start = row.saturating_mul(len);
    match bytes.get(start..start.saturating_add(len)) {
        Some(input) => Ok(input.to_vec()),
        None => bail!(
            "{} has {} bytes, {} rows of {len}. There is no row {row}",
            args.input,
            bytes.len(),
            bytes.len() / len
        ),
    }
}

fn line(place: &str, count: usize, data_type: DataType, bytes: &[u8]) -> String {
    let values: Vec<i16> = data_type.values(bytes).collect();
    let mut hash = flate2::Crc::new();
    hash.update(bytes);
    let (low, high) = (values.iter().min(), values.iter().max());
    let shown: Vec<String> = values.iter().take(SHOWN).map(i16::to_string).collect();
    let more = if values.len() > SHOWN { " …" } else { "" };
    format!(
        "{place:<12} {count:>5} {}  {:08x}  {}..={}  [{}{more}]\n",
        match data_type {
            DataType::Int8 => "int8 ",
            DataType::Int16 => "int16",
        },
        hash.sum(),
        low.copied().unwrap_or(0),
        high.copied().unwrap_or(0),
        shown.join(" ")
    )
}
