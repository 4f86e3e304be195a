//! Evaluation of int8 models with the inference engine of devices.

use model_format::{Clamp, Encoding, Layer, Model, OutputKind, Quantization, RealChannels};
use rayon::prelude::*;
use thimble_convert::unpack::unpack;
use thimble_data::{Features, Subset, TargetKind};
use thimble_network::Head;
use thimble_nn::{Engine, InputError, OutputDecoder, encode_counts, encode_reals, encode_reals_of};
use thimble_numeric::threads::Threads;

use super::Evaluation;

/// Rows per task of the thread pool.
const CHUNK: usize = 256;

/// Errors of evaluating a model on a dataset.
#[derive(Debug, thiserror::Error)]
pub enum Int8Error {
    /// The model's inputs or outputs do not match the dataset.
    #[error("model {model} does not fit the dataset {dataset}: {problem}")]
    Mismatch {
        /// Name of the model.
        model: String,
        /// Name of the dataset.
        dataset: String,
        /// Description of the mismatch.
        problem: String,
    },
    /// The engine rejected the model.
    #[error("the engine refuses the model: {0}")]
    Engine(thimble_nn::EngineError),
    /// The engine rejected an input.
    #[error("the engine refuses an input: {0}")]
    Input(thimble_nn::InputError),
}

/// Converts raw rows of a dataset to the bytes of a model's input.
#[derive(Clone, Debug)]
pub struct InputEncoder<'m> {
    model: Model<'m>,
    quantization: Quantization,
    encoding: Encoding<(), RealChannels<'m>>,
}

/// Input of a device for one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The bytes of the model's input.
    Values(Vec<u8>),
    /// One raw ADC count per input.
    Counts(Vec<i16>),
    /// One real number per input, in its own unit.
    Reals(Vec<f32>),
}

impl<'m> InputEncoder<'m> {
    /// Makes an encoder for a model and the dataset of these rows.
    ///
    /// # Errors
    /// [`Int8Error::Mismatch`] if inputs, outputs or the scale of bytes differ between model and
    /// dataset.
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
        let kind = model.output().kind;
        match (kind.labels(), dataset.target_kind()) {
            (Some(labels), TargetKind::Classes(classes)) if labels.len() == classes => {}
            (Some(labels), TargetKind::Classes(classes)) => {
                let found = labels.len();
                let problem = format!("the model knows {found} classes, the dataset has {classes}");
                return Err(mismatch(problem));
            }
            (Some(_), TargetKind::Values(_)) => {
                return Err(mismatch("the model gives classes, the dataset has numbers".into()));
            }
            (None, TargetKind::Values(count)) if outputs == count => {}
            (None, TargetKind::Values(count)) => {
                let problem = format!("the model gives {outputs} values, a row has {count}");
                return Err(mismatch(problem));
            }
            (None, TargetKind::Classes(_)) => {
                return Err(mismatch(
                    "the model gives values, the dataset has classes: import it with --labels to \
                     say which classes its outputs are"
                        .into(),
                ));
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
            (Features::Reals(_), Encoding::Counts(_)) => Err(mismatch(
                "the model takes what sensors count, the dataset has none: set data.raw".into(),
            )),
            (_, encoding) => {
                let encoding = match encoding {
                    Encoding::Quantized => Encoding::Quantized,
                    Encoding::Unsigned8 => Encoding::Unsigned8,
                    Encoding::Counts(_) => Encoding::Counts(()),
                    Encoding::Reals(channels) => Encoding::Reals(channels),
                };
                let quantization = input.quantization;
                Ok(InputEncoder { model: model.clone(), quantization, encoding })
            }
        }
    }

    /// Returns the device's input for a row: counts or real numbers if the model takes these, else
    /// the bytes of the quantized input.
    pub fn reading(&self, subset: &Subset, position: usize) -> Reading {
        match (self.encoding, subset.counts(position), subset.bytes(position)) {
            (Encoding::Counts(()), Some(counts), _) => Reading::Counts(counts.to_vec()),
            (Encoding::Counts(()), None, Some(bytes)) => {
                Reading::Counts(bytes.iter().map(|byte| i16::from(*byte)).collect())
            }
            (Encoding::Reals(_), ..) => {
                let mut reals = vec![0.0_f32; self.model.input_len()];
                subset.gather_raw(position, &mut reals);
                Reading::Reals(reals)
            }
            _ => {
                let mut bytes = vec![0; self.model.input_bytes()];
                self.encode_values(subset, position, &mut bytes);
                Reading::Values(bytes)
            }
        }
    }

