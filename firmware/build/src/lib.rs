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
pub mod script;

use std::path::{Path, PathBuf};
use std::{env, fs};

use model_format::Model;

pub use code::{aligned_file, module};
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
        let file = self.read();
        let code = code::module(&self.module, &file.path, &file.model());
        script::write(&format!("{}.rs", self.module), code.as_bytes());
    }

    /// Reads the file and checks it, for a build script that writes code of its own.
    ///
    /// A model that is refused ends the build; cargo shows the message.
    #[must_use]
    pub fn read(&self) -> CheckedFile {
        let path = self.resolved();
        println!("cargo::rerun-if-changed={}", path.display());
        let bytes = fs::read(&path).unwrap_or_else(|error| self.refuse(&path, &error));
        let model = Model::parse(&bytes).unwrap_or_else(|error| self.refuse(&path, &error));
        fit::check(&model, &fit::kernels()).unwrap_or_else(|error| self.refuse(&path, &error));
        CheckedFile { path, bytes }
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
        script::fail(&format!("the model {} cannot be built in: {error}. {remedy}", path.display()))
    }
}

/// A model file that the target's kernels can run.
#[derive(Clone, Debug)]
pub struct CheckedFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl CheckedFile {
    /// Returns where the file lies, without symbolic links: the compiler includes it by this path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the model in the file.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        // It was parsed when it was read.
        Model::parse(&self.bytes).unwrap_or_else(|error| script::fail(&error.to_string()))
    }
}
