//! Search for image files in a folder with one folder per class.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use model_format::limits::MAX_TEXT;
use thimble_support::foreign_text;

use super::Error;
use super::image_file::{ImageError, Kind, kind_of};

/// Number of files per reason that a note names. The others are counted.
const NAMED: usize = 8;

/// An image file and its class, the name of its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub path: PathBuf,
    pub class: String,
}

/// Image files of the splits, in alphabetical order of their paths.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub train: Vec<Found>,
    /// Files below `test/`, or `None` if the folder has no such split.
    pub test: Option<Vec<Found>>,
    /// Files below `validation/` or `val/`.
    pub validation: Option<Vec<Found>>,
    pub passed_over: PassedOver,
}

/// Skipped files by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PassedOver(Vec<(&'static str, Vec<String>)>);

impl PassedOver {
    /// Adds a file by its path relative to the folder.
    pub fn add(&mut self, reason: &'static str, folder: &Path, path: &Path) {
        let name = foreign_text::path(path.strip_prefix(folder).unwrap_or(path));
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => self.0.push((reason, vec![name])),
        }
    }

    /// Returns a line that counts and names the files, or `None` if none was skipped.
    pub fn note(&self) -> Option<String> {
        let count: usize = self.0.iter().map(|(_, names)| names.len()).sum();
        let groups = self.0.iter().map(|(reason, names)| {
            let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match names.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{} {reason} ({shown}{more})", names.len())
        });
        let groups = groups.collect::<Vec<_>>().join("; ");
        let files = if count == 1 { "1 file" } else { &format!("{count} files") };
        (count > 0).then(|| format!("{files} passed over: {groups}"))
    }
}

/// Treatment of files that look like images but cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnUnreadable {
    Refuse,
    Skip,
}

const HIDDEN: &str = "hidden";
const OTHER: &str = "not images";
pub(super) const UNREADABLE: &str = "unreadable";
const OUTSIDE: &str = "in no class's folder";
const EMPTY: &str = "without images";
const SEEN: &str = "seen already, by a link";

/// Finds the images of each class in its folder and all folders below, in `train/`, `test/` and
/// `validation/` if the folder has these splits.
///
/// # Errors
/// [`Error::File`] if a folder cannot be read, [`Error::Image`] for a class name that is too long
/// for a model, and for an unreadable file with [`OnUnreadable::Refuse`].
pub(super) fn search(folder: &Path, unreadable: OnUnreadable) -> Result<Search, Error> {
    let mut search = Search::default();
    let children = entries(folder)?;
    let named = |names: &[&str]| {
        let mut found = children.iter().filter(|path| {
            let name = file_name(path).to_lowercase();
            path.is_dir() && names.contains(&name.as_str()) && has_folder(path)
        });
        match (found.next(), found.next()) {
            (Some(one), Some(other)) => Err(Error::Image {
                path: folder.to_path_buf(),
                problem: format!(
                    "`{}` and `{}` are the same split: put all into one of them",
                    file_name(one),
                    file_name(other)
                ),
            }),
            (found, _) => Ok(found.cloned()),
        }
    };
    let train = named(&["train", "training"])?;
    let test = named(&["test", "testing"])?;
    let validation = named(&["validation", "valid", "val"])?;
    let folders = children.iter().filter(|path| path.is_dir() && !is_hidden(path)).count();
    let mut walk = Walk { folder, unreadable, passed_over: PassedOver::default() };
    match train {
        Some(train) if test.is_some() || validation.is_some() || folders == 1 => {
            let splits = [Some(&train), test.as_ref(), validation.as_ref()];
            for path in &children {
                if !splits.contains(&Some(path)) {
                    let reason = if is_hidden(path) { HIDDEN } else { OUTSIDE };
                    walk.passed_over.add(reason, folder, path);
                }
            }
            search.train = walk.classes(&train)?;
            search.test = test.map(|test| walk.classes(&test)).transpose()?;
            search.validation = validation.map(|path| walk.classes(&path)).transpose()?;
        }
        _ => search.train = walk.classes(folder)?,
    }
    search.passed_over = walk.passed_over;
    Ok(search)
}

