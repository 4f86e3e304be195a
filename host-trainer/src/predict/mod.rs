//! Answers of a model about an image.

mod answer;
mod preparation;
mod show;

pub use answer::{Answers, PredictError, input, predict};
pub use preparation::{AskedPreparation, ChosenPreparation, Origin, preparation};
pub use show::show;
