//! Building a model on a computer: owned types, and the writer of the file.

mod encode;
mod file_inputs;
mod spec;
mod weights;

pub use file_inputs::{file_inputs, has_file_inputs, with_file_inputs};
pub use spec::{
    DenseSpec, DetailsSpec, EncodingSpec, FeatureSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec,
    SelfTestSpec, SoftmaxSpec, TableSpec,
};
