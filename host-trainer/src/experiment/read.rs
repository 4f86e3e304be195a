//! Reading a finished run from its folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

use super::write::LEARNT;
use super::{Error, Experiment, Plan, levels};
use crate::data::{Locations, Source};
use crate::foreign_text;
use crate::network::{Layer, Network, NetworkError, NotFinite};
use crate::preset::{self, Preset};
use crate::run_folder::{MANIFEST, Manifest, ManifestError, State};

/// Reason why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error(
        "{}: {error}. Give the folder of a run that `host-trainer train` wrote, such as runs/digits",
        foreign_text::path(.path)
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// A file has invalid content.
    #[error("{}: {problem}. Train again", foreign_text::path(.path))]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The preset is invalid.
    #[error(transparent)]
    Preset(#[from] preset::Error),
    /// The preset's network is invalid.
    #[error("preset: network: {0}")]
    Network(#[from] NetworkError),
    /// The data is damaged, or the preset does not fit it.
    #[error(transparent)]
    Plan(#[from] Box<Error>),
    /// The files are not those of one run.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The weights are not finite.
    #[error(
        "{}: {error}. The loss diverged, or the file is damaged. Train again",
        foreign_text::path(.path)
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The layer.
        #[source]
        error: NotFinite,
    },
    /// The data is not that of the training.
    #[error(
        "{}: {} has changed since this run was trained on it. Restore the data, or train again",
        foreign_text::path(.folder),
        foreign_text::escaped(.origin)
    )]
    Data {
        /// Folder of the run.
        folder: PathBuf,
        /// Origin of the data.
        origin: String,
    },
}

/// A finished run without its data.
#[derive(Clone, Debug)]
pub struct SavedRun {
    /// Folder.
    pub folder: PathBuf,
    /// Preset.
    pub preset: Preset,
    /// The trained network.
    pub network: Network<f32>,
    /// Manifest of the run's files.
    pub manifest: Manifest,
}

impl SavedRun {
    /// Reads the preset and weights of a run, and checks all its files against the manifest.
    ///
    /// # Errors
    /// [`ReadError`] with the file that is missing, damaged, or of another run.
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        let run = SavedRun::open_learnt(folder)?;
        check_complete(&run.folder, &run.manifest)?;
        Ok(run)
    }

    /// Reads the preset and weights of a run as [`open`](Self::open) does, also of one that is not
    /// quantized yet.
    ///
    /// # Errors
    /// [`ReadError`] with the file that is missing, damaged, or of another run.
    pub fn open_float(folder: &Path) -> Result<Self, ReadError> {
        let run = SavedRun::open_learnt(folder)?;
        match check_complete(&run.folder, &run.manifest) {
            Ok(()) | Err(ManifestError::NotQuantized { .. }) => Ok(run),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the preset and weights of a run that may lack its model, metrics, or report.
    ///
    /// # Errors
    /// [`ReadError`] with the file that is missing, damaged, or of another run.
    pub fn open_learnt(folder: &Path) -> Result<Self, ReadError> {
        // A missing folder gets its own message.
        let path = folder.join("preset.toml");
        if !folder.join(MANIFEST).exists() && !path.exists() {
            read_text(&path)?;
        }
        let manifest = Manifest::read(folder)?;
        manifest.check(folder, Some(&LEARNT))?;
        let path = folder.join("preset.toml");
        let text = read_text(&path)?;
        let preset = Preset::read(&text, &foreign_text::path(&path))?;
        let path = folder.join("weights.safetensors");
        let network = read_network(&path, &preset)?;
        let error = |error| ReadError::NotFinite { path: path.clone(), error };
        network.check_finite().map_err(error)?;
        Ok(SavedRun { folder: folder.to_path_buf(), preset, network, manifest })
    }

    /// Recreates the plan of the run, with its data and splits.
    ///
    /// # Errors
    /// [`ReadError::Plan`] when data is missing or damaged, [`ReadError::Data`] when it is not that
    /// of the training.
    pub fn plan(&self, locations: &Locations) -> Result<Plan, ReadError> {
        let plan = Plan::new(self.preset.clone(), locations).map_err(Box::new)?;
        match plan.data == self.manifest.data {
            true => Ok(plan),
            false => Err(ReadError::Data { folder: self.folder.clone(), origin: plan.origin }),
        }
    }

    /// Reads model.thimble.
    ///
    /// # Errors
    /// [`ReadError::File`] when it cannot be read.
    pub fn model_bytes(&self) -> Result<Vec<u8>, ReadError> {
        read(&self.folder.join(Experiment::MODEL))
    }

    /// Reads history.csv.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read.
    pub fn history(&self) -> Result<String, ReadError> {
        read_text(&self.folder.join("history.csv"))
    }

    /// Reads metrics.json.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read.
    pub fn metrics(&self) -> Result<Value, ReadError> {
        parse_metrics(&self.folder)
    }
}

/// Reads the metrics.json of a run.
///
/// # Errors
/// [`ReadError`] when it cannot be read, or the folder does not contain a complete run.
pub fn read_metrics(folder: &Path) -> Result<Value, ReadError> {
    if !folder.join(MANIFEST).exists() {
        read_text(&folder.join(Experiment::METRICS))?;
    }
    check_complete(folder, &Manifest::read(folder)?)?;
    parse_metrics(folder)
}

/// Checks that a folder contains a complete run, with all files as in its manifest.
///
/// # Errors
/// [`ManifestError`] with each missing or changed file.
pub fn check_run(folder: &Path) -> Result<Manifest, ManifestError> {
    let manifest = Manifest::read(folder)?;
    check_complete(folder, &manifest)?;
    Ok(manifest)
}

/// Checks the fingerprint of data against that of the run in the folder, if there is one.
///
/// # Errors
/// [`ReadError::Data`] when they differ.
pub fn check_data(folder: &Path, data: &str, origin: &str) -> Result<(), ReadError> {
    if !folder.join(MANIFEST).exists() || Manifest::read(folder)?.data == data {
        return Ok(());
    }
    Err(ReadError::Data { folder: folder.to_path_buf(), origin: origin.to_string() })
}

fn check_complete(folder: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
    manifest.check(folder, None)?;
    match manifest.state {
        State::Complete => Ok(()),
        State::Trained => Err(manifest.not_quantized(folder)),
    }
}

fn parse_metrics(folder: &Path) -> Result<Value, ReadError> {
    let path = folder.join("metrics.json");
    serde_json::from_str(&read_text(&path)?)
        .map_err(|error| ReadError::Content { path, problem: error.to_string() })
}

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    fs::read(path).map_err(|error| ReadError::File { path: path.to_path_buf(), error })
}

