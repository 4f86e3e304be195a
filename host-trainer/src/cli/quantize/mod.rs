//! `host-trainer quantize`: quantization of a run, weights of fewer bits, and sparse ones.

mod figures;
mod source;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use model_format::build::has_file_inputs;
use model_format::{Model, WeightType};
use serde_json::{Value, json};

use self::figures::{layers, layers_text, quality};
use self::source::{OfRun, Source, of_model, of_run};
use crate::chips::Chip;
use crate::choice::{Budget, mixed, quantize_network};
use crate::cli::args::{DataArgs, ThreadArgs};
use crate::cli::max_loss::MaxLoss;
use crate::cli::weights::{BudgetArgs, Weights};
use crate::cli::{checkpoint, files, terminal};
use crate::data::{Locations, Subset};
use crate::evaluate::{Evaluation, evaluate_int8};
use crate::experiment::{Experiment, Plan, SavedRun, lay_out};
use crate::foreign_text::{self, shown};
use crate::pack::Core;
use crate::quantize::Activations;
use crate::quantize::weights::{dense_layers, with_weights};
use crate::report::style::{HEADING, paint};
use crate::report::{bytes as in_bytes, evaluation_json};
use crate::run_folder::RunFolder;
use crate::self_tests;
use crate::threads::Threads;

/// Arguments of `quantize`.
#[derive(Debug, Args)]
pub struct QuantizeArgs {
    /// Folder of a run, whose float network is quantized again; or a model file, of which only the
    /// weights change
    #[arg(value_name = "RUN|MODEL")]
    pub source: PathBuf,
    /// Weight precision; a layer that is smaller without its zero blocks of four weights is stored
    /// sparse in any case [default: auto with --output, else as `train` stores them]
    #[arg(long, value_enum)]
    pub weights: Option<Weights>,
    /// Budget of `--weights auto`
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Chip of --cycles, such as nRF51822; `inspect RUN --for list` shows all
    #[arg(long = "for", value_name = "CHIP", requires = "cycles")]
    pub chip: Option<String>,
    /// Activation precision [default: that of the run's preset]
    #[arg(long, value_enum)]
    pub activations: Option<Activations>,
    /// Rows for a run that was imported without any: a CSV file of features, or of features and
    /// targets; a preset; or a dataset
    #[arg(long, value_name = "ROWS", conflicts_with_all = ["output", "weights", "flash", "cycles"])]
    pub calibrate: Option<String>,
    /// Override a setting of the run's preset, such as quantization.activations=int16; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = quantization_setting)]
    pub set: Vec<String>,
    /// Output model file [default: the run's own folder, with its metrics and report]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Limit of the quantization loss
    #[command(flatten)]
    pub max_loss: MaxLoss,
    /// Print the metrics as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
}

fn quantization_setting(text: &str) -> Result<String, String> {
    match text.starts_with("quantization.") {
        true => Ok(text.to_string()),
        false => Err("only settings of [quantization] can be changed after training, such as \
                      quantization.activations=int16"
            .into()),
    }
}

/// A model with smaller weights.
struct Made {
    source: Source,
    /// The model with int8 weights.
    int8: Vec<u8>,
    bytes: Vec<u8>,
    /// Evaluation with int8 weights, and with the final weights.
    evaluations: [Option<Evaluation>; 2],
}

