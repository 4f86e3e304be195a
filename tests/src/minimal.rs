//! The minimal image (`firmware/boards/minimal`): builds for a core and a model, sizes, and runs in
//! the emulator.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};
use serde_json::{Value, json};

use crate::command::{Finished, cargo};
use crate::emulated::{LIMIT, sources};
use crate::workspace::{cached, content_key, empty_dir, read, root, write};

/// A machine that runs the image of a target.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The target that it is built for.
    pub target: &'static str,
    /// The QEMU program.
    qemu: &'static str,
    /// QEMU's name of the machine.
    machine: &'static str,
}

/// Cortex-M0, M4F and RV32IMAC.
pub const MACHINES: [Machine; 3] = [
    Machine { target: "thumbv6m-none-eabi", qemu: "qemu-system-arm", machine: "microbit" },
    Machine { target: "thumbv7em-none-eabihf", qemu: "qemu-system-arm", machine: "mps2-an386" },
    Machine {
        target: "riscv32imac-unknown-none-elf",
        qemu: "qemu-system-riscv32",
        machine: "sifive_e",
    },
];

/// RAM of the image's linker scripts, in bytes.
const RAM_LEN: usize = 16 << 10;

/// The minimal image for a target with a model built in, as an ELF file; built again only when the
/// model, the sources or the compiler have changed.
///
/// # Panics
/// When it can't be built, with cargo's words.
pub fn image(target: &str, model: &[u8]) -> PathBuf {
    let compiler = Finished::of(cargo().args(["-vV"]).current_dir(root())).success().stdout;
    let key = content_key(&[target.as_bytes(), model, &sources(), compiler.as_bytes()]);
    cached(&format!("minimal-{target}-{key}.elf"), |elf| {
        let model_path = elf.with_extension("thimble");
        write(&model_path, model);
        let boards = root().join("firmware/boards");
        // Uses `host-trainer`'s lock, so that no concurrent build changes the model.
        let lock_path = boards.join("target/build.lock");
        fs::create_dir_all(boards.join("target")).unwrap_or_else(|error| panic!("{error}"));
        let lock = fs::File::create(&lock_path).unwrap_or_else(|error| panic!("{error}"));
        lock.lock().unwrap_or_else(|error| panic!("{}: {error}", lock_path.display()));
        let mut build = cargo();
        build
            .args(["build", "--profile", "small", "--locked", "--color=never"])
            .args(["--target", target, "--target-dir", "../target"])
            .current_dir(boards.join("minimal"))
            .env("THIMBLE_MODEL", &model_path)
            .env_remove("CARGO_TARGET_DIR");
        Finished::of(&mut build).success();
        let built = boards.join("target").join(target).join("small/thimble-minimal");
        fs::copy(&built, elf).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    })
}

/// Memory of a firmware on a chip, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Flash: vectors, code, constants, the model.
    pub flash: u64,
    /// Static RAM without the stack.
    pub ram: u64,
}

impl Sizes {
    /// Returns the sizes of an ELF file.
    ///
    /// # Panics
    /// When it is none.
    pub fn of(elf: &Path) -> Self {
        let bytes = read(elf);
        let file = object::File::parse(&*bytes).expect("an ELF file");
        let mut sizes = Sizes { flash: 0, ram: 0 };
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
            if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 {
                continue;
            }
            // Linker scripts of some chips assign all remaining RAM to it.
            if section.name().is_ok_and(|name| name == ".stack") {
                continue;
            }
            if section.kind() != SectionKind::UninitializedData {
                sizes.flash += section.size();
            }
            if sh_flags & u64::from(object::elf::SHF_WRITE) != 0 {
                sizes.ram += section.size();
            }
        }
        sizes
    }
}

/// The names of all functions and statics of an ELF file.
///
/// # Panics
/// When it is none.
pub fn symbols(elf: &Path) -> Vec<String> {
    let bytes = read(elf);
    let file = object::File::parse(&*bytes).expect("an ELF file");
    file.symbols().filter_map(|symbol| symbol.name().ok().map(String::from)).collect()
}

/// Returns the start address of the stack and the lowest address of a static; the stack grows away
/// from the statics.
///
/// # Panics
/// When the file is none, or has no such things.
pub fn stack_and_statics(elf: &Path) -> (u64, u64) {
    let bytes = read(elf);
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let stack = file.symbol_by_name("_stack_start").expect("the start of the stack").address();
    let statics = file.sections().filter(|section| {
        let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
        // riscv-rt has a section for the stack itself.
        let is_stack = section.name().is_ok_and(|name| name == ".stack");
        sh_flags & u64::from(object::elf::SHF_WRITE) != 0 && section.size() > 0 && !is_stack
    });
    (stack, statics.map(|section| section.address()).min().expect("statics"))
}

/// Result of an image once it has a status.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// 1 if the engine's outputs match the model's self-tests; see the image's source.
    pub status: u32,
    /// Bytes of the stack that are no longer zero, their initial value.
    pub stack: usize,
}

/// Runs an image in the emulator until it has a status.
///
/// # Panics
/// When the emulator can't be run, or the image takes too long.
pub fn run(machine: &Machine, elf: &Path) -> Ran {
    let bytes = read(elf);
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let status = file.symbol_by_name("THIMBLE_STATUS").expect("the image's status").address();
    let ram = if machine.target.starts_with("riscv") { 0x8000_0000 } else { 0x2000_0000u64 };
    let dump = empty_dir(&format!("minimal-{}", machine.machine)).join("ram");
    let mut qemu = Qemu::start(machine, elf);
    let start = Instant::now();
    loop {
        // Reads through the core: QEMU's physical memory lacks some machines' RAM.
        qemu.ask(json!({ "execute": "memsave", "arguments": {
            "val": ram, "size": RAM_LEN, "filename": dump,
        } }));
        let memory = read(&dump);
        let at = (status - ram) as usize;
        let word = memory[at..at + 4].try_into().map(u32::from_le_bytes).expect("four bytes");
        if word != 0 {
            let stack = &memory[..(stack_and_statics(elf).0 - ram) as usize];
            let deepest = stack.iter().position(|byte| *byte != 0);
            let stack = deepest.map_or(0, |free| stack.len() - free);
            return Ran { status: word, stack };
        }
        assert!(start.elapsed() < LIMIT, "{}: no status after {LIMIT:?}", machine.machine);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// QEMU with its machine protocol on its standard streams; dropping it ends QEMU.
struct Qemu {
    child: Child,
}

impl Qemu {
    fn start(machine: &Machine, elf: &Path) -> Self {
        let child = Command::new(machine.qemu)
            .args(["-M", machine.machine, "-display", "none", "-serial", "null", "-qmp", "stdio"])
            .arg("-kernel")
            .arg(elf)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: firmware/boards/setup", machine.qemu));
        let mut qemu = Qemu { child };
        qemu.ask(json!({ "execute": "qmp_capabilities" }));
        qemu
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, request: Value) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{request}").expect("QEMU reads");
        let output = self.child.stdout.as_mut().expect("a pipe");
        // Apart from replies QEMU sends its greeting and events, one line each.
        let mut reader = BufReader::with_capacity(1, output);
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).expect("QEMU's words") > 0, "QEMU has ended");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            assert!(answer.get("error").is_none(), "{request}: {answer}");
            if answer.get("return").is_some() {
                return;
            }
        }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
