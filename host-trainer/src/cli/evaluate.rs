//! `host-trainer evaluate`: metrics of a model on a dataset.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;
use serde_json::json;
use thimble_support::nearest;

use super::predict_rows::{RowsRun, is_table};

use super::args::{DataArgs, ThreadArgs, model_file};
use super::terminal;
use super::train::confusions_text;
use crate::atomic_file;
use crate::data::{Locations, Results, Source, Subset};
use crate::evaluate::evaluate_int8;
use crate::experiment::{Experiment, check_data, check_run};
use crate::foreign_text::{self, shown};
use crate::preset::{self, Preset};
use crate::quantize::DataTypes;
use crate::report::style::{BAD, FAINT, HEADING, paint};
use crate::report::{
    Column, constant_warnings, evaluation_json, grouped, model_text, quality_text,
};
use crate::run_folder::{MANIFEST, ManifestError};
use crate::threads::Threads;
use std::path::PathBuf;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Dataset: name of a preset, a preset file that ends in .toml, or a CSV file, of which all
    /// rows are used [default: that of the preset.toml beside the model]
    #[arg(value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Seed that the model was trained with; it selects the test rows [default: that of the
    /// preset.toml beside the model, or of the dataset's preset]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print the metrics as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Evaluates a model on the test rows of a dataset.
pub fn run(args: &EvaluateArgs, quiet: bool) -> anyhow::Result<()> {
    let table = args.dataset.as_deref().map(Path::new).filter(|path| is_table(path));
    let place = || foreign_text::path(&args.model);
    if let Some(file) = table {
        let bytes = read_model_if_any(&args.model)?;
        let model = bytes.as_deref().map(Model::parse).transpose().with_context(place)?;
        return another_file(args, model.as_ref(), file, quiet);
    }
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(place)?;
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
    let splits = preset.data.split(loaded, seed)?;
    let count = grouped(splits.test.len() as u64);
    let rows = match has_test {
        true => format!("all {count} test rows of {source}"),
        false => format!(
            "{count} {} rows of {source}, split by {origin} with seed {seed}",
            splits.results.name()
        ),
    };
    let spinner = terminal::spinner(&format!("{count} rows"), quiet || args.json);
    let evaluation = evaluate_int8(&model, &splits.test, &threads);
    spinner.finish_and_clear();
    let evaluation = evaluation?;
    let title = DataTypes::name_of(&model);
    if args.json {
        let value = json!({
            "model": model.name(),
            "dataset": source.name(),
            "model_bytes": model.file_len(),
            "scratch_bytes": model.scratch_len() * 4,
            "macs": model.macs(),
            splits.results.name(): evaluation_json(&evaluation),
            "warnings": constant_warnings(&[Column { title, evaluation: &evaluation }]),
        });
        terminal::json(&value)?;
        return Ok(());
    }
    let mut text = format!("{}  on {rows}\n\n", paint(HEADING, shown(model.name())));
    for warning in constant_warnings(&[Column { title, evaluation: &evaluation }]) {
        text += &format!("{}\n\n", paint(BAD, format!("warning: {warning}")));
    }
    text += &quality_text(&[Column { title, evaluation: &evaluation }], splits.results);
    text += &confusions_text(&[(title, &evaluation.confusion)]);
    text += "\n";
    text += &model_text(&model, None);
    terminal::print(&text)?;
    Ok(())
}

/// Returns the dataset with this name.
pub(crate) fn source(name: &str) -> anyhow::Result<Source> {
    if let Some(source) = Source::from_name(name) {
        return Ok(source);
    }
    let known = Source::NAMED.map(|source| source.name());
    let meant = nearest(name, known).map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    bail!("there is no dataset `{name}`{meant}. Datasets: {}", known.join(", "))
}

/// Returns the preset with this name or in this file; it defines the splits of a dataset.
///
/// # Errors
/// Returns the problem in the file, or the names of the datasets.
pub(crate) fn find_preset(dataset: &str) -> anyhow::Result<Preset> {
    match preset::find(dataset) {
        Ok(preset) => Ok(preset),
        Err(preset::Error::Unknown { .. }) => {
            source(dataset)?;
            bail!(
                "{dataset}: there is no preset that defines its splits. Put the preset.toml of a \
                 run beside the model"
            );
        }
        // A file that is not a preset is not a dataset either.
        Err(error) => Err(error.into()),
    }
}

