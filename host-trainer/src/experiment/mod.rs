//! One experiment: from a preset to a trained network, its int8 model, and how well both do.

mod run;
mod write;

pub use run::{Error, Experiment, Plan};
