//! Build scripts of boards: linker scripts, the model, the signature policy.
//!
//! ```no_run
//! thimble_board_build::memory(include_str!("../../qemu-mps2-an386/memory.x"));
//! thimble_board_build::model("../../models/digits.thimble");
//! ```
//!
//! Linker arguments come from here and not from a configuration file, where `RUSTFLAGS` in the
//! environment would silently replace them.

mod memory;
mod signature_policy;

use std::env;

use thimble_build::script::{fail, out_dir, write};

pub use memory::{fixed_memory, memory};
pub use signature_policy::signature_policy;

/// The environment variable that names another model than the board's default.
const MODEL_VARIABLE: &str = "THIMBLE_MODEL";

/// Links with a linker script, which is put where the linker finds it under this name. A content
/// that comes by `include_str!` is watched by cargo as a part of the build script.
pub fn linker_script(name: &str, content: &str) {
    write(name, content.as_bytes());
    println!("cargo::rustc-link-search={}", out_dir().display());
}

/// Links as cortex-m-rt or riscv-rt, whose scripts have the same name, and defmt need it.
pub fn runtime() {
    link(&["--nmagic", "-Tlink.x", "-Tdefmt.x"]);
}

/// Ends the build unless it is for this processor, as the board's `.cargo/config.toml` says.
pub fn processor(name: &str) {
    let wanted = format!("target-cpu={name}");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if !flags.split('\u{1f}').any(|flag| flag.trim_start_matches("-C") == wanted) {
        fail(&format!(
            "this board is to be built for {name}, in its own folder; if RUSTFLAGS is set, unset \
             it or add -C {wanted}: it replaces what the board's .cargo/config.toml says"
        ));
    }
}

/// Gives arguments to the linker.
pub fn link(arguments: &[&str]) {
    for argument in arguments {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// The environment variable that says which memory the core reads the weights from, `flash` or `ram`.
const WEIGHTS_VARIABLE: &str = "THIMBLE_WEIGHTS";

/// Memory for models that come by updates, at the least: what 784-128-10 computes in …
const ROOM_WORDS: usize = 1024;
/// … and how many inputs it has.
const ROOM_VALUES: usize = 784;

/// As [`model()`], for a board that has slots: its memory is enough for 784-128-10, too.
pub fn model_and_updates(default: &str) {
    build_in(default, ROOM_WORDS, ROOM_VALUES, 0);
}

/// As [`model_and_updates()`], for a board whose flash is so slow that the weights are better read from
/// RAM: at its start it copies a model of up to `room` bytes there. A larger one stays in flash.
pub fn model_in_ram_and_updates(default: &str, room: usize) {
    build_in(default, ROOM_WORDS, ROOM_VALUES, room);
}

/// Builds in the model that `THIMBLE_MODEL` names, or else `default`, which is relative to the
/// board's folder, for a board whose application answers requests. Writes `model.rs`, to be
/// included by the board:
///
/// - `MODEL: &[u8]`, the file on a 4-byte boundary;
/// - `MEMORY`, a cell with the memory that the model needs, to be taken once.
///
/// Every operator that the core has is linked: other models may come over the link. A model that
/// is refused ends the build with the format's own error.
///
/// With `THIMBLE_WEIGHTS=ram` the board copies the model to RAM at its start, as well as a model of an
/// update that is not larger; with `THIMBLE_WEIGHTS=flash` no board does.
pub fn model(default: &str) {
    build_in(default, 0, 0, 0);
}

fn build_in(default: &str, room_words: usize, room_values: usize, room_copy: usize) {
    let file = thimble_build::model(default).variable(MODEL_VARIABLE).read();
    let model = file.model();
    let scratch = model.scratch_len().max(room_words);
    let (inputs, outputs) = (model.raw_input_bytes().max(room_values), model.output_bytes());
    let copy = copy_words(room_copy, model.file_len());
    memory::check(scratch, frame_len(inputs), frame_len(outputs), copy);
    let code = format!(
        "/// The model file, where it can be read by words.\n\
         pub static MODEL: &[u8] = {file};\n\
         /// The memory that this model needs: for the engine, a request, an answer.\n\
         pub static MEMORY: thimble_board::ConstStaticCell<\n    \
             thimble_board::Memory<\n        \
                 {scratch},\n        \
                 {{ thimble_board::frame_len({inputs}) }},\n        \
                 {{ thimble_board::frame_len({outputs}) }},\n        \
                 {copy},\n    \
             >,\n\
         > = thimble_board::ConstStaticCell::new(thimble_board::Memory::ZERO);\n",
        file = thimble_build::aligned_file(file.path(), model.file_len(), ""),
    );
    write("model.rs", code.as_bytes());
}

/// Words for a copy of the model in RAM, which has `room` bytes for it by default.
fn copy_words(room: usize, model: usize) -> usize {
    println!("cargo::rerun-if-env-changed={WEIGHTS_VARIABLE}");
    let bytes = match env::var(WEIGHTS_VARIABLE).as_deref() {
        Ok("ram") => room.max(model),
        Ok("flash") => 0,
        Ok("") | Err(env::VarError::NotPresent) => room,
        _ => fail(&format!("{WEIGHTS_VARIABLE} is neither `flash` nor `ram`")),
    };
    bytes.div_ceil(4)
}

/// As `frame_len` of the crate `firmware`, which the boards call in the code that is written here.
fn frame_len(values: usize) -> usize {
    let message = values + 256;
    message + message / 254 + 1 + 2
}
