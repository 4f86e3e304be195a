//! Trains multilayer perceptrons and quantizes them to int8.
//!
//! | module | content |
//! |---|---|
//! | [`train`] | the training loop: optimizers, schedules, callbacks, checkpoints |
//! | [`quantize`] | calibration and quantization: from a float network to a model file |
//! | [`evaluate`] | accuracy and errors, in float and by the device's own engine |

pub mod evaluate;
pub mod quantize;
pub mod train;
