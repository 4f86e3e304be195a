//! Command line: parses arguments, runs a command, returns an exit code.

mod args;
mod aware;
mod bench;
mod checkpoint;
mod compare;
mod counts;
#[cfg(feature = "device")]
mod device;
mod evaluate;
mod export;
mod export_lib;
#[cfg(feature = "projection")]
mod features;
#[cfg(feature = "fetch")]
mod fetch;
mod files;
mod folds;
mod hint;
mod identity;
mod import;
#[cfg(feature = "import")]
mod import_float;
mod infer;
mod inspect;
#[cfg(not(all(feature = "device", feature = "fetch", feature = "projection", feature = "serve")))]
mod left_out;
mod log;
mod max_loss;
mod new;
mod pack;
mod page;
mod predict;
mod predict_rows;
mod predict_split;
mod presets;
mod progress;
mod quantities;
mod quantize;
mod report;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod shard;
mod sweep;
mod table;
mod terminal;
mod trace;
mod train;
mod weights;

use std::process::ExitCode;

use clap::Parser;

pub use args::{Cli, Command};

/// Runs the program. Exit codes: 0 for success, 1 for failure, 2 for an invalid command line.
pub fn main() -> ExitCode {
    let words = || {
        let words = std::env::args_os().skip(1);
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<String>>()
    };
    let cli = Cli::try_parse().unwrap_or_else(|error| hint::setting_meant(error, &words()).exit());
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the pipe has closed it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let quiet = cli.quiet;
    match cli.command.unwrap_or_default() {
        Command::Train(args) => train::run(&args, quiet),
        Command::Sweep(args) => sweep::run(&args, quiet),
        Command::Search(args) => search::run(&args, quiet),
        Command::Bench(args) => bench::run(&args, quiet),
        #[cfg(feature = "fetch")]
        Command::Fetch(args) => fetch::run(&args, quiet),
        #[cfg(not(feature = "fetch"))]
        Command::Fetch(args) => args.refuse("fetch"),
        Command::Evaluate(args) => evaluate::run(&args, quiet),
        Command::Inspect(args) => inspect::run(&args),
        Command::Import(args) => import::run(&args, quiet),
        Command::Infer(args) => infer::run(&args, quiet),
        Command::Quantize(args) => quantize::run(&args, quiet),
        Command::Pack(args) => pack::run(&args, quiet),
        Command::Export(args) => export::run(&args, quiet),
        Command::New(args) => new::run(&args, quiet),
        Command::Trace(args) => trace::run(&args),
        Command::Predict(args) => predict::run(&args),
        #[cfg(feature = "projection")]
        Command::Features(args) => features::run(&args, quiet),
        #[cfg(not(feature = "projection"))]
        Command::Features(args) => args.refuse("features"),
        Command::Report(args) => report::run(&args, quiet),
        Command::Page(args) => page::run(&args, quiet),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args, quiet),
        #[cfg(not(feature = "serve"))]
        Command::Serve(args) => args.refuse("serve"),
        Command::Compare(args) => compare::run(&args, quiet),
        Command::Presets(args) => presets::run(&args),
        #[cfg(feature = "device")]
        Command::Device(args) => device::run(args, quiet),
        #[cfg(not(feature = "device"))]
        Command::Device(args) => args.refuse("device"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
