//! The folder that a run writes into.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something in the folder cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {action}: {error}. Choose another folder with --out, or free some space", .path.display())]
pub struct RunFolderError {
    path: PathBuf,
    action: &'static str,
    #[source]
    error: io::Error,
}

/// A folder that exists and can be written.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder if it is not there, and writes a file into it to see that it can: a run
    /// of an hour must not end with finding that out.
    ///
    /// # Errors
    /// [`RunFolderError`] when it cannot be made or written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RunFolderError> {
        let path = path.into();
        let fail = |action| {
            let path = path.clone();
            move |error| RunFolderError { path, action, error }
        };
        fs::create_dir_all(&path).map_err(fail("the folder cannot be made"))?;
        tempfile::NamedTempFile::new_in(&path).map_err(fail("the folder cannot be written"))?;
        Ok(RunFolder { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, or replaces it: whoever opens it finds the old content or the new one, never
    /// a part.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunFolderError> {
        self.write_by(name, |path| fs::write(path, content))
    }

    /// Writes a file as [`write`](Self::write) does, by what writes one at the path that it is
    /// given.
    ///
    /// # Errors
    /// [`RunFolderError`] with the file.
    pub fn write_by(
        &self,
        name: &str,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), RunFolderError> {
        let path = self.path.join(name);
        write_whole(&self.path, &path, write).map_err(|error| RunFolderError {
            path,
            action: "the file cannot be written",
            error,
        })
    }
}

fn write_whole(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    // A temporary file is its owner's alone unless told otherwise; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?.into_temp_path();
    let permissions = fs::metadata(&file)?.permissions();
    write(&file)?;
    // Whoever writes may have put a file of their own there.
    fs::set_permissions(&file, permissions)?;
    fs::File::open(&file)?.sync_all()?;
    file.persist(path).map_err(|error| error.error)
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let file = outer.path().join("file");
        fs::write(&file, "").unwrap();
        let message = RunFolder::create(file.join("run")).unwrap_err().to_string();
        assert!(message.contains("file/run: the folder cannot be made"), "{message}");
        assert!(message.contains("--out"), "{message}");
    }
}
