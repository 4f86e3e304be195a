//! Observers of a training: progress, checkpoints, interruption.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thimble_network::{BatchScore, Network};

use super::{BatchRecord, Checkpoint, EpochRecord};

/// Stops a training after its current batch. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Requests the stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns `true` after a stop was requested.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Progress of training.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Number of epochs.
    pub epochs: usize,
    /// Finished batches of this epoch.
    pub batch: usize,
    /// Batches per epoch.
    pub batches: usize,
    /// Loss and metrics of this epoch's batches so far.
    pub score: BatchScore,
}

/// Decision of an observer after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue with the next epoch, if there is one.
    Continue,
    /// Stop training.
    Stop,
}

/// Observer of a training, such as a progress bar or a writer of checkpoints.
pub trait Observer<T>: Send {
    /// Called after each batch. It must return quickly.
    fn batch_done(&mut self, _progress: &Progress) {}

    /// Called after each batch whose loss is logged.
    fn batch_logged(&mut self, _record: &BatchRecord) {}

    /// Called after each epoch, also a stopped one, with the network after the last step.
    fn epoch_done(&mut self, _record: &EpochRecord, _network: &Network<T>) -> Flow {
        Flow::Continue
    }

    /// Called after each epoch and when training is stopped. `make` returns the checkpoint to
    /// resume from.
    fn resumable<'a>(&mut self, _make: &dyn Fn() -> Checkpoint<'a>) {}

    /// Called after training, before quantization and evaluation.
    fn trained(&mut self) {}
}

/// Observes nothing.
impl<T> Observer<T> for () {}

impl<T, O: Observer<T> + ?Sized> Observer<T> for &mut O {
    fn batch_done(&mut self, progress: &Progress) {
        (**self).batch_done(progress);
    }

    fn batch_logged(&mut self, record: &BatchRecord) {
        (**self).batch_logged(record);
    }

    fn epoch_done(&mut self, record: &EpochRecord, network: &Network<T>) -> Flow {
        (**self).epoch_done(record, network)
    }

    fn resumable<'a>(&mut self, make: &dyn Fn() -> Checkpoint<'a>) {
        (**self).resumable(make);
    }

    fn trained(&mut self) {
        (**self).trained();
    }
}
