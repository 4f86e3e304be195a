//! Evaluation and metrics, of float networks and of int8 models with the device's engine.

mod confusion;
mod constant;
mod evaluation;
mod figures;
mod float;
mod host_engine;
mod int8;
mod metrics;
mod scores;
mod threshold;

pub use confusion::Confusion;
pub use constant::{ConstantAnswer, constant_answers};
pub use evaluation::{Evaluation, OutputRegression};
pub use figures::summary_figures;
pub(crate) use float::over_chunks;
pub use float::{evaluate_float, layer_outputs, score_float};
pub use host_engine::HostEngine;
pub use int8::{AnswerReader, InputEncoder, Int8Error, Reading, encode_reading, evaluate_int8};
pub use metrics::{Ranking, Regression, ranking, regression, regressions};
pub use scores::sort_scores;
pub use threshold::{Threshold, choose_threshold};
