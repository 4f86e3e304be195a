//! Plain, slow implementation of the arithmetic contract, as a reference for the engine.
//!
//! It is written from the contract and its sources (TensorFlow Lite Micro's int8 rules with double
//! rounding), and shares no code with the engine: wide integers, one operation per line, no
//! optimizations. It reads a model only through the public fields of `model_format`.

pub mod activation;
pub mod dense;
pub mod fixed_point;
pub mod network;
pub mod raw;
pub mod rounding;

pub use network::Network;
