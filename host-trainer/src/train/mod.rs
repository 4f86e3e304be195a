//! Training: batches, optimizer, schedule, the loop, and those who watch it.

mod history;
mod learner;
mod optimizer;
mod run;
mod schedule;
mod settings;
mod threads;

pub use history::{EpochRecord, History};
pub use learner::{Batch, Learner};
pub use optimizer::{AdamSettings, Optimizer, OptimizerSettings, SgdSettings};
pub use run::{Flow, Observer, Outcome, Progress, StopFlag, TrainError, train};
pub use schedule::Schedule;
pub use settings::{Augmentation, Settings};
pub use threads::Threads;
