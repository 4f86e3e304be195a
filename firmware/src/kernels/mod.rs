//! The kernels: what a dense layer computes, on each core.
//!
//! [`portable`] says in plain Rust what every kernel must compute.

mod portable;
mod requantize;
mod widen;

pub(crate) use portable::dense;
pub(crate) use widen::Widened;
