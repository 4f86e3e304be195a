//! The emulated boards by name, and how to build their firmware.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::Error;

/// A board that QEMU emulates, with its firmware in `firmware/boards/NAME`.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name: the folder's, the program's, and what it says of itself.
    pub name: &'static str,
    /// The QEMU program.
    pub(super) qemu: &'static str,
    /// QEMU's name of the machine.
    pub(super) machine: &'static str,
    /// The target that Rust compiles for.
    target: &'static str,
}

/// All of them.
pub const BOARDS: &[Board] = &[Board {
    name: "qemu-mps2-an386",
    qemu: "qemu-system-arm",
    machine: "mps2-an386",
    target: "thumbv7em-none-eabihf",
}];

impl Board {
    /// The board of this name.
    ///
    /// # Errors
    /// [`Error::UnknownBoard`] names those that there are.
    pub fn named(name: &str) -> Result<&'static Board, Error> {
        BOARDS
            .iter()
            .find(|board| board.name == name)
            .ok_or_else(|| Error::UnknownBoard {
                name: name.into(),
                known: BOARDS
                    .iter()
                    .map(|board| board.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The firmware that `cargo build --release` in the board's folder has made, in the repository
    /// that the current folder belongs to.
    ///
    /// # Errors
    /// [`Error::NoSources`] outside the repository, [`Error::NotBuilt`] if nobody has built it.
    pub fn built(&'static self) -> Result<PathBuf, Error> {
        let here = env::current_dir().map_err(Error::file("."))?;
        let boards = here
            .ancestors()
            .map(|folder| folder.join("firmware/boards"))
            .find(|folder| folder.is_dir())
            .ok_or(Error::NoSources)?;
        let path = self.artifact(&boards.join("target"));
        if path.is_file() {
            Ok(path)
        } else {
            Err(Error::NotBuilt {
                path,
                board: self.name,
            })
        }
    }

    /// Builds the firmware with the model of this file built in, from the sources in
    /// `repository`, and puts it at `destination`.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's words, which include the format's own if the model is bad.
    pub fn build(
        &'static self,
        repository: &Path,
        model: &Path,
        destination: &Path,
    ) -> Result<(), Error> {
        let boards = repository.join("firmware/boards");
        let model = model.canonicalize().map_err(Error::file(model))?;
        let target_dir = boards.join("target");
        fs::create_dir_all(&target_dir).map_err(Error::file(&target_dir))?;
        // Whoever builds with another model at the same time must not replace the firmware between
        // building and copying. Dropping the file unlocks it.
        let lock_path = target_dir.join("build.lock");
        let lock = fs::File::create(&lock_path).map_err(Error::file(&lock_path))?;
        lock.lock().map_err(Error::file(&lock_path))?;
        let mut cargo = Command::new("cargo");
        cargo
            .args([
                "build",
                "--release",
                "--locked",
                "--color=never",
                "--target-dir",
            ])
            .arg(&target_dir)
            .current_dir(boards.join(self.name))
            .env("THIMBLE_MODEL", model);
        // Of a cargo that runs this program, nothing but the choice of the toolchain shall matter.
        for (variable, _) in env::vars_os() {
            if variable
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_"))
                || variable == "CARGO_MANIFEST_DIR"
                || variable == "CARGO_TARGET_DIR"
            {
                cargo.env_remove(variable);
            }
        }
        let output = cargo.output().map_err(|source| Error::Start {
            program: "cargo".into(),
            source,
        })?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Build {
                board: self.name,
                output,
            });
        }
        let built = self.artifact(&target_dir);
        fs::copy(&built, destination).map_err(Error::file(destination))?;
        Ok(())
    }

    fn artifact(&self, target_dir: &Path) -> PathBuf {
        target_dir.join(self.target).join("release").join(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_board_is_answered_with_those_that_there_are() {
        assert_eq!(
            Board::named("qemu-mps2-an386").unwrap().machine,
            "mps2-an386"
        );
        let error = Board::named("an387").unwrap_err().to_string();
        assert!(
            error.contains("an387") && error.contains("qemu-mps2-an386"),
            "{error}"
        );
    }
}
