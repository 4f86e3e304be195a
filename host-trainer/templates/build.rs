//! Checks the model and builds it in; links for the memory of the chip.

fn main() {
    // Writes a module `model` to OUT_DIR/model.rs, with the operators that this model uses.
    thimble_build::model("model.thimble").generate();

{{linking}}}
