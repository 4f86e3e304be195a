//! Command-line arguments.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::compare::CompareArgs;
#[cfg(feature = "device")]
use super::device::DeviceArgs;
use super::evaluate::EvaluateArgs;
use super::export::ExportArgs;
#[cfg(feature = "projection")]
use super::features::FeaturesArgs;
use super::import::ImportArgs;
use super::infer::InferArgs;
use super::inspect::InspectArgs;
#[cfg(not(all(
    feature = "device",
    feature = "fetch",
    feature = "projection",
    feature = "serve"
)))]
use super::left_out::LeftOut;
use super::log::LogArgs;
use super::max_loss::MaxLoss;
use super::new::NewArgs;
use super::pack::PackArgs;
use super::page::PageArgs;
use super::predict::PredictArgs;
use super::quantize::QuantizeArgs;
use super::report::ReportArgs;
use super::search::SearchArgs;
#[cfg(feature = "serve")]
use super::serve::ServeArgs;
use super::sweep::SweepArgs;
use super::table::TableArgs;
use super::trace::TraceArgs;
use super::weights::{BudgetArgs, Target, Weights};
use crate::data::Fold;
use crate::experiment::Experiment;
use crate::threads::MAX_THREADS;

/// Train small neural networks, quantize them to int8, and run them on microcontrollers with
/// bit-exact results.
///
/// Without a command, `train digits` runs: a few seconds, no download.
#[derive(Debug, Parser)]
#[command(name = "host-trainer", version, max_term_width = 100)]
pub struct Cli {
    /// Show no progress, only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Command to run
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, quantize it, and compare both
    Train(TrainArgs),
    /// Train a network for each point of a grid of settings
    Sweep(SweepArgs),
    /// Search for the most accurate networks within the flash, the RAM and the cycles of a chip
    Search(SearchArgs),
    /// Measure the training speed, with the machine's peak and other programs for comparison
    Bench(BenchArgs),
    /// Download a dataset into the cache folder
    #[cfg(feature = "fetch")]
    Fetch(FetchArgs),
    /// Download a dataset into the cache folder
    #[cfg(not(feature = "fetch"))]
    Fetch(LeftOut),
    /// Evaluate a model on a dataset with the engine that devices run
    Evaluate(EvaluateArgs),
    /// Show layers, shapes, scales, and memory requirements
    Inspect(InspectArgs),
    /// Import a network of Keras, PyTorch, ONNX, scikit-learn or TensorFlow Lite
    Import(ImportArgs),
    /// Run images or rows of raw inputs through a model with the engine that devices run
    Infer(InferArgs),
    /// Quantize a trained network again, or give a model weights of fewer bits, or sparse ones
    Quantize(QuantizeArgs),
    /// Pack a model's weights for the kernels of a core; outputs do not change
    Pack(PackArgs),
    /// Write a model for firmware in C
    #[command(subcommand)]
    Export(ExportArgs),
    /// Write a firmware project that runs a model on a chip
    New(NewArgs),
    /// Show the outputs of every layer for one input, with a hash for comparison
    Trace(TraceArgs),
    /// Predict classes or values for images or rows of a table, in float and in int8
    Predict(PredictArgs),
    /// Write a layer's outputs as CSV and as scatter plots: two as they are, more by principal
    /// components and UMAP
    #[cfg(feature = "projection")]
    Features(FeaturesArgs),
    /// Write a layer's outputs as CSV and as scatter plots: two as they are, more by principal
    /// components and UMAP
    #[cfg(not(feature = "projection"))]
    Features(LeftOut),
    /// Write the report of a finished run again, and surface.html of a network with two inputs
    Report(ReportArgs),
    /// Write a page that runs a model in a browser, with the engine of the device
    Page(PageArgs),
    /// Serve the page of `page` to browsers of this computer, or of this room
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    /// Serve the page of `page` to browsers of this computer, or of this room
    #[cfg(not(feature = "serve"))]
    Serve(LeftOut),
    /// Compare runs side by side
    Compare(CompareArgs),
    /// List the presets
    Presets(PresetsArgs),
    /// Query, update or emulate a device
    #[command(subcommand)]
    #[cfg(feature = "device")]
    Device(DeviceArgs),
    /// Query, update or emulate a device
    #[cfg(not(feature = "device"))]
    Device(LeftOut),
}

