//! `host-trainer device update | restart`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use model_format::Model;

use super::Link;
use super::show::print_info;
use crate::cli::evaluate::read_model;
use crate::cli::terminal;
use crate::device::Error;
use crate::device::connection::AnyClient;

/// How long a device may take to start.
const START: Duration = Duration::from_secs(20);

/// `device update`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["model", "rollback"]))]
pub struct UpdateArgs {
    /// A model file, packed for the device's core or for any
    model: Option<PathBuf>,
    /// Go back to the model before instead
    #[arg(long)]
    rollback: bool,
    /// Where the device is
    #[command(flatten)]
    link: Link,
}

/// Gives the device another model, and starts it anew.
pub fn run(args: UpdateArgs, quiet: bool) -> anyhow::Result<()> {
    let UpdateArgs { model, link, .. } = args;
    let Some(path) = model else {
        return link.ask(|client| {
            client.roll_back()?;
            restart(client)
        });
    };
    let file = read_model(&path)?;
    // What is bad is refused here, with all that there is to say, before a byte is sent.
    let checksum = Model::parse(&file).with_context(|| path.display().to_string())?.checksum();
    link.ask(|client| {
        let bar = terminal::bar(file.len(), "bytes", quiet);
        let begin = Instant::now();
        let updated = client.update(&file, |sent| bar.set_position(sent as u64));
        bar.finish_and_clear();
        let updated = updated?;
        println!(
            "written     {} bytes to slot {} in {:.1} s; {} blocks erased; update {}",
            file.len(),
            updated.slot,
            begin.elapsed().as_secs_f64(),
            updated.erased_blocks,
            updated.sequence
        );
        restart(client)?;
        let running = client.info()?;
        if running.checksum != checksum {
            // It has started with another one: the new model failed its self-test there.
            let what = format!("{} ({:08x})", running.model, running.checksum);
            return Err(Error::WentBack { running: what }.into());
        }
        Ok(())
    })
}

/// Starts the device anew, and shows who it is then.
pub fn restart(client: &mut AnyClient) -> anyhow::Result<()> {
    client.restart()?;
    print_info(&client.wait_for_start(START)?);
    Ok(())
}
