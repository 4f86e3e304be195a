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
        let folder = empty_dir(&format!("train-{preset}-{key}"));
        Finished::of(&mut host_trainer(&folder, fixed.iter().chain(arguments))).success();
    })
}

/// 784-128-10, trained on MNIST.
pub fn mnist_run() -> PathBuf {
    run_folder("mnist", &["--data-dir".as_ref(), mnist::folder().as_ref()])
}

/// Rows of [`few_mnist_rows`] for training, of which [`FEW_MNIST_ROWS_VALIDATE`] are for validation.
const FEW_MNIST_ROWS: u32 = 6_000;

/// The setting of MNIST's presets for the validation rows of [`few_mnist_rows`].
pub const FEW_MNIST_ROWS_VALIDATE: &str = "data.validation={head={count=1000}}";

/// The folder of MNIST's first rows, for what depends on the shape of the network and not on what it
/// has learnt.
pub fn few_mnist_rows() -> PathBuf {
    mnist::first_rows(FEW_MNIST_ROWS, 1_000).join("mnist")
}

/// 784-128-10, trained on [`few_mnist_rows`] for three epochs.
pub fn few_mnist_run() -> PathBuf {
    let rows = few_mnist_rows();
    let settings = ["--set", FEW_MNIST_ROWS_VALIDATE, "--set", "training.epochs=3", "--data-dir"];
    let mut arguments: Vec<&OsStr> = settings.map(OsStr::new).into();
    arguments.push(rows.as_ref());
    run_folder("mnist", &arguments)
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
