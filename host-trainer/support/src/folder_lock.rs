//! Folder locks: one writing process per folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Exclusive lock of a folder, held until it is dropped or the process ends, even by a kill.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    _file: File,
}

/// Errors of locking a folder.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds the lock. Contains its process ID, or nothing if it is unknown.
    Held(String),
    /// The file cannot be written.
    Io(io::Error),
}

impl FolderLock {
    /// Locks a folder by a file of this name, which contains the process ID. Also returns the
    /// process ID of a killed process that left its file behind.
    pub fn take(folder: &Path, name: &str) -> Result<(Self, Option<String>), LockError> {
        let path = folder.join(name);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path).map_err(LockError::Io)?;
            match file.try_lock() {
                // On a file system without locks, the user must avoid two writers.
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(process(&mut file))),
            }
            if !is_at(&file, &path) {
                // The previous holder has removed the file since it was opened.
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
        // Removed while locked, so no other process can have replaced it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the process ID in the file. Empty if it cannot be read.
fn process(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(20).read_to_string(&mut text);
    text.retain(|character| character.is_ascii_digit());
    text
}

/// Returns `true` if the path still refers to this file.
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
    // On other systems an open file cannot be removed.
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
