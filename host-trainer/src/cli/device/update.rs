//! `host-trainer device update | restart | new-key`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use firmware::link::{ModelRejected, RequestError};
use model_format::Model;

use super::Link;
use super::show::print_info;
use crate::cli::args::model_file;
use crate::cli::evaluate::read_model;
use crate::cli::terminal;
use crate::device::Error;
use crate::device::connection::AnyClient;
use crate::device::signing::{SigningKey, Version};
use crate::foreign_text;

/// How long a device may take to start.
const START: Duration = Duration::from_secs(20);

/// `device update`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["model", "rollback"]))]
pub struct UpdateArgs {
    /// A model file, packed for the device's core or for any; or the folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    model: Option<PathBuf>,
    /// Sign it with the secret key in this file (PEM, PKCS#8), for a device built with the public one
    #[arg(long, value_name = "KEYFILE", requires = "model")]
    sign: Option<PathBuf>,
    /// The version to sign it as: the device refuses one below the highest that it has accepted
    /// [default: the seconds since 1970]
    #[arg(long, value_name = "N", requires = "sign")]
    model_version: Option<u32>,
    /// Sign it as a downgrade: it may replace what the device has accepted up to now
    #[arg(long, requires = "sign")]
    downgrade: bool,
    /// Go back to the model before instead
    #[arg(long)]
    rollback: bool,
    /// The secret key for a device that goes back and restarts only when that is signed [default:
    /// that of --sign]
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// Where the device is
    #[command(flatten)]
    link: Link,
}

/// `device restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// The secret key for a device that restarts only when that is signed
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// Where the device is
    #[command(flatten)]
    link: Link,
}

/// Gives the device another model, and starts it anew.
pub fn run(args: UpdateArgs, quiet: bool) -> anyhow::Result<()> {
    let UpdateArgs { model, sign, model_version, downgrade, key: command_key, link, .. } = args;
    let command_key = command_key.as_deref().map(SigningKey::read).transpose()?;
    let Some(path) = model else {
        return link.ask(|client| {
            client.roll_back(command_key.as_ref())?;
            restart(client, command_key.as_ref())
        });
    };
    let file = read_model(&path)?;
    // What is bad is refused here, with all that there is to say, before a byte is sent.
    let checksum = Model::parse(&file).with_context(|| foreign_text::path(&path))?.checksum();
    let key = sign.as_deref().map(SigningKey::read).transpose()?;
    let command_key = command_key.as_ref().or(key.as_ref());
    link.ask(|client| {
        let sent = match &key {
            Some(key) => {
                let mut version = Version::now();
                version.number = model_version.unwrap_or(version.number);
                if downgrade {
                    let accepted = client.info()?.signed.map_or(0, |signed| signed.floor);
                    version.replaces = accepted;
                }
                key.sign(&file, version)
            }
            None => file.clone(),
        };
        let bar = terminal::bar(sent.len(), "bytes", quiet);
        let begin = Instant::now();
        let send =
            |client: &mut AnyClient| client.update(&sent, |sent| bar.set_position(sent as u64));
        let mut updated = send(client);
        if let Err(Error::Refused(RequestError::RestartFirst)) = updated {
            // It has been updated or sent back since its start, and needs both models until then.
            client.restart(command_key)?;
            client.wait_for_start(START)?;
            updated = send(client);
        }
        bar.finish_and_clear();
        let updated = match updated {
            Err(error @ Error::Refused(RequestError::Rejected(ModelRejected::Unreadable)))
                if sign.is_some() =>
            {
                // With a signature behind it, it is no model to a device that asks for none.
                bail!("{error}. If the device was built without a key, update it without --sign");
            }
            other => other?,
        };
        println!(
            "written     {} bytes to slot {} in {:.1} s; {} blocks erased; update {}",
            sent.len(),
            updated.slot,
            begin.elapsed().as_secs_f64(),
            updated.erased_blocks,
            updated.sequence
        );
        restart(client, command_key)?;
        let running = client.info()?;
        if running.checksum != checksum {
            // It has started with another one: the new model failed its self-test there.
            let what = format!("{} ({:08x})", running.model, running.checksum);
            return Err(Error::WentBack { running: what }.into());
        }
        Ok(())
    })
}

/// Makes a key that signs models.
pub fn new_key(path: &Path) -> anyhow::Result<()> {
    let public = SigningKey::generate().write(path)?;
    println!("secret key  {}, for `device update MODEL --sign`; keep it", foreign_text::path(path));
    println!(
        "public key  {0}, for a board: `THIMBLE_PUBLIC_KEY={0} cargo run --release --features \
         signed` in its folder",
        foreign_text::path(&public.canonicalize().unwrap_or(public))
    );
    Ok(())
}

/// Starts a device anew.
pub fn run_restart(args: RestartArgs) -> anyhow::Result<()> {
    let key = args.key.as_deref().map(SigningKey::read).transpose()?;
    args.link.ask(|client| restart(client, key.as_ref()))
}

/// Starts the device anew, and shows who it is then.
fn restart(client: &mut AnyClient, key: Option<&SigningKey>) -> anyhow::Result<()> {
    client.restart(key)?;
    print_info(&client.wait_for_start(START)?);
    Ok(())
}
