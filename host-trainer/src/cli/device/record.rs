//! `host-trainer device record`: samples of a device's sensor as a labeled CSV file.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::Link;
use super::stream::SampleStream;
use crate::cli::{quantities, terminal};
use crate::device::connection::AnyClient;
use crate::foreign_text::{self, shown};
use crate::report::grouped;

/// Arguments of `device record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// New CSV file, with the columns recording, time, x, y, z and label
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Class of all samples, for the column `label`
    #[arg(long, value_name = "NAME")]
    label: String,
    /// Duration in seconds [default: until Ctrl-C, which keeps what was recorded]
    #[arg(long, value_name = "N", value_parser = quantities::duration)]
    seconds: Option<f64>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Records until the time is over or the user stops.
pub fn run(args: RecordArgs) -> anyhow::Result<()> {
    let RecordArgs { output, label, seconds, link } = args;
    if label.trim().is_empty() || label.contains(char::is_control) {
        bail!("--label `{}`: a class needs a name in one line", shown(&label));
    }
    link.ask(|client| record(client, &output, &label, seconds))
}

fn record(
    client: &mut AnyClient,
    path: &Path,
    label: &str,
    seconds: Option<f64>,
) -> anyhow::Result<()> {
    let mut stream = SampleStream::new(client, seconds)?;
    let (axes, hertz) = (stream.sensor.axes, stream.sensor.hertz);
    let shown_path = foreign_text::path(path);
    // A recording is not replaced: nobody can repeat it.
    let file = File::create_new(path).with_context(|| {
        format!("{shown_path}: the file cannot be created. Choose another name with --output")
    })?;
    let end = match seconds {
        Some(_) => "",
        None => ". Ctrl-C ends the recording",
    };
    terminal::note(&format!(
        "recording {}: {axes} axes, {hertz} samples per second{end}",
        stream.sensor.name
    ));
    let mut table = csv::Writer::from_writer(file);
    let mut header = vec!["recording".to_string(), "time".into()];
    header.extend(axis_names(axes));
    header.push("label".into());
    let written = || format!("{shown_path}: writing failed");
    table.write_record(&header).with_context(written)?;
    let (mut recording, mut samples) = (1_u64, 0_u64);
    let mut first_of_recording = 0_u64;
    let end = loop {
        let batch = match stream.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        if batch.is_after_gap {
            recording += 1;
            first_of_recording = samples;
        }
        for sample in batch.counts.chunks_exact(axes) {
            let time = (samples - first_of_recording) as f64 / hertz;
            let mut row = vec![recording.to_string(), format!("{time:.6}")];
            row.extend(sample.iter().map(i16::to_string));
            row.push(label.to_string());
            table.write_record(&row).with_context(written)?;
            samples += 1;
        }
        // Whatever ends the program, the samples so far are in the file.
        table.flush().with_context(written)?;
    };
    table.flush().with_context(written)?;
    let parts = match recording {
        1 => String::new(),
        parts => format!(", in {parts} recordings, because samples were lost between them"),
    };
    terminal::note(&format!(
        "{shown_path}: {} samples, {:.1} s, labeled `{}`{parts}",
        grouped(samples),
        samples as f64 / hertz,
        shown(label)
    ));
    Ok(end?)
}

/// Names of the columns of samples.
fn axis_names(axes: usize) -> Vec<String> {
    match axes {
        1..=3 => ["x", "y", "z"].into_iter().take(axes).map(String::from).collect(),
        _ => (1..=axes).map(|axis| format!("axis_{axis}")).collect(),
    }
}
