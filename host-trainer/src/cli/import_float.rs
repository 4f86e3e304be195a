//! `host-trainer import` of a float network, as a run folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use thimble_import::{FloatNetwork, Kind, Options, assemble, quantized, read, recognize};

use super::import::ImportArgs;
use super::train::{Interrupt, complete, results};
use super::{files, terminal};
use crate::data::Locations;
use crate::foreign_text::{self, escaped};
use crate::import::finish;
use crate::imported::Import;
use crate::preset::Preset;
use crate::report::style::{FAINT, HEADING, paint};
use crate::run_folder::RunFolder;
use crate::threads::Threads;

/// Returns `true` if the file contains a float network, or one to refuse as such.
pub fn takes(path: &Path) -> bool {
    if path.is_dir() {
        return true;
    }
    // An unreadable file is reported by the import itself.
    let Ok(file) = std::fs::read(path) else { return false };
    match recognize(&file) {
        Some(Kind::Tflite) => crate::import::is_float(&file),
        Some(_) => true,
        None => false,
    }
}

/// Imports a float network and writes the folder of a run, quantized if there are rows.
pub fn run(args: &ImportArgs, labels: Option<Vec<String>>, quiet: bool) -> anyhow::Result<()> {
    let options = Options { layers: args.layers.clone() };
    let place = || foreign_text::path(&args.model);
    let file = read(&args.model, &options).with_context(place)?;
    if file.is_quantized() && args.calibrate.is_none() {
        return as_it_is(args, &file, labels, quiet);
    }
    let assembled = assemble(&file).with_context(place)?;
    let name = name(args);
    let out = args.output.clone().unwrap_or_else(|| Path::new("runs").join(&name));
    if out.extension().is_some_and(|extension| extension == "thimble") {
        let rows = match args.calibrate {
            Some(_) => "",
            None => ", and rows for the int8 model with --calibrate",
        };
        bail!(
            "{}: it is a {}, which becomes the folder of a run. Give a folder with --output{rows}",
            place(),
            file.source
        );
    }
    let import = Import::new(&file, &assembled, name, labels, args.classes);
    let outputs = assembled.network.outputs();
    if let Some(labels) = &import.labels
        && labels.len() != outputs
        && !(labels.len() == 2 && outputs == 1)
    {
        bail!("{}: {} labels for {outputs} outputs", place(), labels.len());
    }
    let show = |preset: &Preset, notes: &[String]| {
        let shape = preset.network.shape(assembled.network.inputs());
        let mut text = format!("{}  {}, {shape}\n", paint(HEADING, &preset.name), file.source);
        for note in file.notes.iter().chain(&assembled.notes).chain(notes) {
            text += &format!("{}\n", paint(FAINT, format!("note: {}", escaped(note))));
        }
        text
    };
    let Some(rows) = &args.calibrate else {
        if args.max_loss.max_loss.is_some() {
            bail!("--max-loss needs rows on which it is measured. Give them with --calibrate");
        }
        let folder = files::run_folder(&out)?;
        let preset = import.write(&folder, args.core)?;
        if !quiet {
            terminal::print(&(show(&preset, &[]) + &without_rows_text(&folder)))?;
        }
        return Ok(());
    };
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone())
        .with_progress(terminal::loading(quiet));
    let folder = files::run_folder(&out)?;
    let (trained, notes) = import.trained(rows, &folder, &locations, &threads)?;
    let interrupt = Interrupt::default();
    interrupt.watch();
    let spinner = terminal::spinner("quantizing and judging", quiet);
    let experiment = complete(trained, &folder, args.core, true, &threads, &interrupt);
    spinner.finish_and_clear();
    let experiment = experiment?;
    if !quiet {
        terminal::print(&show(&experiment.preset, &notes))?;
        terminal::print(&results(&experiment, &folder)?)?;
    }
    args.max_loss.check(&experiment.float, &experiment.int8)
}

/// Text for the run of a float network that is not quantized yet.
fn without_rows_text(folder: &RunFolder) -> String {
    let run = foreign_text::path(folder.path());
    format!(
        "\nthe float network is in {run}, without an int8 model, which needs rows for the ranges of \
         its activations\n  host-trainer predict {run} ROWS.csv               predictions in float\n  \
         host-trainer quantize {run} --calibrate ROWS.csv  int8 model, metrics and report\n"
    )
}

/// Imports a quantized network as a model, with its own scales.
fn as_it_is(
    args: &ImportArgs,
    file: &FloatNetwork,
    labels: Option<Vec<String>>,
    quiet: bool,
) -> anyhow::Result<()> {
    let place = || foreign_text::path(&args.model);
    let output = super::import::output(args)?;
    let chain = quantized(file).with_context(place)?;
    let own = (!file.classes.is_empty()).then(|| file.classes.clone());
    let options = super::import::options(args, labels.or(own));
    let imported = finish(chain, &options).with_context(place)?;
    super::import::written(&imported, &output, quiet)
}

/// Returns the name of the run: that of the command line, or of the file.
fn name(args: &ImportArgs) -> String {
    let stem: PathBuf = args.model.with_extension("");
    let stem = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = args.name.clone().unwrap_or(stem);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text: String = text.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    let text = text.trim_start_matches('.');
    let mut name = String::new();
    for c in text.chars() {
        if name.len() + c.len_utf8() > model_format::limits::MAX_TEXT {
            break;
        }
        name.push(c);
    }
    if name.is_empty() { "imported".to_string() } else { name }
}
