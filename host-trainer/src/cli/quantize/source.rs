//! Input of `quantize`: a run or a model file.

use std::path::Path;

use anyhow::{Context, bail};
use model_format::Model;

use super::QuantizeArgs;
use crate::atomic_file;
use crate::choice::{Choice, judged_rows, quantize_network};
use crate::cli::evaluate::read_model;
use crate::data::{Locations, Subset};
use crate::evaluate::{Evaluation, evaluate_float};
use crate::experiment::{Plan, SavedRun, check_data};
use crate::foreign_text;
use crate::memory;
use crate::network::Network;
use crate::preset::Preset;
use crate::threads::Threads;

/// Memory per byte of the model file while another model is made from it.
const MEMORY_PER_BYTE: u64 = 6;

/// Input of the command.
pub(super) struct Source {
    /// The quantized model, with int8 weights.
    pub(super) quantized: Vec<u8>,
    /// The float network that the weights approximate; `None` if only the model is available.
    pub(super) reference: Option<Network<f32>>,
    /// Rows for evaluation, if there are any.
    pub(super) rows: Option<Subset>,
    /// Evaluation of the float network on these rows, if it is available.
    pub(super) float: Option<Evaluation>,
    /// The run with its data, if the input is a run.
    pub(super) run: Option<OfRun>,
}

/// A run with its data and the settings of its quantization.
pub(super) struct OfRun {
    pub(super) saved: SavedRun,
    pub(super) plan: Plan,
    pub(super) data_type: &'static str,
    pub(super) choice: Choice,
}

/// Quantizes the network of a run with the requested settings.
pub(super) fn of_run(
    args: &QuantizeArgs,
    locations: &Locations,
    threads: &Threads,
) -> anyhow::Result<Source> {
    let mut saved = SavedRun::open_learnt(&args.source)?;
    let plan = saved.plan(locations)?;
    saved.preset = saved.preset.with_settings(&args.set)?;
    if args.activations.is_some() && saved.network.fake_quantization().is_some() {
        bail!(
            "{}: its activations were rounded in training. Train again with --set \
             quantization.activations=int16, or leave out --activations",
            foreign_text::path(&args.source)
        );
    }
    if let Some(activations) = args.activations {
        saved.preset.quantization.activations = activations;
    }
    let objective = plan.objective_of(&saved.network, threads);
    let (quantized, choice) =
        quantize_network(&saved.preset, &saved.network, objective, &plan.splits, threads)?;
    let rows = judged_rows(&plan.splits);
    let float = evaluate_float(&saved.network, &rows, objective, threads);
    Ok(Source {
        quantized: quantized.bytes,
        reference: Some(quantized.prepared.network),
        rows: Some(rows),
        float: Some(float),
        run: Some(OfRun { saved, plan, data_type: quantized.data_types.name(), choice }),
    })
}

/// Reads a model file, with the rows of the preset beside it for evaluation, if there is one.
pub(super) fn of_model(args: &QuantizeArgs, locations: &Locations) -> anyhow::Result<Source> {
    let path = foreign_text::path(&args.source);
    if args.activations.is_some() || !args.set.is_empty() {
        bail!(
            "{path}: other activations need the float network. Give the folder of a run, or \
             leave out --activations and --set"
        );
    }
    let quantized = read_model(&args.source)?;
    let remedy = "Close other programs, or do it on a machine with more memory";
    memory::check("quantizing this model", quantized.len() as u64 * MEMORY_PER_BYTE, remedy)?;
    Model::parse(&quantized).with_context(|| path.to_string())?;
    let rows = rows_beside(&args.source, locations)?;
    Ok(Source { quantized, reference: None, rows, float: None, run: None })
}

/// Returns the evaluation rows that the preset.toml beside a model defines.
fn rows_beside(model: &Path, locations: &Locations) -> anyhow::Result<Option<Subset>> {
    let path = model.with_file_name("preset.toml");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let preset = Preset::read(&text, &foreign_text::path(&path))?;
    let plan = Plan::new(preset, locations)?;
    check_data(atomic_file::folder(model), &plan.data, &plan.origin)?;
    Ok(Some(judged_rows(&plan.splits)))
}