struct Walk<'a> {
    folder: &'a Path,
    unreadable: OnUnreadable,
    passed_over: PassedOver,
}

impl Walk<'_> {
    /// Returns the images in the class folders of a folder.
    fn classes(&mut self, folder: &Path) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for path in entries(folder)? {
            let class = file_name(&path);
            if is_hidden(&path) {
                self.passed_over.add(HIDDEN, self.folder, &path);
            } else if !path.is_dir() {
                self.passed_over.add(OUTSIDE, self.folder, &path);
            } else {
                let before = found.len();
                self.images(&path, &class, &mut HashSet::new(), &mut found)?;
                if found.len() == before {
                    self.passed_over.add(EMPTY, self.folder, &path);
                } else if class.len() > MAX_TEXT {
                    let problem = format!(
                        "the folder's name is that of a class, and has {} bytes. A model takes \
                         {MAX_TEXT}: rename it",
                        class.len()
                    );
                    return Err(Error::Image { path, problem });
                }
            }
        }
        Ok(found)
    }

    /// Collects the images in a folder and all folders below it.
    fn images(
        &mut self,
        folder: &Path,
        class: &str,
        seen: &mut HashSet<PathBuf>,
        found: &mut Vec<Found>,
    ) -> Result<(), Error> {
        // A link to a parent folder would recurse forever.
        if fs::canonicalize(folder).is_ok_and(|real| !seen.insert(real)) {
            self.passed_over.add(SEEN, self.folder, folder);
            return Ok(());
        }
        for path in entries(folder)? {
            if is_hidden(&path) {
                self.passed_over.add(HIDDEN, self.folder, &path);
                continue;
            }
            if path.is_dir() {
                self.images(&path, class, seen, found)?;
                continue;
            }
            // Reading a pipe would block.
            let kind = match path.is_file() {
                true => kind_of(&path),
                false => Ok(Kind::Other),
            };
            match kind {
                Ok(Kind::Image(_)) => found.push(Found { path, class: class.to_string() }),
                Ok(Kind::Other) => self.passed_over.add(OTHER, self.folder, &path),
                _ if self.unreadable == OnUnreadable::Skip => {
                    self.passed_over.add(UNREADABLE, self.folder, &path);
                }
                Ok(Kind::Unreadable(problem)) => return Err(refused(path, problem)),
                Err(ImageError::File { path, error }) => {
                    return Err(Error::File { path, action: "cannot be read", error });
                }
                Err(ImageError::Content { path, problem }) => return Err(refused(path, &problem)),
            }
        }
        Ok(())
    }
}

/// Returns the error for an unreadable file among images.
pub(super) fn refused(path: PathBuf, problem: &str) -> Error {
    let problem = format!("{problem}. To go on without such files, set unreadable = \"skip\"");
    Error::Image { path, problem }
}

/// Returns the paths in a folder in alphabetical order, so that rows are reproducible.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(Error::file(folder, "cannot be read"))?;
    paths.sort_unstable();
    Ok(paths)
}

/// Returns the last part of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns whether a name begins with a point, as those of files that programs leave behind.
pub(super) fn is_hidden(path: &Path) -> bool {
    file_name(path).starts_with('.')
}

