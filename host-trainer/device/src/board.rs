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
    /// Where its firmware logs to.
    /// Where its firmware logs to.
    pub log: Log,
    /// Bytes that a record of [`vectors`](super::command::vectors) may have: model, scratch,
    /// inputs and outputs; and that a row of inputs and outputs of the other commands may have.
    pub work_bytes: usize,
    /// The model that it has unless another is chosen, in the repository.
    pub model: &'static str,
    /// The target that Rust compiles for.
    pub target: &'static str,
}

/// Where a board's firmware logs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// To the emulator: it is firmware for an emulator only, which also takes commands.
    Semihosting,
    /// To its second UART. Commands are taken by another program of the same crate.
    SecondUart,
    /// To its memory, from where a debugger reads it (RTT), and QEMU does not. Commands are taken
    /// by another program of the same crate.
    Memory,
}

/// What a board takes only with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Models.
    Models,
    /// Models, and commands to go back and to restart.
    ModelsAndCommands,
}

impl Signed {
    /// The feature of the board's crate.
    pub fn feature(self) -> &'static str {
        match self {
            Signed::Models => "signed",
            Signed::ModelsAndCommands => "signed-commands",
        }
    }
}

const MEGABYTE: usize = 1 << 20;

/// The model that most boards have unless another is chosen, in the repository.
pub const DEFAULT_MODEL: &str = "firmware/models/digits.thimble";

/// All of them.
pub const BOARDS: &[Board] = &[
    arm("qemu-mps2-an385", "mps2-an385", "thumbv7m-none-eabi"),
    arm("qemu-mps2-an386", "mps2-an386", "thumbv7em-none-eabihf"),
    arm("qemu-mps2-an500", "mps2-an500", "thumbv7em-none-eabihf"),
    arm("qemu-mps2-an505", "mps2-an505", "thumbv8m.main-none-eabihf"),
    arm("qemu-mps3-an547", "mps3-an547", "thumbv8m.main-none-eabihf"),
    Board {
        name: "qemu-riscv",
        qemu: "qemu-system-riscv32",
        machine: "virt",
        log: Log::Semihosting,
        work_bytes: 3 * MEGABYTE,
        model: DEFAULT_MODEL,
        target: "riscv32imac-unknown-none-elf",
    },
    Board {
        name: "microbit",
        qemu: "qemu-system-arm",
        machine: "microbit",
        log: Log::Memory,
        work_bytes: 6 << 10,
        model: "firmware/models/mnist-16k-cortex-m0.thimble",
        target: "thumbv6m-none-eabi",
    },
    Board {
        name: "hifive1",
        qemu: "qemu-system-riscv32",
        machine: "sifive_e,revb=true",
        log: Log::SecondUart,
        work_bytes: 6 << 10,
        model: "firmware/models/mnist-16k-rv32.thimble",
        target: "riscv32imac-unknown-none-elf",
    },
];

/// The program of `qemu-mps2-an385` compiled for Cortex-M0: a Cortex-M3 runs it as well, with the
/// memory for whole models that the micro:bit lacks.
pub static CORTEX_M0_CODE: Board = arm("qemu-mps2-an385", "mps2-an385", "thumbv6m-none-eabi");

/// One of Arm's boards that are emulated only.
const fn arm(name: &'static str, machine: &'static str, target: &'static str) -> Board {
    let (qemu, log) = ("qemu-system-arm", Log::Semihosting);
    let (work_bytes, model) = (3 * MEGABYTE, DEFAULT_MODEL);
    Board { name, qemu, machine, log, work_bytes, model, target }
}

impl Board {
    /// The board of this name.
    ///
    /// # Errors
    /// [`Error::UnknownBoard`] names those that there are.
    pub fn named(name: &str) -> Result<&'static Board, Error> {
        BOARDS.iter().find(|board| board.name == name).ok_or_else(|| Error::UnknownBoard {
            name: name.into(),
            known: BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", "),
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
        let path = self.artifact(&boards.join("target"), self.name);
        if path.is_file() { Ok(path) } else { Err(Error::NotBuilt { path, board: self.name }) }
    }

