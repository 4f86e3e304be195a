//! Runs quantized multilayer perceptrons on microcontrollers.
//!
//! A model file (int8 or int16 activations, int8 or int4 weights) is trained and quantized on a
//! computer. [`Engine`] runs it from flash, in memory that the caller lends: without a heap,
//! without a panic, with the same output bytes on every core.
//!
//! # Three lines to a prediction
//!
//! ```
//! thimble_nn::include_model!(WINE, "../../models/wine.thimble");
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let measurements = [14.23, 1.71, 2.43, 15.6, 127.0, 2.8, 3.06, 0.28, 2.29, 5.64, 1.04, 3.92, 1065.0];
//! let mut scratch = [0; 64];
//! let mut engine = thimble_nn::Engine::new(WINE, &mut scratch)?;
//! let answer = engine.run_reals(&measurements)?;
//! let class = answer.class().expect("the model is a classifier");
//! assert_eq!((class.index(), class.label()), (0, "class_0"));
//! # Ok(())
//! # }
//! ```
//!
//! Which `run` method fits depends on the model's [`Encoding`]:
//!
//! | input of the model | call |
//! |---|---|
//! | real numbers in their own units | [`Engine::run_reals`] |
//! | raw counts of converters and sensors | [`Engine::run_counts`] |
//! | quantized values, pixels | [`Engine::run`], [`Engine::run_i16`] |
//!
//! # Models that change
//!
//! [`Model::parse`] checks a file that came over a link or lies in a slot of flash: every length,
//! every field, its checksum, and that no input can overflow an accumulator. What it accepts
//! cannot fail afterwards. `model.scratch_len()` is the exact number of words of memory that
//! [`Engine::new`] needs.
//!
//! # Models that are built in
//!
//! [`include_model!`] needs no build script. With `thimble-build` in a build script a model that
//! does not fit is a compile error, the scratch memory has the right size by itself, and only
//! the operators that the model uses are linked.
//!
//! # Features
//!
//! All are off by default.
//!
//! - `defmt`: `defmt::Format` for the errors and for [`Class`].
//! - `helium`: the core has Helium (Cortex-M55, M85), which no target name states.
//! - `std`: on a computer with AVX2, int8 weights are multiplied by a kernel that uses it.
#![cfg_attr(not(test), no_std)]

#[cfg(all(kernel_x86, not(test)))]
extern crate std;

mod answer;
mod engine;
mod error;
mod input_stage;
mod kernels;
mod self_test;
mod softmax;
mod source;

pub use answer::{Answer, Class, OutputDecoder};
pub use engine::Engine;
pub use error::{EngineError, InputError};
pub use input_stage::{encode_counts, encode_reals, encode_reals_of};
pub use model_format::{
    AllOps, Capabilities, Channel, Channels, Clamp, DataType, Details, Encoding, Error, Feature,
    Input, Kernels, Labels, Layer, Model, OpSet, Output, OutputKind, Quantization, RealChannel,
    RealChannels, SelfTest, SelfTests, Shape, ValueScale, ValueScales, WeightLayout,
};
pub use self_test::SelfTestError;
pub use source::{ModelSource, StaticModel};
