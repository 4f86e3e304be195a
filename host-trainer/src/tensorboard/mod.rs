//! Event files for TensorBoard: scalars per epoch, histograms of weights, images of confusion
//! matrices.

mod event;
mod observer;
mod record;

pub use event::{Event, Histogram, Value};
pub use observer::{FOLDER, Logged, Writer};
