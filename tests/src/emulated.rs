//! Firmware for emulated boards, built once per model.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use host_trainer::device::Error;
use host_trainer::device::board::{BOARDS, Board, DEFAULT_MODEL, Signed};
use host_trainer::device::client::Client;
use host_trainer::device::emulator::{Emulator, Options, Uart};

use crate::command::{Finished, cargo};
use crate::workspace::{cached, content_key, read, root, write};

/// Time limit of QEMU for a job of these tests, with a margin for loaded machines.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The board that the tests run on.
pub fn board() -> &'static Board {
    Board::named("qemu-mps2-an386").unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the default model of most boards: digits.
pub fn default_model() -> Vec<u8> {
    read(root().join(DEFAULT_MODEL))
}

/// Returns the default model of this board.
pub fn own_model(board: &Board) -> Vec<u8> {
    read(root().join(board.model))
}

/// Returns the firmware with this model as an ELF file. It is built again only when the model, the
/// firmware's sources or the compiler have changed.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn firmware(model: &[u8]) -> PathBuf {
    firmware_for(board(), model)
}

/// [`firmware()`] for another board: the program that takes commands.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn firmware_for(board: &'static Board, model: &[u8]) -> PathBuf {
    build("commands", board, model, |model, elf| board.build_for_commands(&root(), model, elf))
}

/// Returns the program that serves requests on this board; for real boards, the one that is
/// flashed.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn serving_firmware(board: &'static Board, model: &[u8]) -> PathBuf {
    if !board.has_program_of_its_own_for_commands() {
        return firmware_for(board, model);
    }
    build("serving", board, model, |model, elf| board.build(&root(), model, elf))
}

/// Returns the program of this board that requires a signature of models, or of models and
/// commands, by the owner of the public key in this file.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn signed_firmware(board: &'static Board, model: &[u8], signed: Signed, key: &Path) -> PathBuf {
    let what = format!("{}-{}", signed.feature(), content_key(&[&read(key)]));
    build(&what, board, model, |model, elf| board.build_signed(&root(), model, signed, key, elf))
}

fn build(
    what: &str,
    board: &'static Board,
    model: &[u8],
    build: impl FnOnce(&Path, &Path) -> Result<(), Error>,
) -> PathBuf {
    let sources = sources();
    let compiler = Finished::of(cargo().args(["-vV"]).current_dir(root())).success().stdout;
    let key = content_key(&[
        board.name.as_bytes(),
        board.target.as_bytes(),
        model,
        &sources,
        compiler.as_bytes(),
    ]);
    cached(&format!("{}-{what}-{key}.elf", board.name), |elf| {
        // The same file for both programs of a board, so that the second is only linked.
        let model_path = match model == own_model(board) {
            true => root().join(board.model),
            false => {
                let name = format!("{}.thimble", content_key(&[model]));
                cached(&name, |path| write(path, model))
            }
        };
        build(&model_path, elf).unwrap_or_else(|error| {
            panic!("{error}\nThe target's core library comes by firmware/boards/setup.")
        });
    })
}

/// [`firmware_for`] a board that is only emulated, with the engine, the model's checks and link-time
/// optimization at this level; see `opt-level` of cargo's profiles.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn firmware_at_level(board: &'static Board, level: &str) -> PathBuf {
    let kind = format!("level-{}", level.trim_matches('"'));
    // The level of the board's own package is that of link-time optimization.
    firmware_aside(board, &kind, |build| {
        for package in [board.name, "firmware", "model-format", "thimble-nn"] {
            let setting = format!("profile.release.package.{package}.opt-level={level}");
            build.arg("--config").arg(setting);
        }
    })
}

/// [`firmware_for`] a board that is only emulated, with the weights in RAM.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn firmware_with_weights_in_ram(board: &'static Board) -> PathBuf {
    firmware_aside(board, "ram", |build| {
        build.env("THIMBLE_WEIGHTS", "ram");
    })
}

/// The firmware of a board with its default model, built in a way that has this name.
fn firmware_aside(board: &'static Board, kind: &str, way: impl Fn(&mut Command)) -> PathBuf {
    let compiler = Finished::of(cargo().args(["-vV"]).current_dir(root())).success().stdout;
    let parts = [board.name, board.target, kind, &compiler];
    let key = content_key(&[parts.join(" ").as_bytes(), &sources()]);
    cached(&format!("{}-{kind}-{key}.elf", board.name), |elf| {
        let target_dir = root().join("firmware/boards/target");
        // Parts that are equal in all ways are built once. The program is kept separate, so that
        // it is not taken for the board's own.
        let aside = target_dir.join("aside");
        let mut build = cargo();
        build
            .current_dir(root().join("firmware/boards").join(board.name))
            .args(["build", "--release", "--locked", "--quiet", "--target", board.target])
            .env("CARGO_BUILD_BUILD_DIR", &target_dir)
            .env_remove("THIMBLE_MODEL")
            .arg("--target-dir")
            .arg(&aside);
        way(&mut build);
        Finished::of(&mut build).success();
        let built = aside.join(board.target).join("release").join(board.name);
        fs::copy(&built, elf).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    })
}

/// The board, answering on its UART.
pub fn serving(elf: &Path) -> Emulator {
    serving_on(board(), elf)
}

/// [`serving`] on another board.
pub fn serving_on(board: &'static Board, elf: &Path) -> Emulator {
    Emulator::start(Options::serve(board, elf))
        .unwrap_or_else(|error| panic!("{}: {error}", board.name))
}

/// Starts the board, listening at the address for one connection after the other.
///
/// # Panics
/// When it does not start.
pub fn listening(elf: &Path) -> (Emulator, String) {
    let address = free_address();
    let options = Options { uart: Uart::Listen(address), ..Options::serve(board(), elf) };
    let emulator = Emulator::start(options).unwrap_or_else(|error| panic!("{error}"));
    let deadline = Instant::now() + LIMIT;
    while Client::connect(&address.to_string()).and_then(|mut client| client.info()).is_err() {
        assert!(Instant::now() < deadline, "the board does not listen: {:?}", emulator.log());
        thread::sleep(Duration::from_millis(20));
    }
    (emulator, address.to_string())
}

/// Returns an unused address.
///
/// # Panics
/// When the system has none.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback address");
    listener.local_addr().expect("its address")
}

/// Runs `work` on every emulated board in parallel: emulators mostly wait for each other's UARTs.
///
/// # Panics
/// With the names of all boards for which `work` panics, and their reasons.
pub fn on_every_board(work: impl Fn(&'static Board) + Sync) {
    let failed: Vec<&str> = thread::scope(|scope| {
        let jobs: Vec<_> =
            BOARDS.iter().map(|board| (board.name, scope.spawn(|| work(board)))).collect();
        let ended = jobs.into_iter().map(|(name, job)| (name, job.join()));
        ended.filter_map(|(name, end)| end.err().map(|_| name)).collect()
    });
    assert!(failed.is_empty(), "failed on: {}", failed.join(", "));
}

/// Returns all source files of the firmware, with their names.
pub(crate) fn sources() -> Vec<u8> {
    let mut all = Vec::new();
    let mut folders = vec![root().join("firmware"), root().join("model-format")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            if path.is_file() {
                all.extend(name.as_encoded_bytes());
                all.extend(read(&path));
            } else if name != "target" && name != ".toolchain" {
                folders.push(path);
            }
        }
    }
    all
}
