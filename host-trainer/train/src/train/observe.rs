//! Those who watch a training, and may end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Checkpoint, EpochRecord};
use crate::network::{BatchScore, Network};

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

    /// Training stands where it could be taken up again; `make` gives all that is needed for that.
    /// Called after each epoch, and when training is stopped.
    fn resumable<'a>(&mut self, _make: &dyn Fn() -> Checkpoint<'a>) {}

    /// Training is over; quantization and evaluation follow.
    fn trained(&mut self) {}
}

impl<T, O: Observer<T> + ?Sized> Observer<T> for &mut O {
    fn batch_done(&mut self, progress: &Progress) {
        (**self).batch_done(progress);
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
