//! Running an experiment.

use model_format::Model;

use super::layout::lay_out;
use super::teachers::{TeacherError, teachers};
use crate::choice::{Choice, ChoiceError, Selection, quantize_network, with_threshold};
use crate::data::{self, Locations, Splits, Subset};
use crate::evaluate::{Evaluation, Int8Error, evaluate_float, evaluate_int8};
use crate::memory::{self, NotEnoughMemory};
use crate::network::{Network, NetworkError, Objective};
use crate::pack::{Core, PackError};
use crate::preset::{self, Preset};
use crate::quantize::Quantized;
use crate::threads::Threads;
use crate::train::{self, Checkpoint, Observer, Outcome, StopFlag, Teacher, TrainError, Training};

/// Reason why an experiment failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The preset does not fit the data.
    #[error(transparent)]
    Preset(#[from] preset::Error),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The network is invalid.
    #[error("preset: network: {0}")]
    Network(#[from] NetworkError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The experiment needs more memory than there is.
    #[error(transparent)]
    Memory(#[from] NotEnoughMemory),
    /// The weights cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Quantization failed.
    #[error(transparent)]
    Quantize(#[from] ChoiceError),
    /// The evaluation of the quantized model failed.
    #[error(transparent)]
    Int8(#[from] Int8Error),
    /// The quantized model is invalid.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The report cannot be made.
    #[error(transparent)]
    Report(#[from] crate::report::html::GatherError),
    /// The model cannot be run in the report.
    #[error(transparent)]
    Page(#[from] crate::page::PageError),
    /// A class weight names an unknown class.
    #[error("training.class_weight: {0}")]
    ClassWeight(String),
    /// A teacher does not fit.
    #[error("training.distillation: {0}")]
    Teacher(#[from] TeacherError),
    /// All training rows have the same class.
    #[error(
        "data: all training rows are of class {}. Split the data in another way, such as test = \
         {{ stratified = {{ fraction = 0.2 }} }}",
        crate::foreign_text::shown(.0)
    )]
    OneClass(String),
}

/// An experiment that is ready to run: data is read and split, the network is initialized.
#[derive(Debug)]
pub struct Plan {
    /// Preset.
    pub preset: Preset,
    /// Splits of the data.
    pub splits: Splits,
    /// Origin of the data.
    pub origin: String,
    /// Fingerprint of the data.
    pub data: String,
    /// Notes about the data for the user.
    pub notes: Vec<String>,
    /// The initialized network.
    pub network: Network<f32>,
}

/// A trained network with its data and evaluation, not yet quantized.
#[derive(Debug)]
pub struct Trained {
    /// Preset.
    pub preset: Preset,
    /// Splits of the data.
    pub splits: Splits,
    /// Origin of the data.
    pub origin: String,
    /// Fingerprint of the data.
    pub data: String,
    /// Loss function and interpretation of the outputs.
    pub objective: Objective,
    /// Outcome of training.
    pub outcome: Outcome<f32>,
    /// Evaluation of the float network on the test rows.
    pub float: Evaluation,
}

/// Results of an experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Preset.
    pub preset: Preset,
    /// Splits of the data.
    pub splits: Splits,
    /// Origin of the data.
    pub origin: String,
    /// Fingerprint of the data.
    pub data: String,
    /// Core that the model is packed for.
    pub core: Option<Core>,
    /// Loss function and interpretation of the outputs.
    pub objective: Objective,
    /// Outcome of training.
    pub outcome: Outcome<f32>,
    /// The quantized model.
    pub quantized: Quantized,
    /// The evaluated candidates for the quantization, and the selected one.
    pub choice: Choice,
    /// Scratch memory of the quantized model in bytes.
    pub scratch_bytes: usize,
    /// Multiply-accumulates of an inference.
    pub macs: u64,
    /// Evaluation of the float network on the test rows.
    pub float: Evaluation,
    /// Evaluation of the quantized model on the test rows, by the engine.
    pub int8: Evaluation,
    /// Evaluations of both on the selection rows.
    pub selection: Selection,
}

impl Plan {
    /// Reads the data and initializes the network.
    ///
    /// # Errors
    /// [`Error`] when data is missing or damaged, or a split is empty.
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

    /// Returns the loss function and the interpretation of the outputs. A threshold between two
    /// classes that is not yet selected is 0.5: see [`objective_of`](Self::objective_of).
    pub fn objective(&self) -> Objective {
        self.preset.training.objective(self.network.head())
    }

    /// Returns the objective for this trained network. A threshold that is not yet selected becomes
    /// the best one for the network's probabilities on the rows of
    /// [`judged_rows`](crate::choice::judged_rows).
    pub fn objective_of(&self, network: &Network<f32>, threads: &Threads) -> Objective {
        with_threshold(
            self.objective(),
            self.preset.training.threshold,
            network,
            &self.splits,
            threads,
        )
    }

    /// Reads the teachers of the preset's distillation.
    ///
    /// # Errors
    /// [`TeacherError`] with the run that cannot teach.
    pub fn teachers(&self) -> Result<Vec<Teacher>, TeacherError> {
        teachers(&self.preset, &self.splits.train)
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

    /// Returns the plan of another network and training on the same splits.
    ///
    /// # Errors
    /// [`Error`] when the network is invalid or too large.
    pub fn with_network(&self, preset: Preset) -> Result<Self, Error> {
        let inputs = self.network.inputs();
        check_size(&preset, inputs)?;
        let network = Network::new(inputs, &preset.network.specs(), preset.seed)?;
        let (splits, notes) = (self.splits.clone(), self.notes.clone());
        let (origin, data) = (self.origin.clone(), self.data.clone());
        Ok(Plan { preset, splits, origin, data, notes, network })
    }

    /// Trains the network. Reads no test rows.
    ///
    /// # Errors
    /// [`Error`] when training diverges.
    pub fn learn(
        &self,
        threads: &Threads,
        stop: &StopFlag,
        resume: Option<Checkpoint<'static>>,
        observer: &mut dyn Observer<f32>,
    ) -> Result<(Outcome<f32>, Objective), Error> {
        let teachers = self.teachers()?;
        let Plan { preset, splits, network, .. } = self;
        let training = Training {
            splits,
            settings: &preset.training,
            aware: preset.aware(),
            seed: preset.seed,
            threads,
            stop,
            resume,
            teachers: &teachers,
        };
        let outcome = train::train(network.clone(), training, observer)?;
        outcome.network.check_finite().map_err(ChoiceError::NotFinite)?;
        let objective = self.objective_of(&outcome.network, threads);
        Ok((outcome, objective))
    }

    /// Trains the network and evaluates it on the test rows.
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
        let (outcome, objective) = self.learn(threads, stop, resume, observer)?;
        let Plan { preset, splits, origin, data, .. } = self;
        let float = evaluate_float(&outcome.network, &splits.test, objective, threads);
        Ok(Trained { preset, splits, origin, data, objective, outcome, float })
    }
}

impl Trained {
    /// Quantizes the network, packs its weights if a core is given, and evaluates the model on the
    /// test rows.
    ///
    /// # Errors
    /// [`Error`] when the model is refused.
    pub fn quantize(self, core: Option<Core>, threads: &Threads) -> Result<Experiment, Error> {
        let Trained { preset, splits, origin, data, objective, outcome, float } = self;
        let network = &outcome.network;
        let (mut quantized, choice) =
            quantize_network(&preset, network, objective, &splits, threads)?;
        quantized.bytes = lay_out(quantized.bytes, core, &preset.quantization)?;
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

/// Checks that network and training fit into memory: weights, gradients, and two optimizer values
/// per parameter.
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
    /// Returns the model file.
    pub fn model_bytes(&self) -> &[u8] {
        &self.quantized.bytes
    }

    /// Returns the name of the quantized model's data type.
    pub fn precision_name(&self) -> &'static str {
        self.quantized.data_types.name()
    }
}
