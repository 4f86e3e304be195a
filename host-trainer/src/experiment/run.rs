//! Running an experiment.

use model_format::Model;

use crate::data::{self, Locations, Splits};
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::network::{Network, NetworkError};
use crate::preset::Preset;
use crate::quantize::{QuantizeError, Quantized, quantize};
use crate::train::{self, Observer, Outcome, StopFlag, Threads, TrainError};

/// Why an experiment cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The network.
    #[error("preset: network: {0}")]
    Network(#[from] NetworkError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The quantization.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The evaluation of the int8 model.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The quantized model.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// Ctrl-C before the first batch.
    #[error("stopped before anything was learnt: nothing was written")]
    Nothing,
}

/// An experiment that can begin: data read and parted, network made.
#[derive(Debug)]
pub struct Plan {
    /// What is to be done.
    pub preset: Preset,
    /// The parts of the data.
    pub splits: Splits,
    /// Where the data came from.
    pub origin: String,
    /// The network, not trained yet.
    pub network: Network<f32>,
}

/// What an experiment gave.
#[derive(Debug)]
pub struct Experiment {
    /// What was done.
    pub preset: Preset,
    /// What training gave.
    pub outcome: Outcome<f32>,
    /// The int8 model.
    pub quantized: Quantized,
    /// RAM that the int8 model needs.
    pub scratch_bytes: usize,
    /// Multiply-accumulates of an inference.
    pub macs: u64,
    /// The float network on the test rows.
    pub float: Evaluation,
    /// The int8 model on the test rows, by the engine.
    pub int8: Evaluation,
}

impl Plan {
    /// Reads the data and makes the network.
    ///
    /// # Errors
    /// [`Error`] when data is missing or damaged, or a part of it would be empty.
    pub fn new(preset: Preset, locations: &Locations) -> Result<Self, Error> {
        let loaded = preset.data.dataset.load(locations)?;
        let origin = loaded.origin.clone();
        let splits = Splits::new(loaded, preset.data.test, preset.data.validation, preset.seed)?;
        let inputs = splits.train.dataset().width();
        let network = Network::new(inputs, &preset.network.specs(), preset.seed)?;
        Ok(Plan { preset, splits, origin, network })
    }

    /// Trains, quantizes, and evaluates both networks on the test rows.
    ///
    /// # Errors
    /// [`Error`] when training diverges, the model is refused, or nothing was learnt.
    pub fn run(
        self,
        threads: &Threads,
        stop: &StopFlag,
        observer: &mut dyn Observer<f32>,
    ) -> Result<Experiment, Error> {
        let Plan { preset, splits, network, .. } = self;
        let settings = &preset.training;
        let outcome =
            train::train(network, &splits, settings, preset.seed, threads, stop, observer)?;
        if outcome.history.epochs.is_empty() {
            return Err(Error::Nothing);
        }
        let network = &outcome.network;
        let quantized =
            quantize(&preset.name, network, &splits.train, preset.quantization, threads)?;
        let model = Model::parse(&quantized.bytes)?;
        let float = evaluate_float(network, &splits.test, settings.loss, threads);
        let int8 = evaluate_int8(&model, &splits.test, threads)?;
        let (scratch_bytes, macs) = (model.scratch_len() * 4, model.macs());
        Ok(Experiment { preset, outcome, quantized, scratch_bytes, macs, float, int8 })
    }
}

impl Experiment {
    /// The model file.
    pub fn model_bytes(&self) -> &[u8] {
        &self.quantized.bytes
    }
}
