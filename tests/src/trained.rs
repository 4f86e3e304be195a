//! The models that users train, trained by the program that they use.

use std::path::{Path, PathBuf};

use crate::command::{Finished, host_trainer, host_trainer_path};
use crate::mnist;
use crate::workspace::{cached, content_key, empty_dir, read};

/// The run folder of `host-trainer train mnist`, 784-128-10; trained again only when the program
/// has changed.
pub fn mnist_run() -> PathBuf {
    let key = content_key(&[&read(host_trainer_path())]);
    cached(&format!("mnist-run-{key}"), |run| {
        let data = mnist::folder();
        let arguments: [&Path; 6] = [
            "train".as_ref(),
            "mnist".as_ref(),
            "--data-dir".as_ref(),
            &data,
            "--out".as_ref(),
            run,
        ];
        Finished::of(&mut host_trainer(&empty_dir("train-mnist"), arguments)).success();
    })
}

/// The model file of [`mnist_run`].
pub fn mnist_model() -> Vec<u8> {
    read(mnist_run().join("model.thimble"))
}
