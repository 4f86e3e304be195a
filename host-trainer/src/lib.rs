//! Trains multilayer perceptrons, quantizes them to int8, and communicates with boards.
//!
//! This crate contains the command line, the run folder and reports. These crates implement the
//! rest:
//!
//! | crate | content |
//! |---|---|
//! | [`thimble_data`] | datasets: tables, images, recordings, splits, scaling |
//! | [`thimble_network`] | float networks: layers, losses, gradients |
//! | [`thimble_train`] | training, quantization, evaluation |
//! | [`thimble_numeric`] | numbers, SIMD loops, worker threads |
//! | [`thimble_preset`] | presets: TOML files with all settings of a run |
//! | [`thimble_convert`] | import of int8 TensorFlow Lite models, packing for a core |
//! | `thimble_import` | float networks of other frameworks (feature `import`) |
//! | [`thimble_export`] | models as C source, packages for build systems |
//! | `thimble_device` | link to boards, emulator, signatures (feature `device`) |
//! | `thimble_projection` | outputs of a layer, and their projections (feature `projection`) |
//! | [`thimble_support`] | files, foreign text, random numbers |
//!
//! | module | content |
//! |---|---|
//! | [`cli`] | command line |
//! | [`choice`] | choice among quantization candidates, on selection rows |
//! | [`experiment`] | a run: data, training, quantization, and its output files |
//! | `imported` | runs of imported float networks (feature `import`) |
//! | [`run_folder`] | folder of a run: manifest and lock |
//! | [`report`] | tables on the terminal, SVG pictures and HTML pages |
//! | [`project`] | new firmware projects |
//! | [`page`] | pages that run a model in a browser |
//! | [`predict`] | predictions of a run's networks for images and rows |
//! | [`search`] | search for networks within the memory and the time of a chip |
//! | [`tensorboard`] | event files of trainings |
//! | [`chips`] | chips, and predictions of the flash and RAM that a model takes |

pub mod chips;
pub mod choice;
pub mod cli;
pub mod experiment;
#[cfg(feature = "import")]
pub mod imported;
pub mod page;
pub mod predict;
pub mod project;
pub mod report;
pub mod run_folder;
pub mod search;
pub mod tensorboard;

pub use thimble_convert::{import, pack, self_tests};
#[cfg(feature = "device")]
pub use thimble_device as device;
pub use thimble_export as export;
pub use thimble_network::grid;
pub use thimble_numeric::threads;
pub use thimble_preset as preset;
pub use thimble_support::{foreign_text, memory, random};
pub use thimble_train::{evaluate, quantize, train};
pub use {thimble_data as data, thimble_network as network};

use thimble_support::{atomic_file, folder_lock, template};
