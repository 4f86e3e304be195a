//! Checkpoints: the state from which training resumes bit-exactly.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, SafeTensors, View};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thimble_network::BatchScore;
use thimble_support::foreign_text;

use super::callbacks::Best;
use super::{BatchRecord, EpochRecord, History};

/// Values of a tensor, borrowed from a training or read from a file.
type Floats<'a> = Cow<'a, [f32]>;

/// The state of a training between two batches.
///
/// It borrows large tensors from the training. A copy would dominate the memory of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<'a> {
    /// Weights, biases, γ and β.
    pub parameters: Floats<'a>,
    /// Running means and variances; in quantization-aware training also the ranges of activations and
    /// learned steps of weights.
    pub state: Floats<'a>,
    /// First moments (mean gradients) or velocities of the optimizer.
    pub first: Floats<'a>,
    /// Second moments (mean squared gradients) of the optimizer.
    pub second: Floats<'a>,
    /// Parameters and state of the best epoch, if early stopping restores them.
    pub best: Option<(Floats<'a>, Floats<'a>)>,
    /// Moving average of parameters and state, if the training has one.
    pub average: Option<(Floats<'a>, Floats<'a>)>,
    /// First and second moments of learned steps of weights, if the training has begun to learn them.
    pub steps: Option<(Floats<'a>, Floats<'a>)>,
    /// Blocks of weights that are kept, if the training prunes: 1, or 0 for a pruned one.
    pub mask: Option<Floats<'a>>,
    /// Positions of the training rows, in the order of the current epoch.
    pub positions: Cow<'a, [u32]>,
    /// Counters, metrics and positions of random streams.
    pub place: Place,
}

/// Counters, metrics and positions of random streams of a checkpoint.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Place {
    /// The current epoch, counted from 1.
    pub epoch: usize,
    /// Finished batches of this epoch.
    pub batch: usize,
    /// Finished optimizer steps.
    pub steps: usize,
    /// Word position of the generator for shuffling.
    pub shuffle_words: u128,
    /// Word position of the generator for image shifts at the start of the epoch.
    pub shift_words: u128,
    /// Threads that share each batch.
    pub workers: usize,
    /// State of early stopping.
    pub stopping: Best,
    /// State of learning-rate reduction.
    pub plateau: Best,
    /// Factor of the learning rate after all reductions.
    pub plateau_share: f64,
    /// Loss and metrics of this epoch's batches so far.
    pub score: BatchScore,
    /// Finished epochs.
    pub history: History,
}

/// Errors of reading and resuming from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The file is not a checkpoint, or it is damaged.
    #[error("{}: not a checkpoint of this program ({problem}): train again without --resume", foreign_text::path(.path))]
    Format {
        /// The file.
        path: PathBuf,
        /// Description of the problem.
        problem: String,
    },
    /// The checkpoint is of another training.
    #[error("the checkpoint is of another training: {0}")]
    Other(String),
    /// No training can have reached these values.
    #[error("the checkpoint cannot be resumed: {0}. Train without --resume")]
    Beyond(String),
}

/// JSON form of [`Place`]. Floating-point numbers are written as their bits.
#[derive(Serialize, Deserialize)]
struct Written {
    epoch: usize,
    batch: usize,
    steps: usize,
    shuffle_words: String,
    shift_words: String,
    workers: usize,
    stopping: (u64, usize),
    plateau: (u64, usize),
    plateau_share: u64,
    score: WrittenScore,
    epochs: Vec<(u64, WrittenScore, Option<WrittenScore>, u64)>,
    /// Epoch, batch, bits of the loss.
    batches: Vec<(usize, usize, u64)>,
}

/// Bits of the loss, bits of the penalty, correct rows, bits of the absolute error, rows.
type WrittenScore = (u64, u64, usize, Option<u64>, usize);

fn write_score(score: &BatchScore) -> WrittenScore {
    let error = score.absolute_error.map(f64::to_bits);
    let (loss, penalty) = (score.loss_sum.to_bits(), score.penalty_sum.to_bits());
    (loss, penalty, score.correct, error, score.rows)
}

fn read_score((loss, penalty, correct, error, rows): WrittenScore) -> BatchScore {
    let absolute_error = error.map(f64::from_bits);
    let (loss_sum, penalty_sum) = (f64::from_bits(loss), f64::from_bits(penalty));
    BatchScore { loss_sum, penalty_sum, correct, absolute_error, rows }
}

/// A tensor of 32-bit values, little-endian.
struct Numbers<'a> {
    dtype: Dtype,
    shape: [usize; 1],
    bytes: Cow<'a, [u8]>,
}

