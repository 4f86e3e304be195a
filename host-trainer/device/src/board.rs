//! Emulated boards, and builds of their firmware.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::Error;

/// A board that QEMU emulates, with its firmware in `firmware/boards/NAME`.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Name of the folder, of the program, and in the device's information.
    pub name: &'static str,
    /// QEMU program.
    pub(super) qemu: &'static str,
    /// QEMU's name of the machine.
    pub(super) machine: &'static str,
    /// Log output of its firmware.
    pub log: Log,
    /// Maximum bytes of a record of [`vectors`](super::command::vectors), which are model, scratch
    /// memory, inputs and outputs; and of a row of inputs and outputs of the other commands.
    pub work_bytes: usize,
    /// Path of the default model in the repository.
    pub model: &'static str,
    /// Target of the Rust compiler.
    pub target: &'static str,
}

/// Log output of a board's firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The emulator, by semihosting: the firmware runs only in an emulator, and also takes
    /// commands.
    Semihosting,
    /// The second UART. Another program of the same crate takes commands.
    SecondUart,
    /// Memory that a debugger reads (RTT) and QEMU does not. Another program of the same crate
    /// takes commands.
    Memory,
}

/// Items for which a board requires a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Models.
    Models,
    /// Models, and commands for rollback and restart.
    ModelsAndCommands,
}

impl Signed {
    /// Feature of the board's crate.
    pub fn feature(self) -> &'static str {
        match self {
            Signed::Models => "signed",
            Signed::ModelsAndCommands => "signed-commands",
        }
    }
}

/// The environment variable that names the model that a build of firmware takes.
const MODEL_VARIABLE: &str = "THIMBLE_MODEL";

const MEGABYTE: usize = 1 << 20;

/// Path of the default model of most boards in the repository.
pub const DEFAULT_MODEL: &str = "firmware/models/digits.thimble";

/// All emulated boards.
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
        model: "firmware/models/mnist-16k-packed.thimble",
        target: "thumbv6m-none-eabi",
    },
    Board {
        name: "hifive1",
        qemu: "qemu-system-riscv32",
        machine: "sifive_e,revb=true",
        log: Log::SecondUart,
        work_bytes: 6 << 10,
        model: "firmware/models/mnist-16k-packed.thimble",
        target: "riscv32imac-unknown-none-elf",
    },
];

/// The program of `qemu-mps2-an385` compiled for Cortex-M0. A Cortex-M3 runs it, too, and has the
/// memory for whole models that the micro:bit lacks.
pub static CORTEX_M0_CODE: Board = arm("qemu-mps2-an385", "mps2-an385", "thumbv6m-none-eabi");

/// Entry for one of Arm's emulated boards.
const fn arm(name: &'static str, machine: &'static str, target: &'static str) -> Board {
    let (qemu, log) = ("qemu-system-arm", Log::Semihosting);
    let (work_bytes, model) = (3 * MEGABYTE, DEFAULT_MODEL);
    Board { name, qemu, machine, log, work_bytes, model, target }
}

