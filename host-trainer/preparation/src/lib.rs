//! Preprocessing of images: from decoded pixels to the bytes of a network's input.
//!
//! Training, the command line and the page in a browser call [`Preparation::apply`], so that an image
//! gives the same bytes everywhere.

mod clothing;
mod gray;
mod handwriting;
mod preparation;

pub use preparation::{
    Background, ColorMode, Fit, Invert, Preparation, PreparationError, PrepareError, Prepared,
};
