//! Training: mini-batches, optimizers, learning-rate schedules, callbacks, checkpoints.

mod aware;
mod callbacks;
mod checkpoint;
mod class_weight;
mod history;
mod observe;
mod optimizer;
mod run;
mod schedule;
mod settings;
mod trainer;

pub use aware::{AwareError, AwareSettings, LayerPrecisions};
pub use callbacks::{Best, EarlyStopping, Monitor, Plateau};
pub use checkpoint::{Checkpoint, CheckpointError, Place};
pub use class_weight::ClassWeight;
pub use class_weight::class_counts;
pub use history::{BatchRecord, EpochRecord, History};
pub use observe::{Flow, Observer, Progress, StopFlag};
pub use optimizer::{
    AdadeltaSettings, AdagradSettings, AdamSettings, AdamWSettings, AdamaxSettings,
    EpsilonPlacement, FtrlSettings, LionSettings, NadamSettings, Optimizer, OptimizerSettings,
    RmsPropSettings, SgdSettings,
};
pub use run::{Outcome, TrainError, Training, train};
pub use schedule::{OneCycleSettings, Schedule, StepSettings};
pub use settings::{Augmentation, Clip, Settings};
pub use trainer::{Batch, Trainer};