impl Board {
    /// Finds a board by its name.
    ///
    /// # Errors
    /// [`Error::UnknownBoard`] with the known names.
    pub fn named(name: &str) -> Result<&'static Board, Error> {
        BOARDS.iter().find(|board| board.name == name).ok_or_else(|| Error::UnknownBoard {
            name: name.into(),
            known: BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns the firmware that `cargo build --release` in the board's folder has built, in the
    /// repository of the current folder.
    ///
    /// # Errors
    /// [`Error::NoSources`] outside the repository, [`Error::NotBuilt`] if it is not built,
    /// [`Error::BuiltWithout`] if `THIMBLE_MODEL` names another model than the one that was built in,
    /// [`Error::ModelVariable`] if it cannot be read.
    pub fn built(&'static self) -> Result<PathBuf, Error> {
        let here = env::current_dir().map_err(Error::file("."))?;
        let boards = here
            .ancestors()
            .map(|folder| folder.join("firmware/boards"))
            .find(|folder| folder.is_dir())
            .ok_or(Error::NoSources)?;
        let path = self.artifact(&boards.join("target"), self.name);
        if !path.is_file() {
            return Err(Error::NotBuilt { path, board: self.name });
        }
        match env::var_os(MODEL_VARIABLE).filter(|model| !model.is_empty()) {
            // A path that is relative is so to the board's folder, as for the build.
            Some(model) => self.check_built_with(path, &boards.join(self.name).join(model)),
            None => Ok(path),
        }
    }

    /// Returns the firmware if this model is in it.
    fn check_built_with(&self, firmware: PathBuf, model: &Path) -> Result<PathBuf, Error> {
        let wanted = fs::read(model)
            .map_err(|source| Error::ModelVariable { model: model.into(), source })?;
        let program = fs::read(&firmware).map_err(Error::file(&firmware))?;
        // The start of a file has its checksum.
        let start = &wanted[..wanted.len().min(16)];
        let has =
            |(at, found): (usize, &[u8])| found == start && program[at..].starts_with(&wanted);
        match program.windows(start.len().max(1)).enumerate().any(has) {
            true => Ok(firmware),
            false => Err(Error::BuiltWithout { firmware, model: model.into(), board: self.name }),
        }
    }

    /// Returns whether [`Board::build_for_commands`] builds another program than [`Board::build`].
    /// This is so for real boards, whose own program must not use semihosting.
    pub fn has_program_of_its_own_for_commands(&self) -> bool {
        self.log != Log::Semihosting
    }

    /// Builds the firmware with this model file from the sources in `repository`, and copies it to
    /// `destination`. A real board runs the same program.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's output, which contains the format's error if the model is bad.
    pub fn build(
        &'static self,
        repository: &Path,
        model: &Path,
        destination: &Path,
    ) -> Result<(), Error> {
        self.build_program(self.name.into(), repository, model, None, destination)
    }

    /// Builds as [`Board::build`] does, for a board that requires a signature of models, or of
    /// models and commands, by the owner of the public key in this file.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's output, also if the key is bad.
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
    /// [`command`](super::command). For boards that are only emulated it is the same program. For
    /// real boards it has the same drivers and uses semihosting, which would halt a real board.
    ///
    /// # Errors
    /// [`Error::Build`] with cargo's output, which contains the format's error if the model is bad.
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
        // A concurrent build with another model must not replace the firmware between build and
        // copy. Dropping the file unlocks it.
        let lock_path = target_dir.join("build.lock");
        let lock = fs::File::create(&lock_path).map_err(Error::file(&lock_path))?;
        lock.lock().map_err(Error::file(&lock_path))?;
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--release", "--locked", "--color=never", "--bin"])
            .args([&program, "--target", self.target])
            .arg("--target-dir")
            .arg(&target_dir)
            .current_dir(boards.join(self.name));
        // The default model is not passed, so that an existing build is reused.
        match default.as_ref() == Some(&model) {
            true => cargo.env_remove(MODEL_VARIABLE),
            false => cargo.env(MODEL_VARIABLE, model),
        };
        match signed {
            Some((signed, key)) => {
                let key = key.canonicalize().map_err(Error::file(key))?;
                cargo.args(["--features", signed.feature()]).env("THIMBLE_PUBLIC_KEY", key)
            }
            None => cargo.env_remove("THIMBLE_PUBLIC_KEY"),
        };
        // Of the variables of a cargo that runs this program, only the toolchain is passed on.
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

    #[test]
    fn a_model_that_was_not_built_in_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [firmware, model] = ["firmware", "model"].map(|name| folder.path().join(name));
        let board = Board::named("qemu-riscv").unwrap();
        fs::write(&model, b"THMB a checksum, and the rest").unwrap();
        fs::write(&firmware, b"code THMB a checksum, THMB a checksum, and the rest code").unwrap();
        assert_eq!(board.check_built_with(firmware.clone(), &model).unwrap(), firmware);
        let missing = board.check_built_with(firmware.clone(), &folder.path().join("missing"));
        assert!(matches!(missing, Err(Error::ModelVariable { .. })), "{missing:?}");
        for without in [&b"code"[..], b"", b"code THMB a checksum, and another rest"] {
            fs::write(&firmware, without).unwrap();
            let error = board.check_built_with(firmware.clone(), &model).unwrap_err().to_string();
            assert!(error.contains("THIMBLE_MODEL") && error.contains("qemu-riscv"), "{error}");
        }
    }
}
