//! Folder of a run: atomic writes and a lock.

mod manifest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::manifest::{MANIFEST, Manifest, ManifestError, NO_ROWS, RunWriter, State};
use crate::atomic_file;
use crate::folder_lock::{FolderLock, LockError};
use crate::foreign_text;

/// Name of the lock file.
const LOCK: &str = "run.lock";

/// Reason why the folder cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// The system refused an operation.
    #[error("{}: {action}: {error}. Choose another folder with --output, or free some space", foreign_text::path(.path))]
    Write {
        /// The folder, or the file in it.
        path: PathBuf,
        /// The operation.
        action: &'static str,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// Another process writes into the folder.
    #[error(
        "{}: {process} is writing into the folder (run.lock). Wait until it ends, or choose \
         another folder with --output", foreign_text::path(.path)
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Description of the process.
        process: String,
    },
}

/// A writable folder, used by this process alone unless it is shared.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Option<FolderLock>,
    dead: Option<String>,
}

impl RunFolder {
    /// Creates the folder if it does not exist, and locks it. Failing early avoids a long training
    /// whose results cannot be written. Removes temporary files that a killed process left.
    ///
    /// # Errors
    /// [`RunFolderError`] when it cannot be created or written, or another process writes into it.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RunFolderError> {
        let mut folder = RunFolder::shared(path)?;
        let path = &folder.path;
        match FolderLock::take(path, LOCK) {
            Ok((lock, dead)) => (folder.lock, folder.dead) = (Some(lock), dead),
            Err(LockError::Held(process)) => {
                let process = match process.is_empty() {
                    true => "another process".to_string(),
                    false => format!("process {process}"),
                };
                return Err(RunFolderError::Locked { path: path.clone(), process });
            }
            Err(LockError::Io(error)) => {
                return Err(folder.error("the folder cannot be locked")(error));
            }
        }
        atomic_file::remove_leftovers(&folder.path, Duration::ZERO);
        Ok(folder)
    }

    /// Creates the folder if it does not exist, for several writing processes, such as the shards
    /// of a sweep.
    ///
    /// # Errors
    /// [`RunFolderError`] when it cannot be created or written.
    pub fn shared(path: impl Into<PathBuf>) -> Result<Self, RunFolderError> {
        let folder = RunFolder { path: path.into(), lock: None, dead: None };
        fs::create_dir_all(&folder.path).map_err(folder.error("the folder cannot be made"))?;
        tempfile::NamedTempFile::new_in(&folder.path)
            .map_err(folder.error("the folder cannot be written"))?;
        Ok(folder)
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the ID of the killed process whose lock was taken over.
    pub fn killed_process(&self) -> Option<&str> {
        self.dead.as_deref()
    }

    /// Writes or replaces a file atomically: readers find the old content or the new one.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunFolderError> {
        self.write_by(name, |path| fs::write(path, content))
    }

    /// Writes a file as [`write`](Self::write) does, with a callback that writes to the given path.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn write_by(
        &self,
        name: &str,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), RunFolderError> {
        let path = self.path.join(name);
        atomic_file::replace(&path, write).map_err(|error| RunFolderError::Write {
            path,
            action: "the file cannot be written",
            error,
        })
    }

    /// Writes files into a folder of their own, in place of its earlier content.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file or folder.
    pub fn write_folder(
        &self,
        name: &str,
        files: &[(String, Vec<u8>)],
    ) -> Result<(), RunFolderError> {
        let path = self.path.join(name);
        let failed = |action| {
            let path = path.clone();
            move |error| RunFolderError::Write { path, action, error }
        };
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("the folder cannot be removed")(error));
            }
            _ => {}
        }
        fs::create_dir(&path).map_err(failed("the folder cannot be made"))?;
        files.iter().try_for_each(|(file, content)| {
            self.write_by(&format!("{name}/{file}"), |path| fs::write(path, content))
        })
    }

    /// Removes a file, if it exists.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn remove(&self, name: &str) -> Result<(), RunFolderError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RunFolderError::Write { path, action: "the file cannot be removed", error })
            }
            _ => Ok(()),
        }
    }

    fn error(&self, action: &'static str) -> impl Fn(io::Error) -> RunFolderError + use<> {
        let path = self.path.clone();
        move |error| RunFolderError::Write { path: path.clone(), action, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path().join("a/b")).unwrap();
        folder.write("x", b"long content").unwrap();
        folder.write("x", b"short").unwrap();
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"short");
        let path = folder.path().to_path_buf();
        drop(folder);
        assert_eq!(fs::read_dir(path).unwrap().count(), 1);
    }

    #[test]
    fn a_second_writer_is_refused_and_a_killed_one_cleaned_up_after() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        let message = RunFolder::create(outer.path()).unwrap_err().to_string();
        let process = format!("process {} is writing into the folder", std::process::id());
        assert!(message.contains(&process) && message.contains("--output"), "{message}");
        assert!(RunFolder::shared(outer.path()).is_ok());
        drop(folder);
        fs::write(outer.path().join(".thimble-abc.tmp"), "half").unwrap();
        fs::write(outer.path().join("run.lock"), "4194305").unwrap();
        let folder = RunFolder::create(outer.path()).unwrap();
        assert_eq!(folder.killed_process(), Some("4194305"));
        assert!(!outer.path().join(".thimble-abc.tmp").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let file = outer.path().join("file");
        fs::write(&file, "").unwrap();
        let message = RunFolder::create(file.join("run")).unwrap_err().to_string();
        assert!(message.contains("file/run: the folder cannot be made"), "{message}");
        assert!(message.contains("--output"), "{message}");
    }
}
