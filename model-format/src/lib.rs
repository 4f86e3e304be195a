//! The format of a quantized Thimble model: its types, byte layout, validation and sizes.
//!
//! A model file is one [postcard](https://docs.rs/postcard) value behind a small fixed header
//! (magic, version, length, CRC-32); `FORMAT.md` beside this crate specifies every byte. It is
//! read in place: [`Model::parse`] checks the whole file once and borrows from it, copies no
//! weight, needs no heap, and everything that the resulting [`Model`] hands out is valid.
//!
//! ```
//! # use model_format::build::*;
//! # use model_format::*;
//! # let spec = ModelSpec {
//! #     name: "double".into(),
//! #     input: InputSpec {
//! #         shape: vec![1],
//! #         quantization: Quantization::int8(1.0, 0),
//! #         encoding: Encoding::Quantized,
//! #     },
//! #     output: OutputSpec::Values(vec![]),
//! #     layers: vec![LayerSpec::Dense(DenseSpec {
//! #         inputs: 1,
//! #         outputs: 1,
//! #         weights: vec![2],
//! #         biases: vec![0],
//! #         multipliers: vec![Multiplier::from_real(1.0)?],
//! #         output: Quantization::int8(1.0, 0),
//! #         clamp: Clamp::INT8,
//! #         layout: WeightLayout::RowMajor,
//! #     })],
//! #     self_tests: vec![],
//! #     details: DetailsSpec::default(),
//! # };
//! # let bytes = spec.to_bytes()?;
//! let model = model_format::Model::parse(&bytes)?;
//! println!("{}: {} multiply-accumulates", model.name(), model.macs());
//! # Ok::<(), model_format::Error>(())
//! ```
//!
//! With the feature `std`, [`build`] describes a model in owned types and writes the file.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

#[cfg(any(feature = "std", test))]
pub mod build;
mod channels;
mod check;
mod dense;
mod details;
mod error;
mod header;
mod header_words;
mod input_range;
mod interface;
mod kernels;
mod layer;
mod layout;
pub mod limits;
mod model;
mod ops;
mod quantization;
mod reader;
mod reals;
mod sizes;
mod softmax;
mod table;
mod values;
mod weight_type;

pub use channels::{Channel, Channels};
pub use dense::{Dense, Row};
pub use details::{Details, Feature, OutputLabel};
pub use error::{Error, Field, FieldError, Location};
pub use header::{HEADER_LEN, Header, MAGIC, VERSION};
pub use header_words::LayerWords;
pub use interface::{Encoding, Input, Labels, Output, OutputKind, Shape};
pub use kernels::Kernels;
pub use layer::Layer;
pub use layout::WeightLayout;
pub use model::{Layers, Model, SelfTest, SelfTests};
pub use ops::{AllOps, Capabilities, OpSet};
pub use quantization::{Clamp, DataType, Multiplier, Quantization};
pub use reals::{RealChannel, RealChannels};
pub use sizes::{ScratchLayout, padded};
pub use softmax::{MAX_SOFTMAX, Softmax};
pub use table::{TABLE_INT8_LEN, TABLE_INT16_LEN, Table};
pub use values::{ValueScale, ValueScales};
pub use weight_type::WeightType;
