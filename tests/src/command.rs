//! Runs programs and captures their output.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::workspace;

/// A finished program.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Command line, for messages.
    pub command: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Runs the command to its end, without input.
    pub fn of(command: &mut Command) -> Finished {
        let output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Finished {
            command: format!("{command:?}"),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into(),
            stderr: String::from_utf8_lossy(&output.stderr).into(),
        }
    }

    /// Asserts that it succeeded.
    #[track_caller]
    pub fn success(self) -> Finished {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Asserts that it failed with this exit code, and that its error contains each of these texts:
    /// the problem and the remedy.
    #[track_caller]
    pub fn refused(self, code: i32, named: &[&str]) -> Finished {
        assert_eq!(self.code, Some(code), "exit code of {self:#?}");
        let missing: Vec<_> = named.iter().filter(|word| !self.stderr.contains(**word)).collect();
        assert!(missing.is_empty(), "the error does not name {missing:?}: {self:#?}");
        assert!(!self.stderr.contains("panicked"), "an error, not a panic: {self:#?}");
        self
    }
}

/// Returns `cargo` without the environment variables that the outer cargo set for this package.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let of_package = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_"];
        if of_package.iter().any(|prefix| name_text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Returns the path of `host-trainer`, built as `cargo run -p host-trainer` builds it.
pub fn host_trainer_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let profile_dir = workspace::profile_dir();
        let mut build = cargo();
        build.current_dir(workspace::root()).args([
            "build",
            "--quiet",
            "-p",
            "host-trainer",
            "--features",
            "full",
        ]);
        // `--bin` is not needed: the package has one program, and default-run names it.
        build.arg("--target-dir").arg(profile_dir.parent().expect("target"));
        if profile_dir.ends_with("release") {
            build.arg("--release");
        }
        Finished::of(&mut build).success();
        profile_dir.join("host-trainer").with_extension(std::env::consts::EXE_EXTENSION)
    })
}

/// Returns `host-trainer` with these arguments, in this folder, with an environment that is
/// independent of the user's: no data except in the arguments, no cache, no colors.
pub fn host_trainer<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(host_trainer_path());
    command
        .current_dir(folder)
        .args(arguments)
        .env_remove("THIMBLE_DATA")
        .env_remove("RUST_BACKTRACE")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("NO_COLOR", "1");
    command
}
