//! Shared code of the system tests: an independent implementation of the arithmetic contract as a
//! reference for the engine, and helpers to run the real programs.
//!
//! Unlike the rest of the workspace, this crate panics: a test that cannot continue reports the
//! reason.

pub mod bounds;
pub mod browser;
pub mod c_counts;
pub mod c_models;
pub mod c_program;
pub mod c_target;
pub mod cases;
pub mod command;
pub mod cores;
pub mod counts;
pub mod cycles;
pub mod digits;
pub mod emulated;
pub mod golden;
pub mod minimal;
pub mod mirror;
pub mod mnist;
pub mod owner;
pub mod parity;
#[cfg(unix)]
pub mod port;
pub mod random_model;
pub mod reference;
pub mod sealed;
pub mod served;
pub mod sizes;
pub mod tflite;
pub mod trained;
pub mod update;
pub mod values;
pub mod variant;
pub mod wire;
pub mod workspace;
