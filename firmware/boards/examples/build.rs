//! Checks the model and builds it in; links for the memory of the chip.

fn main() {
    // Writes a module `model` to OUT_DIR/model.rs, with the operators that this model uses.
    thimble_build::model("../../models/wine.thimble").generate();

    // The linker finds memory.x and device.x in this folder.
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-changed=device.x");
    for argument in ["--nmagic", "-Tlink.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
        println!("cargo::rustc-link-arg-tests={argument}");
    }
}
