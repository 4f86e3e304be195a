//! Builds a model into firmware, from its build script.
//!
//! [`model`] checks the file when the firmware is compiled, and writes a module with the model on a
//! 4-byte boundary, its sizes and labels as constants, and the operators that it uses, so that
//! `thimble-nn` links no others. A model that cannot run on the target ends the build, with the
//! reason and the remedy.
//!
//! ```no_run
//! // build.rs
//! thimble_build::model("model.thimble").generate();
//! ```
//!
//! ```ignore
//! // main.rs
//! include!(concat!(env!("OUT_DIR"), "/model.rs"));
//!
//! let mut scratch = [0; model::SCRATCH_LEN];
//! let mut engine = thimble_nn::Engine::new(model::MODEL, &mut scratch)?;
//! ```
#![forbid(unsafe_code)]

mod code;
mod fit;

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use model_format::Model;

pub use code::module;
pub use fit::{FitError, check, kernels};

/// Starts the description of a model to build in.
///
/// `path` is absolute, or relative to the folder of the package whose build script calls this.
pub fn model(path: impl Into<PathBuf>) -> ModelFile {
    ModelFile { path: path.into(), module: "model".into(), variable: None }
}

/// A model file to build in.
#[derive(Clone, Debug)]
#[must_use = "nothing is built in before `generate`"]
pub struct ModelFile {
    path: PathBuf,
    module: String,
    variable: Option<String>,
}

impl ModelFile {
    /// Sets the name of the generated module, and of its file, `NAME.rs`. The default is `model`.
    pub fn module(mut self, name: &str) -> Self {
        self.module = name.into();
        self
    }

    /// Names an environment variable whose value, where it is set and not empty, replaces the path.
    pub fn variable(mut self, name: &str) -> Self {
        self.variable = Some(name.into());
        self
    }

    /// Checks the model and writes the module to the folder `OUT_DIR`.
    ///
    /// The module has
    ///
    /// - `MODEL: thimble_nn::StaticModel<Ops>`, for `thimble_nn::Engine::new`;
    /// - `SCRATCH_LEN: usize`, in words of 32 bits; `INPUTS: usize`; `OUTPUTS: usize`;
    /// - `LABELS: [&str; N]`, the labels of the classes, none for a regression;
    /// - `INPUT_NAMES`, `INPUT_UNITS`, `OUTPUT_NAMES` and `OUTPUT_UNITS`, `[&str; N]`, none where
    ///   the model file has no names;
    /// - `Ops`, the capabilities that the model needs.
    ///
    /// A model that is refused ends the build; cargo shows the message.
    pub fn generate(self) {
        let path = self.resolved();
        println!("cargo::rerun-if-changed={}", path.display());
        let bytes = fs::read(&path).unwrap_or_else(|error| self.refuse(&path, &error));
        let model = Model::parse(&bytes).unwrap_or_else(|error| self.refuse(&path, &error));
        fit::check(&model, &fit::kernels()).unwrap_or_else(|error| {
            fail(&format!("the model {} cannot be built in: {error}.", path.display()))
        });
        write(&format!("{}.rs", self.module), &code::module(&self.module, &path, &model));
    }

    /// The path that the variable or the caller names, without symbolic links: the compiler reads
    /// the file from another folder.
    fn resolved(&self) -> PathBuf {
        let chosen = self.variable.as_ref().and_then(|name| {
            println!("cargo::rerun-if-env-changed={name}");
            env::var_os(name).filter(|path| !path.is_empty())
        });
        let path = chosen.map_or_else(|| self.path.clone(), PathBuf::from);
        path.canonicalize().unwrap_or_else(|error| self.refuse(&path, &error))
    }

    fn refuse(&self, path: &Path, error: &dyn std::error::Error) -> ! {
        let remedy = match &self.variable {
            Some(name) => format!(
                "Set {name} to a model file that `host-trainer inspect` accepts, or unset it for the \
                 default."
            ),
            None => "Give a model file that `host-trainer inspect` accepts.".into(),
        };
        fail(&format!("the model {} cannot be built in: {error}. {remedy}", path.display()))
    }
}

/// Writes a file to the folder `OUT_DIR`. An unchanged file keeps its time, so that nothing that
/// depends on it is built again.
fn write(name: &str, content: &str) {
    let folder = env::var_os("OUT_DIR")
        .map_or_else(|| fail("OUT_DIR is not set: call this from a build script"), PathBuf::from);
    let path = folder.join(name);
    if fs::read(&path).is_ok_and(|present| present == content.as_bytes()) {
        return;
    }
    fs::write(&path, content).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())));
}

/// Ends the build; cargo shows the message.
fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(1)
}
