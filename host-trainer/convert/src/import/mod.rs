//! Import of int8 TensorFlow Lite models of dense layers, with bit-identical outputs.
//!
//! The operators are those of DESIGN.md. The arithmetic is TensorFlow Lite Micro's: weights, biases
//! and scales are copied, and multipliers and tables are computed by its algorithms. Unsupported
//! models are rejected with the operator or tensor. No file causes a panic, an endless loop, or
//! more memory than a small multiple of its size.

mod activations;
mod chain;
mod contents;
mod dense;
mod element_wise;
mod error;
mod flatbuffer;
mod foreign;
mod front;
mod path;
mod schema;
mod tensor;

use model_format::build::{LayerSpec, ModelSpec, OutputSpec, SelfTestSpec};
use model_format::limits::{MAX_LABELS, MAX_TEXT};
use model_format::{Encoding, Model, Quantization, Softmax};
use rand::RngExt;
use thimble_nn::Engine;

pub use contents::{ConstantContents, Contents, OperatorContents, contents, is_float};
pub use error::{ImportError, OperatorProblem, TensorProblem};

pub use chain::Chain;
use schema::Graph;

use thimble_support::random::{Stream, stream};

/// Scale of pixels, where 1 is the byte 255.
const PIXEL: f32 = 1.0 / 255.0;
/// Number of self-tests of an imported model.
const SELF_TESTS: usize = 2;

/// Options of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Name of the model, truncated to the format's maximum.
    pub name: String,
    /// Meaning of its outputs.
    pub kind: OutputMeaning,
}

/// Meaning of the outputs of an imported model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputMeaning {
    /// Classes named 0, 1, 2, and so on, after a softmax, else values.
    Guess,
    /// Classes named 0, 1, 2, and so on.
    Classes,
    /// Classes with these names.
    Labels(Vec<String>),
}

/// An imported model.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model file.
    pub bytes: Vec<u8>,
    /// Notes on omitted operators and assumptions.
    pub notes: Vec<String>,
}

/// Imports a `.tflite` file.
///
/// # Errors
/// [`ImportError`] with the operator or tensor, its problem, and the remedy.
pub fn import(file: &[u8], options: &Options) -> Result<Imported, ImportError> {
    let graph = Graph::read(file).map_err(|error| match error {
        ImportError::Identifier => foreign::refuse(file),
        other => other,
    })?;
    finish(Chain::follow(graph)?, options)
}

/// Makes a model file of layers that were read, with self-tests.
///
/// # Errors
/// [`ImportError`] if they are no valid model.
pub fn finish(chain: Chain, options: &Options) -> Result<Imported, ImportError> {
    let Chain { mut input, layers, outputs, is_classifier, mut notes } = chain;
    let is_quantized = input.encoding == Encoding::Quantized;
    if is_quantized && input.quantization == Quantization::int8(PIXEL, -128) {
        input.encoding = Encoding::Unsigned8;
    }
    let mut spec = ModelSpec {
        name: cut(&options.name),
        input,
        output: kind(&options.kind, &layers, outputs, is_classifier, &mut notes)?,
        layers,
        self_tests: Vec::new(),
        details: Default::default(),
    };
    spec.self_tests = self_tests(&spec.to_bytes()?)?;
    Ok(Imported { bytes: spec.to_bytes()?, notes })
}

/// Truncates a name to the format's maximum.
fn cut(name: &str) -> String {
    let fits = |end: &usize| *end <= MAX_TEXT;
    let ends = name.char_indices().map(|(at, char)| at + char.len_utf8());
    name[..ends.take_while(fits).last().unwrap_or(0)].into()
}

fn kind(
    kind: &OutputMeaning,
    layers: &[LayerSpec],
    outputs: usize,
    is_classifier: bool,
    notes: &mut Vec<String>,
) -> Result<OutputSpec, ImportError> {
    let numbers = || OutputSpec::classes((0..outputs).map(|class| class.to_string()));
    let probability = |labels: Vec<String>| {
        let scores = match layers.last() {
            Some(LayerSpec::Table(table)) => table.output,
            Some(LayerSpec::Dense(dense)) => dense.output,
            _ => Softmax::OUTPUT,
        };
        // The largest step that is not above one half.
        let threshold = (0.5 / f64::from(scores.scale)).floor() as i32 + scores.zero_point;
        OutputSpec::Probability { labels, threshold }
    };
    Ok(match kind {
        // One output suffices for two classes.
        OutputMeaning::Labels(labels) if labels.len() == 2 && outputs == 1 => {
            probability(labels.clone())
        }
        OutputMeaning::Labels(labels) if labels.len() != outputs => {
            return Err(ImportError::Labels { labels: labels.len(), outputs });
        }
        OutputMeaning::Labels(labels) => OutputSpec::classes(labels),
        OutputMeaning::Classes if outputs == 1 => probability(vec!["0".into(), "1".into()]),
        OutputMeaning::Classes => numbers(),
        OutputMeaning::Guess if is_classifier && outputs <= MAX_LABELS => numbers(),
        OutputMeaning::Guess => {
            notes.push("the outputs are taken for values, since no softmax ends the model".into());
            OutputSpec::Values(vec![])
        }
    })
}

/// Returns self-tests: random inputs, deterministic per model, with the outputs of the engine.
fn self_tests(file: &[u8]) -> Result<Vec<SelfTestSpec>, ImportError> {
    let model = Model::parse(file)?;
    let mut random = stream(model.checksum().into(), Stream::SelfTests);
    let mut scratch = vec![0; model.scratch_len()];
    // Each valid model can be run, because the host's engine supports all layouts.
    let Ok(mut engine) = Engine::new(model.clone(), &mut scratch) else { return Ok(Vec::new()) };
    let tests = (0..SELF_TESTS).filter_map(|_| {
        let input: Vec<u8> = (0..model.input_bytes()).map(|_| random.random()).collect();
        let output = engine.run_bytes(&input).ok()?.to_vec();
        Some(SelfTestSpec { input, output })
    });
    Ok(tests.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(40)), "é".repeat(32));
        assert_eq!(cut(&format!("a{}", "é".repeat(40))), format!("a{}", "é".repeat(31)));
        assert_eq!(cut(""), "");
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let options = Options { name: "x".into(), kind: OutputMeaning::Guess };
        for file in [&b""[..], b"TFL3", b"<html></html>", &[0xff; 64]] {
            assert_eq!(import(file, &options).unwrap_err(), ImportError::Identifier);
        }
        let mut file = [0u8; 64];
        file[4..8].copy_from_slice(b"TFL3");
        // The root table is the file's own beginning, and holds nonsense.
        assert!(import(&file, &options).is_err());
        file[..4].copy_from_slice(&[0xff; 4]);
        let message = import(&file, &options).unwrap_err().to_string();
        assert!(message.contains("cut off or damaged"), "{message}");
    }
}
