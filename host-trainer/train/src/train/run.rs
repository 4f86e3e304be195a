//! The training loop: epochs, mini-batches, validation, callbacks.

use std::borrow::Cow;
use std::time::Instant;

use model_format::DataType;
use rand::seq::SliceRandom;
use thimble_support::random::{Stream, stream};

use super::average::Average;
use super::aware::{Aware, AwareError, AwareSettings};
use super::checkpoint::{Checkpoint, CheckpointError, Place};
use super::distillation::Teacher;
use super::feed::{Feed, Order, Recipe};
use super::observe::{Flow, Observer, Progress, StopFlag};
use super::pruning::Mask;
use super::schedule::warm_up;
use super::steps::Steps;
use super::trainer::Batch;
use super::{BatchRecord, EpochRecord, History, Optimizer, OptimizerSettings, Settings, Trainer};
use crate::data::{Shift, Shifts, Splits};
use crate::evaluate::score_float;
use crate::network::{BatchScore, Clipping, InputRanges, Network, Objective, Points};
use crate::quantize::{has_own_ranges, input_ranges};
use crate::threads::Threads;

/// Result of a training.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The trained network.
    pub network: Network<T>,
    /// Loss and metrics per epoch.
    pub history: History,
    /// `true` if the user stopped the training early.
    pub interrupted: bool,
    /// The epoch whose weights early stopping restored.
    pub best_epoch: Option<usize>,
    /// Threads that shared each batch.
    pub workers: usize,
}

impl<T> Outcome<T> {
    /// Returns the outcome of a network that was not trained here.
    pub fn without_training(network: Network<T>) -> Self {
        let history = History::default();
        Outcome { network, history, interrupted: false, best_epoch: None, workers: 1 }
    }

    /// Returns the record of the epoch whose weights the network has. It is the epoch that early
    /// stopping restored, else the last one. `None` for no epoch.
    pub fn kept_epoch(&self) -> Option<&EpochRecord> {
        let epochs = &self.history.epochs;
        let is_kept = |record: &&EpochRecord| Some(record.epoch) == self.best_epoch;
        epochs.iter().find(is_kept).or(epochs.last())
    }
}

/// Errors of training.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// A batch is larger than the training set.
    #[error(
        "training.batch_size: {batch_size} rows are more than the {rows} there are to train with: \
         lower it"
    )]
    BatchSize {
        /// Rows per batch.
        batch_size: usize,
        /// Rows of the training split.
        rows: usize,
    },
    /// The loss is NaN or infinite.
    #[error(
        "training diverged: the loss is {loss} in epoch {epoch}, batch {batch}: lower \
         training.optimizer's learning_rate, or set training.clip = {{ norm = 1.0 }}"
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch in it, counted from 1.
        batch: usize,
        /// The loss of that batch.
        loss: f64,
    },
    /// The checkpoint does not match the training.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The network cannot be trained with fake quantization.
    #[error("preset: {0}")]
    Aware(#[from] AwareError),
}

/// Inputs of a training besides the network.
#[derive(Debug)]
pub struct Training<'a> {
    /// Training, validation and test splits.
    pub splits: &'a Splits,
    /// Training settings.
    pub settings: &'a Settings,
    /// Quantization-aware training, with the data type of activations.
    pub aware: Option<(&'a AwareSettings, DataType)>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Worker threads.
    pub threads: &'a Threads,
    /// Flag that stops the training.
    pub stop: &'a StopFlag,
    /// Checkpoint to resume from.
    pub resume: Option<Checkpoint<'static>>,
    /// Teachers, if the settings have distillation.
    pub teachers: &'a [Teacher],
}

