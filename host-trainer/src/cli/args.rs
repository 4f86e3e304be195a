//! What the user may type.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::compare::CompareArgs;
#[cfg(feature = "device")]
use super::device::DeviceArgs;
#[cfg(feature = "projection")]
use super::features::FeaturesArgs;
#[cfg(not(all(feature = "device", feature = "fetch", feature = "projection")))]
use super::left_out::LeftOut;
use super::max_loss::MaxLoss;
use super::new::NewArgs;
use super::predict::{PredictArgs, PrepareArgs};
use super::quantize::QuantizeArgs;
use super::report::ReportArgs;
use super::sweep::Shard;
use crate::experiment::Experiment;
use crate::pack::Core;
use crate::train::MAX_THREADS;

/// Train a small neural network, turn it into 8-bit integers, and prove that a microcontroller
/// computes the same.
///
/// Without a command it does `train digits`: a few seconds, no download.
#[derive(Debug, Parser)]
#[command(name = "host-trainer", version, max_term_width = 100)]
pub struct Cli {
    /// Show no progress, only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, quantize it, and compare both
    Train(TrainArgs),
    /// Train a network for each point of a grid of settings
    Sweep(SweepArgs),
    /// Measure how fast training is, beside the machine's own bound and other programs
    Bench(BenchArgs),
    /// Download a dataset into the cache folder
    #[cfg(feature = "fetch")]
    Fetch(FetchArgs),
    /// Download a dataset into the cache folder
    #[cfg(not(feature = "fetch"))]
    Fetch(LeftOut),
    /// Show how well a model does on a dataset, by the engine that devices run
    Evaluate(EvaluateArgs),
    /// Show layers, shapes, scales, and what a model needs
    Inspect(InspectArgs),
    /// Turn an int8 TensorFlow Lite model of dense layers into a model file that gives the same bytes
    Import(ImportArgs),
    /// Run images or rows of raw inputs through a model, by the engine that devices run
    Infer(InferArgs),
    /// Quantize a trained network anew, or give a model smaller weights: int4, or sparse ones
    Quantize(QuantizeArgs),
    /// Lay a model's weights out for the kernels of a core; its outputs stay the same
    Pack(PackArgs),
    /// Write a firmware project that runs a model on a chip
    New(NewArgs),
    /// Show what every layer of a model gives for one input, with a hash to compare
    Trace(TraceArgs),
    /// Classify photographs or rows of a table, in float and in integers, with probabilities
    Predict(PredictArgs),
    /// Write a layer's outputs as CSV, and as a scatter plot of their principal components
    #[cfg(feature = "projection")]
    Features(FeaturesArgs),
    /// Write a layer's outputs as CSV, and as a scatter plot of their principal components
    #[cfg(not(feature = "projection"))]
    Features(LeftOut),
    /// Write the report of a finished run again
    Report(ReportArgs),
    /// Show runs side by side
    Compare(CompareArgs),
    /// List the presets
    Presets(PresetsArgs),
    /// Ask a device, or emulate one
    #[command(subcommand)]
    #[cfg(feature = "device")]
    Device(DeviceArgs),
    /// Ask a device, or emulate one
    #[cfg(not(feature = "device"))]
    Device(LeftOut),
}

/// `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Name of a preset, or a file that ends in .toml
    #[arg(default_value = "digits", value_name = "PRESET|FILE.toml")]
    pub preset: String,
    /// Folder for everything that the run writes [default: runs/PRESET]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Replace a setting, such as training.epochs=3 or network.layers.0.dense.units=64; may be
    /// given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Go on from the checkpoint in the run's folder, to the same weights bit for bit
    #[arg(long)]
    pub resume: bool,
    /// Lay the model's weights out for the kernels of a core, as `pack` does
    #[arg(long = "for", value_name = "CORE", value_enum)]
    pub core: Option<Core>,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// Where everything random comes from [default: the preset's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// What quantization may cost
    #[command(flatten)]
    pub max_loss: MaxLoss,
    /// Print the figures as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Name of a preset, or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml")]
    pub preset: String,
    /// A setting and the values to try, such as training.batch_size=32,128; may be given again:
    /// each is combined with each
    #[arg(long, value_name = "KEY=VALUE,VALUE,…", required = true)]
    pub grid: Vec<String>,
    /// Replace a setting in all runs; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder with a folder for each run [default: runs/sweep-PRESET]; runs that it has already are
    /// not made again
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Make only the Ith of N parts of the runs, so that N machines can share them
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print one JSON array instead, with an object a point
    #[arg(long)]
    pub json: bool,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Name of a preset, or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml", default_value = "mnist-700-500")]
    pub preset: String,
    /// Epochs to train; the best counts
    #[arg(long, value_name = "N", default_value = "3")]
    pub epochs: NonZero<usize>,
    /// A Python that has torch or keras, to be measured too
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Replace a setting; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print the figures as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The dataset: mnist or fashion-mnist
    #[arg(value_name = "DATASET")]
    pub dataset: String,
    /// Folder to put the files into [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where to download from, instead of the known mirrors; may be given again for others to try
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
    /// Print where the files are as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// `presets`.
#[derive(Debug, Args)]
pub struct PresetsArgs {
    /// Print one JSON array instead, with an object a preset
    #[arg(long)]
    pub json: bool,
}

