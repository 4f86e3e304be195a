//! Prints the table of `firmware/boards/README.md`, one row per board, all of it measured:
//! `tests/run table`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use host_trainer::device::board::{BOARDS, Board};
use host_trainer::device::command::count;
use model_format::Model;
use object::{Object, ObjectSymbol};
use thimble_tests::command::{Finished, cargo};
use thimble_tests::emulated::{LIMIT, firmware_for, own_model, serving_firmware, serving_on};
use thimble_tests::minimal::Sizes;
use thimble_tests::parity::engine_outputs;
use thimble_tests::workspace::{read, root};
use thimble_tests::{digits, mnist};

/// Number of images that are counted, and sent over the link.
const IMAGES: usize = 100;

/// Boards in the order of the table: name, chip and core, state of testing.
const ROWS: [(&str, &str, &str); 13] = [
    ("qemu-mps2-an385", "Cortex-M3", "emulated"),
    ("qemu-mps2-an386", "Cortex-M4F", "emulated"),
    ("qemu-mps2-an500", "Cortex-M7", "emulated"),
    ("qemu-mps2-an505", "Cortex-M33", "emulated"),
    ("qemu-mps3-an547", "Cortex-M55", "emulated"),
    ("qemu-riscv", "RV32IMAC", "emulated"),
    ("microbit", "nRF51822, Cortex-M0", "emulated, the same program; not yet on hardware"),
    ("hifive1", "FE310-G002, RV32IMAC", "emulated, the same program; not yet on hardware"),
    ("nrf52840-dk", "nRF52840, Cortex-M4F", "built; not yet on hardware"),
    ("nucleo-f446re", "STM32F446RE, Cortex-M4F", "built; not yet on hardware"),
    ("pico", "RP2040, Cortex-M0+", "built; not yet on hardware"),
    ("pico2", "RP2350, Cortex-M33", "built; not yet on hardware"),
    ("esp32-c3", "ESP32-C3, RV32IMC", "built; not yet on hardware"),
];

fn main() {
    println!("| board | chip, core | flash | RAM | stack | instructions | rows a second | state |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, chip, state) in ROWS {
        let emulated = BOARDS.iter().find(|board| board.name == name);
        let (elf, running) = match emulated {
            Some(board) => {
                let elf = serving_firmware(board, &own_model(board));
                let running = Running::of(board, &elf);
                (elf, running.to_string())
            }
            None => (built(name), "| |".into()),
        };
        let Sizes { flash, ram } = Sizes::of(&elf);
        println!(
            "| [{name}]({name}) | {chip} | {} | {} | {running} | {state} |",
            kilobytes(flash),
            kilobytes(ram - work(&elf))
        );
    }
}

/// Measurements of a running board.
struct Running {
    stack: Option<u32>,
    instructions: u64,
    rows_a_second: f64,
}

impl Running {
    /// Sends images over the link, and counts instructions for the same.
    fn of(board: &'static Board, elf: &Path) -> Running {
        let name = board.name;
        let model = own_model(board);
        let images = match Model::parse(&model).expect("a valid model").input_len() {
            digits::PIXELS => digits::all(),
            _ => mnist::test_set().0,
        };
        let images = &images[..IMAGES];
        let expected = engine_outputs(&model, images.iter().map(Vec::as_slice));
        let mut emulator = serving_on(board, elf);
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
        let begin = Instant::now();
        for (image, expected) in images.iter().zip(&expected) {
            let output = client.infer(image).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(output, *expected, "{name}");
        }
        let seconds = begin.elapsed().as_secs_f64();
        let info = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        let cost = count(board, &firmware_for(board, &model), None, &images.concat(), LIMIT)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Running {
            stack: info.stack_bytes,
            instructions: cost.instructions_mean,
            rows_a_second: IMAGES as f64 / seconds,
        }
    }
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stack = self.stack.map_or_else(String::new, |bytes| kilobytes(bytes.into()));
        let instructions = host_trainer::report::grouped(self.instructions);
        write!(f, "{stack} | {instructions} | {:.0}", self.rows_a_second)
    }
}

/// Firmware of a board that is not emulated, as a user builds it.
fn built(name: &str) -> PathBuf {
    let folder = root().join("firmware/boards").join(name);
    let mut build = cargo();
    build
        .args(["build", "--release", "--locked", "--target-dir", "../target"])
        .current_dir(&folder)
        .env_remove("THIMBLE_MODEL")
        .env_remove("CARGO_TARGET_DIR");
    Finished::of(&mut build).success();
    let config = String::from_utf8(read(folder.join(".cargo/config.toml"))).expect("text");
    let target = config.split("target = \"").nth(1).and_then(|rest| rest.split('"').next());
    let target = target.expect("the board's configuration names its target");
    root().join("firmware/boards/target").join(target).join("release").join(name)
}

/// Size of the buffer that only emulator commands use, in bytes.
fn work(elf: &Path) -> u64 {
    let bytes = read(elf);
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let work =
        file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| name.contains("4WORK")));
    work.map(|symbol| symbol.size()).sum()
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1} KB", bytes as f64 / 1024.0)
}