/// Trains a network.
///
/// Training is deterministic. The same network, settings, seed and number of threads give
/// bit-identical weights on processors of the same kind, also if training was resumed.
///
/// # Errors
/// [`TrainError`] if a batch is larger than the training split, if the loss is no longer finite, or
/// if the checkpoint is of another training.
// Only for f32, so that it is compiled with this crate's optimization and not the caller's.
pub fn train(
    network: Network<f32>,
    training: Training<'_>,
    observer: &mut dyn Observer<f32>,
) -> Result<Outcome<f32>, TrainError> {
    let Training { splits, settings, aware, seed, threads, stop, resume, teachers } = training;
    let rows = splits.train.len();
    let batch_size = settings.batch_size;
    if batch_size > rows {
        return Err(TrainError::BatchSize { batch_size, rows });
    }
    let objective = settings.objective(network.head());
    let aware = aware
        .map(|(aware, data_type)| {
            Start::new((aware, data_type), settings, &network, objective, splits, threads)
        })
        .transpose()?;
    let optimizer = Optimizer::new(settings.optimizer, network.parameters().len());
    let trainer = Trainer::new(network, optimizer, objective, batch_size, threads.count(), seed)
        .clipped(settings.clip);
    let recipe = Recipe {
        deformation: settings.augmentation.deformation(),
        shifts: settings.augmentation.shift > 0,
        mixup: settings.mixup,
        distillation: settings.distillation.clone(),
    };
    let mut shift_source = Shifts::new(
        settings.augmentation.shift,
        settings.augmentation.fraction,
        stream(seed, Stream::Augmentation),
    );
    let mut shuffle = stream(seed, Stream::Shuffle);
    let average = settings.ema_momentum.map(|momentum| Average::new(trainer.network(), momentum));
    let mask = settings.pruning.map(|pruning| Mask::new(trainer.network(), pruning));
    let mut run = Run {
        splits,
        settings,
        place: Place {
            epoch: 1,
            plateau_share: 1.0,
            workers: trainer.workers(),
            shift_words: shift_source.word_position(),
            ..Place::default()
        },
        trainer,
        positions: (0..rows as u32).collect(),
        shifts: vec![Shift::NONE; rows],
        best: None,
        feed: Feed::new(&splits.train, recipe, teachers, seed, threads.count()),
        average,
        mask,
        aware,
    };
    if let Some(checkpoint) = resume {
        run.take_up(checkpoint)?;
        shuffle.set_word_pos(run.place.shuffle_words);
        shift_source.set_word_position(run.place.shift_words);
    }
    let mut best_epoch = None;
    while run.place.epoch <= settings.epochs && !run.has_lost_patience() {
        let start = Instant::now();
        run.begin_rounding();
        // A resumed epoch keeps its order.
        if settings.shuffle && run.place.batch == 0 {
            run.positions.shuffle(&mut shuffle);
        }
        run.place.shuffle_words = shuffle.get_word_pos();
        run.place.shift_words = shift_source.word_position();
        shift_source.draw(&mut run.shifts);
        // One more thread prepares the next mini-batch.
        let workers = run.place.workers + usize::from(run.feed.is_some());
        let mut record =
            threads.install_awake(workers, || run.epoch(start, stop, &mut *observer))?;
        if run.place.batch < run.batches() {
            // Stopped within an epoch. The checkpoint contains the position.
            observer.resumable(&|| run.checkpoint());
            run.validate(&mut record, objective, threads);
            observer.epoch_done(&record, run.network());
            run.place.history.epochs.push(record);
            break;
        }
        run.validate(&mut record, objective, threads);
        // Epochs before rounding are no measure for those with it.
        let is_judged = run.aware.is_none() || run.trainer.aware().is_some();
        if let Some(plateau) = settings.reduce_lr_on_plateau.as_ref().filter(|_| is_judged) {
            let share = run.place.plateau_share;
            let rate = settings.optimizer.learning_rate();
            run.place.plateau_share =
                plateau.next_share(&mut run.place.plateau, share, &record, rate);
        }
        let is_judged = is_judged && !run.is_pruning();
        if let Some(stopping) = settings.early_stopping.as_ref().filter(|_| is_judged) {
            let is_best = stopping.judge(&mut run.place.stopping, &record);
            if is_best && stopping.restore_best_weights {
                run.keep_best();
            }
        }
        let flow = observer.epoch_done(&record, run.network());
        run.place.history.epochs.push(record);
        run.place.epoch += 1;
        run.place.batch = 0;
        run.place.score = BatchScore::default();
        // The state at the start of the next epoch.
        run.place.shuffle_words = shuffle.get_word_pos();
        run.place.shift_words = shift_source.word_position();
        observer.resumable(&|| run.checkpoint());
        if flow == Flow::Stop || stop.is_stopped() {
            break;
        }
    }
    observer.trained();
    let Run { mut trainer, place, best, average, .. } = run;
    if let Some(average) = average {
        let (network, _) = trainer.parts_mut();
        network.parameters_mut().copy_from_slice(average.network().parameters());
        network.state_mut().copy_from_slice(average.network().state());
        if let Some(steps) = trainer.aware_mut().and_then(Aware::steps_mut) {
            steps.set_parameters(average.steps());
        }
    }
    if let Some((parameters, state)) = best {
        let (network, _) = trainer.parts_mut();
        let (state, numbers) = state.split_at(network.state().len());
        network.parameters_mut().copy_from_slice(&parameters);
        network.state_mut().copy_from_slice(state);
        if let Some(aware) = trainer.aware_mut() {
            aware.set_numbers(numbers);
        }
        best_epoch = Some(place.epoch.saturating_sub(1 + place.stopping.waited));
    }
    trainer.round_weights();
    Ok(Outcome {
        workers: trainer.workers(),
        network: trainer.into_network(),
        history: place.history,
        interrupted: stop.is_stopped(),
        best_epoch,
    })
}

