//! Trains multilayer perceptrons and quantizes them to int8.
//!
//! | module | content |
//! |---|---|
//! | [`data`] | datasets: sources, splits, scaling, augmentation |
//! | [`network`] | the float network: layers, losses, gradients, matrix multiplication |
//! | [`train`] | the training loop: optimizers, schedules, callbacks, checkpoints |
//! | [`quantize`] | calibration and quantization: from a float network to a model file |
//! | [`evaluate`] | accuracy and errors, in float and by the device's own engine |
//! | [`preset`] | the TOML files that describe a training |

pub mod data;
pub mod evaluate;
pub mod network;
pub mod preset;
pub mod quantize;
pub mod train;
mod validators;
mod vectorized;
