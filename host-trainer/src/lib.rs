//! The trainer.

mod checked;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod network;
pub mod preset;
pub mod quantize;
pub mod random;
pub mod train;
