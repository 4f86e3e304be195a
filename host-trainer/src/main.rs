//! `host-trainer`: the command line of Thimble.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_trainer::cli::main()
}
