//! `host-trainer predict`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;
use serde_json::{Value, json};

use super::args::{DataArgs, ThreadArgs, model_file};
use super::evaluate::read_model;
use super::predict_rows::{Rows, is_table};
use super::terminal;
use crate::data::{Locations, ScalingMethod};
use crate::experiment::SavedRun;
use crate::predict::{Answers, Ink, load, picture_size, predict, prepare, show};
use crate::report::style::{FAINT, HEADING, paint};
use crate::train::Threads;

/// `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Photographs, PNG or JPEG: one dark thing on light paper, or light on dark; or a CSV file
    /// of rows, whose answers are written as CSV
    #[arg(required_unless_present = "row", value_name = "IMAGE|ROWS.csv")]
    pub images: Vec<PathBuf>,
    /// Show one row of the run's own dataset and the answers to it, counted from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["images", "output"])]
    pub row: Option<usize>,
    /// Where to write the answers to rows [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The run's folder, whose float network answers too [default: the model's folder, if it is
    /// one]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Print one JSON object instead
    #[arg(long)]
    pub json: bool,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Says what the model sees in photographs.
pub fn run(args: &PredictArgs) -> anyhow::Result<()> {
    if args.row.is_some() || args.images.iter().any(|path| is_table(path)) {
        let rows = Rows {
            model: &args.model,
            output: args.output.as_deref(),
            locations: Locations::from_environment(args.data.data_dir.clone()),
            threads: Threads::new(args.threads.threads).context("threads cannot be started")?,
            json: args.json,
        };
        return match args.row {
            Some(row) => rows.row(row),
            None => rows.answer(&args.images),
        };
    }
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| args.model.display().to_string())?;
    let size = picture_size(&model)?;
    let saved = saved_run(args)?;
    let network = saved.as_ref().map(|saved| &saved.network);
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for path in &args.images {
        // One bad picture among many does not hide what the others show.
        match look(path, size).and_then(|ink| Ok((predict(&model, network, &ink)?, ink))) {
            Ok((answers, ink)) if args.json => results.push(result(path, &ink, &answers)),
            Ok((answers, ink)) => terminal::print(&text(path, &ink, &answers))?,
            Err(error) => failures.push(terminal::message(&error)),
        }
    }
    if args.json {
        let value = json!({ "model": model.name(), "images": results });
        terminal::json(&value)?;
    }
    match failures.is_empty() {
        true => Ok(()),
        false => bail!("{}", failures.join("\n")),
    }
}

/// The run whose float network answers too.
fn saved_run(args: &PredictArgs) -> anyhow::Result<Option<SavedRun>> {
    let beside = args.model.parent().filter(|folder| folder.join("weights.safetensors").is_file());
    let Some(folder) = args.run.as_deref().or(beside) else { return Ok(None) };
    let saved = SavedRun::open(folder)?;
    match (saved.preset.data.scaling(), &args.run) {
        (ScalingMethod::None, _) => Ok(Some(saved)),
        (_, None) => Ok(None),
        // What its inputs were scaled by stands in the model file alone.
        (_, Some(folder)) => bail!(
            "{}: the float network takes inputs scaled by its training rows, and a photograph's \
             are not: leave --run out to ask the model alone",
            folder.display()
        ),
    }
}

fn look(path: &Path, size: (usize, usize)) -> anyhow::Result<Ink> {
    prepare(&load(path)?, size).with_context(|| path.display().to_string())
}

fn text(path: &Path, ink: &Ink, answers: &Answers) -> String {
    let (height, width) = ink.size;
    let inverted = if ink.inverted { ", inverted: the paper is light" } else { "" };
    format!(
        "{} {}\n{}",
        paint(HEADING, path.display()),
        paint(FAINT, format!("as the network sees it, {height} × {width}{inverted}")),
        show(ink, answers, terminal::has_colours())
    )
}

fn result(path: &Path, ink: &Ink, answers: &Answers) -> Value {
    let class = |probabilities: &[f32]| {
        let best = crate::network::first_largest(probabilities).0;
        answers.classes.get(best).cloned()
    };
    let shares = |probabilities: &[f32]| {
        let pairs = answers.classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p)));
        json!({ "class": class(probabilities), "probabilities": Value::Object(pairs.collect()) })
    };
    let (height, width) = ink.size;
    let mut value = json!({
        "image": path.display().to_string(),
        "inverted": ink.inverted,
        "shape": [height, width],
        "pixels": ink.pixels,
        "int8": shares(&answers.int8),
    });
    if let Some(float) = &answers.float {
        value["float"] = shares(float);
    }
    value
}
