//! Trains multilayer perceptrons, quantizes them to int8, and talks to the boards that run them.
//!
//! This crate is the program: the command line, the run folder, reports. The work is done by the
//! crates below it:
//!
//! | crate | content |
//! |---|---|
//! | [`thimble_train`] | datasets, network, training, quantization, evaluation |
//! | [`thimble_preset`] | the TOML files that describe a training |
//! | [`thimble_convert`] | import of TensorFlow Lite models, packing for a core |
//! | `thimble_device` | the link to boards, the emulator, signatures (feature `device`) |
//! | [`thimble_support`] | files, foreign text, random numbers |
//!
//! | module | content |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`experiment`] | a whole training: data, network, quantization, and the files that it writes |
//! | [`run_folder`] | the folder of a run: its manifest, its lock |
//! | [`report`] | tables on the terminal, pictures and the page of a run |
//! | [`project`] | new firmware projects |
//! | [`predict`] | the answers of a run's networks to images and rows |
//! | [`chips`] | chips by name, and the flash and RAM that a model takes of them |
//! | `features` | the outputs of a layer, and their projections (feature `projection`) |

pub mod chips;
pub mod cli;
pub mod experiment;
#[cfg(feature = "projection")]
pub mod features;
pub mod predict;
pub mod project;
pub mod report;
pub mod run_folder;

pub use thimble_convert::{import, pack};
#[cfg(feature = "device")]
pub use thimble_device as device;
pub use thimble_preset as preset;
pub use thimble_support::{foreign_text, memory, random};
pub use thimble_train::{data, evaluate, network, quantize, train};

use thimble_support::{atomic_file, folder_lock};
