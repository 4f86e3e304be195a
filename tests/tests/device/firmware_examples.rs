//! The examples of `firmware/boards/examples`, in QEMU.

use thimble_tests::command::{Finished, cargo};
use thimble_tests::workspace::root;

/// `cargo` with these arguments in the folder of the examples.
fn run(arguments: &[&str]) -> Finished {
    let mut command = cargo();
    let folder = root().join("firmware/boards/examples");
    command.args(arguments).current_dir(folder).env_remove("CARGO_TARGET_DIR");
    Finished::of(&mut command).success()
}

#[test]
fn each_example_answers_three_times_and_ends() {
    for name in ["blocking", "embassy", "rtic"] {
        let said = run(&["run", "--quiet", "--release", "--locked", "--bin", name]);
        let answers: Vec<&str> = said.stdout.lines().collect();
        assert_eq!(answers, ["class_0 = 0"; 3], "{name}: {said:#?}");
    }
}

#[test]
fn the_self_tests_of_the_model_pass_on_the_target() {
    let said = run(&["test", "--quiet", "--release", "--locked"]);
    assert!(said.stdout.contains("self-tests passed"), "{said:#?}");
}
