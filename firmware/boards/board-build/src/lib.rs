//! What the build script of every board does.
//!
//! ```no_run
//! board_build::linker_script("memory.x", include_str!("../../qemu-mps2-an386/memory.x"));
//! board_build::model("../../models/digits.thimble");
//! ```
//!
//! Linker arguments come from here and not from a configuration file, where `RUSTFLAGS` in the
//! environment would silently replace them.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use model_format::Model;

/// The environment variable that names another model than the board's default.
const MODEL_VARIABLE: &str = "THIMBLE_MODEL";

/// Links with a linker script, which is put where the linker finds it under this name.
pub fn linker_script(name: &str, content: &str) {
    write(name, content.as_bytes());
    println!("cargo::rustc-link-search={}", out_dir().display());
    println!("cargo::rerun-if-changed={name}");
}

/// Links as cortex-m-rt and defmt need it.
pub fn cortex_m() {
    // cortex-m-rt's link.x includes device.x, where a chip's crate names its interrupt handlers;
    // boards that use this have their own table of interrupts instead.
    linker_script("device.x", "");
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// Builds in the model that `THIMBLE_MODEL` names, or else `default`, which is relative to the
/// board's folder. Writes `model.rs`, to be included by the board:
///
/// - `MODEL: &[u8]`, the file on a 4-byte boundary;
/// - `INPUT_LEN`, `OUTPUT_LEN`, `SCRATCH_LEN` (in words): what to size memory by.
///
/// A model that is refused ends the build with the format's own error.
pub fn model(default: &str) {
    println!("cargo::rerun-if-env-changed={MODEL_VARIABLE}");
    let chosen = env::var_os(MODEL_VARIABLE).filter(|path| !path.is_empty());
    let path = chosen.map_or_else(|| PathBuf::from(default), PathBuf::from);
    // The compiler reads the file from another folder, and includes it by this name.
    let path = path.canonicalize().unwrap_or_else(|error| refuse(&path, &error));
    println!("cargo::rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).unwrap_or_else(|error| refuse(&path, &error));
    let model = Model::parse(&bytes).unwrap_or_else(|error| refuse(&path, &error));
    let code = format!(
        "/// The model file, where it can be read by words.\n\
         pub static MODEL: &[u8] = {{\n    \
             #[repr(C, align(4))]\n    \
             struct Aligned([u8; {len}]);\n    \
             static FILE: Aligned = Aligned(*include_bytes!({path:?}));\n    \
             &FILE.0\n\
         }};\n\
         /// Number of int8 inputs.\n\
         pub const INPUT_LEN: usize = {inputs};\n\
         /// Number of int8 outputs.\n\
         pub const OUTPUT_LEN: usize = {outputs};\n\
         /// Words of scratch memory that the engine needs.\n\
         pub const SCRATCH_LEN: usize = {scratch};\n",
        len = bytes.len(),
        inputs = model.input_len(),
        outputs = model.output_len(),
        scratch = model.scratch_len(),
    );
    write("model.rs", code.as_bytes());
}

fn out_dir() -> PathBuf {
    // Cargo sets it for every build script; without cargo there is nothing to write for.
    env::var_os("OUT_DIR").map_or_else(|| fail("OUT_DIR is not set: run me by cargo"), PathBuf::from)
}

fn write(name: &str, content: &[u8]) {
    let path = out_dir().join(name);
    // An unchanged file keeps its time, so that nothing that depends on it is built again.
    if fs::read(&path).is_ok_and(|present| present == content) {
        return;
    }
    fs::write(&path, content).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())));
}

fn refuse(path: &Path, error: &dyn std::error::Error) -> ! {
    fail(&format!(
        "the model {} cannot be built in: {error}. Set {MODEL_VARIABLE} to a model file that \
         `host-trainer inspect` accepts, or unset it for the board's default.",
        path.display()
    ))
}

/// Ends the build; cargo shows the message.
fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(1)
}
