//! Paths: the repository, and folders for the output of tests.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in a folder").into()
}

/// Returns the folder of the build that contains this program, such as `target/debug`.
pub fn profile_dir() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows its own path");
    // target/debug/deps/NAME-HASH for a test, target/debug/NAME for a program.
    let folder = program.parent().expect("a program lies in a folder");
    match folder.ends_with("deps") {
        true => folder.parent().expect("a test lies in target/PROFILE/deps").into(),
        false => folder.into(),
    }
}

/// Returns the folder for cached files of tests, inside the folder of the build.
pub fn cache_dir() -> PathBuf {
    let dir = profile_dir().join("thimble-tests");
    fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    dir
}

/// Returns an empty folder for one test; `name` is unique to the test.
pub fn empty_dir(name: &str) -> PathBuf {
    let dir = cache_dir().join("work").join(name);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{}: {error}", dir.display())
        }
        _ => {}
    }
    fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    dir
}

/// The bytes of a file.
///
/// # Panics
/// With the file's name, when it can't be read.
pub fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a file.
///
/// # Panics
/// With the file's name, when it can't be written.
pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Returns a short name for some bytes, which depends on their content and the toolchain.
pub fn content_key(parts: &[&[u8]]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Creates the file or folder `name` in the cache once, for all tests and later runs. `make` writes
/// to a temporary path, which becomes the result when `make` returns.
pub fn cached(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let dir = cache_dir();
    let (path, unfinished) = (dir.join(name), dir.join(format!("{name}.unfinished")));
    // Tests are threads and processes: the second one waits for the first.
    let lock = dir.join(format!("{name}.lock"));
    let lock = fs::File::create(&lock).unwrap_or_else(|e| panic!("{}: {e}", lock.display()));
    lock.lock().unwrap_or_else(|error| panic!("a lock on {}: {error}", path.display()));
    if !path.exists() {
        // Remains of an interrupted run.
        let _ = fs::remove_dir_all(&unfinished);
        let _ = fs::remove_file(&unfinished);
        make(&unfinished);
        fs::rename(&unfinished, &path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    path
}
