//! Running an experiment.

use model_format::Model;

use super::choice::{Choice, quantize_network};
use super::selection::{Selection, with_threshold};
use crate::data::{self, Locations, Splits, Subset};
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::memory::{self, NotEnoughMemory};
use crate::network::{Network, NetworkError, NotFinite, Objective};
use crate::pack::{Core, PackError, pack};
use crate::preset::{self, Preset};
use crate::quantize::{QuantizeError, Quantized};
use crate::train::{self, Checkpoint, Observer, Outcome, StopFlag, Threads, TrainError, Training};

/// Why an experiment cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The preset does not fit the data.
    #[error(transparent)]
    Preset(#[from] preset::Error),
    /// The data.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The network.
    #[error("preset: network: {0}")]
    Network(#[from] NetworkError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The trained weights.
    #[error("{0}. No model can be made of them: train again, with a lower learning_rate")]
    NotFinite(#[from] NotFinite),
    /// It would take more memory than there is.
    #[error(transparent)]
    Memory(#[from] NotEnoughMemory),
    /// The layout of the weights.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The quantization.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The evaluation of the int8 model.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The quantized model.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The report.
    #[error(transparent)]
    Report(#[from] crate::report::html::GatherError),
    /// A weight for a class that there is not.
    #[error("training.class_weight: {0}")]
    ClassWeight(String),
    /// All training rows are of one class.
    #[error(
        "data: all training rows are of class {}: there is nothing to tell apart. Split the data \
         in another way, such as test = {{ stratified = {{ fraction = 0.2 }} }}",
        crate::foreign_text::shown(.0)
    )]
    OneClass(String),
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
    /// Fingerprint of the data.
    pub data: String,
    /// Remarks about the data for the user.
    pub notes: Vec<String>,
    /// The network, not trained yet.
    pub network: Network<f32>,
}

/// A trained network with its data and its figures, not quantized yet.
#[derive(Debug)]
pub struct Trained {
    /// What was done.
    pub preset: Preset,
    /// The parts of the data.
    pub splits: Splits,
    /// Where the data came from.
    pub origin: String,
    /// Fingerprint of the data.
    pub data: String,
    /// What training made small, and what outputs say.
    pub objective: Objective,
    /// What training gave.
    pub outcome: Outcome<f32>,
    /// The float network on the test rows.
    pub float: Evaluation,
}

/// What an experiment gave.
#[derive(Debug)]
pub struct Experiment {
    /// What was done.
    pub preset: Preset,
    /// The parts of the data.
    pub splits: Splits,
    /// Where the data came from.
    pub origin: String,
    /// Fingerprint of the data.
    pub data: String,
    /// The core that the model is laid out for.
    pub core: Option<Core>,
    /// What training made small, and what outputs say.
    pub objective: Objective,
    /// What training gave.
    pub outcome: Outcome<f32>,
    /// The quantized model.
    pub quantized: Quantized,
    /// The ways to quantize that were tried, and which was taken.
    pub choice: Choice,
    /// RAM that the quantized model needs.
    pub scratch_bytes: usize,
    /// Multiply-accumulates of an inference.
    pub macs: u64,
    /// The float network on the test rows.
    pub float: Evaluation,
    /// The quantized model on the test rows, by the engine.
    pub int8: Evaluation,
    /// Both on the rows that selections are made by.
    pub selection: Selection,
}

impl Plan {
    /// Reads the data and makes the network.
    ///
    /// # Errors
    /// [`Error`] when data is missing or damaged, or a part of it would be empty.
    pub fn new(mut preset: Preset, locations: &Locations) -> Result<Self, Error> {
        let loaded = preset.data.load(locations, preset.seed)?;
        preset.check_target_kind(&loaded.train)?;
        let (origin, notes) = (loaded.origin.clone(), loaded.notes.clone());
        preset.data.dataset = preset.data.dataset.resolved(&loaded.train);
        let data = loaded.fingerprint();
        let splits = preset.data.split(loaded, preset.seed)?;
        preset.check_validation(splits.validation.is_some())?;
        check_classes(&splits.train)?;
        let (batch_size, rows) = (preset.training.batch_size, splits.train.len());
        if batch_size > rows {
            return Err(TrainError::BatchSize { batch_size, rows }.into());
        }
        let splits = splits.scaled(preset.data.scaling()).target_scaled(preset.target_scaling());
        let weights = preset.training.class_weight.as_ref();
        let weights = weights.map(|weights| weights.weights(&splits.train)).transpose();
        let splits = splits.class_weighted(weights.map_err(Error::ClassWeight)?);
        let inputs = splits.train.dataset().width();
        check_size(&preset, inputs)?;
        let network = Network::new(inputs, &preset.network.specs(), preset.seed)?;
        Ok(Plan { preset, splits, origin, data, notes, network })
    }

    /// What training makes small, and what outputs say. A threshold between two classes that is yet to
    /// be chosen is 0.5: see [`objective_of`](Self::objective_of).
    pub fn objective(&self) -> Objective {
        self.preset.training.objective(self.network.head())
    }

    /// The same for this network, trained: with the threshold between two classes, where it is yet to
    /// be chosen, that suits its probabilities on the rows of [`judged_rows`](super::judged_rows) best.
    pub fn objective_of(&self, network: &Network<f32>, threads: &Threads) -> Objective {
        with_threshold(
            self.objective(),
            self.preset.training.threshold,
            network,
            &self.splits,
            threads,
        )
    }

    /// Trains, quantizes, and evaluates both networks on the test rows.
    ///
    /// # Errors
    /// [`Error`] when training diverges or the model is refused.
    pub fn run(
        self,
        threads: &Threads,
        stop: &StopFlag,
        resume: Option<Checkpoint<'static>>,
        observer: &mut dyn Observer<f32>,
    ) -> Result<Experiment, Error> {
        self.train(threads, stop, resume, observer)?.quantize(None, threads)
    }

    /// Trains, and evaluates the network on the test rows.
    ///
    /// # Errors
    /// [`Error`] when training diverges.
    pub fn train(
        self,
        threads: &Threads,
        stop: &StopFlag,
        resume: Option<Checkpoint<'static>>,
        observer: &mut dyn Observer<f32>,
    ) -> Result<Trained, Error> {
        let objective = self.objective();
        let Plan { preset, splits, origin, data, network, .. } = self;
        let training = Training {
            splits: &splits,
            settings: &preset.training,
            seed: preset.seed,
            threads,
            stop,
            resume,
        };
        let outcome = train::train(network, training, observer)?;
        outcome.network.check_finite()?;
        let threshold = preset.training.threshold;
        let objective = with_threshold(objective, threshold, &outcome.network, &splits, threads);
        let float = evaluate_float(&outcome.network, &splits.test, objective, threads);
        Ok(Trained { preset, splits, origin, data, objective, outcome, float })
    }
}

impl Trained {
    /// Quantizes the network, lays its weights out for a core where one is given, and evaluates the
    /// model on the test rows.
    ///
    /// # Errors
    /// [`Error`] when the model is refused.
    pub fn quantize(self, core: Option<Core>, threads: &Threads) -> Result<Experiment, Error> {
        let Trained { preset, splits, origin, data, objective, outcome, float } = self;
        let network = &outcome.network;
        let (mut quantized, choice) =
            quantize_network(&preset, network, objective, &splits, threads)?;
        if let Some(core) = core {
            quantized.bytes = pack(&Model::parse(&quantized.bytes)?, core)?;
        }
        let model = Model::parse(&quantized.bytes)?;
        let int8 = evaluate_int8(&model, &splits.test, threads)?;
        let selection = Selection::new(network, &model, objective, &splits, threads)?;
        let (scratch_bytes, macs) = (model.scratch_len() * 4, model.macs());
        Ok(Experiment {
            preset,
            splits,
            origin,
            data,
            core,
            objective,
            outcome,
            quantized,
            choice,
            scratch_bytes,
            macs,
            float,
            int8,
            selection,
        })
    }
}

/// Checks that the network and its training fit into memory: weights, gradients, and two numbers
/// of the optimizer for each.
fn check_size(preset: &Preset, inputs: usize) -> Result<(), NotEnoughMemory> {
    let (mut width, mut parameters) = (inputs as u64, 0_u64);
    for dense in preset.network.layers.iter().filter_map(|layer| layer.dense()) {
        let units = dense.units as u64;
        parameters = parameters.saturating_add((width + 1).saturating_mul(units));
        width = units;
    }
    let remedy = "Make its layers smaller (network.layers, units)";
    memory::check("training this network", parameters.saturating_mul(16), remedy)
}

fn check_classes(train: &Subset) -> Result<(), Error> {
    let mut classes = (0..train.len()).filter_map(|row| train.class(row));
    let Some(first) = classes.next() else { return Ok(()) };
    if classes.all(|class| class == first) {
        return Err(Error::OneClass(train.dataset().class_names()[usize::from(first)].clone()));
    }
    Ok(())
}

impl Experiment {
    /// The model file.
    pub fn model_bytes(&self) -> &[u8] {
        &self.quantized.bytes
    }

    /// What the quantized model's activations are called.
    pub fn precision_name(&self) -> &'static str {
        self.quantized.data_types.name()
    }
}
