//! Firmware for the emulated board, built once for each model.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host_trainer::device::board::Board;
use host_trainer::device::emulator::{Emulator, Options};

use crate::command::{Finished, cargo};
use crate::workspace::{cached, content_key, read, root, write};

/// How long QEMU may take for a job of these tests; a loaded machine takes longer than an idle one.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The board that the tests run on.
pub fn board() -> &'static Board {
    Board::named("qemu-mps2-an386").unwrap_or_else(|error| panic!("{error}"))
}

/// The model that the board has unless another is chosen.
pub fn default_model() -> Vec<u8> {
    read(root().join("firmware/models/digits.thimble"))
}

/// The firmware with this model built in, as an ELF file; built again only when the model, the
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
    let sources = sources();
    let compiler = Finished::of(cargo().args(["-vV"]).current_dir(root())).success().stdout;
    let key = content_key(&[board.target.as_bytes(), model, &sources, compiler.as_bytes()]);
    cached(&format!("{}-{key}.elf", board.name), |elf| {
        let model_path = elf.with_extension("thimble");
        write(&model_path, model);
        board.build_for_commands(&root(), &model_path, elf).unwrap_or_else(|error| {
            panic!("{error}\nThe target's core library comes by firmware/boards/setup.")
        });
    })
}

/// A board that answers on its UART.
pub fn serving(elf: &Path) -> Emulator {
    Emulator::start(Options::serve(board(), elf)).unwrap_or_else(|error| panic!("{error}"))
}

/// Every file that the firmware is made from, with its name.
fn sources() -> Vec<u8> {
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
