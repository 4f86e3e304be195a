//! Trains multilayer perceptrons and quantizes them to int8.
//!
//! | module | content |
//! |---|---|
//! | [`data`] | datasets: sources, splits, scaling, augmentation |
//! | [`grid`] | ranges of activations and levels of weights |
//! | [`network`] | the float network: layers, losses, gradients, matrix multiplication |
//! | [`train`] | the training loop: optimizers, schedules, callbacks, checkpoints |
//! | [`quantize`] | calibration and quantization: from a float network to a model file |
//! | [`evaluate`] | accuracy and errors, in float and by the device's own engine |
//! | [`threads`] | worker threads
//! | [`validators`] | checks of the numbers of settings, as they are read |

pub mod data;
pub mod evaluate;
pub mod grid;
pub mod network;
pub mod quantize;
pub mod threads;
pub mod train;
pub mod validators;
mod vectorized;
