//! Command-line arguments.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::compare::CompareArgs;
#[cfg(feature = "device")]
use super::device::DeviceArgs;
use super::export::ExportArgs;
#[cfg(feature = "projection")]
use super::features::FeaturesArgs;
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
use super::page::PageArgs;
use super::predict::{PredictArgs, PrepareArgs};
use super::quantize::QuantizeArgs;
use super::report::ReportArgs;
use super::search::SearchArgs;
#[cfg(feature = "serve")]
use super::serve::ServeArgs;
use super::shard::ShardArgs;
use super::table::TableArgs;
use super::weights::{BudgetArgs, Target, Weights};
use crate::data::Fold;
use crate::experiment::Experiment;
use crate::pack::Core;
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

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Name of a preset, a file that ends in .toml, or a CSV file with --target
    #[arg(value_name = "PRESET|FILE.toml|DATA.csv")]
    pub preset: String,
    /// Columns of a CSV file
    #[command(flatten)]
    pub table: TableArgs,
    /// Setting and its values, such as training.batch_size=32,128; repeatable: every combination is
    /// trained
    #[arg(long, value_name = "KEY=VALUE,VALUE,…", required = true)]
    pub grid: Vec<String>,
    /// Override a setting in all runs; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Output folder, with a folder per run [default: runs/sweep-PRESET]; finished runs are not
    /// repeated
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Part of the sweep
    #[command(flatten)]
    pub shards: ShardArgs,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Log of the trainings
    #[command(flatten)]
    pub log: LogArgs,
    /// Print a JSON array with an object per run
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

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Predict the flash and RAM that the model takes on a chip, such as nRF51822, and whether it
    /// fits; `list` shows all chips
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: Option<String>,
    /// File of measured waits for memory, which `device bench --calibrate` writes
    #[arg(long, value_name = "FILE", requires = "chip")]
    pub calibration: Option<PathBuf>,
    /// Print the prediction as a JSON object
    #[arg(long, requires = "chip")]
    pub json: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Model of Keras (.keras, .h5), ONNX, PyTorch (.pt, .safetensors) or TensorFlow Lite
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Output: the folder of a run for a float network [default: runs/NAME], the model file for an
    /// int8 `.tflite` [default: MODEL.thimble beside the input]
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Rows for the quantization of a float network: a CSV file of features, or of features and
    /// targets; a preset; or a dataset
    #[arg(long, value_name = "ROWS")]
    pub calibrate: Option<String>,
    /// Layers of a PyTorch state dict in the order of `forward`, with activations, such as "fc1,
    /// relu, fc2"
    #[arg(long, value_name = "LIST")]
    pub layers: Option<String>,
    /// Text file with one class label per line, in the order of the outputs
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Treat the outputs as classes although the model has no final softmax; the labels are 0, 1,
    /// 2, …
    #[arg(long, conflicts_with = "labels")]
    pub classes: bool,
    /// Name of the model [default: the file's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Core to pack the model of a float network for
    #[arg(long = "for", value_name = "CORE", value_enum)]
    pub core: Option<Core>,
    /// Limit of the quantization loss
    #[command(flatten)]
    pub max_loss: MaxLoss,
    /// Location of the datasets
    #[command(flatten)]
    pub data: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// Arguments of `infer`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("inputs").required(true).args(["images", "raw_i8", "raw_i16", "counts"]))]
pub struct InferArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Images (PNG, JPEG, BMP, WebP or PNM), preprocessed as the training images were
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// File of quantized int8 inputs, row after row without separators
    #[arg(long, value_name = "FILE")]
    pub raw_i8: Option<PathBuf>,
    /// File of quantized int16 inputs, little-endian, for a model with int16 inputs
    #[arg(long, value_name = "FILE")]
    pub raw_i16: Option<PathBuf>,
    /// File of raw ADC or sensor counts, int16 little-endian, for a model trained with data.raw
    #[arg(long, value_name = "FILE")]
    pub counts: Option<PathBuf>,
    /// Output file for the rows of outputs, in the format of the inputs [default: predictions for
    /// images are printed]
    #[arg(long, short, value_name = "FILE", required_unless_present = "images")]
    pub output: Option<PathBuf>,
    /// Preprocessing of images
    #[command(flatten)]
    pub prepare: PrepareArgs,
    /// Print the result as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Core whose kernels read the model
    #[arg(
        long = "for",
        value_name = "CORE",
        value_enum,
        required_unless_present_any = ["strip", "self_tests", "self_tests_from_file"]
    )]
    pub core: Option<Core>,
    /// Remove names, units and the preprocessing of images, which no computation needs; class
    /// labels stay
    #[arg(long)]
    pub strip: bool,
    /// Number of self-tests to keep, the first ones [default: all]
    #[arg(long, value_name = "N")]
    pub self_tests: Option<usize>,
    /// Make the inputs of self-tests from bytes of the model's layers: each then takes two or three
    /// bytes, whatever its size
    #[arg(long)]
    pub self_tests_from_file: bool,
    /// Output file
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// File of raw inputs, int8 or int16 little-endian, or `self-test` for the model's self-tests
    #[arg(default_value = "self-test")]
    pub input: String,
    /// Read raw ADC or sensor counts, int16 little-endian, for a model trained with data.raw
    #[arg(long)]
    pub counts: bool,
    /// Index of the row or self-test, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub row: usize,
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
