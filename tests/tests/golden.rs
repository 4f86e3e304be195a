//! The reference gives every byte that TensorFlow Lite Micro's own interpreter gave.
//!
//! The models, inputs and outputs in `tests/golden` were made with TensorFlow's converter and
//! TFLM's interpreter: whatever agrees with the reference agrees with them.

use std::path::Path;

use tests::parity::{compare, signed};
use tests::tflite::Golden;
use tests::workspace::{read, root};

#[track_caller]
fn reference_equals_tflm(name: &str) {
    let path = |extension: &str| {
        root().join(Path::new("tests/golden").join(name)).with_extension(extension)
    };
    let about: serde_json::Value =
        serde_json::from_slice(&read(path("json"))).expect("a description in JSON");
    let count = |key: &str| about[key].as_u64().expect("a count") as usize;
    let (inputs, outputs) = (signed(&read(path("input.i8"))), signed(&read(path("output.i8"))));
    assert_eq!(inputs.len(), count("samples") * count("inputs"));
    assert_eq!(outputs.len(), count("samples") * count("outputs"));

    let golden = Golden::read(&read(path("tflite")));
    let samples = inputs.chunks_exact(count("inputs")).zip(outputs.chunks_exact(count("outputs")));
    for (sample, (input, expected)) in samples.enumerate() {
        if let Err(difference) = compare(golden.len() - 1, expected, &golden.run(input)) {
            panic!("{name}, sample {sample}, {difference}");
        }
    }
}

#[test]
fn relu_and_tanh() {
    reference_equals_tflm("eggcrate-64-64-tanh");
}

#[test]
fn relu_and_sigmoid() {
    reference_equals_tflm("spiral-relu-sigmoid");
}

#[test]
fn softmax_with_scales_per_row() {
    reference_equals_tflm("mnist-32-relu-softmax");
}

#[test]
fn softmax_with_one_scale_per_tensor() {
    reference_equals_tflm("mnist-32-relu-softmax-per-tensor");
}
