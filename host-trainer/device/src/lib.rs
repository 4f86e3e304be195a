//! Talks to devices, real ones and emulated ones.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | asks a device over any stream of bytes |
//! | [`info`] | what a device says of itself |
//! | `operations` | what takes more than one request: updates, reading the model back |
//! | [`connection`] | serial ports, TCP |
//! | [`signing`] | keys, and signatures of models |
//! | [`board`] | the emulated boards by name, and how to build their firmware |
//! | [`emulator`] | QEMU: starts it, connects its UART, decodes its log, ends it |
//! | [`command`] | bulk work in the emulator, by files instead of the UART |
//! | [`local`] | the answers of this machine's engine, to compare with a device's |
//! | [`log`] | the firmware's log |

pub mod board;
pub mod client;
pub mod command;
pub mod connection;
pub mod emulator;
mod error;
pub mod info;
pub mod local;
pub mod log;
mod operations;
pub mod signing;

pub use error::Error;