/// Writes a model with smaller weights and shows their loss, or completes a run with its model,
/// metrics and report.
pub fn run(args: &QuantizeArgs, quiet: bool) -> anyhow::Result<()> {
    let threads = Threads::new(args.threads.threads).context("threads cannot be started")?;
    if let Some(rows) = &args.calibrate {
        return calibrated(args, rows, &threads, quiet);
    }
    let own_model = args.source.join(Experiment::MODEL);
    let (output, folder) = match (&args.output, args.source.is_dir()) {
        (None, true) => (own_model.clone(), Some(files::run_folder(&args.source)?)),
        (Some(output), true) if files::is_same_place(output, &own_model) => {
            (own_model.clone(), Some(files::run_folder(&args.source)?))
        }
        (Some(output), true) => {
            let names = Experiment::FILES.map(|(name, _)| args.source.join(name));
            let inputs: Vec<&Path> = names.iter().map(PathBuf::as_path).collect();
            files::refuse_input_as_output(output, &inputs)?;
            (output.clone(), None)
        }
        (Some(output), false) => {
            files::refuse_input_as_output(output, &[&args.source])?;
            (output.clone(), None)
        }
        (None, false) if args.source.exists() => bail!(
            "{}: the output file is missing. Give it with -o; only the folder of a run has a \
             default",
            foreign_text::path(&args.source)
        ),
        (None, false) => (PathBuf::new(), None),
    };
    let spinner = terminal::spinner("quantizing and judging", quiet || args.json);
    let made = make(args, folder.is_some(), &threads).and_then(|made| {
        // Metrics on test rows, if the model becomes that of the run.
        let finished = match (&folder, &made.source.run) {
            (Some(folder), Some(OfRun { saved, plan, data_type, choice })) => {
                let bytes = made.bytes.clone();
                let finished = saved.finish(plan, bytes, data_type, choice, &threads)?;
                finished.write(saved, folder)?;
                forget_checkpoint(folder, saved, plan, &finished.metrics);
                Some(finished)
            }
            _ => {
                files::write(&output, &made.bytes)?;
                None
            }
        };
        Ok((made, finished))
    });
    spinner.finish_and_clear();
    let (made, finished) = made?;
    let Made { source, int8, bytes, evaluations: [before, after] } = made;
    let model = Model::parse(&bytes)?;
    let layers = layers(&source, &Model::parse(&int8)?, &model)?;
    let figures = [source.float.as_ref(), before.as_ref(), after.as_ref()];
    let rows = source.rows.as_ref().map_or(0, Subset::len);
    if args.json {
        let [float, int8_weights, these] = figures.map(|figure| figure.map(evaluation_json));
        terminal::json(&json!({
            "model": model.name(),
            "output": output.display().to_string(),
            "bytes": bytes.len(),
            "bytes_before": int8.len(),
            "layers": layers,
            "rows": rows,
            "float": float,
            "int8_weights": int8_weights,
            "these_weights": these,
        }))?;
    } else if !quiet {
        let next = match &finished {
            Some(_) => format!(
                "the run in {} is complete: model, metrics and report are written\n",
                foreign_text::path(&args.source)
            ),
            None => format!(
                "to pack it for a core: host-trainer pack {} --for CORE -o FILE\n",
                foreign_text::path(&output)
            ),
        };
        let text = layers_text(&layers)
            + &quality(figures, rows)
            + &format!(
                "{} in {}: {} of flash in place of {}\n{next}",
                paint(HEADING, shown(model.name())),
                foreign_text::path(&output),
                in_bytes(bytes.len() as u64),
                in_bytes(int8.len() as u64),
            );
        terminal::print(&text)?;
    }
    if let Some(finished) = finished {
        args.max_loss.check(&finished.float, &finished.quantized)?;
        finished.report?;
        return Ok(());
    }
    match (source.float.as_ref().or(before.as_ref()), after) {
        (Some(float), Some(after)) => args.max_loss.check(float, &after),
        _ if args.max_loss.max_loss.is_some() => bail!(
            "{}: --max-loss needs evaluation rows, and there is no preset.toml beside the model \
             that defines them. Give the folder of a run",
            foreign_text::path(&args.source)
        ),
        _ => Ok(()),
    }
}

/// Completes a run that was imported without rows.
#[cfg(feature = "import")]
fn calibrated(
    args: &QuantizeArgs,
    rows: &str,
    threads: &Threads,
    quiet: bool,
) -> anyhow::Result<()> {
    use crate::cli::train::{Interrupt, complete, results};
    use crate::foreign_text::escaped;
    use crate::report::style::FAINT;

    let saved = SavedRun::open_learnt(&args.source)?;
    let core = core_of(&saved);
    let Some(import) = crate::imported::Import::of_run(&saved) else {
        bail!(
            "{}: the run has rows of its own. Leave --calibrate out, or import the network again",
            foreign_text::path(&args.source)
        );
    };
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let folder = files::run_folder(&args.source)?;
    let (mut trained, notes) = import.trained(rows, &folder, &locations, threads)?;
    trained.preset = trained.preset.with_settings(&args.set)?;
    if let Some(activations) = args.activations {
        trained.preset.quantization.activations = activations;
    }
    let interrupt = Interrupt::default();
    interrupt.watch();
    let spinner = terminal::spinner("quantizing and judging", quiet || args.json);
    let experiment = complete(trained, &folder, core, true, threads, &interrupt);
    spinner.finish_and_clear();
    let experiment = experiment?;
    if args.json {
        terminal::json(&crate::experiment::metrics(&experiment))?;
    } else if !quiet {
        let note =
            |note: &String| format!("{}\n", paint(FAINT, format!("note: {}", escaped(note))));
        terminal::print(&notes.iter().map(note).collect::<String>())?;
        terminal::print(&results(&experiment, &folder)?)?;
    }
    args.max_loss.check(&experiment.float, &experiment.int8)
}