    /// Whether [`Board::build_for_commands`] makes another program than [`Board::build`]: the board
    /// is a real one, whose own program must not use semihosting.
    pub fn has_program_of_its_own_for_commands(&self) -> bool {
        self.log != Log::Semihosting
    }

    /// Builds the firmware with the model of this file built in, from the sources in
    /// `repository`, and puts it at `destination`. A real board takes the very same.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's words, which include the format's own if the model is bad.
    pub fn build(
        &'static self,
        repository: &Path,
        model: &Path,
        destination: &Path,
    ) -> Result<(), Error> {
        self.build_program(self.name.into(), repository, model, None, destination)
    }

    /// Builds as [`Board::build`] does, for a board that takes models, or models and commands, only
    /// if the holder of the public key in this file has signed them.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's words, which say so if the key is bad.
    pub fn build_signed(
        &'static self,
        repository: &Path,
        model: &Path,
        signed: Signed,
        key: &Path,
        destination: &Path,
    ) -> Result<(), Error> {
        self.build_program(self.name.into(), repository, model, Some((signed, key)), destination)
    }

    /// Builds as [`Board::build`] does, but the program that takes the commands of
    /// [`command`](super::command). For boards that are only emulated it is the same program; for
    /// the others it has the same drivers, and semihosting, which no real board would survive.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's words, which include the format's own if the model is bad.
    pub fn build_for_commands(
        &'static self,
        repository: &Path,
        model: &Path,
        destination: &Path,
    ) -> Result<(), Error> {
        let program = match self.has_program_of_its_own_for_commands() {
            false => self.name.into(),
            true => format!("{}-commands", self.name),
        };
        self.build_program(program, repository, model, None, destination)
    }

    fn build_program(
        &'static self,
        program: String,
        repository: &Path,
        model: &Path,
        signed: Option<(Signed, &Path)>,
        destination: &Path,
    ) -> Result<(), Error> {
        let boards = repository.join("firmware/boards");
        let model = model.canonicalize().map_err(Error::file(model))?;
        let default = repository.join(self.model).canonicalize().ok();
        let target_dir = boards.join("target");
        fs::create_dir_all(&target_dir).map_err(Error::file(&target_dir))?;
        // Whoever builds with another model at the same time must not replace the firmware between
        // building and copying. Dropping the file unlocks it.
        let lock_path = target_dir.join("build.lock");
        let lock = fs::File::create(&lock_path).map_err(Error::file(&lock_path))?;
        lock.lock().map_err(Error::file(&lock_path))?;
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--release", "--locked", "--color=never", "--target"])
            .arg(self.target)
            .arg("--target-dir")
            .arg(&target_dir)
            .current_dir(boards.join(self.name));
        // What a board has anyway is not named, so that what is built is not built again.
        match default.as_ref() == Some(&model) {
            true => cargo.env_remove("THIMBLE_MODEL"),
            false => cargo.env("THIMBLE_MODEL", model),
        };
        match signed {
            Some((signed, key)) => {
                let key = key.canonicalize().map_err(Error::file(key))?;
                cargo.args(["--features", signed.feature()]).env("THIMBLE_PUBLIC_KEY", key)
            }
            None => cargo.env_remove("THIMBLE_PUBLIC_KEY"),
        };
        // Of a cargo that runs this program, nothing but the choice of the toolchain shall matter.
        for (variable, _) in env::vars_os() {
            if variable.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_"))
                || variable == "CARGO_MANIFEST_DIR"
                || variable == "CARGO_TARGET_DIR"
            {
                cargo.env_remove(variable);
            }
        }
        let output =
            cargo.output().map_err(|source| Error::Start { program: "cargo".into(), source })?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Build { board: self.name, output });
        }
        let built = self.artifact(&target_dir, &program);
        fs::copy(&built, destination).map_err(Error::file(destination))?;
        Ok(())
    }

    fn artifact(&self, target_dir: &Path, program: &str) -> PathBuf {
        target_dir.join(self.target).join("release").join(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_board_is_answered_with_those_that_there_are() {
        assert_eq!(Board::named("qemu-mps2-an386").unwrap().machine, "mps2-an386");
        let error = Board::named("an387").unwrap_err().to_string();
        assert!(error.contains("an387") && error.contains("qemu-mps2-an386"), "{error}");
    }
}
