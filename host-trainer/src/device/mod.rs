//! Devices: talking to them, and emulating them.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | asks a device over any stream of bytes |
//! | [`board`] | the emulated boards by name, and how to build their firmware |
//! | [`emulator`] | QEMU: starts it, connects its UART, decodes its log, ends it |
//! | [`command`] | bulk work in the emulator, by files instead of the UART |
//! | [`log`] | the firmware's log |
//! | [`cli`] | `host-trainer device …` |

pub mod board;
pub mod cli;
pub mod client;
pub mod command;
pub mod emulator;
mod error;
pub mod log;

pub use error::Error;
