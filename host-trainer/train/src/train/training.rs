//! The training loop: epochs, mini-batches, validation, callbacks.

use std::time::Instant;

use model_format::DataType;
use rand::seq::SliceRandom;
use thimble_data::{Shift, Shifts, Splits};
use thimble_network::{BatchScore, Network};
use thimble_numeric::threads::Threads;
use thimble_support::random::{Stream, stream};

use super::average::Average;
use super::aware::{Aware, AwareError, AwareSettings};
use super::checkpoint::{Checkpoint, CheckpointError, Place};
use super::distillation::Teacher;
use super::feed::{Feed, Recipe};
use super::observe::{Flow, Observer, StopFlag};
use super::pruning::Mask;
use super::run::Run;
use super::start::Start;
use super::{EpochRecord, History, Optimizer, Settings, Trainer};

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