fn read_text(path: &Path) -> Result<String, ReadError> {
    fs::read_to_string(path).map_err(|error| ReadError::File { path: path.to_path_buf(), error })
}

/// Builds the preset's network with the weights of the file.
fn read_network(path: &Path, preset: &Preset) -> Result<Network<f32>, ReadError> {
    let content = |problem: String| ReadError::Content { path: path.to_path_buf(), problem };
    let file = read(path)?;
    let tensors = SafeTensors::deserialize(&file).map_err(|error| content(error.to_string()))?;
    let tensor = |name: &str| tensors.tensor(name).map_err(|error| content(error.to_string()));
    let inputs = tensor("layers.0.weight")?.shape().get(1).copied().unwrap_or(0);
    let mut network = Network::new(inputs, &preset.network.specs(), preset.seed)?;
    if let Source::Schema(schema) = &preset.data.dataset
        && let Some(problem) = schema.misfit(inputs, network.outputs())
    {
        return Err(content(format!("{problem} by data.dataset.schema in the preset beside it")));
    }
    let values = |name: String, shape: Vec<usize>| {
        let tensor = tensor(&name)?;
        if tensor.shape() != shape || tensor.dtype() != safetensors::Dtype::F32 {
            return Err(content(format!(
                "{name} is {:?} of shape {:?}, but the preset beside it asks for F32 of {shape:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let (values, _) = tensor.data().as_chunks();
        Ok(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect::<Vec<f32>>())
    };
    let (mut parameters, mut state) = (Vec::new(), Vec::new());
    let (mut denses, mut normalizations) = (0, 0);
    for view in network.layers() {
        match view.layer {
            Layer::Dense(dense) => {
                let shape = vec![dense.outputs, dense.inputs];
                parameters.extend(values(format!("layers.{denses}.weight"), shape)?);
                parameters.extend(values(format!("layers.{denses}.bias"), vec![dense.outputs])?);
                denses += 1;
            }
            Layer::BatchNormalization(layer) => {
                let named = |name| {
                    values(format!("normalizations.{normalizations}.{name}"), vec![layer.width])
                };
                parameters.extend(named("gamma")?);
                parameters.extend(named("beta")?);
                state.extend(named("mean")?);
                state.extend(named("variance")?);
                normalizations += 1;
            }
            Layer::Activation { .. } | Layer::Dropout { .. } => {}
        }
    }
    network.parameters_mut().copy_from_slice(&parameters);
    network.state_mut().copy_from_slice(&state);
    let (_, header) =
        SafeTensors::read_metadata(&file).map_err(|error| content(error.to_string()))?;
    if let Some(metadata) = header.metadata() {
        levels::read(&tensors, metadata, &mut network).map_err(content)?;
    }
    Ok(network)
}
