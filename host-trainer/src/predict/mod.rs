//! Predictions of a model for images and rows.

mod answer;
mod preparation;
mod rows;
mod show;

pub use answer::{Answers, PredictError, input, predict};
pub use preparation::{AskedPreparation, ChosenPreparation, Origin, preparation};
pub use rows::{
    Answered, FloatSide, RowPredictor, RowScaling, RowsError, for_spreadsheets, probabilities,
};
pub use show::show;