impl<'a> Numbers<'a> {
    fn new<T: bytemuck::NoUninit>(dtype: Dtype, values: &'a [T]) -> Self {
        // Without a copy on little-endian machines.
        let mut bytes = Cow::Borrowed(bytemuck::cast_slice(values));
        if cfg!(target_endian = "big") {
            bytes.to_mut().as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
        }
        Numbers { dtype, shape: [values.len()], bytes }
    }
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Checkpoint<'_> {
    /// Writes the file. `training` identifies the training, `data` is the fingerprint of its
    /// dataset.
    ///
    /// # Errors
    /// The operating system's I/O error.
    pub fn write(&self, training: &str, data: &str, path: &Path) -> io::Result<()> {
        let place = &self.place;
        let best = |best: Best| (best.cost.to_bits(), best.waited);
        let written = Written {
            epoch: place.epoch,
            batch: place.batch,
            steps: place.steps,
            shuffle_words: place.shuffle_words.to_string(),
            shift_words: place.shift_words.to_string(),
            workers: place.workers,
            stopping: best(place.stopping),
            plateau: best(place.plateau),
            plateau_share: place.plateau_share.to_bits(),
            score: write_score(&place.score),
            epochs: place
                .history
                .epochs
                .iter()
                .map(|record| {
                    let validation = record.validation.as_ref().map(write_score);
                    let rate = record.learning_rate.to_bits();
                    (rate, write_score(&record.train), validation, record.seconds.to_bits())
                })
                .collect(),
            batches: place
                .history
                .batches
                .iter()
                .map(|record| (record.epoch, record.batch, record.loss.to_bits()))
                .collect(),
        };
        let floats = |values| Numbers::new(Dtype::F32, values);
        let mut tensors = vec![
            ("parameters", floats(&self.parameters)),
            ("state", floats(&self.state)),
            ("first", floats(&self.first)),
            ("second", floats(&self.second)),
            ("positions", Numbers::new(Dtype::U32, &self.positions)),
        ];
        if let Some((parameters, state)) = &self.best {
            tensors.push(("best.parameters", floats(parameters)));
            tensors.push(("best.state", floats(state)));
        }
        if let Some((parameters, state)) = &self.average {
            tensors.push(("average.parameters", floats(parameters)));
            tensors.push(("average.state", floats(state)));
        }
        if let Some((first, second)) = &self.steps {
            tensors.push(("steps.first", floats(first)));
            tensors.push(("steps.second", floats(second)));
        }
        if let Some(mask) = &self.mask {
            tensors.push(("mask", floats(mask)));
        }
        // Numbers and strings: this cannot fail.
        let place = serde_json::to_string(&written).unwrap_or_default();
        let mut checksum = Checksum::new([training, data, &place]);
        tensors
            .iter()
            .for_each(|(name, numbers)| checksum.add(name, numbers.dtype, &numbers.bytes));
        let metadata = HashMap::from([
            ("training".to_string(), training.to_string()),
            ("data".to_string(), data.to_string()),
            ("place".to_string(), place),
            ("sha256".to_string(), checksum.text()),
        ]);
        safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|error| match error {
            SafeTensorError::IoError(error) => error,
            error => io::Error::other(error),
        })
    }
}

/// Training and dataset that a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The settings that determine the weights.
    pub training: String,
    /// Fingerprint of the data.
    pub data: String,
}

/// SHA-256 of a checkpoint's content, independent of the layout of its file.
struct Checksum(Sha256);

