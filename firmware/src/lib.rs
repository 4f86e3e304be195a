//! The Thimble engine, and the device application around it.
//!
//! [`Engine`] runs a [`Model`](model_format::Model) in memory that the caller lends. It allocates
//! nothing, uses no floating point, and once it is made nothing in it can fail but an input of
//! the wrong length.
//!
//! [`app::App`] answers requests of the [`link`] protocol over any byte stream of `embedded-io`,
//! and [`inputs`] turns what sensors say into features. None of them knows a chip.
#![cfg_attr(not(test), no_std)]

mod answer;
pub mod app;
mod engine;
pub mod inputs;
mod kernels;
pub mod link;
mod operators {
    pub use model_format::{All, Choice, Operators};
}
mod raw;
pub mod slots;
mod softmax;

pub use answer::{Answer, class};
pub use engine::{Engine, EngineError, InputError};
pub use operators::{All, Choice, Operators};
pub use raw::{RawError, encode_counts, encode_reals};
