//! A plain, slow implementation of the arithmetic contract, to hold the engine against.
//!
//! It is written from the contract and its sources (TensorFlow Lite Micro's int8 rules with double
//! rounding), not from the engine, and shares no code with it: wide integers, one operation a
//! line, no trick. It reads a model through the public fields of `model_format` alone.

pub mod activation;
pub mod dense;
pub mod fixed_point;
pub mod network;
pub mod raw;
pub mod rounding;

pub use network::Network;
