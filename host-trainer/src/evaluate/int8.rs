//! Evaluation in integers, by the engine that devices run.

use firmware::{Engine, encode_counts};
use model_format::{Clamp, Encoding, Layer, Meaning, Model, Quantization};
use rayon::prelude::*;

use super::Evaluation;
use crate::data::{Features, Subset, TargetKind};
use crate::network::{Head, first_largest};
use crate::train::Threads;

/// Rows that one engine runs before another may take over.
const CHUNK: usize = 256;

/// The unit of an output that is the probability of the second of two classes.
pub const PROBABILITY: &str = "probability";

/// The unit of an output whose sigmoid is that probability.
pub const LOGIT: &str = "logit";

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

/// Turns raw rows of a dataset into the bytes of a model's input.
#[derive(Clone, Debug)]
pub struct InputEncoder<'m> {
    model: Model<'m>,
    quantization: Quantization,
    encoding: Encoding<()>,
}

impl<'m> InputEncoder<'m> {
    /// For a model and the dataset of these rows.
    ///
    /// # Errors
    /// [`Int8Error::Mismatch`] when the model has other inputs or outputs than the dataset, or
    /// takes bytes for other numbers.
    pub fn new(model: &Model<'m>, subset: &Subset) -> Result<Self, Int8Error> {
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
        let outputs = model.output_len();
        match (model.output().meaning, dataset.target_kind()) {
            (Meaning::Classes(labels), TargetKind::Classes(classes)) if labels.len() == classes => {
            }
            (Meaning::Classes(labels), TargetKind::Classes(classes)) => {
                let found = labels.len();
                let problem = format!("the model knows {found} classes, the dataset has {classes}");
                return Err(mismatch(problem));
            }
            (Meaning::Classes(_), TargetKind::Values(_)) => {
                return Err(mismatch("the model gives classes, the dataset has numbers".into()));
            }
            // One value tells two classes apart.
            (Meaning::Values { .. }, TargetKind::Classes(2)) if outputs == 1 => {}
            (Meaning::Values { .. }, TargetKind::Values(count)) if outputs == count => {}
            (Meaning::Values { .. }, TargetKind::Values(count)) => {
                let problem = format!("the model gives {outputs} values, a row has {count}");
                return Err(mismatch(problem));
            }
            (Meaning::Values { .. }, TargetKind::Classes(_)) => {
                return Err(mismatch("the model gives values, the dataset has classes".into()));
            }
        }
        let input = model.input();
        let Quantization { scale, zero_point, .. } = input.quantization;
        match (dataset.features(), input.encoding) {
            (Features::Bytes { scale: byte_scale, .. }, Encoding::Unsigned8)
                if *byte_scale != scale || zero_point != -128 =>
            {
                Err(mismatch(format!(
                    "a byte b stands for {scale} · (b − 128 − {zero_point}) to the model, and for \
                     {byte_scale} · b in the dataset"
                )))
            }
            (Features::Bytes { .. } | Features::Reals(_), Encoding::Raw(_)) => Err(mismatch(
                "the model takes what sensors count, the dataset has none: set data.raw".into(),
            )),
            (_, encoding) => {
                let encoding = match encoding {
                    Encoding::Quantized => Encoding::Quantized,
                    Encoding::Unsigned8 => Encoding::Unsigned8,
                    Encoding::Raw(_) => Encoding::Raw(()),
                };
                let quantization = input.quantization;
                Ok(InputEncoder { model: model.clone(), quantization, encoding })
            }
        }
    }

    /// Writes the input for a row.
    ///
    /// # Shapes
    /// `out` has the model's number of bytes of input.
    pub fn encode(&self, subset: &Subset, position: usize, out: &mut [u8]) {
        if let (Some(bytes), Encoding::Unsigned8) = (subset.bytes(position), self.encoding) {
            for (out, &byte) in out.iter_mut().zip(bytes) {
                *out = self.encoding.encode(byte) as u8;
            }
            return;
        }
        if let (Some(counts), Encoding::Raw(())) = (subset.counts(position), self.encoding) {
            // As many as the model takes, and the model takes counts: `new` has seen to it.
            let _ = encode_counts(&self.model, counts.iter().copied(), out);
            return;
        }
        let Quantization { precision, scale, zero_point } = self.quantization;
        let range = Clamp::all(precision);
        let mut reals = vec![0.0_f32; out.len() / precision.bytes()];
        subset.gather_raw(position, &mut reals);
        for (out, real) in out.chunks_exact_mut(precision.bytes()).zip(reals) {
            let q = (f64::from(real) / f64::from(scale)).round() + f64::from(zero_point);
            let q = q.clamp(range.low.into(), range.high.into()) as i16;
            // The low byte of an int16 that is in range is the int8.
            out.copy_from_slice(&q.to_le_bytes()[..precision.bytes()]);
        }
    }
}

/// What a model's outputs say of a row.
#[derive(Clone, Copy, Debug)]
struct Reader {
    quantization: Quantization,
    /// What makes probabilities of outputs that are none.
    head: Head,
    /// Above this, a single output stands for the second class.
    threshold: f32,
}

impl Reader {
    fn new(model: &Model<'_>) -> Self {
        let output = model.output();
        let raw = matches!(model.layers().last(), Some(Layer::Dense(_)));
        let (head, threshold) = match output.meaning {
            Meaning::Classes(_) if raw => (Head::Softmax, 0.5),
            Meaning::Values { unit: LOGIT } => (Head::Sigmoid, 0.0),
            _ => (Head::None, 0.5),
        };
        Reader { quantization: output.quantization, head, threshold }
    }

    /// Appends a row's outputs, and says which class it is taken for. Classes are told by the
    /// quantized values themselves, as a device tells them.
    fn read(&self, bytes: &[u8], outputs: &mut Vec<f32>) -> usize {
        let values: Vec<i16> = self.quantization.precision.values(bytes).collect();
        let start = outputs.len();
        outputs.extend(values.iter().map(|&value| self.quantization.dequantize(value)));
        let row = &mut outputs[start..];
        let class = match row {
            [single] => usize::from(*single > self.threshold),
            _ => first_largest(&values).0,
        };
        self.head.apply(row);
        class
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
    let reader = Reader::new(model);
    let starts: Vec<usize> = (0..subset.len()).step_by(CHUNK).collect();
    let run = |start: usize| {
        let mut scratch = vec![0_u32; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).map_err(Int8Error::Engine)?;
        let mut input = vec![0; model.input_bytes()];
        let (mut outputs, mut answers) = (Vec::new(), Vec::new());
        for position in start..(start + CHUNK).min(subset.len()) {
            encoder.encode(subset, position, &mut input);
            let output = engine.run_bytes(&input).map_err(Int8Error::Input)?;
            answers.push(reader.read(output, &mut outputs));
        }
        Ok((outputs, answers))
    };
    let parts: Vec<(Vec<f32>, Vec<usize>)> =
        threads.install(|| starts.into_par_iter().map(run).collect::<Result<_, Int8Error>>())?;
    let outputs = parts.iter().flat_map(|(outputs, _)| outputs.iter().copied()).collect();
    let answers: Vec<usize> =
        parts.iter().flat_map(|(_, answers)| answers.iter().copied()).collect();
    Ok(Evaluation::new(subset, outputs, &answers))
}