/// A training in progress.
struct Run<'a> {
    splits: &'a Splits,
    settings: &'a Settings,
    trainer: Trainer<f32>,
    /// Positions in the training set, in the order of this epoch.
    positions: Vec<u32>,
    /// Image shift of each position in this epoch.
    shifts: Vec<Shift>,
    /// Parameters and state of the best epoch.
    best: Option<(Vec<f32>, Vec<f32>)>,
    place: Place,
    /// Prepares the inputs, if rows are not used as they are.
    feed: Option<Feed<'a>>,
    /// Moving average of the weights.
    average: Option<Average>,
    /// Pruned blocks.
    mask: Option<Mask>,
    /// Start of quantization-aware training.
    aware: Option<Start>,
}

impl Run<'_> {
    /// Returns `true` if early stopping ends the training here, or had ended it before the
    /// checkpoint.
    fn has_lost_patience(&self) -> bool {
        let stopping = self.settings.early_stopping.as_ref();
        stopping.is_some_and(|stopping| stopping.is_over(&self.place.stopping))
    }

    /// Returns the network that is evaluated and kept: the moving average, if there is one, rounded
    /// in quantization-aware training.
    fn network(&self) -> &Network<f32> {
        match (&self.average, self.trainer.aware()) {
            (Some(average), None) => average.network(),
            _ => self.trainer.evaluated(),
        }
    }

    /// Returns `true` while more blocks will be pruned. No epoch before is the best.
    fn is_pruning(&self) -> bool {
        let steps = self.settings.epochs * self.batches();
        let last = self.settings.pruning.map(|pruning| pruning.last_step(steps));
        last.is_some_and(|last| self.place.steps < last)
    }

    fn batches(&self) -> usize {
        self.positions.len().div_ceil(self.settings.batch_size)
    }

    /// Runs the remaining batches of the epoch. `start` is the epoch's start time. If stopped, it
    /// runs at least one batch, because at batch 0 the rows would be shuffled again.
    fn epoch(
        &mut self,
        start: Instant,
        stop: &StopFlag,
        observer: &mut dyn Observer<f32>,
    ) -> Result<EpochRecord, TrainError> {
        let Settings { epochs, batch_size, schedule, optimizer, .. } = self.settings;
        let batches = self.batches();
        let warm_up_steps = (self.settings.warm_up_epochs * batches as f64).round() as usize;
        let (epoch, mut learning_rate) = (self.place.epoch, 0.0);
        let (positions, shifts, batch_size) = (&*self.positions, &*self.shifts, *batch_size);
        let order = Order { positions, shifts, batch_size };
        if let Some(feed) = &mut self.feed {
            feed.begin(epoch);
        }
        while self.place.batch < batches {
            let range = order.range(self.place.batch);
            let steps = self.place.steps;
            learning_rate = optimizer.learning_rate()
                * schedule.factor(steps, epochs * batches, batches)
                * warm_up(steps, warm_up_steps)
                * self.place.plateau_share;
            let rows = Batch {
                subset: &self.splits.train,
                positions: &positions[range.clone()],
                shifts: &shifts[range],
                inputs: None,
                soft: None,
            };
            let trainer = &mut self.trainer;
            let batch_score = match &mut self.feed {
                Some(feed) => feed.with(self.place.batch, order, |inputs, soft| {
                    trainer.step(Batch { inputs: Some(inputs), soft, ..rows }, learning_rate)
                }),
                None => trainer.step(rows, learning_rate),
            };
            self.place.steps += 1;
            self.place.batch += 1;
            if let Some(mask) = &mut self.mask {
                let parameters = self.trainer.parts_mut().0.parameters_mut();
                mask.tighten(parameters, self.place.steps, epochs * batches);
                mask.apply(parameters);
            }
            if let Some(average) = &mut self.average {
                let steps = self.trainer.aware().and_then(Aware::steps);
                let steps = steps.map_or(&[][..], Steps::parameters);
                average.follow(self.trainer.network(), steps, self.place.steps);
                if let Some(mask) = &self.mask {
                    mask.apply(average.network_mut().parameters_mut());
                }
            }
            let batch = self.place.batch;
            if !batch_score.loss_sum.is_finite() {
                return Err(TrainError::Diverged { epoch, batch, loss: batch_score.loss() });
            }
            self.place.score.add(batch_score);
            if self.settings.log_every.is_some_and(|every| batch.is_multiple_of(every)) {
                let record = BatchRecord { epoch, batch, loss: batch_score.loss() };
                self.place.history.batches.push(record);
                observer.batch_logged(&record);
            }
            let score = self.place.score;
            observer.batch_done(&Progress { epoch, epochs: *epochs, batch, batches, score });
            if stop.is_stopped() {
                break;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let train = self.place.score;
        Ok(EpochRecord { epoch, learning_rate, train, validation: None, seconds })
    }

    /// Begins to round weights and activations, in the first epoch that does.
    fn begin_rounding(&mut self) {
        if let Some(start) = &self.aware
            && self.place.epoch > start.float_epochs
            && self.trainer.aware().is_none()
        {
            let aware = start.aware(self.trainer.network());
            if let (Some(average), Some(steps)) = (&mut self.average, aware.steps()) {
                average.begin_steps(steps.parameters());
            }
            self.trainer.set_aware(aware);
        }
    }

    /// Returns the running statistics of a network, the ends of the ranges of activations, and these
    /// learned steps of weights; zeros before rounding.
    fn state(&self, network: &Network<f32>, steps: &[f32]) -> Vec<f32> {
        let mut state = network.state().to_vec();
        match (self.trainer.aware(), &self.aware) {
            (Some(aware), _) => {
                state.extend(aware.ends());
                state.extend(steps);
            }
            (None, Some(start)) => state.resize(state.len() + start.numbers(), 0.0),
            (None, None) => {}
        }
        state
    }

    /// Returns the learned steps of weights in training. Empty without.
    fn steps(&self) -> &[f32] {
        self.trainer.aware().and_then(Aware::steps).map_or(&[], Steps::parameters)
    }

    fn validate(&mut self, record: &mut EpochRecord, objective: Objective, threads: &Threads) {
        match &self.average {
            Some(average) => self.trainer.round_average(average.network(), average.steps()),
            None => self.trainer.round_weights(),
        }
        record.validation = self
            .splits
            .validation
            .as_ref()
            .map(|validation| score_float(self.network(), validation, objective, threads));
    }

    fn keep_best(&mut self) {
        let (network, steps) = match &self.average {
            Some(average) => (average.network(), average.steps()),
            None => (self.trainer.network(), self.steps()),
        };
        let (parameters, state) = (network.parameters(), self.state(network, steps));
        match &mut self.best {
            Some(best) => {
                best.0.copy_from_slice(parameters);
                best.1 = state;
            }
            None => self.best = Some((parameters.to_vec(), state)),
        }
    }

    /// Returns the checkpoint of the current state.
    fn checkpoint(&self) -> Checkpoint<'_> {
        let (first, second, _) = self.trainer.optimizer().memory();
        let best = self.best.as_ref();
        Checkpoint {
            parameters: Cow::Borrowed(self.trainer.network().parameters()),
            state: Cow::Owned(self.state(self.trainer.network(), self.steps())),
            first: Cow::Borrowed(first),
            second: Cow::Borrowed(second),
            best: best.map(|(p, s)| (Cow::Borrowed(p.as_slice()), Cow::Borrowed(s.as_slice()))),
            average: self.average.as_ref().map(|average| {
                let network = average.network();
                let state = [network.state(), average.steps()].concat();
                (Cow::Borrowed(network.parameters()), Cow::Owned(state))
            }),
            steps: self.trainer.aware().and_then(Aware::steps).map(|steps| {
                let (first, second, _) = steps.optimizer().memory();
                (Cow::Borrowed(first), Cow::Borrowed(second))
            }),
            mask: self.mask.as_ref().map(|mask| Cow::Borrowed(mask.kept())),
            positions: Cow::Borrowed(&self.positions),
            place: self.place.clone(),
        }
    }

    /// Restores the state of a checkpoint.
    fn take_up(&mut self, checkpoint: Checkpoint<'_>) -> Result<(), CheckpointError> {
        let other = |problem: &str| CheckpointError::Other(problem.to_string());
        let place = checkpoint.place;
        let workers = self.trainer.workers();
        if place.workers != workers {
            let was = place.workers;
            return Err(CheckpointError::Other(format!(
                "its batches were shared by {was} threads, now it would be {workers}: use \
                 --threads {was}"
            )));
        }
        let taken = i32::try_from(place.steps).unwrap_or(i32::MAX);
        let (batches, steps) = (self.batches(), self.aware.as_ref().map_or(0, Start::rows));
        let states = self.state(self.trainer.network(), &[]).len();
        let (network, optimizer) = self.trainer.parts_mut();
        let fits = |parameters: &[f32], state: &[f32]| {
            parameters.len() == network.parameters().len() && state.len() == states
        };
        let (parameters, state) = (&checkpoint.parameters, &checkpoint.state);
        if !fits(parameters, state) || checkpoint.best.iter().any(|(p, s)| !fits(p, s)) {
            return Err(other("its network has another number of parameters"));
        }
        let (state, numbers) = state.split_at(network.state().len());
        if numbers.iter().any(|number| !number.is_finite()) {
            let problem = "ranges of its activations, or steps of its weights, are NaN or infinite";
            return Err(CheckpointError::Beyond(problem.to_string()));
        }
        network.parameters_mut().copy_from_slice(parameters);
        network.state_mut().copy_from_slice(state);
        if !optimizer.load_state(&checkpoint.first, &checkpoint.second, taken) {
            return Err(other("it was trained by another optimizer"));
        }
        let mut sorted = checkpoint.positions.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.positions.len() as u32) {
            return Err(other("it was trained with another number of rows"));
        }
        let network = self.trainer.network();
        network.check_finite().map_err(|error| CheckpointError::Beyond(error.to_string()))?;
        let others = checkpoint.best.iter().chain(&checkpoint.average).chain(&checkpoint.steps);
        let others = others.flat_map(|(parameters, state)| [parameters, state]);
        for numbers in others.chain([&checkpoint.first, &checkpoint.second]) {
            if numbers.iter().any(|number| !number.is_finite()) {
                let problem =
                    "numbers of its optimizer, its average or its best epoch are NaN or infinite";
                return Err(CheckpointError::Beyond(problem.to_string()));
            }
        }
        check_place(&place, self.settings, self.positions.len())
            .map_err(CheckpointError::Beyond)?;
        match (&mut self.average, &checkpoint.average) {
            (None, None) => {}
            (Some(own), Some((parameters, state))) => {
                let network = own.network_mut();
                let rows = checkpoint.steps.as_ref().map_or(0, |_| steps);
                let lengths = (network.parameters().len(), network.state().len() + rows);
                if (parameters.len(), state.len()) != lengths {
                    return Err(other("its network has another number of parameters"));
                }
                network.parameters_mut().copy_from_slice(parameters);
                let (state, steps) = state.split_at(network.state().len());
                network.state_mut().copy_from_slice(state);
                own.begin_steps(steps);
            }
            _ => return Err(other("one of them has no moving average of the weights")),
        }
        match (&mut self.mask, &checkpoint.mask) {
            (None, None) => {}
            (Some(own), Some(mask)) => {
                if !own.load(mask) {
                    return Err(other("it pruned other weights"));
                }
            }
            _ => return Err(other("one of them prunes no weights")),
        }
        // The epoch before has rounded, and its ranges and steps go on.
        let begun = self
            .aware
            .as_ref()
            .filter(|start| (place.epoch, place.batch) > (start.float_epochs + 1, 0));
        let learned = begun.filter(|start| start.rows() > 0);
        if learned.is_some() != checkpoint.steps.is_some() {
            return Err(other("one of them does not learn the steps of weights"));
        }
        if let Some(start) = begun {
            let mut aware = start.aware(self.trainer.network());
            aware.set_numbers(numbers);
            if let (Some(steps), Some((first, second))) = (aware.steps_mut(), &checkpoint.steps) {
                if steps.parameters().iter().any(|&parameter| parameter <= 0.0) {
                    let problem = "steps of its weights are not above 0";
                    return Err(CheckpointError::Beyond(problem.to_string()));
                }
                let done = place.steps - start.float_epochs * batches;
                let done = i32::try_from(done).unwrap_or(i32::MAX);
                if !steps.optimizer_mut().load_state(first, second, done) {
                    return Err(other("it was trained by another optimizer"));
                }
            }
            self.trainer.set_aware(aware);
        }
        self.best = checkpoint.best.map(|(p, s)| (p.to_vec(), s.to_vec()));
        self.positions = checkpoint.positions.into_owned();
        self.place = place;
        Ok(())
    }
}

