//! Inputs other than the link: what sensors say, made ready for a model.

mod window;

pub use window::{Features, Window};