    /// Writes the quantized input for a row. Returns the number of readings that saturated.
    ///
    /// # Shapes
    /// `out` has the model's `input_bytes()`.
    pub fn encode(&self, subset: &Subset, position: usize, out: &mut [u8]) -> u32 {
        if matches!(self.encoding, Encoding::Quantized | Encoding::Unsigned8) {
            self.encode_values(subset, position, out);
            return 0;
        }
        // Cannot fail: `new` has checked length and kind, and a dataset has only finite numbers.
        if let Encoding::Reals(channels) = self.encoding {
            let mut reals = vec![0.0_f32; self.model.input_len()];
            subset.gather_raw(position, &mut reals);
            return encode_reals_of(&self.model, &channels, reals.into_iter(), out).unwrap_or(0);
        }
        encode_reading(&self.model, &self.reading(subset, position), out).unwrap_or(0)
    }

    fn encode_values(&self, subset: &Subset, position: usize, out: &mut [u8]) {
        if let (Some(bytes), Encoding::Unsigned8) = (subset.bytes(position), self.encoding) {
            for (out, &byte) in out.iter_mut().zip(bytes) {
                *out = self.encoding.encode(byte) as u8;
            }
            return;
        }
        let Quantization { data_type, scale, zero_point } = self.quantization;
        let range = Clamp::all(data_type);
        let mut reals = vec![0.0_f32; out.len() / data_type.bytes()];
        subset.gather_raw(position, &mut reals);
        for (out, real) in out.chunks_exact_mut(data_type.bytes()).zip(reals) {
            let q = (f64::from(real) / f64::from(scale)).round() + f64::from(zero_point);
            let q = q.clamp(range.low.into(), range.high.into()) as i16;
            // The low byte of an int16 that is in range is the int8.
            out.copy_from_slice(&q.to_le_bytes()[..data_type.bytes()]);
        }
    }
}

/// Writes a model's quantized input for readings. Returns the number of readings that saturated.
///
/// # Errors
/// [`InputError`] if kind or number of readings do not match the model, or if one is NaN.
pub fn encode_reading(
    model: &Model<'_>,
    reading: &Reading,
    out: &mut [u8],
) -> Result<u32, InputError> {
    match reading {
        Reading::Counts(counts) => encode_counts(model, counts.iter().copied(), out),
        Reading::Reals(reals) => encode_reals(model, reals.iter().copied(), out),
        Reading::Values(values) if values.len() == out.len() => {
            out.copy_from_slice(values);
            Ok(0)
        }
        Reading::Values(values) => {
            Err(InputError::Length { expected: out.len(), given: values.len() })
        }
    }
}

/// Decoder of a model's outputs to probabilities or values, and to the predicted class.
#[derive(Clone, Debug)]
pub struct AnswerReader<'m> {
    decoder: OutputDecoder<'m>,
    /// Activation that turns logits into probabilities, for models that output logits.
    head: Head,
}

impl<'m> AnswerReader<'m> {
    /// Creates a decoder of a model's outputs.
    pub fn new(model: &Model<'m>) -> Self {
        let are_sums = matches!(model.layers().last(), Some(Layer::Dense(_)));
        let head = match model.output().kind {
            OutputKind::Classes { .. } if are_sums => Head::Softmax,
            _ => Head::None,
        };
        AnswerReader { decoder: OutputDecoder::new(model), head }
    }

    /// Appends the probabilities or values of a row, and returns the predicted class, or 0 for
    /// regression.
    pub fn read(&self, bytes: &[u8], outputs: &mut Vec<f32>) -> usize {
        let start = outputs.len();
        outputs.extend(self.decoder.reals(bytes));
        self.head.apply(&mut outputs[start..]);
        self.decoder.class(bytes).unwrap_or(0)
    }
}

/// Evaluates an int8 model on some rows with the inference engine.
///
/// # Errors
/// [`Int8Error`] if the model does not match the dataset.
pub fn evaluate_int8(
    model: &Model<'_>,
    subset: &Subset,
    threads: &Threads,
) -> Result<Evaluation, Int8Error> {
    let encoder = InputEncoder::new(model, subset)?;
    let reader = AnswerReader::new(model);
    let unpacked = unpack(model);
    // The bytes of a model that was valid are, too.
    let unpacked = unpacked.as_deref().and_then(|bytes| Model::parse(bytes).ok());
    let model = unpacked.as_ref().unwrap_or(model);
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
