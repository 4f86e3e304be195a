//! Trainings that fail: each error names the place and the remedy.

use std::path::Path;

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::empty_dir;

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

#[test]
fn settings_that_do_not_fit_the_data_are_refused() {
    let folder = empty_dir("settings_and_data");
    for (set, named) in [
        ("training.batch_size=5000", ["training.batch_size", "5000", "lower it"]),
        (
            "network.layers=[{ dense = { units = 4 } }]",
            ["network.layers", "10 classes", "4 outputs"],
        ),
        ("data.test={ head = { count = 1797 } }", ["data.test", "no row would be left", "lower"]),
        (
            "data.validation={ random = { fraction = 1e-6 } }",
            ["data.validation", "no row would be taken", "raise"],
        ),
    ] {
        run(&folder, &["train", "digits", "--set", set]).refused(1, &named);
        assert!(!folder.join("runs").exists(), "nothing is written for nothing: {set}");
    }
}

#[test]
fn divergence_names_the_step_and_what_to_try() {
    let folder = empty_dir("divergence");
    let optimizer = "training.optimizer={ sgd = { learning_rate = 1e30 } }";
    run(&folder, &["train", "digits", "--quiet", "--set", optimizer])
        .refused(1, &["diverged", "epoch 1, batch", "learning_rate", "training.clip"]);
}
