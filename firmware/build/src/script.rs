//! Files for the compiler and errors for a person, as cargo takes them from a build script.

use std::path::PathBuf;
use std::{env, fs, process};

/// Returns the folder `OUT_DIR`, where cargo has a build script write.
#[must_use]
pub fn out_dir() -> PathBuf {
    env::var_os("OUT_DIR")
        .map_or_else(|| fail("OUT_DIR is not set: call this from a build script"), PathBuf::from)
}

/// Writes a file to the folder `OUT_DIR`. An unchanged file keeps its time, so that nothing that
/// depends on it is built again.
pub fn write(name: &str, content: &[u8]) {
    let path = out_dir().join(name);
    if fs::read(&path).is_ok_and(|present| present == content) {
        return;
    }
    fs::write(&path, content).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())));
}

/// Ends the build; cargo shows the message.
pub fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(1)
}
