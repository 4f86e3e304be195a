//! `host-trainer device recognize`: windows of a device's sensor, classified on the device.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;
use thimble_nn::{Answer, Engine};

use super::Link;
use super::stream::SampleStream;
use crate::cli::predict::preset_in;
use crate::cli::{quantities, terminal};
use crate::data::Source;
use crate::device::connection::AnyClient;
use crate::device::local;
use crate::evaluate::{Reading, encode_reading};
use crate::foreign_text::{self, shown};
use crate::preset::Preset;

/// Arguments of `device recognize`.
#[derive(Debug, Args)]
pub struct RecognizeArgs {
    /// Folder of the run whose model is on the device
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Duration in seconds [default: until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = quantities::duration)]
    seconds: Option<f64>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Prints the class of each window.
pub fn run(args: RecognizeArgs) -> anyhow::Result<()> {
    let RecognizeArgs { run, seconds, link } = args;
    let Some(preset) = preset_in(Some(&run))? else {
        bail!("{}: it is no folder of a run: it has no preset.toml", foreign_text::path(&run));
    };
    link.ask(|client| recognize(client, &preset, seconds))
}

fn recognize(client: &mut AnyClient, preset: &Preset, seconds: Option<f64>) -> anyhow::Result<()> {
    let (windows, axes) = match &preset.data.dataset {
        Source::Activity(windows) => (windows, 3),
        Source::Recordings(recordings) => (&recordings.window, recordings.axes.len()),
        _ => bail!(
            "{}: its rows are not windows of recordings. Train with dataset = {{ recordings = … }}",
            shown(&preset.name)
        ),
    };
    let file = client.read_model()?;
    let model = Model::parse(&file).map_err(local::refused)?;
    let inputs = windows.features(axes).count();
    if model.input_len() != inputs || model.name() != preset.name {
        bail!(
            "the device runs `{}`, and the run is of `{}`. Send its model with `device update`",
            shown(model.name()),
            shown(&preset.name)
        );
    }
    let Some(labels) = model.output().kind.labels() else { bail!("the model has no classes") };
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).map_err(local::refused)?;
    let mut input = vec![0; model.input_bytes()];
    let mut stream = SampleStream::new(client, seconds)?;
    if stream.sensor.axes != axes {
        bail!("the sensor has {} axes, and the recordings had {axes}", stream.sensor.axes);
    }
    let hertz = stream.sensor.hertz;
    let (length, step) = (windows.length * axes, windows.step * axes);
    let (mut samples, mut taken, mut skip) = (Vec::new(), 0_u64, 0);
    while let Some(batch) = stream.next()? {
        if batch.is_after_gap {
            samples.clear();
            skip = 0;
        }
        for sample in batch.counts.chunks_exact(axes) {
            taken += 1;
            if skip > 0 {
                skip -= 1;
                continue;
            }
            samples.extend_from_slice(sample);
            if samples.len() < length {
                continue;
            }
            let counts = windows.features(axes).compute(&samples);
            let counts = counts.context("a window has no whole samples")?;
            skip = windows.step.saturating_sub(windows.length);
            samples.drain(..step.min(length));
            let device = stream.client().infer_counts(counts.iter().copied())?;
            encode_reading(&model, &Reading::Counts(counts), &mut input)?;
            if engine.run_bytes(&input).map_err(local::refused)? != device {
                bail!("the device's output differs from the host's: see `device trace`");
            }
            let class = Answer::new(&model, &device).class().map_or(0, |class| class.index());
            let label = shown(labels.get(class).unwrap_or_default());
            terminal::print(&format!("{:7.2} s  {label}\n", taken as f64 / hertz))?;
        }
    }
    Ok(())
}