/// Names the build that has the command.
#[cfg(not(feature = "import"))]
fn calibrated(_: &QuantizeArgs, _: &str, _: &Threads, _: bool) -> anyhow::Result<()> {
    bail!(
        "--calibrate is for imported networks, which this build does not contain. Use `cargo thimble`, \
         or install host-trainer with --features full"
    )
}

/// Removes the checkpoint of a finished training.
fn forget_checkpoint(folder: &RunFolder, saved: &SavedRun, plan: &Plan, metrics: &Value) {
    let ended = metrics["interrupted"] == Value::Bool(false);
    if ended && checkpoint::read_if_fits(folder, &saved.preset, &plan.data).is_some() {
        checkpoint::remove(folder);
    }
}

/// Completes a trained run with its model, metrics and report, as its preset defines them.
pub(in crate::cli) fn finish(
    folder: &RunFolder,
    locations: &Locations,
    threads: &Threads,
) -> anyhow::Result<()> {
    let saved = SavedRun::open_learnt(folder.path())?;
    let plan = saved.plan(locations)?;
    let (quantized, choice) =
        quantize_network(&saved.preset, &saved.network, plan.objective(), &plan.splits, threads)?;
    let data_type = quantized.data_types.name();
    let bytes = lay_out(quantized.bytes, core_of(&saved), &saved.preset.quantization)?;
    let finished = saved.finish(&plan, bytes, data_type, &choice, threads)?;
    finished.write(&saved, folder)?;
    forget_checkpoint(folder, &saved, &plan, &finished.metrics);
    finished.report?;
    Ok(())
}

/// The core that the run's model is packed for.
fn core_of(saved: &SavedRun) -> Option<Core> {
    saved.manifest.core.as_deref().and_then(|core| Core::from_str(core, true).ok())
}

fn make(args: &QuantizeArgs, is_finishing: bool, threads: &Threads) -> anyhow::Result<Made> {
    let locations = Locations::from_environment(args.data.data_dir.clone());
    let source = match args.source.is_dir() {
        true => of_run(args, &locations, threads)?,
        false if !args.source.exists() => bail!(
            "{}: there is no such model file, and no such folder of a run, such as runs/digits",
            foreign_text::path(&args.source)
        ),
        false => of_model(args, &locations)?,
    };
    let model = Model::parse(&source.quantized)?;
    let rows = source.rows.as_ref();
    let evaluate = |bytes: &[u8]| -> anyhow::Result<Option<Evaluation>> {
        let Some(rows) = rows else { return Ok(None) };
        Ok(Some(evaluate_int8(&Model::parse(bytes)?, rows, threads)?))
    };
    let layers = dense_layers(&model).count();
    let int8 = match args.weights {
        None if is_finishing => source.quantized.clone(),
        _ => with_weights(&model, &vec![WeightType::Int8; layers])?,
    };
    let before = evaluate(&int8)?;
    let chip = args.chip.as_deref().map(Chip::named).transpose()?;
    let budget = args.budget.budget(chip);
    let weights = args.weights.unwrap_or(match (is_finishing, budget) {
        (true, Budget::Loss(_)) => Weights::Int8,
        _ => Weights::Auto,
    });
    args.budget.refuse_unused(weights == Weights::Auto)?;
    let bytes = match (weights.weight_type(), &before, rows) {
        (Some(WeightType::Int8), ..) => int8.clone(),
        (Some(all), ..) => with_weights(&model, &vec![all; layers])?,
        (None, Some(_), Some(rows)) => mixed(&model, rows, budget, threads)?.bytes,
        (None, ..) => bail!(
            "{}: `--weights auto` needs evaluation rows, and there is no preset.toml beside the \
             model that defines them. Give the folder of a run, or choose int8 or int4",
            foreign_text::path(&args.source)
        ),
    };
    let bytes = match &source.run {
        Some(OfRun { saved, .. }) => {
            let core = if is_finishing { core_of(saved) } else { None };
            lay_out(bytes, core, &saved.preset.quantization)?
        }
        None if has_file_inputs(&model) => {
            self_tests::from_file(&Model::parse(&bytes)?, model.self_tests().len())?
        }
        None => bytes,
    };
    let after = evaluate(&bytes)?;
    Ok(Made { source, int8, bytes, evaluations: [before, after] })
}