fn has_folder(path: &Path) -> bool {
    entries(path).is_ok_and(|paths| paths.iter().any(|path| path.is_dir() && !is_hidden(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, if name.ends_with(".txt") { b"text" } else { PNG }).unwrap();
        }
        folder
    }

    fn names(folder: &tempfile::TempDir, found: &[Found]) -> Vec<String> {
        let name = |found: &Found| {
            let path = found.path.strip_prefix(folder.path()).unwrap();
            format!("{} {}", found.class, path.display())
        };
        found.iter().map(name).collect()
    }

    #[test]
    fn classes_are_folders_and_what_is_passed_over_is_named() {
        let folder = folder(&[
            "dog/b.png",
            "dog/a.txt",
            "dog/.DS_Store",
            "cat/deep/er/1.jpg",
            "cat/0",
            "none/x.txt",
            "loose.png",
            ".git/config",
        ]);
        let search = search(folder.path(), OnUnreadable::Refuse).unwrap();
        let expected = ["cat cat/0", "cat cat/deep/er/1.jpg", "dog dog/b.png"];
        assert_eq!(names(&folder, &search.train), expected);
        assert!(search.test.is_none());
        assert_eq!(
            search.passed_over.note().unwrap(),
            "6 files passed over: 2 hidden (.git, dog/.DS_Store); 2 not images (dog/a.txt, \
             none/x.txt); 1 in no class's folder (loose.png); 1 without images (none)"
        );
    }

    #[test]
    fn splits_are_folders_with_folders_of_classes() {
        for (train, test, validation) in [
            ("train", "test", "val"),
            ("Training", "Testing", "valid"),
            ("train", "test", "validation"),
        ] {
            let files = [(train, "a"), (train, "b"), (test, "a"), (validation, "b")]
                .map(|(split, class)| format!("{split}/{class}/1.png"));
            let folder = folder(&files.each_ref().map(String::as_str));
            let search = search(folder.path(), OnUnreadable::Refuse).unwrap();
            assert_eq!(names(&folder, &search.train).len(), 2);
            assert_eq!(names(&folder, &search.test.unwrap())[0], format!("a {test}/a/1.png"));
            assert_eq!(search.validation.unwrap()[0].class, "b");
        }
        // A folder of images is a class, whatever its name.
        let vehicles = folder(&["train/1.png", "car/1.png", "test/1.png"]);
        let found = search(vehicles.path(), OnUnreadable::Refuse).unwrap();
        assert_eq!(found.train.len(), 3);
        assert!(found.test.is_none());
        // Images for a contest, without classes, cannot be tested with.
        let contest = folder(&["train/a/1.png", "train/b/1.png", "test/1.png", "val/a/1.png"]);
        let found = search(contest.path(), OnUnreadable::Refuse).unwrap();
        assert_eq!((found.train.len(), found.test), (2, None));
        assert!(found.passed_over.note().unwrap().contains("in no class's folder (test)"));
        let alone = folder(&["train/a/1.png", "train/b/1.png"]);
        assert_eq!(search(alone.path(), OnUnreadable::Refuse).unwrap().train.len(), 2);
        let twice = folder(&["train/a/1.png", "training/a/1.png", "test/a/1.png"]);
        let message = search(twice.path(), OnUnreadable::Refuse).unwrap_err().to_string();
        assert!(message.contains("`train` and `training` are the same split"), "{message}");
    }

    #[test]
    fn unreadable_files_are_refused_or_passed_over() {
        let folder = folder(&["a/1.png", "b/1.png"]);
        fs::write(folder.path().join("b/2.JPG"), "no image").unwrap();
        fs::write(folder.path().join("b/3.jpg"), "").unwrap();
        let message = search(folder.path(), OnUnreadable::Refuse).unwrap_err().to_string();
        let named = message.contains("b/2.JPG: not an image") && message.contains("\"skip\"");
        assert!(named, "{message}");
        let found = search(folder.path(), OnUnreadable::Skip).unwrap();
        let note = found.passed_over.note().unwrap();
        assert_eq!(note, "2 files passed over: 2 unreadable (b/2.JPG, b/3.jpg)");
    }

    #[test]
    fn names_that_no_model_can_have_are_refused() {
        let folder = folder(&[&format!("{}/1.png", "x".repeat(65)), "b/1.png"]);
        let message = search(folder.path(), OnUnreadable::Refuse).unwrap_err().to_string();
        assert!(message.contains("has 65 bytes"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_back_end() {
        let folder = folder(&["a/1.png", "b/1.png"]);
        std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("a/again")).unwrap();
        let found = search(folder.path(), OnUnreadable::Refuse).unwrap();
        assert_eq!(found.train.len(), 2);
        assert!(found.passed_over.note().unwrap().contains("by a link (a/again)"));
    }
}
