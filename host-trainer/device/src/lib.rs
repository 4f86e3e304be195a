//! Link to devices, real and emulated.
//!
//! | module | content |
//! |---|---|
//! | [`client`] | client of the link protocol, over any stream of bytes |
//! | [`info`] | device information |
//! | `operations` | multi-request operations: benchmarks, updates, reading the model back |
//! | [`sensor`] | the sensor of a device, and its samples |
//! | [`connection`] | serial ports, TCP |
//! | [`signing`] | keys, and signatures of models |
//! | [`board`] | emulated boards, and builds of their firmware |
//! | [`emulator`] | QEMU: process, UART, and log |
//! | [`command`] | bulk inference in the emulator, through files in place of the UART |
//! | [`local`] | layer outputs of the host's engine, for comparison with a device |
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
pub mod sensor;
pub mod signing;

pub use error::Error;
