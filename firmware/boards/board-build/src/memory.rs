//! Memory: the stack below the statics, so that one that grows too deep leaves RAM and faults.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use thimble_build::script::fail;

use super::linker_script;

/// Measured static RAM and stack of boards per target; `host-trainer inspect --for` reads the same
/// file.
const MEASURED: &str = include_str!("../../../../host-trainer/src/chips/measured.toml");

/// Sections that are static RAM, in the scripts of cortex-m-rt and riscv-rt alike; aligned as either
/// aligns them.
const STATICS_ARM: &str = "((SIZEOF(.data) + SIZEOF(.bss) + SIZEOF(.uninit) + 24) & ~7)";
const STATICS_RISCV: &str = "((SIZEOF(.data) + SIZEOF(.bss) + SIZEOF(.uninit) + 127) & ~31)";

/// Links with the memory of this `memory.x`, in which `RAM` becomes two regions: the stack below,
/// and the statics at the end, in as much as they take. A stack that grows beyond its end then
/// leaves RAM, which is a fault of the processor, and overwrites nothing.
///
/// The build ends if the stack that is left is smaller than boards of this target were measured to
/// need, with signatures or without.
pub fn memory(script: &str) {
    let what = if cfg!(feature = "signed") { "requests and signatures" } else { "requests" };
    split_ram(script, Needs::of_target().stack(), what);
}

/// As [`memory()`], for a program that runs one model and answers no requests: its stack is that of
/// `firmware/boards/minimal`.
pub fn fixed_memory(script: &str) {
    split_ram(script, with_margin(fixed_stack()), "the checks of a model");
}

fn split_ram(script: &str, needed: usize, what: &str) {
    let Some((before, ram, after)) = ram_line(script) else {
        fail("memory.x has no line `RAM : ORIGIN = …, LENGTH = …`")
    };
    let Ram { origin, length } = ram;
    let statics = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") => STATICS_ARM,
        _ => STATICS_RISCV,
    };
    let mut new = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        new,
        "{before}\
         \x20 STACK : ORIGIN = {origin}, LENGTH = {length} - {statics}\n\
         \x20 RAM : ORIGIN = {origin} + {length} - {statics}, LENGTH = {statics}\n\
         {after}\n\
         _stack_start = ORIGIN(STACK) + LENGTH(STACK);\n\
         _stack_end = ORIGIN(STACK);\n\
         {slots}\
         ASSERT({length} >= {statics} + {needed}, \"\n\
         the model does not fit into this board's RAM: statics and the {needed} bytes of stack that \
         {what} need are more than it has. Set THIMBLE_MODEL to a model with fewer inputs or \
         narrower layers{remedy}.\");\n",
        slots = match has_region(script, "SLOTS") {
            true => "_slots_start = ORIGIN(SLOTS);\n_slots_end = ORIGIN(SLOTS) + LENGTH(SLOTS);\n",
            false => "",
        },
        remedy = if cfg!(feature = "signed") { ", or build without --features signed" } else { "" },
    );
    linker_script("memory.x", &new.replace("REGION_STACK\", RAM", "REGION_STACK\", STACK"));
}

/// Ends the build, with the figures, if statics of a model and the stack are more than this board
/// has; the linker knows more exactly, but not what takes how much.
pub(super) fn check(scratch_words: usize, receive: usize, send: usize, copy_words: usize) {
    let Ok(script) = fs::read_to_string("memory.x") else { return };
    let Some((_, ram, _)) = ram_line(&script) else { return };
    let Some(available) = ram.bytes() else { return };
    let needs = Needs::of_target();
    let model = 4 * (scratch_words + copy_words) + receive + send;
    let sum = model + needs.statics + needs.stack();
    if sum > available {
        fail(&format!(
            "the model does not fit into this board's RAM of {available} bytes: scratch memory \
             {scratch}, frames {frames},{copy} other statics {statics}, stack {stack}{signed}, together \
             {sum} bytes. Set THIMBLE_MODEL to a model with fewer inputs or narrower layers{remedy}.",
            copy = match copy_words {
                0 => String::new(),
                words => format!(" a copy of the model {},", 4 * words),
            },
            scratch = 4 * scratch_words,
            frames = receive + send,
            statics = needs.statics,
            stack = needs.stack(),
            signed = if cfg!(feature = "signed") { " (with signatures)" } else { "" },
            remedy = match (copy_words, cfg!(feature = "signed")) {
                (1.., _) => ", or set THIMBLE_WEIGHTS=flash",
                (0, true) => ", or build without --features signed",
                (0, false) => "",
            },
        ));
    }
}