/// Start of quantization-aware training.
struct Start {
    types: Vec<model_format::WeightType>,
    points: Points,
    clipping: Clipping,
    input: Option<InputRanges>,
    data_type: DataType,
    float_epochs: usize,
    /// Optimizer of learned steps.
    optimizer: OptimizerSettings,
    /// Rows of weights of all dense layers.
    all_rows: usize,
}

impl Start {
    fn new(
        (aware, data_type): (&AwareSettings, DataType),
        settings: &Settings,
        network: &Network<f32>,
        objective: Objective,
        splits: &Splits,
        threads: &Threads,
    ) -> Result<Self, AwareError> {
        let outputs = !has_own_ranges(network, objective, &splits.train);
        let (types, points) = aware.check(network, data_type, outputs, &settings.optimizer)?;
        Ok(Start {
            types,
            points,
            clipping: aware.clipping,
            input: input_ranges(&splits.train, data_type, threads),
            data_type,
            float_epochs: aware.float_epochs,
            optimizer: settings.optimizer,
            all_rows: network.dense_layers().map(|(dense, _)| dense.outputs).sum(),
        })
    }

    /// Returns the number of learned steps of weights.
    fn rows(&self) -> usize {
        if self.clipping == Clipping::Learned { self.all_rows } else { 0 }
    }

