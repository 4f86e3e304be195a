//! `host-trainer device evaluate`: accuracy on a device, compared byte by byte.

use std::time::Instant;

use anyhow::bail;
use clap::Args;
use model_format::Model;
use thimble_nn::{Answer, Engine};

use super::Link;
use crate::cli::args::DataArgs;
use crate::cli::evaluate::find_preset;
use crate::cli::terminal;
use crate::cli::train::confusions_text;
use crate::data::{Locations, Subset};
use crate::device::connection::AnyClient;
use crate::device::local;
use crate::evaluate::{Confusion, InputEncoder, Reading};
use crate::report::{grouped, layer_titles, percent};

/// Arguments of `device evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Dataset: digits or mnist
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// Use only the first N test rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Location of the datasets
    #[command(flatten)]
    data: DataArgs,
    /// Seed that the model was trained with; it selects the test rows [default: that of the
    /// dataset's preset]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Runs test rows on the device, and compares every output byte with the host's.
pub fn run(args: EvaluateArgs, quiet: bool) -> anyhow::Result<()> {
    let preset = find_preset(&args.dataset)?;
    let seed = args.seed.unwrap_or(preset.seed);
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let loaded = preset.data.load(&locations, seed)?;
    let test = preset.data.split(loaded, seed)?.test;
    let rows = args.limit.map_or(test.len(), |limit| limit.min(test.len()));
    args.link.ask(|client| {
        let bar = terminal::bar(rows, "rows through the device", quiet);
        let found = evaluate(client, &test, rows, |done| bar.set_position(done as u64));
        bar.finish_and_clear();
        found?.print(rows)
    })
}

/// Result of the comparison.
struct Found {
    seconds: f64,
    confusion: Confusion,
    /// The first row that differs, with its first layer that differs.
    difference: Option<(usize, Option<String>)>,
    different_rows: usize,
}

fn evaluate(
    client: &mut AnyClient,
    test: &Subset,
    rows: usize,
    mut progress: impl FnMut(usize),
) -> anyhow::Result<Found> {
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let encoder = InputEncoder::new(&model, test)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(local::refused)?;
    let mut input = vec![0; model.input_bytes()];
    let mut found = Found {
        seconds: 0.0,
        confusion: Confusion::new(test.dataset().class_names().to_vec()),
        difference: None,
        different_rows: 0,
    };
    for row in 0..rows {
        encoder.encode(test, row, &mut input);
        let begin = Instant::now();
        // Raw counts as a sensor would give them; the device encodes them.
        let device = match encoder.reading(test, row) {
            Reading::Counts(counts) => client.infer_counts(counts)?,
            Reading::Reals(reals) => client.infer_reals(&reals)?,
            Reading::Values(values) => client.infer_bytes(&values)?,
        };
        found.seconds += begin.elapsed().as_secs_f64();
        let here = engine.run_bytes(&input).map_err(local::refused)?;
        if here != device {
            found.different_rows += 1;
            if found.difference.is_none() {
                let layers = (client.trace(&input)?, local::trace(&model, &input)?);
                let layer = local::first_difference(&layers.0, &layers.1);
                let titles = layer_titles(&model);
                found.difference = Some((row, layer.and_then(|layer| titles.get(layer).cloned())));
            }
        }
        if let Some(truth) = test.class(row) {
            let class = Answer::new(&model, &device).class();
            found.confusion.add(truth.into(), class.map_or(0, |class| class.index()));
        }
        progress(row + 1);
    }
    Ok(found)
}

impl Found {
    fn print(&self, rows: usize) -> anyhow::Result<()> {
        let speed = rows as f64 / self.seconds.max(1e-9);
        println!("rows        {}, {speed:.0} a second over the link", grouped(rows as u64));
        if self.confusion.total() > 0 {
            println!("accuracy    {} on the device", percent(self.confusion.accuracy()));
            terminal::print(&confusions_text(&[("device", &self.confusion)]))?;
        }
        match &self.difference {
            None => {
                println!("every byte equals the host's");
                Ok(())
            }
            Some((row, layer)) => {
                let count = self.different_rows;
                match layer {
                    Some(layer) => bail!(
                        "{count} rows differ from the host's output. The first is row {row}, \
                         where layer `{layer}` is the first that differs"
                    ),
                    None => bail!(
                        "{count} rows differ from the host's output. The first, row {row}, had \
                         the same output in a trace: the device's outputs are not reproducible"
                    ),
                }
            }
        }
    }
}
