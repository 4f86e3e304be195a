//! Building a model on a computer: owned types, and the writer of the file.

mod encode;
mod spec;
mod weights;

pub use spec::{
    DenseSpec, DetailsSpec, EncodingSpec, FeatureSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec,
    SelfTestSpec, SoftmaxSpec, TableSpec,
};
