//! ONNX models: float graphs of PyTorch, TensorFlow (tf2onnx) and scikit-learn (skl2onnx).

mod constant;
mod graph;
mod linear;
mod operators;
mod outputs;
mod proto;
mod quantization;
mod reshaping;
mod shapes;

use std::path::Path;

use prost::Message;

use crate::error::{Error, Result};
use crate::float_network::FloatNetwork;

/// Reads a model. External data is read from `folder`.
pub(crate) fn read(file: &[u8], folder: Option<&Path>) -> Result<FloatNetwork> {
    let model =
        proto::Model::decode(file).map_err(|error| Error::damaged("the ONNX model", error))?;
    let Some(graph) = &model.graph else {
        return Err(Error::damaged("the ONNX model", "it has no graph"));
    };
    let opset = model.opsets.iter().find(|opset| matches!(&*opset.domain, "" | "ai.onnx"));
    graph::network(graph, opset.map_or(0, |opset| opset.version), folder)
}
