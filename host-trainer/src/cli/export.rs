//! `host-trainer export`: a model for firmware in C.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use model_format::Model;

use super::args::model_file;
use super::evaluate::read_model;
use super::export_lib::{self, ExportLib};
use super::{files, terminal};
use crate::chips::Chip;
use crate::export::{CSource, Name, Package};
use crate::foreign_text::{self, shown};
use crate::report::bytes as in_bytes;

/// `export`.
#[derive(Debug, Subcommand)]
pub enum ExportArgs {
    /// Write a model as C source without dependencies, with identical outputs
    C(ExportC),
    /// Compile the engine as a static library with a header, for firmware in C that updates its
    /// model or has several
    Lib(ExportLib),
}

/// Arguments of `export c`.
#[derive(Debug, Args)]
pub struct ExportC {
    /// Model file, or folder of a run
    #[arg(value_name = "MODEL|RUN", value_parser = model_file())]
    pub model: PathBuf,
    /// Folder for the files
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Prefix of all symbols, and name of the files [default: the model's name]
    #[arg(long, value_name = "IDENTIFIER")]
    pub name: Option<String>,
    /// Write a package with an example for a build system, in place of two files
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub package: Option<PackageArg>,
    /// Check that the model fits this chip; `inspect --for list` shows the names
    #[arg(long = "for", value_name = "CHIP")]
    pub chip: Option<String>,
    /// Overwrite files of other content
    #[arg(long)]
    pub force: bool,
}

/// Build systems on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PackageArg {
    /// Library for the Arduino IDE and arduino-cli
    Arduino,
    /// Library for PlatformIO
    Platformio,
    /// Module for Zephyr
    Zephyr,
    /// Component for ESP-IDF
    EspIdf,
    /// Library for CMake with find_package
    Cmake,
    /// CMSIS pack description for Keil, IAR and CMSIS-Toolbox
    Cmsis,
}

impl PackageArg {
    fn package(self) -> Package {
        match self {
            PackageArg::Arduino => Package::Arduino,
            PackageArg::Platformio => Package::Platformio,
            PackageArg::Zephyr => Package::Zephyr,
            PackageArg::EspIdf => Package::EspIdf,
            PackageArg::Cmake => Package::Cmake,
            PackageArg::Cmsis => Package::Cmsis,
        }
    }
}

/// Exports a model.
pub fn run(args: &ExportArgs, quiet: bool) -> anyhow::Result<()> {
    match args {
        ExportArgs::C(args) => c(args, quiet),
        ExportArgs::Lib(args) => export_lib::run(args, quiet),
    }
}

fn c(args: &ExportC, quiet: bool) -> anyhow::Result<()> {
    let chip = args.chip.as_deref().map(Chip::named).transpose()?;
    let bytes = read_model(&args.model)?;
    let model = Model::parse(&bytes).with_context(|| foreign_text::path(&args.model))?;
    let name = match &args.name {
        Some(name) => Name::new(name)?,
        None => Name::of_model(model.name())?,
    };
    let source = CSource::of(&model, &name);
    if let Some(chip) = chip {
        check_fit(&source, chip)?;
    }
    let written = match args.package {
        Some(package) => {
            // What the folder is called, also where it is given as `.`.
            let folder = std::path::absolute(&args.output).unwrap_or_else(|_| args.output.clone());
            let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            package.package().files(&model, &name, &source, &folder)
        }
        None => source.files(),
    };
    let contents: Vec<_> = written
        .iter()
        .map(|file| (PathBuf::from(&file.path), file.content.clone().into_bytes()))
        .collect();
    write_new(&args.output, &contents, args.force)?;
    if !quiet {
        let mut text = String::new();
        for file in &written {
            text += &format!("{}\n", foreign_text::path(&args.output.join(&file.path)));
        }
        text += &format!(
            "{} as C: {} of constants in flash, {} of scratch memory. Run it with {name}_run, check it \
             with {name}_self_test\n",
            shown(model.name()),
            in_bytes(source.flash as u64),
            in_bytes(source.scratch as u64)
        );
        terminal::print(&text)?;
    }
    Ok(())
}

/// Flash of the code of any model, in bytes, at the most: that of a model with all operators on a
/// Cortex-M0.
const CODE: u64 = 4 << 10;
/// RAM beside the scratch memory that a program takes at least for its stack.
const STACK: u64 = 512;

fn check_fit(source: &CSource, chip: &Chip) -> anyhow::Result<()> {
    let flash = source.flash as u64 + CODE;
    let ram = source.scratch as u64 + STACK;
    for (memory, needed, available) in [("flash", flash, chip.flash), ("RAM", ram, chip.ram)] {
        if needed > available {
            bail!(
                "the model does not fit the {}. It needs about {} of {memory}, of which the chip has \
                 {}. Use a smaller network, or smaller weights (`host-trainer quantize --weights \
                 int4`). Nothing was written",
                chip.name,
                in_bytes(needed),
                in_bytes(available)
            );
        }
    }
    Ok(())
}

/// Writes files below a folder. Files of the same names and other content are overwritten only with
/// `force`, and none is written if one may not be.
pub(super) fn write_new(
    folder: &Path,
    contents: &[(PathBuf, Vec<u8>)],
    force: bool,
) -> anyhow::Result<()> {
    for (path, content) in contents {
        let path = folder.join(path);
        let same = fs::read(&path).is_ok_and(|found| found == *content);
        if !force && !same && fs::symlink_metadata(&path).is_ok() {
            bail!(
                "{} exists and has other content. Give another folder, or --force to overwrite it. \
                 Nothing was written",
                foreign_text::path(&path)
            );
        }
    }
    for (path, content) in contents {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .with_context(|| format!("{} cannot be created", foreign_text::path(parent)))?;
        files::write(&path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> (PathBuf, Vec<u8>) {
        (path.into(), content.into())
    }

    #[test]
    fn other_content_is_overwritten_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let [a, b] = [file("a.h", "1"), file("src/b.c", "2")];
        write_new(folder.path(), &[a.clone(), b.clone()], false).unwrap();
        write_new(folder.path(), &[a, b], false).unwrap();
        let changed = [file("c.h", "3"), file("a.h", "4")];
        let error = write_new(folder.path(), &changed, false).unwrap_err().to_string();
        assert!(error.contains("a.h") && error.contains("--force"), "{error}");
        assert!(!folder.path().join("c.h").exists(), "none is written if one may not be");
        write_new(folder.path(), &changed, true).unwrap();
        assert_eq!([at("a.h"), at("c.h"), at("src/b.c")], ["4", "3", "2"]);
    }
}
