//! What a model says about a photograph.

mod answer;
mod load;
mod prepare;
mod rows;
mod show;

pub use answer::{Answers, PredictError, input, picture_size, predict};
pub use load::{ImageError, load};
pub use prepare::{Ink, PrepareError, prepare};
pub use rows::{Answered, FloatSide, RowPredictor, RowsError, class_of, probabilities};
pub use show::show;
