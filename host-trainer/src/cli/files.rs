//! Input and output files of commands.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::terminal;
use crate::atomic_file;
use crate::foreign_text;
use crate::run_folder::RunFolder;

/// Age at which an unlocked temporary file counts as a leftover of a killed process.
const LEFT: Duration = Duration::from_secs(60);

/// Reads a whole file; the error names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", foreign_text::path(path)))
}

/// Writes a file atomically: the old content stays until the new content is complete.
pub(crate) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    write_by(path, |out| out.write_all(content).with_context(|| cannot_be_written(path)))
}

/// Writes a file as [`write`] does, with a callback that produces the content.
///
/// # Errors
/// Returns the callback's error as it is, or that the file cannot be written.
pub(crate) fn write_by<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let write = |path: &Path| {
        let mut file = BufWriter::new(File::create(path)?);
        let value = write(&mut file).map_err(WriteError::Content)?;
        file.flush()?;
        Ok(value)
    };
    // A device such as /dev/stdout is written to, not replaced.
    let written = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => write(path),
        _ => {
            atomic_file::remove_leftovers(atomic_file::folder(path), LEFT);
            atomic_file::replace(path, write)
        }
    };
    written.map_err(|error| match error {
        WriteError::Content(error) => error,
        WriteError::File(error) => anyhow::Error::new(error).context(cannot_be_written(path)),
    })
}

/// Reason why a file was not written.
enum WriteError {
    /// The system refused the write.
    File(io::Error),
    /// The callback produced no content.
    Content(anyhow::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::File(error)
    }
}

fn cannot_be_written(path: &Path) -> String {
    format!("{} cannot be written", foreign_text::path(path))
}

/// Opens the folder of a run for writing; prints a note if it took over the lock of a killed
/// process.
pub(crate) fn run_folder(path: &Path) -> anyhow::Result<RunFolder> {
    let folder = RunFolder::create(path)?;
    if let Some(process) = folder.killed_process() {
        terminal::note(&format!(
            "{}: process {process} ended while it was writing here. Its lock was taken over",
            foreign_text::path(path)
        ));
    }
    Ok(folder)
}

/// Refuses an output path that is also an input, also under another name.
pub(crate) fn refuse_input_as_output(output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    for input in inputs {
        if is_same(output, input) {
            bail!(
                "{}: the output file is an input of this command, and would be overwritten. Give \
                 another output file",
                foreign_text::path(output)
            );
        }
    }
    Ok(())
}

/// Returns whether two paths name the same file, which need not exist.
pub(crate) fn is_same_place(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = fs::canonicalize(atomic_file::folder(path)).ok()?;
        Some((folder, path.file_name()?.to_os_string()))
    };
    is_same(one, other) || place(one).is_some_and(|place_| place(other) == Some(place_))
}

/// Returns whether two paths name the same existing file.
fn is_same(one: &Path, other: &Path) -> bool {
    // Hard links have different paths.
    #[cfg(unix)]
    let place = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| (file.dev(), file.ino()))
    };
    #[cfg(not(unix))]
    let place = |path: &Path| fs::canonicalize(path).ok();
    place(one).is_some_and(|file| place(other) == Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        let message = format!("{:#}", write(&path.join("below"), b"x").unwrap_err());
        assert!(message.contains("below cannot be written"), "{message}");
        assert!(write(folder.path(), b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn an_output_is_no_input_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("a"), b"x").unwrap();
        fs::hard_link(at("a"), at("linked")).unwrap();
        for same in [at("a"), at("linked"), folder.path().join("./a")] {
            let error = refuse_input_as_output(&same, &[&at("b"), &at("a")]).unwrap_err();
            assert!(error.to_string().contains("would be overwritten"), "{error}");
        }
        refuse_input_as_output(&at("b"), &[&at("a")]).unwrap();
        refuse_input_as_output(Path::new("/dev/null"), &[Path::new("/dev/null")]).unwrap();
    }
}
