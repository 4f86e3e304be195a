//! Atomic file replacement: after a crash, a file has either its old or its new content.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

const PREFIX: &str = ".thimble-";
const SUFFIX: &str = ".tmp";

/// Writes or replaces a file atomically. A reader finds the old or the new content, never a part,
/// even after a power failure. `write` gets the path of a temporary file in the same folder.
///
/// # Errors
/// The error of the operating system or of `write`. The old content is unchanged then.
pub fn replace<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let folder = folder(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // By default, only its owner can read a temporary file. The umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    // The lock tells `remove_leftovers` that the writer is running. Some file systems have no
    // locks.
    let _ = file.as_file().try_lock();
    let permissions = fs::metadata(file.path())?.permissions();
    let value = write(file.path())?;
    // `write` may have replaced the file.
    fs::set_permissions(file.path(), permissions)?;
    // The content must be on the disk before the rename: see `man 2 rename`, `man 2 fsync`.
    File::open(file.path())?.sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(value)
}

/// Flushes renames and removals in a folder to the disk, if the operating system supports it.
pub fn sync_folder(folder: &Path) {
    // The files themselves are durable. Some operating systems cannot open a folder.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Returns the folder of a file.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes temporary files of [`replace`] whose writer was killed, if they are at least `age` old.
pub fn remove_leftovers(folder: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let is_old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|time| time.elapsed().unwrap_or_default() >= age)
        };
        if !is_ours || !is_old() {
            continue;
        }
        // A locked file is being written. A file that cannot be removed only costs space.
        if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_the_dead_are_removed_and_of_the_living_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".thimble-dead.tmp", ".thimble-alive.tmp", "mine.tmp", ".thimble-other"] {
            fs::write(at(name), "x").unwrap();
        }
        let alive = File::open(at(".thimble-alive.tmp")).unwrap();
        alive.try_lock().unwrap();
        remove_leftovers(folder.path(), Duration::from_secs(60));
        assert!(at(".thimble-dead.tmp").exists(), "it is young");
        remove_leftovers(folder.path(), Duration::ZERO);
        assert!(!at(".thimble-dead.tmp").exists());
        assert!(at(".thimble-alive.tmp").exists());
        assert!(at("mine.tmp").exists() && at(".thimble-other").exists());
    }

    #[test]
    fn a_writer_that_fails_leaves_the_old_content_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |path| fs::write(path, "old")).unwrap();
        let failed = replace(&path, |path| {
            fs::write(path, "new, but")?;
            Err::<(), _>(io::Error::other("no space"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
