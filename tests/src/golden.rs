//! The golden models of `tests/golden`: int8 `.tflite` files with the outputs of TensorFlow Lite Micro's
//! own interpreter.

use std::path::PathBuf;

use host_trainer::import::{Options, OutputMeaning, import};
use model_format::Model;

use crate::parity::{compare, signed};
use crate::workspace::{read, root};

/// A model with inputs and expected outputs.
pub struct Golden {
    /// Name of its files.
    pub name: String,
    /// The `.tflite` file.
    pub tflite: Vec<u8>,
    /// Rows of inputs.
    pub inputs: Vec<u8>,
    /// Rows of outputs.
    pub outputs: Vec<u8>,
}

/// Returns the folder of the files.
pub fn folder() -> PathBuf {
    root().join("tests/golden")
}

/// Returns all models, in the order of their names.
///
/// # Panics
/// When files are missing.
pub fn all() -> Vec<Golden> {
    let entries = std::fs::read_dir(folder()).expect("tests/golden is there");
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".tflite").map(String::from))
        .collect();
    names.sort();
    assert!(names.len() >= 25, "{names:?}");
    names.into_iter().map(Golden::read).collect()
}

impl Golden {
    /// Reads the files of a model.
    ///
    /// # Panics
    /// When one is missing.
    pub fn read(name: String) -> Golden {
        let file = |extension: &str| read(folder().join(format!("{name}.{extension}")));
        let (tflite, inputs, outputs) = (file("tflite"), file("input.i8"), file("output.i8"));
        Golden { name, tflite, inputs, outputs }
    }

    /// Imports the model.
    ///
    /// # Panics
    /// When it is refused, with the reason.
    pub fn import(&self) -> Vec<u8> {
        let options = Options { name: self.name.clone(), kind: OutputMeaning::Guess };
        import(&self.tflite, &options).unwrap_or_else(|e| panic!("{}: {e}", self.name)).bytes
    }

    /// Compares rows of outputs with those of TensorFlow Lite Micro.
    ///
    /// # Panics
    /// When they differ, with the first difference.
    pub fn check(&self, who: &str, model: &[u8], actual: &[i8]) {
        let model = Model::parse(model).expect("what was imported is valid");
        let rows = self.inputs.len() / model.input_len();
        assert_eq!(actual.len(), rows * model.output_len(), "{}: outputs of {who}", self.name);
        assert_eq!(actual.len(), self.outputs.len(), "{}: outputs of {who}", self.name);
        let last = model.layers().count() - 1;
        let expected = signed(&self.outputs);
        let samples = expected.chunks(model.output_len()).zip(actual.chunks(model.output_len()));
        for (sample, (expected, actual)) in samples.enumerate() {
            if let Err(difference) = compare(last, expected, actual) {
                panic!("{}, {who}, sample {sample}, {difference}", self.name);
            }
        }
    }
}
