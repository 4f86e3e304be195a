//! `host-trainer device predict`: predictions for the rows of a table on a device.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use model_format::{Feature, Model, OutputKind};
use thimble_nn::Engine;

use super::Link;
use crate::cli::{files, terminal};
use crate::data::{Row, RowReader, RowSpec, Table, TableTarget};
use crate::device::connection::AnyClient;
use crate::device::local;
use crate::evaluate::{AnswerReader, Reading, encode_reading};
use crate::foreign_text;
use crate::predict::for_spreadsheets;
use crate::report::grouped;

/// Arguments of `device predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// CSV file with the features of the device's model in their own units; columns are matched by
    /// name, in any order
    rows: PathBuf,
    /// Output CSV file for the predictions [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Predicts the rows of a table on the device, and compares every byte with the host's.
pub fn run(args: PredictArgs) -> anyhow::Result<()> {
    let PredictArgs { rows, output, link } = args;
    link.ask(|client| {
        let mut text = Vec::new();
        let count = answer(client, &rows, &mut text)?;
        match &output {
            Some(path) => files::write(path, &text)?,
            None => {
                let mut out = BufWriter::new(std::io::stdout().lock());
                out.write_all(&text)?;
                out.flush()?;
            }
        }
        terminal::note(&format!(
            "{} rows predicted by the device; every byte equals the host's",
            grouped(count)
        ));
        Ok(())
    })
}

/// Writes the predictions for all rows as CSV, and returns their number.
fn answer(client: &mut AnyClient, path: &Path, out: &mut Vec<u8>) -> anyhow::Result<u64> {
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let details = model.details();
    let features: Vec<Feature<'_>> = details.features().collect();
    if features.is_empty() || features.iter().any(|feature| feature.name.is_empty()) {
        bail!(
            "the device's model has no feature names to match the columns with. Update the \
             device with a model that was trained on a table and not stripped, or use `device \
             infer`"
        );
    }
    let spec = RowSpec {
        features: features.iter().map(|feature| feature.name.to_string()).collect(),
        is_another_file: true,
        ..RowSpec::default()
    };
    let table = Table::new(path, TableTarget::Values(Vec::new()));
    let mut reader = RowReader::open(path, &table, spec)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(local::refused)?;
    let answers = AnswerReader::new(&model);
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(header(&model))?;
    let (mut row, mut count) = (Row::default(), 0);
    let mut input = vec![0; model.input_bytes()];
    while reader.read(&mut row)? {
        let reading = reading(&model, &features, &row.features)?;
        let place = || format!("{}, line {}", foreign_text::path(path), row.line);
        encode_reading(&model, &reading, &mut input).with_context(place)?;
        let device = match &reading {
            Reading::Counts(counts) => client.infer_counts(counts.iter().copied())?,
            Reading::Reals(reals) => client.infer_reals(reals)?,
            Reading::Values(values) => client.infer_bytes(values)?,
        };
        if engine.run_bytes(&input).map_err(local::refused)? != device {
            bail!(
                "{}: the device's output differs from the host's. Find the layer with \
                 `host-trainer device trace`",
                place()
            );
        }
        let mut outputs = Vec::new();
        let class = answers.read(&device, &mut outputs);
        let label = model.output().kind.labels().and_then(|labels| labels.get(class));
        let mut cells: Vec<String> = label.map(for_spreadsheets).into_iter().collect();
        cells.extend(outputs.iter().map(f32::to_string));
        writer.write_record(cells)?;
        count += 1;
    }
    if count == 0 {
        bail!("{}: the table has no rows below its header", foreign_text::path(path));
    }
    writer.flush()?;
    Ok(count)
}

/// Column names of the predictions.
fn header(model: &Model<'_>) -> Vec<String> {
    let named = |name: &str, unit: &str| match unit {
        "" => for_spreadsheets(name),
        unit => for_spreadsheets(&format!("{name} ({unit})")),
    };
    match model.output().kind {
        OutputKind::Classes { labels, .. } => {
            let each = labels.iter().map(|label| format!("p({label})"));
            std::iter::once("class".to_string()).chain(each).collect()
        }
        OutputKind::Probability { labels, .. } => {
            vec!["class".into(), format!("p({})", labels.get(1).unwrap_or_default())]
        }
        OutputKind::Values(_) => {
            let labels: Vec<_> = model.details().outputs().collect();
            let name = |output: usize| match labels.get(output) {
                Some(label) if !label.name.is_empty() => named(label.name, label.unit),
                _ => format!("value {output}"),
            };
            (0..model.output_len()).map(name).collect()
        }
    }
}

/// Converts a row to the device's reading.
fn reading(model: &Model<'_>, features: &[Feature<'_>], reals: &[f32]) -> anyhow::Result<Reading> {
    if model.real_channels().is_some() {
        return Ok(Reading::Reals(reals.to_vec()));
    }
    if model.channels().is_none() {
        bail!(
            "the device's model takes quantized values, not real numbers. Use `device infer \
             --raw-i8`"
        );
    }
    let count = |(real, feature): (&f32, &Feature<'_>)| {
        let [slope, intercept] = feature.line.map(f64::from);
        let count = (f64::from(*real) - intercept) / slope;
        // Rounded to the nearest 16-bit count.
        count.round().clamp(i16::MIN.into(), i16::MAX.into()) as i16
    };
    Ok(Reading::Counts(reals.iter().zip(features).map(count).collect()))
}