/// `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// The dataset: the name of a preset, a preset's file that ends in .toml, or a CSV file, all of
    /// whose rows are taken [default: that of the preset.toml beside the model]
    #[arg(value_name = "DATASET")]
    pub dataset: Option<String>,
    /// Where data comes from
    #[command(flatten)]
    pub data: DataArgs,
    /// The seed that the model was trained with, which decides which rows are test rows
    /// [default: that of the preset.toml beside the model, or of the dataset's preset]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// How many threads to use
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print the figures as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Predict what it takes of a chip's flash and RAM, such as nRF51822, and whether it fits;
    /// `list` shows all chips
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: Option<String>,
    /// Print the prediction as one JSON object instead
    #[arg(long, requires = "chip")]
    pub json: bool,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A .tflite file, quantized to int8
    #[arg(value_name = "MODEL.tflite")]
    pub model: PathBuf,
    /// Where to write the model [default: beside it, as MODEL.thimble]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A text file with the name of a class a line, in the order of the outputs
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// The outputs are classes, though no softmax ends the model; they are called 0, 1, 2, …
    #[arg(long, conflicts_with = "labels")]
    pub classes: bool,
    /// What people shall call the model [default: the file's name]
    #[arg(long)]
    pub name: Option<String>,
}

/// `infer`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("inputs").required(true).args(["images", "raw_i8", "raw_i16", "counts"]))]
pub struct InferArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Images: PNG, JPEG, BMP, WebP or PNM, prepared as the training images were
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Rows of quantized inputs, one int8 a value, with nothing between them
    #[arg(long, value_name = "FILE")]
    pub raw_i8: Option<PathBuf>,
    /// Rows of quantized inputs for a model that takes int16, little-endian
    #[arg(long, value_name = "FILE")]
    pub raw_i16: Option<PathBuf>,
    /// Rows of what sensors count, int16 little-endian, for a model trained with data.raw
    #[arg(long, value_name = "FILE")]
    pub counts: Option<PathBuf>,
    /// Where to write the rows of outputs, in the same form [default: answers about images are
    /// shown]
    #[arg(long, short, value_name = "FILE", required_unless_present = "images")]
    pub output: Option<PathBuf>,
    /// How images are prepared
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Print what was done as one JSON object instead
    #[arg(long)]
    pub json: bool,
}

/// `pack`.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// The core whose kernels shall read it
    #[arg(long = "for", value_name = "CORE", value_enum, required_unless_present = "strip")]
    pub core: Option<Core>,
    /// Leave out names, units and the preparation of images, which no computation needs; class
    /// labels stay
    #[arg(long)]
    pub strip: bool,
    /// Where to write the packed model
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A model file, or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// A file of raw inputs, int8 or int16 little-endian; or `self-test`, for those of the model
    #[arg(default_value = "self-test")]
    pub input: String,
    /// The file has what sensors count, int16 little-endian, for a model trained with data.raw
    #[arg(long)]
    pub counts: bool,
    /// Which row of the file, or which self-test, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub row: usize,
}

/// Takes a model file, or the one in the folder of a run.
pub fn model_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| match path.is_dir() {
        true => path.join(Experiment::MODEL),
        false => path,
    })
}

/// Where data comes from.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Folder with the dataset's files; $THIMBLE_DATA and the cache folder are tried after it
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// How many threads to use.
#[derive(Debug, Args)]
pub struct ThreadArgs {
    /// Threads to compute on [default: as many as the machine has cores]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub threads: Option<NonZero<usize>>,
}

fn thread_count(text: &str) -> Result<NonZero<usize>, String> {
    match text.parse::<NonZero<usize>>() {
        Ok(count) if count.get() <= MAX_THREADS => Ok(count),
        _ => Err(format!("a whole number from 1 to {MAX_THREADS} is needed")),
    }
}

impl Default for Command {
    fn default() -> Self {
        Command::Train(TrainArgs {
            preset: "digits".to_string(),
            output: None,
            set: Vec::new(),
            resume: false,
            core: None,
            data: DataArgs { data_dir: None },
            seed: None,
            threads: ThreadArgs { threads: None },
            max_loss: MaxLoss::default(),
            json: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_is_train_digits() {
        let nothing = Cli::try_parse_from(["host-trainer"]).unwrap().command.unwrap_or_default();
        let spelt = Cli::try_parse_from(["host-trainer", "train", "digits"]).unwrap().command;
        assert_eq!(format!("{nothing:?}"), format!("{:?}", spelt.unwrap()));
    }

    #[test]
    fn what_is_not_understood_has_exit_code_2() {
        for line in [
            ["host-trainer", "trian"].as_slice(),
            &["host-trainer", "train", "--threads", "0"],
            &["host-trainer", "train", "--threads", "1000000000000"],
            &["host-trainer", "train", "--threads", "1e12"],
            &["host-trainer", "train", "--max-loss", "-1"],
            &["host-trainer", "train", "--max-loss", "nan"],
            &["host-trainer", "train", "--seed", "-1"],
            &["host-trainer", "evaluate"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
        assert!(Cli::try_parse_from(["host-trainer", "train", "mnist", "--quiet"]).unwrap().quiet);
    }
}
