//! One writer at a time in a folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The lock of a folder, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: File,
}

/// Why a folder cannot be locked.
#[derive(Debug)]
pub enum LockError {
    /// The process of this number, as far as it is known, writes there.
    Held(String),
    /// The file cannot be written.
    Io(io::Error),
}

impl FolderLock {
    /// Locks a folder, by a file of this name that contains the number of the process. Returns with the lock the number of the process that left its own behind
    /// when it was killed.
    pub fn take(folder: &Path, name: &str) -> Result<(Self, Option<String>), LockError> {
        let path = folder.join(name);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path).map_err(LockError::Io)?;
            match file.try_lock() {
                // A file system without locks leaves it to the user.
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(process(&mut file))),
            }
            if !is_at(&file, &path) {
                // Who held it has removed it since it was opened.
                continue;
            }
            let dead = Some(process(&mut file)).filter(|process| !process.is_empty());
            let own = std::process::id().to_string();
            let write = |file: &mut File| {
                file.set_len(0)?;
                file.rewind()?;
                file.write_all(own.as_bytes())
            };
            write(&mut file).map_err(LockError::Io)?;
            return Ok((FolderLock { path, _file: file }, dead));
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is still locked: nobody can have put another in its place.
        let _ = fs::remove_file(&self.path);
    }
}

/// The number that the file contains; nothing where it cannot be read.
fn process(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(20).read_to_string(&mut text);
    text.retain(|character| character.is_ascii_digit());
    text
}

/// Whether the path still names this file.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (file.metadata().map(place), fs::metadata(path).map(place)) {
            (Ok(file), Ok(path)) => file == path,
            _ => false,
        }
    }
    // Elsewhere an open file cannot be removed.
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "run.lock";

    #[test]
    fn the_second_writer_hears_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, dead) = FolderLock::take(folder.path(), FILE).unwrap();
        assert_eq!(dead, None);
        let own = std::process::id().to_string();
        assert!(
            matches!(FolderLock::take(folder.path(), FILE), Err(LockError::Held(process)) if process == own)
        );
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_lock_of_a_dead_process_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "4194305").unwrap();
        let (_lock, dead) = FolderLock::take(folder.path(), FILE).unwrap();
        assert_eq!(dead.as_deref(), Some("4194305"));
    }
}
