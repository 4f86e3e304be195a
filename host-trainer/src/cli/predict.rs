//! `host-trainer predict`: predictions for images and rows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use model_format::Model;
use serde_json::{Value, json};

use super::args::{DataArgs, ThreadArgs, model_file};
use super::evaluate::read_model;
use super::predict_rows::{Rows, is_table};
use super::predict_split::Split;
use super::terminal;
use crate::data::{Locations, Prepared, ScalingMethod, read_image};
use crate::experiment::SavedRun;
use crate::foreign_text;
use crate::network::Network;
use crate::predict::{Answers, AskedPreparation, ChosenPreparation, predict, preparation, show};
use crate::preset::Preset;
use crate::report::style::{FAINT, HEADING, paint};
use crate::threads::Threads;

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Images (PNG, JPEG, BMP, WebP or PNM), preprocessed as the training images were; or a CSV
    /// file of rows, with predictions as CSV
    #[arg(required_unless_present_any = ["row", "split"], value_name = "IMAGE|ROWS.csv")]
    pub images: Vec<PathBuf>,
    /// Index of a row in the run's own dataset, from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["images", "output"])]
    pub row: Option<usize>,
    /// Rows of the run's own dataset, predicted as CSV by the float network and the model
    #[arg(long, value_enum, value_name = "SPLIT", conflicts_with_all = ["images", "row", "json"])]
    pub split: Option<Split>,
    /// Output file for the predictions of rows [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder of the run, whose float network also predicts [default: the model's folder, if it is
    /// one]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Preprocessing of images
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Print the predictions as JSON
    #[arg(long)]
    pub json: bool,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Preprocessing of images that differs from that of the training images.
#[derive(Clone, Debug, Default, Args)]
pub struct PrepareArgs {
    /// Resize the whole image, inverted for MNIST and Fashion-MNIST, without detection of a digit
    /// or a piece of clothing
    #[arg(long)]
    pub plain: bool,
    /// Preprocess images as described, such as "fit=mnist", "fit=stretch invert=auto
    /// background=black" [default: as the training images were]
    #[arg(long, value_name = "WORDS")]
    pub prepare: Option<String>,
}

impl From<&PrepareArgs> for AskedPreparation {
    fn from(args: &PrepareArgs) -> Self {
        AskedPreparation { text: args.prepare.clone(), plain: args.plain }
    }
}

/// Shows the predictions of a model for images.
pub fn run(args: &PredictArgs) -> anyhow::Result<()> {
    if args.row.is_some() || args.split.is_some() || args.images.iter().any(|path| is_table(path)) {
        let rows = Rows {
            model: &args.model,
            output: args.output.as_deref(),
            locations: Locations::from_environment(args.data.data_dir.clone()),
            threads: Threads::new(args.threads.threads).context("threads cannot be started")?,
            json: args.json,
        };
        return match (args.row, args.split) {
            (Some(row), _) => rows.row(row),
            (None, Some(split)) => rows.split(split),
            (None, None) => rows.answer(&args.images),
        };
    }
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| foreign_text::path(&args.model))?;
    let beside = match &args.run {
        Some(folder) => preset_in(Some(folder))?,
        None => preset_in(args.model.parent())?,
    };
    let dataset = beside.as_ref().map(|preset| &preset.data.dataset);
    let chosen = preparation(&model, &(&args.prepare).into(), dataset)?;
    let saved = saved_run(args)?;
    let network = saved.as_ref().map(|saved| &saved.network);
    answer_all(&model, network, chosen, &args.images, args.json)
}

/// Shows the predictions for images, or prints them as JSON.
pub(crate) fn answer_all(
    model: &Model<'_>,
    network: Option<&Network<f32>>,
    chosen: ChosenPreparation,
    images: &[PathBuf],
    as_json: bool,
) -> anyhow::Result<()> {
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for path in images {
        // A bad image does not hide the predictions for the others.
        let looked = look(path, chosen);
        match looked.and_then(|image| Ok((predict(model, network, &image)?, image))) {
            Ok((answers, image)) if as_json => results.push(result(path, &image, &answers)),
            Ok((answers, image)) => terminal::print(&text(path, chosen, &image, &answers))?,
            Err(error) => failures.push(terminal::message(&error)),
        }
    }
    if as_json {
        let value = json!({
            "model": model.name(),
            "preparation": chosen.preparation.to_string(),
            "preparation_from": chosen.origin.name(),
            "images": results,
        });
        terminal::json(&value)?;
    }
    match failures.is_empty() {
        true => Ok(()),
        false => bail!("{}", failures.join("\n")),
    }
}

/// Returns the run whose float network also predicts.
fn saved_run(args: &PredictArgs) -> anyhow::Result<Option<SavedRun>> {
    let beside = args.model.parent().filter(|folder| folder.join("weights.safetensors").is_file());
    let Some(folder) = args.run.as_deref().or(beside) else { return Ok(None) };
    let saved = SavedRun::open(folder)?;
    match (saved.preset.data.scaling(), &args.run) {
        (ScalingMethod::None, _) => Ok(Some(saved)),
        (_, None) => Ok(None),
        // Only the model file contains the scaling of its inputs.
        (_, Some(folder)) => bail!(
            "{}: the float network takes inputs that are scaled by its training rows, which \
             images are not. Leave out --run to use only the model",
            foreign_text::path(folder)
        ),
    }
}

/// Returns the preset in the folder of a run, if there is one.
pub(crate) fn preset_in(folder: Option<&Path>) -> anyhow::Result<Option<Preset>> {
    let Some(path) = folder.map(|folder| folder.join("preset.toml")) else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Preset::read(&text, &foreign_text::path(&path))?)),
        Err(_) => Ok(None),
    }
}

/// Reads and preprocesses an image.
pub(crate) fn look(path: &Path, chosen: ChosenPreparation) -> anyhow::Result<Prepared> {
    let prepared = chosen.preparation.apply(read_image(path)?);
    prepared.with_context(|| foreign_text::path(path))
}

/// Text with the preprocessed image and the predictions.
pub(crate) fn text(
    path: &Path,
    chosen: ChosenPreparation,
    image: &Prepared,
    answers: &Answers,
) -> String {
    let Prepared { height, width, .. } = *image;
    let inverted = if image.inverted { ", inverted" } else { "" };
    let (fit, origin) = (chosen.preparation.fit.description(), chosen.origin);
    let seen = format!("as the network sees it, {height} × {width}{inverted}: {fit} ({origin})");
    format!(
        "{} {}\n{}",
        paint(HEADING, foreign_text::path(path)),
        paint(FAINT, seen),
        show(image, answers, terminal::has_colors())
    )
}

fn result(path: &Path, image: &Prepared, answers: &Answers) -> Value {
    let shares = |class: usize, probabilities: &[f32]| {
        let pairs = answers.classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p)));
        let probabilities = Value::Object(pairs.collect());
        json!({ "class": answers.classes.get(class), "probabilities": probabilities })
    };
    let Prepared { height, width, channels, .. } = *image;
    let shape =
        if channels == 1 { json!([height, width]) } else { json!([height, width, channels]) };
    let mut value = json!({
        "image": path.display().to_string(),
        "inverted": image.inverted,
        "shape": shape,
        "pixels": image.reals(),
        "int8": shares(answers.class, &answers.int8),
    });
    if let Some(float) = &answers.float {
        value["float"] = shares(crate::network::first_largest(float).0, float);
    }
    value
}
