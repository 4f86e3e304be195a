//! Devices: talking to them, and emulating them.
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
//! | `local` | what this machine's engine says, to hold a device against |
//! | [`log`] | the firmware's log |
//! | [`cli`] | `host-trainer device …` |

pub mod board;
pub mod cli;
pub mod client;
pub mod command;
pub mod connection;
pub mod emulator;
mod error;
pub mod info;
mod local;
pub mod log;
mod operations;
pub mod signing;

pub use error::Error;
