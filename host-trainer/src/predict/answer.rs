//! Predictions of both networks for an image.

use model_format::{Clamp, Encoding, Model};
use thimble_nn::{Engine, encode_counts, encode_reals};

use super::Origin;
use crate::data::{Preparation, Prepared};
use crate::evaluate::AnswerReader;
use crate::network::{Head, Network, Tape};

/// Reason why a model cannot predict images.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// Its input is not an image.
    #[error(
        "model {model}: its input has the shape {shape:?}, which is not that of an image. Give \
         numbers to `host-trainer infer`"
    )]
    Shape {
        /// Name of the model.
        model: String,
        /// Shape of its input.
        shape: Vec<u16>,
    },
    /// Preprocessed images do not fit its input.
    #[error(
        "model {model}: it takes {inputs} values, but images preprocessed by `{preparation}` \
         ({origin}) have {}", .preparation.len()
    )]
    Preparation {
        /// Name of the model.
        model: String,
        /// Number of its inputs.
        inputs: usize,
        /// The preprocessing.
        preparation: Preparation,
        /// Origin of the preprocessing.
        origin: Origin,
    },
    /// The preprocessing, in the model file or as requested, cannot be parsed.
    #[error("model {model}: {error}")]
    Malformed {
        /// Name of the model.
        model: String,
        /// The error.
        error: crate::data::PreparationError,
    },
    /// Its outputs are not classes.
    #[error("model {model}: its outputs are values, not classes")]
    Values {
        /// Name of the model.
        model: String,
    },
    /// The float network is of another run.
    #[error(
        "the run's float network takes {float} inputs, and model {model} takes {int8}. They are \
         of two runs"
    )]
    Float {
        /// Name of the model.
        model: String,
        /// Number of inputs of the network.
        float: usize,
        /// Number of inputs of the model.
        int8: usize,
    },
    /// The engine refuses the model.
    #[error("the engine refuses the model: {0}")]
    Engine(#[from] thimble_nn::EngineError),
    /// The engine refuses the input.
    #[error("the engine refuses the input: {0}")]
    Input(#[from] thimble_nn::InputError),
}

/// Predictions of both networks for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Labels of the classes.
    pub classes: Vec<String>,
    /// Predicted class of the quantized model, as on a device.
    pub class: usize,
    /// Class probabilities of the quantized model.
    pub int8: Vec<f32>,
    /// Class probabilities of the float network, if there is one.
    pub float: Option<Vec<f32>>,
}

/// Runs the model, and the float network if there is one, on a preprocessed image.
///
/// # Errors
/// [`PredictError`] when the two are not of one run, the outputs are not classes, or the engine
/// refuses the model.
pub fn predict(
    model: &Model<'_>,
    float: Option<&Network<f32>>,
    image: &Prepared,
) -> Result<Answers, PredictError> {
    let Some(labels) = model.output().kind.labels() else {
        return Err(PredictError::Values { model: model.name().to_string() });
    };
    let mut scratch = vec![0_u32; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let output = engine.run_bytes(&input(model, image)?)?.to_vec();
    let mut int8 = Vec::with_capacity(labels.len());
    let class = AnswerReader::new(model).read(&output, &mut int8);
    let float = match float {
        None => None,
        Some(network) if network.inputs() != model.input_len() => {
            return Err(PredictError::Float {
                model: model.name().to_string(),
                float: network.inputs(),
                int8: model.input_len(),
            });
        }
        Some(network) => {
            let mut tape = Tape::forward_only(network, 1);
            tape.input_mut(1).copy_from_slice(&image.reals());
            tape.forward(network, 1);
            let mut outputs = tape.outputs(1).to_vec();
            let head = match (network.head(), outputs.len()) {
                (Head::Sigmoid, _) | (_, 1) => Head::Sigmoid,
                _ => Head::Softmax,
            };
            head.apply(&mut outputs);
            Some(of_both_classes(outputs))
        }
    };
    let classes = labels.iter().map(String::from).collect();
    Ok(Answers { classes, class, int8: of_both_classes(int8), float })
}

/// Expands a single output, the probability of the second class, to both classes.
fn of_both_classes(probabilities: Vec<f32>) -> Vec<f32> {
    match probabilities.as_slice() {
        &[second] => vec![1.0 - second, second],
        _ => probabilities,
    }
}

/// Encodes a preprocessed image as the model's input bytes.
///
/// # Errors
/// [`PredictError::Input`] when the image does not have as many values as the model has inputs.
pub fn input(model: &Model<'_>, image: &Prepared) -> Result<Vec<u8>, PredictError> {
    let mut bytes = vec![0; model.input_bytes()];
    match model.input().encoding {
        // For a model with scaled pixels, the bytes of a pixel are its counts.
        Encoding::Counts(_) => {
            encode_counts(model, image.bytes.iter().map(|&b| i16::from(b)), &mut bytes)?;
        }
        Encoding::Reals(_) => {
            encode_reals(model, image.reals().into_iter(), &mut bytes)?;
        }
        Encoding::Quantized | Encoding::Unsigned8 => {
            let quantization = model.input().quantization;
            let (data_type, range) = (quantization.data_type, Clamp::all(quantization.data_type));
            for (real, bytes) in
                image.reals().into_iter().zip(bytes.chunks_exact_mut(data_type.bytes()))
            {
                let steps = (f64::from(real) / f64::from(quantization.scale)).round();
                let q = steps + f64::from(quantization.zero_point);
                let q = q.clamp(range.low.into(), range.high.into()) as i16;
                // The low byte of an int16 within range is the int8.
                bytes.copy_from_slice(&q.to_le_bytes()[..data_type.bytes()]);
            }
        }
    }
    Ok(bytes)
}
