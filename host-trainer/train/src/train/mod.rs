//! Training: mini-batches, optimizers, learning-rate schedules, callbacks, checkpoints.

mod augmentation;
mod average;
mod aware;
mod callbacks;
mod checkpoint;
mod class_weight;
mod distillation;
mod feed;
mod history;
mod mixup;
mod observe;
mod optimizer;
mod pruning;
mod run;
mod schedule;
mod settings;
mod shares;
mod start;
mod steps;
mod trainer;
mod training;

pub use augmentation::Augmentation;
pub use aware::{AwareError, AwareSettings, LayerTypes};
pub use callbacks::{Best, EarlyStopping, Monitor, Plateau};
pub use checkpoint::{Checkpoint, CheckpointError, Place};
pub use class_weight::ClassWeight;
pub use class_weight::class_counts;
pub use distillation::{Distillation, Teacher};
pub use history::{BatchRecord, EpochRecord, History};
pub use mixup::Mixup;
pub use observe::{Flow, Observer, Progress, StopFlag};
pub use optimizer::{
    AdadeltaSettings, AdagradSettings, AdamSettings, AdamWSettings, AdamaxSettings,
    EpsilonPlacement, FtrlSettings, LionSettings, NadamSettings, Optimizer, OptimizerSettings,
    RmsPropSettings, SgdSettings,
};
pub use pruning::Pruning;
pub use schedule::{OneCycleSettings, RestartSettings, Schedule, StepSettings};
pub use settings::{Clip, Settings};
pub use trainer::{Batch, Soft, Trainer};
pub use training::{Outcome, TrainError, Training, train};
