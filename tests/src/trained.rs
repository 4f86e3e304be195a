//! Models trained by the program itself.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::command::{Finished, host_trainer, host_trainer_path};
use crate::mnist;
use crate::workspace::{cached, content_key, empty_dir, read};

/// The run folder of `host-trainer train PRESET` with these arguments and settings; trained again
/// only when the program has changed.
fn run_folder(preset: &str, arguments: &[&OsStr]) -> PathBuf {
    let key = content_key(&[&read(host_trainer_path()), format!("{arguments:?}").as_bytes()]);
    cached(&format!("{preset}-run-{key}"), |run| {
        let fixed: [&OsStr; 4] =
            ["train".as_ref(), preset.as_ref(), "--output".as_ref(), run.as_ref()];
        let folder = empty_dir(&format!("train-{preset}"));
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(arguments))).success();
    })
}

/// 784-128-10, trained on MNIST.
pub fn mnist_run() -> PathBuf {
    run_folder("mnist", &["--data-dir".as_ref(), mnist::folder().as_ref()])
}

/// 64-32-10, trained on the embedded digits.
pub fn digits_run() -> PathBuf {
    run_folder("digits", &[])
}

/// 2-64-64-1, trained on the egg crate, with activations of 16 bits.
pub fn eggcrate_int16_run() -> PathBuf {
    run_folder("u-eggcrate", &["--set".as_ref(), "quantization.activations=int16".as_ref()])
}

/// The model file of [`mnist_run`].
pub fn mnist_model() -> Vec<u8> {
    read(mnist_run().join("model.thimble"))
}
