//! `run.json`: the manifest and commit point of a run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{RunFolder, RunFolderError};
use crate::atomic_file;
use crate::foreign_text::{self, shown};

/// File name of the manifest.
pub const MANIFEST: &str = "run.json";

/// Fingerprint of the data of a run without rows.
pub const NO_ROWS: &str = "none";

/// Version of the file format.
const FORMAT: u32 = 1;

/// Manifest: the files of a run with their SHA-256.
///
/// It is written last and removed first, so that a folder that was being written during a power
/// failure is not taken for a run. A file that is about to be replaced loses its entry first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Progress of the run.
    pub state: State,
    /// Fingerprint of the training data.
    pub data: String,
    /// Core that its model is packed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<String>,
    /// SHA-256 of each file, by its name.
    files: BTreeMap<String, String>,
    /// SHA-256 of the pending replacement of an essential file. Until it is written, both contents
    /// are valid.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    replacing: BTreeMap<String, String>,
}

/// Progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Weights, history and preset exist, but not the model.
    Trained,
    /// All files exist.
    Complete,
}

/// Reason why a folder is not a valid run.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The folder has no `run.json`.
    #[error(
        "{}: there is no run.json, the manifest of the run's files. The program was killed while \
         it wrote the run, or the run is of an earlier version. Train again into this folder, \
         with --resume if it has a checkpoint", foreign_text::path(.0)
    )]
    Missing(PathBuf),
    /// `run.json` cannot be read.
    #[error("{}: {problem}. Train again into this folder", foreign_text::path(.path))]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// Some files are missing or changed.
    #[error("{}: {}. Restore the files of the run, or {remedy}", foreign_text::path(.folder), .files.join(", "))]
    Files {
        /// The folder.
        folder: PathBuf,
        /// Each file, with its problem.
        files: Vec<String>,
        /// The remedy.
        remedy: String,
    },
    /// The run has no model yet.
    #[error(
        "{}: the run is trained, but not quantized yet. Continue with `host-trainer quantize {}{options}`", foreign_text::path(.folder), foreign_text::path(.folder)
    )]
    NotQuantized {
        /// The folder.
        folder: PathBuf,
        /// Options of the command.
        options: &'static str,
    },
}

/// Returns the SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Manifest {
    /// Reads `run.json`.
    ///
    /// # Errors
    /// [`ManifestError::Missing`], or [`ManifestError::Content`] when it is damaged.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST);
        let content = |problem: String| ManifestError::Content { path: path.clone(), problem };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ManifestError::Missing(folder.to_path_buf()));
            }
            Err(error) => return Err(content(error.to_string())),
        };
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| content(shown(&error.to_string())))?;
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(content(format!(
                "it has version {format}, and this program supports version {FORMAT}"
            )));
        }
        Ok(manifest)
    }

    /// Checks the files in the folder against the manifest: all, or those of `only`.
    ///
    /// # Errors
    /// [`ManifestError::Files`] with each missing or changed file.
    pub fn check(&self, folder: &Path, only: Option<&[&str]>) -> Result<(), ManifestError> {
        let mut wrong = Vec::new();
        for (name, hash) in &self.files {
            if only.is_some_and(|only| !only.contains(&name.as_str())) {
                continue;
            }
            match fs::read(folder.join(name)) {
                Ok(content) => {
                    let found = sha256(&content);
                    if found != *hash && self.replacing.get(name) != Some(&found) {
                        wrong.push(format!(
                            "{} is not the file that this run wrote: it is of another run, or was \
                             edited",
                            shown(name)
                        ));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    wrong.push(format!("{} is missing", shown(name)));
                }
                Err(error) => wrong.push(format!("{} cannot be read ({error})", shown(name))),
            }
        }
        let needed = only.into_iter().flatten().filter(|name| !self.files.contains_key(**name));
        wrong.extend(needed.map(|name| format!("{name} is not in run.json")));
        if wrong.is_empty() {
            return Ok(());
        }
        let remedy = match wrong.iter().all(|line| line.starts_with("model.thimble")) {
            true => format!("make it again: host-trainer quantize {}", foreign_text::path(folder)),
            false => "train again".to_string(),
        };
        Err(ManifestError::Files { folder: folder.to_path_buf(), files: wrong, remedy })
    }

    /// Returns the error of a run without a model.
    pub(crate) fn not_quantized(&self, folder: &Path) -> ManifestError {
        let options = if self.data == NO_ROWS { " --calibrate ROWS.csv" } else { "" };
        ManifestError::NotQuantized { folder: folder.to_path_buf(), options }
    }

    /// Returns whether the run has this file.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }
}

/// Writes the files of a run, and its `run.json` last.
#[derive(Debug)]
pub struct RunWriter<'a> {
    folder: &'a RunFolder,
    manifest: Manifest,
}