    /// Returns how many numbers rounding adds to the state: ends of ranges, and learned steps.
    fn numbers(&self) -> usize {
        2 * self.points.tracked() + self.rows()
    }

    fn aware(&self, network: &Network<f32>) -> Aware<f32> {
        let Start { types, points, clipping, input, data_type, optimizer, .. } = self;
        let (points, input) = (points.clone(), input.clone());
        Aware::new(network, points, types, *clipping, input, *data_type, *optimizer)
    }
}

/// Checks that a training with these settings can have reached these counters.
fn check_place(place: &Place, settings: &Settings, rows: usize) -> Result<(), String> {
    /// Period of ChaCha in words, see `rand_chacha::ChaCha8Rng::set_word_pos`.
    const WORDS: u128 = 1 << 68;
    let batches = rows.div_ceil(settings.batch_size);
    let done = place.epoch.checked_sub(1).filter(|&done| done <= settings.epochs);
    let Some(done) = done.filter(|_| place.batch < batches) else {
        let (epoch, batch) = (place.epoch, place.batch);
        return Err(format!(
            "it stands at epoch {epoch}, batch {batch}, of {} epochs of {batches} batches",
            settings.epochs
        ));
    };
    // No overflow: a preset limits both.
    let steps = done * batches + place.batch;
    if place.steps != steps {
        return Err(format!("it has {} steps where there were {steps}", place.steps));
    }
    let scores =
        place.history.epochs.iter().flat_map(|epoch| [Some(epoch.train), epoch.validation]);
    let scores = scores.flatten().chain([place.score]);
    let numbers =
        place.history.epochs.iter().flat_map(|epoch| [epoch.learning_rate, epoch.seconds]);
    let sound = place.history.epochs.len() == done
        && scores.into_iter().all(|score| {
            score.correct <= score.rows && !score.loss_sum.is_nan() && score.penalty_sum >= 0.0
        })
        && numbers.chain([place.plateau_share]).all(|number| number.is_finite() && number >= 0.0)
        && place.plateau_share <= 1.0
        && place.history.batches.iter().all(|record| record.loss.is_finite())
        && [place.stopping, place.plateau].iter().all(|b| b.waited <= done && !b.cost.is_nan())
        && place.score.rows <= rows
        && place.shuffle_words < WORDS
        && place.shift_words < WORDS;
    match sound {
        true => Ok(()),
        false => Err("its counters are beyond those of its epoch".to_string()),
    }
}