/// Evaluates a model on all rows of another file.
fn another_file(
    args: &EvaluateArgs,
    model: Option<&Model<'_>>,
    file: &Path,
    quiet: bool,
) -> anyhow::Result<()> {
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let run = RowsRun::open(&args.model, &locations)?;
    let (table, spec) = run.columns(model, file, true)?;
    let mut dataset = table.read(file, spec)?;
    if !run.saved.preset.data.raw.is_empty() {
        dataset = dataset.counted(&run.saved.preset.data.raw)?;
    }
    let rows = Subset::all(std::sync::Arc::new(dataset));
    let count = grouped(rows.len() as u64);
    let spinner = terminal::spinner(&format!("{count} rows"), quiet || args.json);
    let evaluation = model.map(|model| evaluate_int8(model, &rows, &threads)).transpose();
    spinner.finish_and_clear();
    let evaluation = evaluation?;
    let name = run.saved.preset.name.clone();
    let float = run.float_side(&threads);
    let float = float.map(|float| float.evaluate(rows.dataset().clone(), &threads));
    let quantized = model.zip(evaluation.as_ref());
    if args.json {
        let mut value = json!({ "model": name, "dataset": file.display().to_string() });
        if let Some((model, evaluation)) = quantized {
            value["model"] = json!(model.name());
            value["model_bytes"] = json!(model.file_len());
            value["scratch_bytes"] = json!(model.scratch_len() * 4);
            value["macs"] = json!(model.macs());
            value["test"] = evaluation_json(evaluation);
        }
        if let Ok(float) = &float {
            value["float"] = json!({ "test": evaluation_json(float) });
        }
        terminal::json(&value)?;
        return Ok(());
    }
    let (mut columns, mut matrices) = (Vec::new(), Vec::new());
    if let Ok(float) = &float {
        columns.push(Column { title: "float", evaluation: float });
        matrices.push(("float", &float.confusion));
    }
    if let Some((model, evaluation)) = quantized {
        let title = DataTypes::name_of(model);
        columns.push(Column { title, evaluation });
        matrices.push((title, &evaluation.confusion));
    }
    let name = paint(HEADING, shown(&name));
    let mut text = format!("{name}  on all {count} rows of {}\n\n", foreign_text::path(file));
    text += &quality_text(&columns, Results::Test);
    text += &confusions_text(&matrices);
    if let Err(reason) = &float {
        let note = format!("no float metrics: {reason}");
        text += &format!("\n{}\n", paint(FAINT, note));
    }
    if let Some(model) = model {
        text += &format!("\n{}", model_text(model, None));
    }
    terminal::print(&text)?;
    Ok(())
}

/// Reads a model file, or returns `None` for that of a run that is not quantized yet.
pub(crate) fn read_model_if_any(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match read_model(path) {
        Err(error) if is_not_quantized(&error) => Ok(None),
        read => read.map(Some),
    }
}

fn is_not_quantized(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ManifestError::NotQuantized { .. }))
}

/// Reads a model file.
///
/// A model in the folder of a run is read only if the run is complete.
pub(crate) fn read_model(path: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = atomic_file::folder(path);
    let is_model_of_run = path.file_name().is_some_and(|name| name == Experiment::MODEL);
    if folder.join(MANIFEST).exists() {
        match check_run(folder) {
            // The folder may contain another model, made from the run before it was complete.
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
        true => format!("{}: the model cannot be read", foreign_text::path(path)),
        false => format!(
            "{}: there is no such file. `host-trainer train digits` writes a model, \
             runs/digits/model.thimble",
            foreign_text::path(path)
        ),
    })
}

/// Returns the preset that defines the test rows: that of the model's run, if it lies beside the
/// model and uses this dataset, or else the built-in preset with this name.
fn split_preset(model: &Path, dataset: Option<&str>) -> anyhow::Result<(Preset, String)> {
    let beside = model.with_file_name("preset.toml");
    if let Ok(text) = fs::read_to_string(&beside) {
        let name = foreign_text::path(&beside);
        let preset = Preset::read(&text, &name)?;
        if dataset.is_none_or(|dataset| preset.data.dataset.name() == dataset) {
            return Ok((preset, name));
        }
    }
    let Some(dataset) = dataset else {
        bail!(
            "{}: there is no preset.toml beside the model that names a dataset. Give a dataset, \
             such as digits, or a preset file",
            foreign_text::path(model)
        );
    };
    Ok((find_preset(dataset)?, format!("the preset {dataset}")))
}
