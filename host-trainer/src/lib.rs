//! Trains multilayer perceptrons, quantizes them to int8, and talks to the boards that run them.
//!
//! | module | what |
//! |---|---|
//! | [`data`] | datasets: where they come from, how they are parted |
//! | [`network`] | the float network, forward and back |
//! | [`train`] | batches, optimizers, schedules, the loop |
//! | [`quantize`] | from float to an int8 model file |
//! | [`evaluate`] | how well a network does, in float and by the device's own engine |
//! | [`preset`] | the TOML files that say everything about a training |
//! | [`experiment`] | all of the above in one go, and the files that it leaves |
//! | [`import`] | from int8 TensorFlow Lite models to model files |
//! | [`pack`] | weights laid out for one core |
//! | [`project`] | new firmware projects |
//! | [`chips`] | chips by name, and what a model takes of them |
//! | [`report`] | tables on the terminal, pictures and a page in the run's folder |
//! | [`predict`] | what a model says about a photograph |
//! | [`features`] | a layer's outputs, and how to see them |
//! | [`foreign_text`] | text that somebody else wrote, printed as text |
//! | [`memory`] | whether there is enough |
//! | [`device`] | devices, real and emulated |
//! | [`cli`] | the command line |

mod atomic_file;
pub mod chips;
pub mod cli;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod experiment;
pub mod features;
mod folder_lock;
pub mod foreign_text;
pub mod import;
pub mod memory;
pub mod network;
pub mod pack;
pub mod predict;
pub mod preset;
pub mod project;
pub mod quantize;
pub mod random;
pub mod report;
pub mod run_folder;
pub mod train;
mod validators;
mod vectorized;
