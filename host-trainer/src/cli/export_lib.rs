//! `host-trainer export lib`: the engine as a static library for C.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use super::export::write_new;
use super::terminal;
use crate::export::LIBRARY_HEADER;
use crate::export::archive::single_object;
use crate::foreign_text;
use crate::pack::Core;
use crate::project::Source;
use crate::report::bytes as in_bytes;
use crate::template::render;

/// Arguments of `export lib`.
#[derive(Debug, Args)]
pub struct ExportLib {
    /// Core that the library is compiled for
    #[arg(long = "for", value_name = "CORE", value_enum)]
    pub core: Core,
    /// Folder for libthimble.a and thimble.h
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Bytes that an erase of the flash takes at least, for updates of models in flash
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = erase_size)]
    pub erase_size: u32,
    /// Overwrite files of other content
    #[arg(long)]
    pub force: bool,
}

fn erase_size(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(size) if size.is_power_of_two() && (256..=1 << 20).contains(&size) => Ok(size),
        _ => Err("a power of two from 256 to 1048576 is needed".into()),
    }
}

/// Compiler's target of a core, its `target-cpu`, and the feature of the crate.
fn target(core: Core) -> Option<(&'static str, Option<&'static str>, Option<&'static str>)> {
    Some(match core {
        Core::CortexM0 => ("thumbv6m-none-eabi", None, None),
        Core::CortexM3 => ("thumbv7m-none-eabi", None, None),
        Core::CortexM4 | Core::CortexM7 => ("thumbv7em-none-eabihf", None, None),
        Core::CortexM33 => ("thumbv8m.main-none-eabihf", Some("cortex-m33"), None),
        Core::CortexM55 => ("thumbv8m.main-none-eabihf", Some("cortex-m55"), Some("helium")),
        Core::Rv32 => ("riscv32imac-unknown-none-elf", None, None),
        Core::Any => return None,
    })
}

/// Compiles the library.
pub fn run(args: &ExportLib, quiet: bool) -> anyhow::Result<()> {
    let Some((target, cpu, feature)) = target(args.core) else {
        bail!("a library is for one core. Give it with --for, such as --for cortex-m4")
    };
    let Source::Checkout(top) = Source::find() else {
        bail!(
            "the library is compiled from a checkout of Thimble, and this program's is gone. Clone the \
             repository and run `cargo thimble export lib` there"
        )
    };
    let boards = top.join("firmware/boards");
    let folder = boards.join("target/capi").join(args.core.to_string().to_lowercase());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&boards)
        .args(["build", "--profile", "small", "--locked", "--quiet", "-p", "thimble-capi"])
        .args(["--target", target, "--config", "profile.small.debug=false"])
        .arg("--target-dir")
        .arg(&folder)
        .env("THIMBLE_ERASE_SIZE", args.erase_size.to_string());
    if let Some(cpu) = cpu {
        let flags = format!("target.'cfg(target_os=\"none\")'.rustflags=['-Ctarget-cpu={cpu}']");
        cargo.args(["--config", &flags]);
    }
    cargo.args(feature.map(|feature| format!("--features={feature}")));
    let built =
        cargo.output().context("cargo cannot be run. Install Rust from https://rustup.rs")?;
    if !built.status.success() {
        bail!(
            "the library cannot be compiled for {target}. `firmware/boards/setup {target}` installs what \
             is missing. The compiler's words:\n{}",
            foreign_text::screen(&String::from_utf8_lossy(&built.stderr))
        );
    }
    let path = folder.join(target).join("small/libthimble.a");
    let archive =
        fs::read(&path).with_context(|| format!("{} cannot be read", foreign_text::path(&path)))?;
    let library = single_object(&archive, "thimble-", "thimble", &functions())?;
    let header = render(LIBRARY_HEADER, &[("erase_size", args.erase_size.to_string())]);
    let files = [
        (PathBuf::from("libthimble.a"), library),
        (PathBuf::from("thimble.h"), header.into_bytes()),
    ];
    write_new(&args.output, &files, args.force)?;
    if !quiet {
        terminal::print(&text(&args.output, args.core, files[0].1.len()))?;
    }
    Ok(())
}

fn text(folder: &Path, core: Core, len: usize) -> String {
    format!(
        "{}: the engine for {core}, {} before the linker drops what is not called. Models for it are \
         packed with `host-trainer pack MODEL --for {}`\n",
        foreign_text::path(&folder.join("libthimble.a")),
        in_bytes(len as u64),
        core.to_string().to_lowercase()
    )
}

/// The functions that the header declares.
fn functions() -> Vec<&'static str> {
    let mut names: Vec<&str> = LIBRARY_HEADER
        .match_indices("thimble_")
        .filter_map(|(start, _)| {
            let (name, _) = LIBRARY_HEADER.get(start..)?.split_once('(')?;
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_header_is_found() {
        let names = functions();
        assert!(
            names.contains(&"thimble_init") && names.contains(&"thimble_roll_back"),
            "{names:?}"
        );
        assert_eq!(names.len(), 17, "{names:?}");
    }

    #[test]
    fn an_erase_size_is_a_power_of_two() {
        assert_eq!(erase_size("2048"), Ok(2048));
        for bad in ["0", "128", "3000", "2097152", "x"] {
            erase_size(bad).unwrap_err();
        }
    }
}