impl Checksum {
    fn new(texts: [&str; 3]) -> Self {
        let mut checksum = Checksum(Sha256::new());
        texts.iter().for_each(|text| checksum.part(text.as_bytes()));
        checksum
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn add(&mut self, name: &str, dtype: Dtype, bytes: &[u8]) {
        self.part(name.as_bytes());
        self.part(dtype.to_string().as_bytes());
        self.part(bytes);
    }

    fn text(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Names of the tensors, in the order in which they are written and checked.
const TENSORS: [&str; 12] = [
    "parameters",
    "state",
    "first",
    "second",
    "positions",
    "best.parameters",
    "best.state",
    "average.parameters",
    "average.state",
    "steps.first",
    "steps.second",
    "mask",
];

impl Checkpoint<'static> {
    /// Parses the content of the file `path`. Returns the checkpoint and its origin.
    ///
    /// # Errors
    /// [`CheckpointError::Format`] for a file that is not a checkpoint, and for any damaged bit.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<(Self, Origin), CheckpointError> {
        let fail = |problem: String| CheckpointError::Format { path: path.into(), problem };
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| fail(error.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| fail(error.to_string()))?;
        let text = |key: &str| {
            let value = header.metadata().as_ref().and_then(|metadata| metadata.get(key));
            value.cloned().ok_or_else(|| fail(format!("it has no {key}")))
        };
        let origin = Origin { training: text("training")?, data: text("data")? };
        let place = text("place")?;
        let mut checksum = Checksum::new([&origin.training, &origin.data, &place]);
        for name in TENSORS {
            if let Ok(tensor) = tensors.tensor(name) {
                checksum.add(name, tensor.dtype(), tensor.data());
            }
        }
        if checksum.text() != text("sha256")? {
            return Err(fail("its SHA-256 is not that of its content: it is damaged".to_string()));
        }
        let written: Written =
            serde_json::from_str(&place).map_err(|error| fail(error.to_string()))?;
        let words = |name: &str, dtype: Dtype| {
            let tensor = tensors.tensor(name).map_err(|error| fail(error.to_string()))?;
            match tensor.dtype() == dtype {
                true => Ok(tensor.data().as_chunks::<4>().0.to_vec()),
                false => Err(fail(format!("{name} is of another type"))),
            }
        };
        let floats = |name: &str| {
            let words = words(name, Dtype::F32)?;
            Ok(words.into_iter().map(f32::from_le_bytes).collect::<Cow<'static, [f32]>>())
        };
        let number = |text: &str| text.parse::<u128>().map_err(|error| fail(error.to_string()));
        let best = |(cost, waited)| Best { cost: f64::from_bits(cost), waited };
        let epochs = written.epochs.into_iter().enumerate().map(|(index, epoch)| {
            let (learning_rate, train, validation, seconds) = epoch;
            EpochRecord {
                epoch: index + 1,
                learning_rate: f64::from_bits(learning_rate),
                train: read_score(train),
                validation: validation.map(read_score),
                seconds: f64::from_bits(seconds),
            }
        });
        let place = Place {
            epoch: written.epoch,
            batch: written.batch,
            steps: written.steps,
            shuffle_words: number(&written.shuffle_words)?,
            shift_words: number(&written.shift_words)?,
            workers: written.workers,
            stopping: best(written.stopping),
            plateau: best(written.plateau),
            plateau_share: f64::from_bits(written.plateau_share),
            score: read_score(written.score),
            history: History {
                epochs: epochs.collect(),
                batches: written
                    .batches
                    .into_iter()
                    .map(|(epoch, batch, loss)| {
                        let loss = f64::from_bits(loss);
                        BatchRecord { epoch, batch, loss }
                    })
                    .collect(),
            },
        };
        let both = |parameters: &str, state: &str| match tensors.tensor(parameters).is_ok() {
            true => Ok(Some((floats(parameters)?, floats(state)?))),
            false => Ok(None),
        };
        let checkpoint = Checkpoint {
            parameters: floats("parameters")?,
            state: floats("state")?,
            first: floats("first")?,
            second: floats("second")?,
            best: both("best.parameters", "best.state")?,
            average: both("average.parameters", "average.state")?,
            steps: both("steps.first", "steps.second")?,
            mask: tensors.tensor("mask").is_ok().then(|| floats("mask")).transpose()?,
            positions: words("positions", Dtype::U32)?
                .into_iter()
                .map(u32::from_le_bytes)
                .collect(),
            place,
        };
        Ok((checkpoint, origin))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checkpoint() -> Checkpoint<'static> {
        let score = BatchScore {
            loss_sum: 0.1 + 0.2,
            penalty_sum: 0.7,
            correct: 3,
            absolute_error: Some(0.3),
            rows: 7,
        };
        let record = |epoch, validation| EpochRecord {
            epoch,
            learning_rate: 1.0 / 3.0,
            train: score,
            validation,
            seconds: 0.7,
        };
        Checkpoint {
            parameters: vec![1.5, f32::MIN_POSITIVE, -0.0].into(),
            state: vec![].into(),
            first: vec![0.1; 3].into(),
            second: vec![].into(),
            best: Some((vec![2.0; 3].into(), vec![].into())),
            average: Some((vec![0.5; 3].into(), vec![].into())),
            steps: Some((vec![0.25].into(), vec![].into())),
            mask: Some(vec![1.0, 0.0].into()),
            positions: vec![2, 0, 1].into(),
            place: Place {
                epoch: 3,
                batch: 5,
                steps: 25,
                shuffle_words: u128::from(u64::MAX) * 2,
                shift_words: 1,
                workers: 2,
                stopping: Best { cost: f64::INFINITY, waited: 1 },
                plateau: Best { cost: 0.1, waited: 0 },
                plateau_share: 0.25,
                score,
                history: History {
                    epochs: vec![record(1, None), record(2, Some(score))],
                    batches: vec![BatchRecord { epoch: 1, batch: 100, loss: 0.1 }],
                },
            },
        }
    }

    /// The content of its file.
    fn bytes(checkpoint: &Checkpoint<'_>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        checkpoint.write("seed = 1", "data", &path).unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn every_bit_comes_back() {
        let bytes = bytes(&checkpoint());
        let (read, origin) = Checkpoint::from_bytes(&bytes, Path::new("a")).unwrap();
        assert_eq!(read, checkpoint());
        assert_eq!((origin.training.as_str(), origin.data.as_str()), ("seed = 1", "data"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_of_the_system() {
        let error = checkpoint().write("", "", Path::new("not/there/checkpoint")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let bytes = bytes(&checkpoint());
        for length in (0..bytes.len()).step_by(7) {
            let error = Checkpoint::from_bytes(&bytes[..length], Path::new("some-file"));
            assert!(error.unwrap_err().to_string().starts_with("some-file: not a checkpoint"));
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let mut bytes = bytes(&checkpoint());
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Checkpoint::from_bytes(&bytes, Path::new("some-file"));
            assert!(read.is_err(), "bit {} of byte {}", bit % 8, bit / 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
