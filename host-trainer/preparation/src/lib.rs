//! Preprocessing of images: from decoded pixels to the bytes of a network's input.
//!
//! Training, the command line and the page in a browser call [`Preparation::apply`], so that an image
//! gives the same bytes everywhere.

mod clothing;
mod gray;
mod handwriting;
mod options;
mod preparation;
mod text;

pub use options::{Background, ColorMode, Fit, Invert};
pub use preparation::{Preparation, PrepareError, Prepared};
pub use text::PreparationError;
