//! Evaluation in int8, by the engine that devices run.

use firmware::Engine;
use model_format::{Encoding, Meaning, Model};
use rayon::prelude::*;

use super::{Confusion, Evaluation};
use crate::data::{Features, Subset};
use crate::network::first_largest;
use crate::train::Threads;

/// Rows that one engine runs before another may take over.
const CHUNK: usize = 256;

/// Why a model cannot be evaluated on a dataset.
#[derive(Debug, thiserror::Error)]
pub enum Int8Error {
    /// The model and the dataset are about different things.
    #[error("model {model} does not fit the dataset {dataset}: {problem}")]
    Mismatch {
        /// Name of the model.
        model: String,
        /// Name of the dataset.
        dataset: String,
        /// What differs.
        problem: String,
    },
    /// The engine takes no such model.
    #[error("the engine refuses the model: {0}")]
    Engine(firmware::EngineError),
    /// The engine takes no such input.
    #[error("the engine refuses an input: {0}")]
    Input(firmware::InputError),
}

/// Turns rows of a dataset into a model's int8 input.
#[derive(Clone, Copy, Debug)]
pub struct InputEncoder {
    scale: f32,
    zero_point: i32,
    encoding: Encoding,
}

impl InputEncoder {
    /// For a model and the dataset of these rows.
    ///
    /// # Errors
    /// [`Int8Error::Mismatch`] when the model has other inputs or outputs than the dataset, or
    /// takes bytes for other numbers.
    pub fn new(model: &Model<'_>, subset: &Subset) -> Result<Self, Int8Error> {
        let dataset = subset.dataset();
        let mismatch = |problem: String| Int8Error::Mismatch {
            model: model.name().to_string(),
            dataset: dataset.name().to_string(),
            problem,
        };
        let (inputs, width) = (model.input_len(), dataset.width());
        if inputs != width {
            let problem = format!("the model takes {inputs} inputs, a row has {width} features");
            return Err(mismatch(problem));
        }
        match model.output().meaning {
            Meaning::Classes(labels) if labels.len() == dataset.classes() => {}
            Meaning::Classes(labels) => {
                let (found, classes) = (labels.len(), dataset.classes());
                let problem = format!("the model knows {found} classes, the dataset has {classes}");
                return Err(mismatch(problem));
            }
            Meaning::Values { .. } => {
                return Err(mismatch("the model gives values, the dataset has classes".into()));
            }
        }
        let input = model.input();
        let (scale, zero_point) = (input.quantization.scale, input.quantization.zero_point);
        match (dataset.features(), input.encoding) {
            (Features::Bytes { scale: byte_scale, .. }, Encoding::Unsigned8)
                if *byte_scale != scale || zero_point != -128 =>
            {
                Err(mismatch(format!(
                    "a byte b stands for {scale} · (b − 128 − {zero_point}) to the model, and for \
                     {byte_scale} · b in the dataset"
                )))
            }
            (_, encoding) => Ok(InputEncoder { scale, zero_point, encoding }),
        }
    }

    /// Writes the int8 input for a row.
    ///
    /// # Shapes
    /// `out` has the model's number of inputs.
    pub fn encode(&self, subset: &Subset, position: usize, out: &mut [i8]) {
        match (subset.bytes(position), self.encoding) {
            (Some(bytes), Encoding::Unsigned8) => {
                for (out, &byte) in out.iter_mut().zip(bytes) {
                    *out = self.encoding.encode(byte);
                }
            }
            _ => {
                let mut reals = vec![0.0_f32; out.len()];
                subset.gather(position, crate::data::Shift::NONE, &mut reals);
                for (out, real) in out.iter_mut().zip(reals) {
                    let q = (f64::from(real) / f64::from(self.scale)).round()
                        + f64::from(self.zero_point);
                    // Saturates, which is what the clamp of the contract does.
                    *out = q as i8;
                }
            }
        }
    }
}

/// How well a model does on some rows, each answered by the engine.
///
/// # Errors
/// [`Int8Error`] when the model does not fit the dataset.
pub fn evaluate_int8(
    model: &Model<'_>,
    subset: &Subset,
    threads: &Threads,
) -> Result<Evaluation, Int8Error> {
    let encoder = InputEncoder::new(model, subset)?;
    let names = &subset.dataset().labels().names;
    let starts: Vec<usize> = (0..subset.len()).step_by(CHUNK).collect();
    let run = |start: usize| {
        let mut scratch = vec![0_u32; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).map_err(Int8Error::Engine)?;
        let mut input = vec![0_i8; model.input_len()];
        let mut confusion = Confusion::new(names.clone());
        for position in start..(start + CHUNK).min(subset.len()) {
            encoder.encode(subset, position, &mut input);
            let output = engine.run(&input).map_err(Int8Error::Input)?;
            confusion.add(usize::from(subset.label(position)), first_largest(output).0);
        }
        Ok(confusion)
    };
    let parts: Vec<Confusion> =
        threads.install(|| starts.into_par_iter().map(run).collect::<Result<_, Int8Error>>())?;
    let mut confusion = Confusion::new(names.clone());
    parts.iter().for_each(|part| confusion.merge(part));
    Ok(Evaluation { confusion, loss: None })
}