/// RAM as a `memory.x` has it: expressions of the linker.
#[derive(Debug, PartialEq, Eq)]
struct Ram<'s> {
    origin: &'s str,
    length: &'s str,
}

impl Ram<'_> {
    /// Its length in bytes, of a sum of numbers as `4M - 512K`.
    fn bytes(&self) -> Option<usize> {
        let mut sum = 0i64;
        let mut sign = 1;
        for word in self.length.split_whitespace() {
            match word {
                "+" => sign = 1,
                "-" => sign = -1,
                number => {
                    let (digits, unit) = match number.strip_suffix('K') {
                        Some(digits) => (digits, 1 << 10),
                        None => match number.strip_suffix('M') {
                            Some(digits) => (digits, 1 << 20),
                            None => (number, 1),
                        },
                    };
                    let value = match digits.strip_prefix("0x") {
                        Some(hex) => i64::from_str_radix(hex, 16),
                        None => digits.parse(),
                    };
                    sum += sign * value.ok()? * unit;
                }
            }
        }
        usize::try_from(sum).ok()
    }
}

/// Splits a linker script at the line of its `RAM` region: text before, the region, text behind.
fn ram_line(script: &str) -> Option<(&str, Ram<'_>, &str)> {
    let mut at = 0;
    for line in script.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim_start().strip_prefix("RAM").is_some_and(|r| r.trim_start().starts_with(':')) {
            let (origin, length) = line.split_once("ORIGIN =")?.1.split_once(',')?;
            let length = length.split_once("LENGTH =")?.1;
            let ram = Ram { origin: origin.trim(), length: length.trim() };
            return Some((&script[..at], ram, &script[end..]));
        }
        at = end;
    }
    None
}

/// Returns whether `memory.x` has a region of this name.
fn has_region(script: &str, name: &str) -> bool {
    let is_region = |rest: &str| rest.trim_start().starts_with(':');
    script.lines().any(|line| line.trim_start().strip_prefix(name).is_some_and(is_region))
}

/// RAM of the boards of a target that does not depend on the model, in bytes.
struct Needs {
    statics: usize,
    stack: usize,
    stack_signed: usize,
}

impl Needs {
    fn of_target() -> Self {
        println!("cargo::rerun-if-changed={}", measured_path().display());
        let target = env::var("TARGET").unwrap_or_default();
        // Targets that are not emulated have the figures of their nearest relative.
        let measured = match target.as_str() {
            "riscv32imc-unknown-none-elf" => "riscv32imac-unknown-none-elf",
            other => other,
        };
        let section = format!("[boards.\"{measured}\"]");
        let Some((_, rest)) = MEASURED.split_once(&section) else {
            fail(&format!("host-trainer/src/chips/measured.toml has no figures for {measured}"))
        };
        let of_target = |name: &str| {
            let lines = rest.lines().skip(1).take_while(|line| !line.starts_with('['));
            figure(lines, name)
                .unwrap_or_else(|| fail(&format!("measured.toml has no {name} for {measured}")))
        };
        Needs {
            statics: of_target("statics"),
            stack: of_target("stack"),
            stack_signed: of_target("stack_signed"),
        }
    }

    /// Of all that requests need, in bytes.
    fn stack(&self) -> usize {
        with_margin(if cfg!(feature = "signed") { self.stack_signed } else { self.stack })
    }
}

/// A stack with what a fault handler or an interrupt may take beyond what was measured.
fn with_margin(measured: usize) -> usize {
    const MARGIN: usize = 256;
    (measured + MARGIN).next_multiple_of(8)
}

/// The stack of the minimal image as it was measured, on any core.
fn fixed_stack() -> usize {
    println!("cargo::rerun-if-changed={}", measured_path().display());
    let top = MEASURED.lines().take_while(|line| !line.starts_with('['));
    figure(top, "stack").unwrap_or_else(|| fail("measured.toml has no stack of the minimal image"))
}

/// A number of these lines of `measured.toml`.
fn figure<'l>(lines: impl Iterator<Item = &'l str>, name: &str) -> Option<usize> {
    lines
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .and_then(|(_, value)| value.trim().parse().ok())
}

fn measured_path() -> PathBuf {
    PathBuf::from("../../../host-trainer/src/chips/measured.toml")
}
