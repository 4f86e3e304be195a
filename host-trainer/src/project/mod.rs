//! New firmware projects: a folder with a program that runs one model on one chip.
//!
//! | module | contents |
//! |---|---|
//! | `target` | chips and emulated machines |
//! | `example` | an example input of the model |
//! | `files` | the files of a project |
//! | `linking` | linker script, arguments of the linker and the compiler |
//! | `source` | a checkout or crates.io |
//! | `quoted` | words as strings |
//! | `write` | the folder, written whole or not at all |

mod example;
mod files;
mod linking;
mod quoted;
mod source;
mod target;
mod write;

use std::path::{Path, PathBuf};

use model_format::Model;

pub use example::Example;
pub use files::File;
pub use source::Source;
pub use target::{Memory, Runner, Runtime, TARGETS, Target};

use crate::chips::ChipError;
use crate::foreign_text::shown;
use crate::pack::{PackError, pack};
use crate::report::bytes as in_bytes;

/// A program that a project starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A loop in `main`
    #[default]
    Bare,
    /// Tasks of Embassy, the inference in the one of the lowest priority
    Embassy,
}

/// A project to write.
#[derive(Clone, Debug)]
pub struct Project {
    /// The name of its package.
    name: String,
    /// Its folder.
    folder: PathBuf,
    target: &'static Target,
    template: Template,
}

/// Why a project cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// No project can be made for a chip of this name.
    #[error(
        "no project for a chip or board `{name}` is known{}. `host-trainer new --for list` shows all",
        nearest.map_or(String::new(), |nearest| format!(" (did you mean `{nearest}`?)"))
    )]
    UnknownChip {
        /// The name that was given.
        name: String,
        /// The chip that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The name of the folder is no name of a package.
    #[error(
        "`{name}` cannot be the name of a package: {problem}. Give a folder whose name has lowercase \
         letters, digits, `-` and `_`, such as `my-sensor`"
    )]
    Name {
        /// The name.
        name: String,
        /// The problem.
        problem: &'static str,
    },
    /// The template needs a hardware library that Embassy does not have.
    #[error("Embassy has no hardware library for the {0} here. Leave out --template embassy")]
    NoEmbassy(&'static str),
    /// Something lies where the folder shall be.
    #[error(
        "{}: {problem}. Give a folder that does not exist yet, or remove this one", path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// The entry that is there.
        problem: &'static str,
    },
    /// The model does not fit the chip.
    #[error(
        "the model does not fit the {chip}. It needs about {} of {memory}, of which the chip has \
         {}. Use a smaller network, smaller weights (`host-trainer quantize --weights int4`), or \
         another chip (`host-trainer inspect MODEL --for list` compares them)",
        in_bytes(*needed), in_bytes(*available)
    )]
    DoesNotFit {
        /// The chip.
        chip: &'static str,
        /// Flash or RAM.
        memory: &'static str,
        /// Bytes that the program takes.
        needed: u64,
        /// Bytes that the chip has.
        available: u64,
    },
    /// The model cannot be packed for the core.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Whether it fits cannot be predicted.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// A file or folder cannot be written.
    #[error("{}: {error}. The project was not written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
}

/// RAM that the log's buffer and the hardware library take beside what the engine does.
const LIBRARY_RAM: u64 = 1536;

impl Project {
    /// Describes a project in a folder that does not exist or is empty.
    ///
    /// # Errors
    /// [`ProjectError`] for a folder that has something in it or whose name is none for a package,
    /// and for a template that the chip does not have.
    pub fn new(
        folder: &Path,
        target: &'static Target,
        template: Template,
    ) -> Result<Self, ProjectError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&name)?;
        write::check_free(folder)?;
        if template == Template::Embassy && !target.has_embassy() {
            return Err(ProjectError::NoEmbassy(target.name));
        }
        Ok(Project { name, folder: folder.into(), target, template })
    }

    /// Packs the model for the core and writes the project: all files, or none.
    ///
    /// # Errors
    /// [`ProjectError`] for a model that does not fit the chip, and for files that cannot be
    /// written. The folder does not exist then, or is as empty as it was.
    pub fn write(&self, model: &Model<'_>, source: &Source) -> Result<(), ProjectError> {
        let packed = pack(model, self.target.core)?;
        // What was packed has been parsed: see `pack`.
        let model = Model::parse(&packed).map_err(PackError::from)?;
        self.check_fit(&model)?;
        write::write(&self.folder, &files::files(self, &model, &packed, source))
    }

    fn check_fit(&self, model: &Model<'_>) -> Result<(), ProjectError> {
        let Some(chip) = self.target.figures() else { return Ok(()) };
        let prediction = chip.predict(model)?;
        let ram = prediction.ram() + LIBRARY_RAM;
        let chip_name = self.target.name;
        for (memory, needed, available) in
            [("flash", prediction.flash(), chip.flash), ("RAM", ram, chip.ram)]
        {
            if needed > available {
                return Err(ProjectError::DoesNotFit {
                    chip: chip_name,
                    memory,
                    needed,
                    available,
                });
            }
        }
        Ok(())
    }
}

/// The crates that a project can depend on: a package of the same name would depend on itself.
const TAKEN: [&str; 9] =
    ["core", "std", "alloc", "test", "cortex-m", "defmt", "thimble-nn", "thimble-build", "riscv"];

fn check_name(name: &str) -> Result<(), ProjectError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let problem = if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "it does not begin with a letter"
    } else if !name.chars().all(is_allowed) {
        "it has other characters than letters, digits, `-` and `_`"
    } else if TAKEN.contains(&name) {
        "a crate that every project may need has it"
    } else {
        return Ok(());
    };
    Err(ProjectError::Name { name: shown(name), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &[u8] = include_bytes!("../../../firmware/models/digits.thimble");

    #[test]
    fn names_that_cargo_would_refuse_are_refused() {
        assert!(check_name("my-sensor_2").is_ok());
        for (name, problem) in [
            ("", "begin with a letter"),
            ("2nd", "begin with a letter"),
            ("my sensor", "other characters"),
            ("größe", "other characters"),
            ("defmt", "has it"),
        ] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("my-sensor"), "{error}");
        }
    }

    #[test]
    fn a_chip_without_a_hardware_library_of_embassy_has_no_such_template() {
        let target = Target::named("FE310").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = Project::new(&folder.path().join("x"), target, Template::Embassy).unwrap_err();
        assert!(error.to_string().contains("FE310"), "{error}");
    }

    #[test]
    fn a_model_that_is_too_large_is_refused_with_the_figures() {
        use model_format::build::{LayerSpec, ModelSpec};
        let mut spec = ModelSpec::from(&Model::parse(DIGITS).unwrap());
        spec.self_tests.clear();
        // 64-4000-10: more weights than 256 KB.
        let (first, last) = (0, spec.layers.len() - 1);
        for (index, inputs, outputs) in [(first, 64, 4000), (last, 4000, 10)] {
            let LayerSpec::Dense(dense) = &mut spec.layers[index] else { panic!("dense") };
            (dense.inputs, dense.outputs) = (inputs, outputs);
            dense.weights = vec![1; inputs * outputs];
            dense.biases = vec![0; outputs];
            dense.multipliers = vec![dense.multipliers[0]; outputs];
        }
        let file = spec.to_bytes().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let project =
            Project::new(&path, Target::named("microbit").unwrap(), Template::Bare).unwrap();
        let error = project.write(&Model::parse(&file).unwrap(), &Source::find()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("nRF51822") && error.contains("flash"), "{error}");
        assert!(!path.exists());
    }
}
