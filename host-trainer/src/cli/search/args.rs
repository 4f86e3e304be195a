//! Arguments of `search`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{DataArgs, ThreadArgs};
use crate::cli::log::LogArgs;
use crate::cli::quantities::{bytes, count};
use crate::cli::shard::ShardArgs;
use crate::cli::table::TableArgs;

/// Arguments of `search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Name of a preset, a file that ends in .toml, or a CSV file with --target
    #[arg(value_name = "PRESET|FILE.toml|DATA.csv", default_value = "digits")]
    pub data: String,
    /// Columns of a CSV file
    #[command(flatten)]
    pub table: TableArgs,
    /// Chip, such as nRF51822; `inspect RUN --for list` shows all
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: String,
    /// Largest flash of code and model, such as 16K [default: the chip's]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub flash: Option<usize>,
    /// Largest RAM of statics and stack, such as 2K [default: the chip's]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub ram: Option<usize>,
    /// Largest number of cycles of an inference, such as 500k; networks whose cycles cannot be
    /// predicted are left out [default: any]
    #[arg(long, value_name = "N", value_parser = count)]
    pub cycles: Option<u64>,
    /// Number of networks to try
    #[arg(long, value_name = "N", default_value = "243")]
    pub trials: NonZero<usize>,
    /// Override a setting in all trainings; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Output folder [default: runs/search-PRESET-CHIP]; the same command continues a stopped search
    #[arg(long, short, visible_alias = "out", value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Part of the search
    #[command(flatten)]
    pub shards: ShardArgs,
    /// Random seed [default: the preset's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Location of the datasets
    #[command(flatten)]
    pub place: DataArgs,
    /// Number of threads
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Log of the networks of the front
    #[command(flatten)]
    pub log: LogArgs,
    /// Print a JSON array with an object per network of the front
    #[arg(long)]
    pub json: bool,
}
