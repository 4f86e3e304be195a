//! A folder that is written whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

use super::{File, ProjectError};
use crate::atomic_file;

/// Checks that a folder does not exist, or is empty.
pub fn check_free(folder: &Path) -> Result<(), ProjectError> {
    let occupied = |problem| Err(ProjectError::Occupied { path: folder.into(), problem });
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => occupied("the folder is not empty"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            occupied("a file has this name")
        }
        Err(error) => Err(ProjectError::Io { path: folder.into(), error }),
    }
}

/// Writes the files of a project to a temporary folder beside its own, which gets its name when all
/// are there. A program that is killed meanwhile leaves no half project.
pub fn write(folder: &Path, files: &[File]) -> Result<(), ProjectError> {
    let error = |path: &Path| {
        let path = path.to_path_buf();
        |error| ProjectError::Io { path, error }
    };
    let parent = atomic_file::folder(folder);
    fs::create_dir_all(parent).map_err(error(parent))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".thimble-new-");
    // A temporary folder is its owner's alone unless told otherwise; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let temporary = builder.tempdir_in(parent).map_err(error(parent))?;
    for file in files {
        let path = temporary.path().join(file.path);
        let folder = atomic_file::folder(&path);
        fs::create_dir_all(folder).map_err(error(folder))?;
        fs::write(&path, &file.content).map_err(error(&path))?;
    }
    // Not every system renames to the name of an empty folder; one that is not empty stays.
    match fs::remove_dir(folder) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
            return Err(error(folder)(problem));
        }
        _ => {}
    }
    fs::rename(temporary.path(), folder).map_err(error(folder))?;
    // It has another name now: there is nothing to remove.
    let _ = temporary.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &'static str, content: &str) -> File {
        File { path, content: content.into() }
    }

    #[test]
    fn all_files_are_there_and_nothing_beside_them() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        check_free(&folder).unwrap();
        write(&folder, &[file("one", "1"), file("src/two", "2")]).unwrap();
        assert_eq!(fs::read_to_string(folder.join("src/two")).unwrap(), "2");
        assert_eq!(fs::read_dir(parent.path().join("a")).unwrap().count(), 1);
        let refused = check_free(&folder).unwrap_err().to_string();
        assert!(refused.contains("not empty") && refused.contains("a/b"), "{refused}");
        let refused = check_free(&folder.join("one")).unwrap_err().to_string();
        assert!(refused.contains("a file has this name"), "{refused}");
    }

    #[test]
    fn after_an_error_there_is_no_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("x");
        // A file where a folder shall be.
        let error = write(&folder, &[file("src", ""), file("src/main.rs", "")]).unwrap_err();
        assert!(error.to_string().contains("was not written"), "{error}");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_came_there_meanwhile_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("x");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mine"), "").unwrap();
        write(&folder, &[file("one", "1")]).unwrap_err();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        assert!(folder.join("mine").exists());
    }
}
