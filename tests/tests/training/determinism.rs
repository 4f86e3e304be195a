//! Determinism: the same seed gives the same weights on any number of threads.

use std::path::Path;

use sha2::{Digest, Sha256};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read};

/// Returns the SHA-256 of the weights after three epochs.
fn weights(folder: &Path, network: &str, threads: usize, run: usize) -> String {
    let (out, threads) = (format!("run-{threads}-{run}"), threads.to_string());
    let arguments = [
        "train",
        "digits",
        "--quiet",
        "--threads",
        &threads,
        "--output",
        &out,
        "--set",
        "training.epochs=3",
        "--set",
        "training.batch_size=128",
        "--set",
        network,
    ];
    Finished::of(&mut host_trainer(folder, arguments)).success();
    let hash = Sha256::digest(read(folder.join(&out).join("weights.safetensors")));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn two_runs_give_the_same_weights_and_so_do_one_two_and_three_threads() {
    let folder = empty_dir("determinism");
    // Large enough for each batch to be shared by three threads. Dropout, penalties and gradient
    // clipping by norm could depend on the number of threads.
    let network = "network.layers=[\
        { dense = { units = 300, activation = \"relu\", l2 = 1e-4 } },\
        { dropout = { rate = 0.2 } },\
        { dense = { units = 200, activation = \"tanh\" } },\
        { dense = { units = 10 } }]";
    let first = weights(&folder, network, 1, 1);
    assert_eq!(weights(&folder, network, 1, 2), first, "one thread, twice");
    for threads in [2, 3] {
        assert_eq!(weights(&folder, network, threads, 1), first, "{threads} threads");
        assert_eq!(weights(&folder, network, threads, 2), first, "{threads} threads, twice");
    }
}