/// Arguments of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Name of a preset, a file that ends in .toml, or a CSV file with --target
    #[arg(default_value = "digits", value_name = "PRESET|FILE.toml|DATA.csv")]
    pub preset: String,
    /// Columns of a CSV file
    #[command(flatten)]
    pub table: TableArgs,
    /// Output folder of the run [default: runs/PRESET]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Override a setting, such as training.epochs=3 or network.layers.0.dense.units=64; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Test on fold K of an N-fold cross-validation, of recordings or stratified rows; as data.test =
    /// { fold = { number = K, of = N } } in a preset
    #[arg(long, value_name = "K/N")]
    pub fold: Option<Fold>,
    /// Train and test all folds of an N-fold cross-validation: shows each, their mean, and the sum of
    /// the confusion matrices [default output: runs/PRESET-folds]
    #[arg(long, value_name = "N", value_parser = super::quantities::folds,
          conflicts_with_all = ["fold", "resume", "from", "teacher"])]
    pub folds: Option<usize>,
    /// Resume from the checkpoint in the run's folder; the weights are the same, bit for bit
    #[arg(long)]
    pub resume: bool,
    /// Start from the weights of a run, such as an imported one, in place of random weights
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub from: Option<PathBuf>,
    /// Distill these runs: learn the mean of their probabilities, too; several are separated by
    /// commas
    #[arg(long, value_name = "RUN", value_delimiter = ',')]
    pub teacher: Vec<PathBuf>,
    /// Train with weights and activations rounded as in the quantized model, with weights of this
    /// data type; as `quantization_aware` in a preset
    #[arg(long, value_enum)]
    pub weights: Option<Weights>,
    /// Budget of `--weights auto`
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Pack the model's weights for the kernels of a core, as `pack` does; with --cycles a chip, such
    /// as nRF51822, whose core it is
    #[arg(long = "for", id = "chip", value_name = "CORE|CHIP", value_parser = Target::parse)]
    pub target: Option<Target>,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Random seed [default: the preset's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Leave out the section of the report that runs the model in the browser
    #[arg(long)]
    pub no_playground: bool,
    /// Log of the training
    #[command(flatten)]
    pub log: LogArgs,
    /// Limit of the quantization loss
    #[command(flatten)]
    pub max_loss: MaxLoss,
    /// Print the metrics as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Name of a preset, or a file that ends in .toml
    #[arg(value_name = "PRESET|FILE.toml", default_value = "mnist-700-500")]
    pub preset: String,
    /// Number of epochs; the fastest counts
    #[arg(long, value_name = "N", default_value = "3")]
    pub epochs: NonZero<usize>,
    /// Python interpreter with torch or keras, to measure these too
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Override a setting; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Print the measurements as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Dataset: mnist or fashion-mnist
    #[arg(value_name = "DATASET")]
    pub dataset: String,
    /// Destination folder [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// URL to download from, in place of the known mirrors; repeatable, tried in order
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
    /// Print the paths of the files as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `presets`.
#[derive(Debug, Args)]
pub struct PresetsArgs {
    /// Write a page with the curves of all activation functions, and their numbers as CSV beside it
    #[arg(long, value_name = "FILE.html", conflicts_with = "json")]
    pub activations: Option<PathBuf>,
    /// Print a JSON array with an object per preset
    #[arg(long)]
    pub json: bool,
}

/// Parses the path of a model file; the folder of a run stands for its model.
pub fn model_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| match path.is_dir() {
        true => path.join(Experiment::MODEL),
        false => path,
    })
}

/// Location of the datasets.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Folder with the dataset files; $THIMBLE_DATA and the cache folder are searched next
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Number of threads.
#[derive(Debug, Args)]
pub struct ThreadArgs {
    /// Number of threads [default: one per core of the machine]
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
            table: TableArgs::default(),
            output: None,
            set: Vec::new(),
            fold: None,
            folds: None,
            resume: false,
            from: None,
            teacher: Vec::new(),
            weights: None,
            budget: BudgetArgs::default(),
            target: None,
            data: DataArgs { data_dir: None },
            seed: None,
            threads: ThreadArgs { threads: None },
            no_playground: false,
            log: LogArgs { log: None },
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
