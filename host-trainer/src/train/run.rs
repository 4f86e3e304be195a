//! The training loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rand::seq::SliceRandom;

use super::learner::Batch;
use super::{EpochRecord, History, Learner, Optimizer, Settings, Threads};
use crate::data::{Shift, Shifts, Splits};
use crate::evaluate::score_float;
use crate::network::{BatchScore, Network, Real};
use crate::random::{Stream, stream};

/// Asks a training to end after its current batch; a clone asks the same training.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far training is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Epochs there will be.
    pub epochs: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// What this epoch's batches scored so far.
    pub score: BatchScore,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Train the next epoch, if there is one.
    Continue,
    /// End here.
    Stop,
}

/// One who watches training: a progress bar, early stopping, checkpoints.
pub trait Observer<T>: Send {
    /// A batch is done. Called often: must be quick.
    fn batch_done(&mut self, _progress: &Progress) {}

    /// An epoch is done, or was stopped; the network is as after its last step.
    fn epoch_done(&mut self, _record: &EpochRecord, _network: &Network<T>) -> Flow {
        Flow::Continue
    }
}

/// What training gave.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The trained network.
    pub network: Network<T>,
    /// What each epoch reached.
    pub history: History,
    /// Whether the user ended it early.
    pub interrupted: bool,
    /// Threads that shared each batch.
    pub workers: usize,
}

/// Why training gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// A batch is larger than the training set.
    #[error(
        "training.batch_size: {batch_size} rows are more than the {rows} there are to train with: \
         lower it"
    )]
    BatchSize {
        /// Rows of a batch.
        batch_size: usize,
        /// Rows there are.
        rows: usize,
    },
    /// The loss is no longer a number.
    #[error(
        "training diverged: the loss is {loss} in epoch {epoch}, batch {batch}: lower \
         training.optimizer's learning_rate"
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch in it, counted from 1.
        batch: usize,
        /// The loss of that batch.
        loss: f64,
    },
}

/// Trains a network.
///
/// The same network, settings, seed and number of threads give the same weights, bit for bit, on
/// processors of the same kind.
///
/// # Errors
/// [`TrainError`] when a batch is larger than the data, or the loss is no longer finite.
pub fn train<T: Real>(
    network: Network<T>,
    splits: &Splits,
    settings: &Settings,
    seed: u64,
    threads: &Threads,
    stop: &StopFlag,
    observer: &mut dyn Observer<T>,
) -> Result<Outcome<T>, TrainError> {
    let rows = splits.train.len();
    let batch_size = settings.batch_size;
    if batch_size > rows {
        return Err(TrainError::BatchSize { batch_size, rows });
    }
    let optimizer = Optimizer::new(settings.optimizer, network.parameters().len());
    let learner = Learner::new(network, optimizer, settings.loss, batch_size, threads.count());
    let mut run = Run {
        splits,
        settings,
        learner,
        positions: (0..rows as u32).collect(),
        shifts: vec![Shift::NONE; rows],
        shift_source: Shifts::new(
            settings.augmentation.shift,
            settings.augmentation.share,
            stream(seed, Stream::Augmentation),
        ),
        steps_done: 0,
    };
    let mut shuffle = stream(seed, Stream::Shuffle);
    let mut history = History::default();
    for epoch in 1..=settings.epochs {
        if settings.shuffle {
            run.positions.shuffle(&mut shuffle);
        }
        run.shift_source.draw(&mut run.shifts);
        let mut record = threads.install(|| run.epoch(epoch, stop, &mut *observer))?;
        if record.train.rows == 0 {
            break;
        }
        record.validation = splits.validation.as_ref().map(|validation| {
            score_float(run.learner.network(), validation, settings.loss, threads)
        });
        let flow = observer.epoch_done(&record, run.learner.network());
        history.epochs.push(record);
        if flow == Flow::Stop || stop.is_stopped() {
            break;
        }
    }
    Ok(Outcome {
        workers: run.learner.workers(),
        network: run.learner.into_network(),
        history,
        interrupted: stop.is_stopped(),
    })
}

/// A training under way.
struct Run<'a, T> {
    splits: &'a Splits,
    settings: &'a Settings,
    learner: Learner<T>,
    /// Positions in the training set, in the order of this epoch.
    positions: Vec<u32>,
    /// How the row of each position is moved in this epoch.
    shifts: Vec<Shift>,
    shift_source: Shifts,
    steps_done: usize,
}

impl<T: Real> Run<'_, T> {
    /// One pass over the training rows, or a part of it when it is stopped.
    fn epoch(
        &mut self,
        epoch: usize,
        stop: &StopFlag,
        observer: &mut dyn Observer<T>,
    ) -> Result<EpochRecord, TrainError> {
        let start = Instant::now();
        let Settings { epochs, batch_size, schedule, optimizer, .. } = self.settings;
        let batches = self.positions.len().div_ceil(*batch_size);
        let (mut score, mut learning_rate) = (BatchScore::default(), 0.0);
        let parts = self.positions.chunks(*batch_size).zip(self.shifts.chunks(*batch_size));
        for (batch, (positions, shifts)) in (1..).zip(parts) {
            if stop.is_stopped() {
                break;
            }
            let factor = schedule.factor(self.steps_done, epochs * batches);
            learning_rate = optimizer.learning_rate() * factor;
            let rows = Batch { subset: &self.splits.train, positions, shifts };
            let batch_score = self.learner.step(rows, learning_rate);
            self.steps_done += 1;
            if !batch_score.loss_sum.is_finite() {
                return Err(TrainError::Diverged { epoch, batch, loss: batch_score.loss() });
            }
            score.add(batch_score);
            observer.batch_done(&Progress { epoch, epochs: *epochs, batch, batches, score });
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(EpochRecord { epoch, learning_rate, train: score, validation: None, seconds })
    }
}