impl<'a> RunWriter<'a> {
    /// Begins a new run in the folder. An earlier run there becomes invalid, and its files of these
    /// names are removed.
    ///
    /// # Errors
    /// [`RunFolderError`] when `run.json` cannot be removed.
    pub fn begin(
        folder: &'a RunFolder,
        data: String,
        core: Option<String>,
        names: &[&str],
    ) -> Result<Self, RunFolderError> {
        folder.remove(MANIFEST)?;
        for name in names {
            // Remaining files are replaced later, or reported then.
            let _ = folder.remove(name);
        }
        atomic_file::sync_folder(folder.path());
        let manifest = Manifest {
            format: FORMAT,
            state: State::Trained,
            data,
            core,
            files: BTreeMap::new(),
            replacing: BTreeMap::new(),
        };
        Ok(RunWriter { folder, manifest })
    }

    /// Continues a run, of which these files are about to be replaced.
    ///
    /// # Errors
    /// [`RunFolderError`] when `run.json` cannot be written.
    pub fn reopen(
        folder: &'a RunFolder,
        mut manifest: Manifest,
        names: &[&str],
    ) -> Result<Self, RunFolderError> {
        manifest.files.retain(|name, _| !names.contains(&name.as_str()));
        let mut writer = RunWriter { folder, manifest };
        writer.commit(State::Trained)?;
        Ok(writer)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &'a RunFolder {
        self.folder
    }

    /// Writes a file that belongs to the run.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn write(&mut self, name: &str, content: &[u8]) -> Result<(), RunFolderError> {
        self.folder.write(name, content)?;
        self.manifest.files.insert(name.to_string(), sha256(content));
        Ok(())
    }

    /// Replaces an essential file. At every moment the old or the new content is valid.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn replace(&mut self, name: &str, content: &[u8]) -> Result<(), RunFolderError> {
        self.manifest.replacing.insert(name.to_string(), sha256(content));
        self.commit(self.manifest.state)?;
        self.write(name, content)?;
        self.manifest.replacing.remove(name);
        self.commit(self.manifest.state)
    }

    /// Writes `run.json`, which makes the files written so far a run in this state.
    ///
    /// # Errors
    /// [`RunFolderError`] when it cannot be written.
    pub fn commit(&mut self, state: State) -> Result<(), RunFolderError> {
        self.manifest.state = state;
        // Strings and numbers: this cannot fail.
        let text = serde_json::to_string_pretty(&self.manifest).unwrap_or_default() + "\n";
        self.folder.write(MANIFEST, text.as_bytes())
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_or_missing_file_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        assert!(matches!(Manifest::read(outer.path()), Err(ManifestError::Missing(_))));
        let mut writer = RunWriter::begin(&folder, "d".into(), None, &[]).unwrap();
        writer.write("weights.safetensors", b"w").unwrap();
        writer.write("model.thimble", b"m").unwrap();
        writer.commit(State::Complete).unwrap();
        let manifest = Manifest::read(outer.path()).unwrap();
        assert_eq!(&manifest, writer.manifest());
        manifest.check(outer.path(), None).unwrap();
        folder.write("model.thimble", b"x").unwrap();
        let message = manifest.check(outer.path(), None).unwrap_err().to_string();
        assert!(message.contains("model.thimble is not the file that this run wrote"), "{message}");
        assert!(message.contains("host-trainer quantize"), "{message}");
        manifest.check(outer.path(), Some(&["weights.safetensors"])).unwrap();
        folder.remove("weights.safetensors").unwrap();
        let message = manifest.check(outer.path(), None).unwrap_err().to_string();
        assert!(message.contains("weights.safetensors is missing"), "{message}");
        assert!(message.contains("train again"), "{message}");
    }

    #[test]
    fn a_file_that_is_about_to_be_replaced_no_longer_counts() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        let mut writer = RunWriter::begin(&folder, "d".into(), None, &[]).unwrap();
        writer.write("weights.safetensors", b"w").unwrap();
        writer.write("model.thimble", b"m").unwrap();
        writer.commit(State::Complete).unwrap();
        let manifest = Manifest::read(outer.path()).unwrap();
        RunWriter::reopen(&folder, manifest, &["model.thimble"]).unwrap();
        let manifest = Manifest::read(outer.path()).unwrap();
        assert_eq!(manifest.state, State::Trained);
        assert!(!manifest.has("model.thimble") && manifest.has("weights.safetensors"));
        let mut writer = RunWriter::reopen(&folder, manifest, &[]).unwrap();
        writer.replace("weights.safetensors", b"v").unwrap();
        let manifest = Manifest::read(outer.path()).unwrap();
        manifest.check(outer.path(), Some(&["weights.safetensors"])).unwrap();
        folder.write("weights.safetensors", b"w").unwrap();
        assert!(manifest.check(outer.path(), None).is_err());
        // Another training removes it first.
        folder.write("model.thimble", b"m").unwrap();
        RunWriter::begin(&folder, "d".into(), None, &["model.thimble"]).unwrap();
        assert!(!outer.path().join(MANIFEST).exists());
        assert!(!outer.path().join("model.thimble").exists());
    }

    #[test]
    fn damage_is_named() {
        let outer = tempfile::tempdir().unwrap();
        for text in
            ["", "{}", "{\"format\": 9, \"state\": \"complete\", \"data\": \"\", \"files\": {}}"]
        {
            fs::write(outer.path().join(MANIFEST), text).unwrap();
            let message = Manifest::read(outer.path()).unwrap_err().to_string();
            assert!(message.contains("run.json"), "{message}");
        }
    }
}
