//! Answers of both networks about an image.

use firmware::Engine;
use model_format::{Clamp, Layer, Meaning, Model};

use super::Origin;
use crate::data::{Preparation, Prepared};
use crate::network::{Head, Network, Tape};
use crate::report::html::dequantize;

/// Reason why a model cannot be asked about images.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// Its input is no image.
    #[error(
        "model {model}: its input has the shape {shape:?}, which is not that of an image; \
         `host-trainer infer` takes numbers"
    )]
    Shape {
        /// Name of the model.
        model: String,
        /// Shape of its input.
        shape: Vec<u16>,
    },
    /// Prepared images do not fit its input.
    #[error(
        "model {model}: it takes {inputs} values, but images prepared by `{preparation}` ({origin}) \
         have {}", .preparation.len()
    )]
    Preparation {
        /// Name of the model.
        model: String,
        /// Number of its inputs.
        inputs: usize,
        /// The preparation.
        preparation: Preparation,
        /// Where it is from.
        origin: Origin,
    },
    /// The preparation, in the model file or as asked for, is not understood.
    #[error("model {model}: {error}")]
    Malformed {
        /// Name of the model.
        model: String,
        /// What is wrong.
        error: crate::data::PreparationError,
    },
    /// Its output is no class.
    #[error("model {model}: its outputs are values, not classes")]
    Values {
        /// Name of the model.
        model: String,
    },
    /// The float network is another one.
    #[error(
        "the run's float network takes {float} inputs, model {model} takes {int8}: they are of two \
         runs"
    )]
    Float {
        /// Name of the model.
        model: String,
        /// Inputs of the network.
        float: usize,
        /// Inputs of the model.
        int8: usize,
    },
    /// The engine does not run the model.
    #[error("the engine refuses the model: {0}")]
    Engine(#[from] firmware::EngineError),
    /// The engine does not take the input.
    #[error("the engine refuses the input: {0}")]
    Input(#[from] firmware::InputError),
}

/// What both networks say: a probability a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The int8 model.
    pub int8: Vec<f32>,
    /// The float network, where there is one.
    pub float: Option<Vec<f32>>,
}

/// Asks the model, and the float network where there is one, about a prepared image.
///
/// # Errors
/// [`PredictError`] when the two are not of one run, or the engine refuses the model.
pub fn predict(
    model: &Model<'_>,
    float: Option<&Network<f32>>,
    image: &Prepared,
) -> Result<Answers, PredictError> {
    let pixels = image.reals();
    let mut scratch = vec![0_u32; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch)?;
    let output = engine.run_bytes(&input(model, &pixels))?.to_vec();
    let mut int8 = dequantize(&output, model.output().quantization);
    // Sums stand for probabilities by softmax; what has a function behind it is one already.
    if matches!(model.layers().last(), Some(Layer::Dense(_))) {
        Head::Softmax.apply(&mut int8);
    }
    let classes = match model.output().meaning {
        Meaning::Classes(labels) => labels.iter().map(String::from).collect(),
        Meaning::Values { .. } => {
            return Err(PredictError::Values { model: model.name().to_string() });
        }
    };
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
            tape.input_mut(1).copy_from_slice(&pixels);
            tape.forward(network, 1);
            let mut outputs = tape.outputs(1).to_vec();
            let head = if network.head() == Head::Sigmoid { Head::Sigmoid } else { Head::Softmax };
            head.apply(&mut outputs);
            Some(outputs)
        }
    };
    Ok(Answers { classes, int8, float })
}

/// The bytes of a model's input for pixels from 0 to 1.
pub fn input(model: &Model<'_>, pixels: &[f32]) -> Vec<u8> {
    let quantization = model.input().quantization;
    let (precision, range) = (quantization.precision, Clamp::all(quantization.precision));
    let mut bytes = Vec::with_capacity(model.input_bytes());
    for &real in pixels {
        let steps = (f64::from(real) / f64::from(quantization.scale)).round();
        let q = steps + f64::from(quantization.zero_point);
        let q = q.clamp(range.low.into(), range.high.into()) as i16;
        // The low byte of an int16 that is in range is the int8.
        bytes.extend(&q.to_le_bytes()[..precision.bytes()]);
    }
    bytes
}
