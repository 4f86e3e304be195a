//! Builds of a board with an invalid model fail with the error of the model format.

use std::path::Path;

use model_format::Model;
use thimble_tests::command::{Finished, cargo};
use thimble_tests::emulated::default_model;
use thimble_tests::workspace::{empty_dir, root, write};

/// Runs the build of a board with this model.
fn build(model: &Path) -> Finished {
    let mut command = cargo();
    command
        .args(["build", "--release"])
        .current_dir(root().join("firmware/boards/qemu-mps2-an386"))
        .env("THIMBLE_MODEL", model)
        .env_remove("CARGO_TARGET_DIR");
    Finished::of(&mut command)
}

#[test]
fn a_damaged_model_is_refused_with_the_error_of_the_format() {
    let mut model = default_model();
    let middle = model.len() / 2;
    model[middle] ^= 1;
    let path = empty_dir("bad_model_build").join("damaged.thimble");
    write(&path, &model);
    let error = Model::parse(&model).expect_err("it is damaged").to_string();
    assert!(error.contains("damaged"), "{error}");
    build(&path).refused(101, &["damaged.thimble", &error, "THIMBLE_MODEL"]);
}

#[test]
fn a_model_that_is_not_there_is_refused_by_name() {
    let path = empty_dir("bad_model_build_missing").join("missing.thimble");
    build(&path).refused(101, &["missing.thimble", "No such file", "THIMBLE_MODEL"]);
}
