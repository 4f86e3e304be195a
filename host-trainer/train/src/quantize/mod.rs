//! Quantization of float networks to int8 and int16 models, after training or as trained with fake
//! quantization.
//!
//! The scheme is TensorFlow Lite's (<https://ai.google.dev/edge/litert/models/quantization_spec>):
//! symmetric int8 weights with per-row scales, asymmetric activations with ranges calibrated on
//! training data, and i32 biases. `model-format` and the engine `thimble-nn` define the integer
//! arithmetic.

mod bias;
mod calibrate;
mod center_logits;
mod clamp_ranges;
mod cross_entropy;
mod data_types;
mod dense;
mod dense_specs;
mod equalize;
mod error;
mod export;
mod fold;
mod logits;
mod prepare;
mod refit;
mod settings;
mod spec;
mod stage;
mod trained_grids;
mod widen_ranges;

pub mod weights;

pub use calibrate::{Calibration, calibrate};
pub use center_logits::center_logits;
pub use data_types::DataTypes;
pub use dense::{QuantizedDense, quantize_dense};
pub use equalize::equalize;
pub use error::QuantizeError;
pub use export::{Quantized, Recipe, quantize};
pub use fold::fold;
pub use logits::clips_logits;
pub(crate) use prepare::has_own_ranges;
pub use prepare::{OutputRange, Prepared, prepared};
pub use settings::{Activations, CalibrationMethod, SelfTestInputs, Settings};
pub use stage::ChosenStage;
pub(crate) use stage::input_ranges;
