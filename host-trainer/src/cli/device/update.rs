//! `host-trainer device update | restart | new-key`: model updates, restarts, signing keys.

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

/// Time limit for a device to start.
const START: Duration = Duration::from_secs(20);

/// Arguments of `device update`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["model", "rollback"]))]
pub struct UpdateArgs {
    /// Model file, packed for the device's core or portable; or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    model: Option<PathBuf>,
    /// Sign the model with the secret key in this file (PEM, PKCS#8), for a device built with the
    /// public key
    #[arg(long, value_name = "KEYFILE", requires = "model")]
    sign: Option<PathBuf>,
    /// Version in the signature; the device refuses one below the highest that it has accepted
    /// [default: the seconds since 1970]
    #[arg(long, value_name = "N", requires = "sign")]
    model_version: Option<u32>,
    /// Sign the model as a downgrade, which may replace any version that the device has accepted
    #[arg(long, requires = "sign")]
    downgrade: bool,
    /// Roll back to the previous model
    #[arg(long)]
    rollback: bool,
    /// Secret key for a device that accepts rollback and restart only when signed [default: that of
    /// --sign]
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Arguments of `device restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Secret key for a device that accepts a restart only when signed
    #[arg(long, value_name = "KEYFILE")]
    key: Option<PathBuf>,
    /// Connection to the device
    #[command(flatten)]
    link: Link,
}

/// Installs another model on the device, and restarts it.
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
    // A bad model is refused here with a full error message, before any byte is sent.
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
            // It was updated or rolled back since its start, and needs both models until it
            // restarts.
            client.restart(command_key)?;
            client.wait_for_start(START)?;
            updated = send(client);
        }
        bar.finish_and_clear();
        let updated = match updated {
            Err(error @ Error::Refused(RequestError::Rejected(ModelRejected::Unreadable)))
                if sign.is_some() =>
            {
                // With a signature appended, a device without a key does not accept the model.
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
            // It started with another model: the new one failed its self-test there.
            let what = format!("{} ({:08x})", running.model, running.checksum);
            return Err(Error::WentBack { running: what }.into());
        }
        Ok(())
    })
}

/// Generates a key pair that signs models.
pub fn new_key(path: &Path) -> anyhow::Result<()> {
    let public = SigningKey::generate().write(path)?;
    println!(
        "secret key  {}, for `device update MODEL --sign`; keep it safe",
        foreign_text::path(path)
    );
    println!(
        "public key  {0}, for a board: `THIMBLE_PUBLIC_KEY={0} cargo run --release --features \
         signed` in its folder",
        foreign_text::path(&public.canonicalize().unwrap_or(public))
    );
    Ok(())
}

/// Restarts a device.
pub fn run_restart(args: RestartArgs) -> anyhow::Result<()> {
    let key = args.key.as_deref().map(SigningKey::read).transpose()?;
    args.link.ask(|client| restart(client, key.as_ref()))
}

/// Restarts the device, and shows its identity afterwards.
fn restart(client: &mut AnyClient, key: Option<&SigningKey>) -> anyhow::Result<()> {
    client.restart(key)?;
    print_info(&client.wait_for_start(START)?);
    Ok(())
}
