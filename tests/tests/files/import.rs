//! Errors of `host-trainer import`, `infer` and `pack`: each names the operator, tensor or file,
//! and the remedy. No file causes a panic.

use std::path::Path;

use host_trainer::import::{ImportError, Options, OutputMeaning, import};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{empty_dir, read, root, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn golden(name: &str) -> Vec<u8> {
    read(root().join("tests/golden").join(name))
}

fn golden_path(name: &str) -> String {
    root().join("tests/golden").join(name).display().to_string()
}

fn options() -> Options {
    Options { name: "test".into(), kind: OutputMeaning::Guess }
}

#[test]
fn what_thimble_cannot_run_is_named_with_the_remedy() {
    let folder = empty_dir("import_refused");
    for (name, named) in [
        ("convolution", &["operator 0 (CONV_2D)", "FULLY_CONNECTED"][..]),
        ("residual", &["operator 1 (ADD)", "skip connection"]),
        ("float", &["float TensorFlow Lite model", "--calibrate"]),
        ("dynamic-range", &["float TensorFlow Lite model", "--calibrate"]),
        ("two-inputs", &["2 inputs"]),
        ("two-outputs", &["2 outputs"]),
    ] {
        let path = golden_path(&format!("refused/{name}.tflite"));
        let file = format!("{name}.tflite");
        run(&folder, &["import", &path, "-o", "model.thimble"])
            .refused(1, &[&[file.as_str()], named].concat());
        assert!(!folder.join("model.thimble").exists(), "nothing is written");
    }
}

#[test]
fn files_that_are_no_whole_models_are_refused() {
    let folder = empty_dir("import_no_models");
    run(&folder, &["import", "missing.tflite"]).refused(1, &["missing.tflite"]);
    let whole = golden("relu6.tflite");
    write(folder.join("cut.tflite"), &whole[..whole.len() / 2]);
    run(&folder, &["import", "cut.tflite"]).refused(1, &["cut.tflite", "cut off or damaged"]);
    let mut other = whole.clone();
    other[4..8].copy_from_slice(b"TFL2");
    write(folder.join("other.tflite"), &other);
    run(&folder, &["import", "other.tflite"]).refused(1, &["other.tflite", "TFL3"]);
    write(folder.join("page.tflite"), "<html>404</html>");
    run(&folder, &["import", "page.tflite"]).refused(1, &["page.tflite", "TFL3"]);
    // Only the complete file is a valid model; padding at the end is not part of it.
    let model = import(&whole, &options()).expect("the whole file is a model").bytes;
    for len in 0..whole.len() {
        match import(&whole[..len], &options()) {
            Ok(imported) => assert!(imported.bytes == model, "{len} bytes give another model"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// A damaged file is refused or imported, without a panic.
#[test]
fn damaged_files_never_panic() {
    let mut random = fastrand::Rng::with_seed(1);
    for name in [
        "random-1",
        "random-3",
        "flatten-uint8",
        "relu-first",
        "softmax2",
        "silu",
        "elu",
        "prelu",
        "prelu-units",
        "weights-128",
        "normalization/model",
        "free-batch/model",
    ] {
        let whole = golden(&format!("{name}.tflite"));
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, random.u8(..)] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = import(&damaged, &options());
            }
        }
        for _ in 0..2000 {
            let mut damaged = whole.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..whole.len() & !3) & !3;
                let value = [random.u32(..), random.u32(..64), u32::MAX, 0][random.usize(..4)];
                damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            let _ = import(&damaged, &options());
        }
    }
}

/// Returns the positions of a number in a file.
fn places(file: &[u8], bytes: &[u8]) -> Vec<usize> {
    (0..file.len()).step_by(4).filter(|at| file[*at..].starts_with(bytes)).collect()
}

/// Splits that the model format cannot hold are refused, and smaller ones are named in a note.
#[test]
fn weights_beyond_the_range_are_split_or_named() {
    let notes = import(&golden("weights-128.tflite"), &options()).expect("it is split").notes;
    let is_named = |note: &String| ["FULLY_CONNECTED", "±127"].iter().all(|w| note.contains(w));
    assert!(notes.iter().any(is_named), "{notes:?}");
    let notes = import(&golden("prelu-units.tflite"), &options()).expect("it is split").notes;
    let is_named = |note: &String| note.contains("PRELU") && note.contains("LeakyReLU");
    assert!(notes.iter().any(is_named), "{notes:?}");
    // Other models get no layer and no note.
    let notes = import(&golden("leaky-relu.tflite"), &options()).expect("it is taken").notes;
    assert!(!notes.iter().any(|note| note.contains("±127")), "{notes:?}");
}

#[test]
fn scales_that_are_none_are_named() {
    // The scale of tanh's output, 1/128, set to what no scale can be.
    let whole = golden("tanh-logistic.tflite");
    let found = places(&whole, &(1.0f32 / 128.0).to_le_bytes());
    assert!(!found.is_empty());
    for (scale, named) in
        [(0.0f32, "positive"), (-1.0, "positive"), (f32::NAN, "positive"), (0.25, "steps of 1/128")]
    {
        let mut changed = whole.clone();
        for at in &found {
            changed[*at..*at + 4].copy_from_slice(&scale.to_le_bytes());
        }
        let message = import(&changed, &options()).unwrap_err().to_string();
        assert!(message.contains(named) && message.contains("operator"), "{scale}: {message}");
    }
}

/// A missing field of a table has the offset 0 in its vtable. With this change in each of the
/// tensors' vtables in turn, some tensor lacks its quantization.
#[test]
fn quantization_that_is_missing_is_named() {
    let whole = golden("relu6.tflite");
    let refused = (0..whole.len() - 1).step_by(2).filter_map(|at| {
        let mut changed = whole.clone();
        changed[at..at + 2].fill(0);
        let message = import(&changed, &options()).err()?.to_string();
        message.contains("quantization is missing").then_some(message)
    });
    let messages: Vec<String> = refused.collect();
    assert!(!messages.is_empty(), "two of the bytes are the offset of a tensor's quantization");
    for message in messages {
        assert!(
            message.contains("tensor") && message.contains("representative_dataset"),
            "{message}"
        );
    }
}

#[test]
fn labels_are_one_a_line_for_each_output() {
    let folder = empty_dir("import_labels");
    let model = golden_path("softmax2.tflite");
    write(folder.join("labels.txt"), "no\nyes\n");
    let said = run(&folder, &["import", &model, "-o", "m.thimble", "--labels", "labels.txt"]);
    assert!(said.clone().success().stdout.contains("no yes"), "{said:#?}");
    write(folder.join("labels.txt"), "no\nyes\nmaybe\n");
    run(&folder, &["import", &model, "-o", "m.thimble", "--labels", "labels.txt"])
        .refused(1, &["3 labels", "2 outputs"]);
    write(folder.join("labels.txt"), format!("no\n{}\n", "y".repeat(65)));
    run(&folder, &["import", &model, "-o", "m.thimble", "--labels", "labels.txt"])
        .refused(1, &["labels.txt", "line 2"]);
    let error = import(
        &golden("softmax2.tflite"),
        &Options { name: String::new(), kind: OutputMeaning::Labels(vec![]) },
    );
    assert_eq!(error.unwrap_err(), ImportError::Labels { labels: 0, outputs: 2 });
}

#[test]
fn infer_pack_and_trace_name_what_does_not_fit() {
    let folder = empty_dir("infer_refused");
    run(&folder, &["import", &golden_path("softmax2.tflite"), "-o", "m.thimble"]).success();
    write(folder.join("in.i8"), [0; 7]);
    write(folder.join("none.i8"), []);
    run(&folder, &["infer", "m.thimble", "--raw-i8", "in.i8", "--output", "out"])
        .refused(1, &["in.i8", "7 bytes", "2 whole rows", "3 values"]);
    run(&folder, &["infer", "m.thimble", "--raw-i8", "none.i8", "--output", "out"])
        .refused(1, &["none.i8", "empty"]);
    run(&folder, &["infer", "m.thimble", "--raw-i16", "in.i8", "--output", "out"])
        .refused(1, &["int8", "--raw-i8"]);
    run(&folder, &["infer", "m.thimble", "--output", "out"]).refused(2, &["--help"]);
    run(&folder, &["infer", "m.thimble", "--raw-i8", "no.i8", "--output", "out"])
        .refused(1, &["no.i8"]);
    assert!(!folder.join("out").exists(), "nothing is written");
    run(&folder, &["pack", "m.thimble", "--for", "cortex-m5", "-o", "out"])
        .refused(2, &["cortex-m5", "cortex-m4", "rv32"]);
    run(&folder, &["trace", "m.thimble", "in.i8", "--row", "2"]).refused(1, &["in.i8", "row 2"]);
    run(&folder, &["trace", "m.thimble", "--row", "9"]).refused(1, &["self-test 9"]);
}
