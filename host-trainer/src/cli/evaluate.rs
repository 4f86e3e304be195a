//! `host-trainer evaluate`.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use model_format::{Model, Precision};
use serde_json::json;

use super::args::EvaluateArgs;
use super::terminal;
use super::train::confusions_text;
use crate::atomic_file;
use crate::data::{Locations, Source, Splits};
use crate::evaluate::evaluate_int8;
use crate::experiment::{Experiment, check_data, check_run};
use crate::foreign_text::shown;
use crate::preset::{self, Preset, nearest};
use crate::report::style::{HEADING, paint};
use crate::report::{Column, evaluation_json, grouped, model_text, quality_text};
use crate::run_folder::{MANIFEST, ManifestError};
use crate::train::Threads;

/// Evaluates a model on the test rows of a dataset.
pub fn run(args: &EvaluateArgs, quiet: bool) -> anyhow::Result<()> {
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| args.model.display().to_string())?;
    let (preset, origin) = split_preset(&args.model, args.dataset.as_deref())?;
    let source = &preset.data.dataset;
    let seed = args.seed.unwrap_or(preset.seed);
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone())
        .with_progress(terminal::loading(quiet || args.json));
    let loaded = preset.data.load(&locations, seed)?;
    if args.dataset.is_none() && seed == preset.seed {
        let folder = atomic_file::folder(&args.model);
        check_data(folder, &loaded.fingerprint(), &loaded.origin)?;
    }
    let has_test = loaded.test.is_some();
    let splits = Splits::new(loaded, preset.data.test, None, seed)?;
    let count = grouped(splits.test.len() as u64);
    let rows = match has_test {
        true => format!("all {count} test rows of {source}"),
        false => format!("{count} test rows of {source}, as {origin} parts it with seed {seed}"),
    };
    let spinner = terminal::spinner(&format!("{count} rows"), quiet || args.json);
    let evaluation = evaluate_int8(&model, &splits.test, &threads);
    spinner.finish_and_clear();
    let evaluation = evaluation?;
    if args.json {
        let value = json!({
            "model": model.name(),
            "dataset": source.name(),
            "model_bytes": model.file_len(),
            "scratch_bytes": model.scratch_len() * 4,
            "macs": model.macs(),
            "test": evaluation_json(&evaluation),
        });
        terminal::json(&value)?;
        return Ok(());
    }
    let mut text = format!("{}  on {rows}\n\n", paint(HEADING, shown(model.name())));
    let title = match model.output().quantization.precision {
        Precision::Int8 => "int8",
        Precision::Int16 => "int16",
    };
    text += &quality_text(&[Column { title, evaluation: &evaluation }]);
    text += &confusions_text(&[(title, &evaluation.confusion)]);
    text += "\n";
    text += &model_text(&model, None);
    terminal::print(&text)?;
    Ok(())
}

/// The dataset of this name.
pub(crate) fn source(name: &str) -> anyhow::Result<Source> {
    if let Some(source) = Source::from_name(name) {
        return Ok(source);
    }
    let known = Source::NAMED.map(|source| source.name());
    let meant = nearest(name, known).map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    bail!("there is no dataset `{name}`{meant}. There are: {}", known.join(", "))
}

/// The bytes of a model file.
///
/// One that lies in the folder of a run is read only where that is whole.
pub(crate) fn read_model(path: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = atomic_file::folder(path);
    let is_model_of_run = path.file_name().is_some_and(|name| name == Experiment::MODEL);
    if folder.join(MANIFEST).exists() {
        match check_run(folder) {
            // Another file may lie there, made of the run before it was whole.
            Err(ManifestError::NotQuantized { .. }) if !is_model_of_run => {}
            checked => drop(checked?),
        }
    } else if is_model_of_run
        && ["weights.safetensors", "checkpoint.safetensors", "run.lock"]
            .iter()
            .any(|name| folder.join(name).exists())
    {
        return Err(ManifestError::Missing(folder.to_path_buf()).into());
    }
    fs::read(path).with_context(|| match path.exists() {
        true => format!("{}: the model cannot be read", path.display()),
        false => format!(
            "{}: there is no such file; `host-trainer train digits` writes a model, \
             runs/digits/model.thimble",
            path.display()
        ),
    })
}

/// The preset that says which rows are test rows: that of the run which made the model, where it
/// lies beside it and is about this dataset, or the one of this name that comes with the program.
fn split_preset(model: &Path, dataset: Option<&str>) -> anyhow::Result<(Preset, String)> {
    let beside = model.with_file_name("preset.toml");
    if let Ok(text) = fs::read_to_string(&beside) {
        let name = beside.display().to_string();
        let preset = Preset::read(&text, &name)?;
        if dataset.is_none_or(|dataset| preset.data.dataset.name() == dataset) {
            return Ok((preset, name));
        }
    }
    let Some(dataset) = dataset else {
        bail!(
            "{}: no preset.toml beside it says what to test it on: name a dataset, such as digits, or \
             the file of a preset",
            model.display()
        );
    };
    let Ok(preset) = preset::find(dataset) else {
        source(dataset)?;
        bail!(
            "{dataset}: no preset says how it is parted: put the preset.toml of a run beside the \
             model"
        );
    };
    Ok((preset, format!("the preset {dataset}")))
}
