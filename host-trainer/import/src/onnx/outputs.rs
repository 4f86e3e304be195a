//! The output of a graph that is imported, and the names of its classes.

use std::collections::HashMap;

use super::proto::{Graph, TensorProto, ValueInfo};
use crate::error::{Error, Result};

/// ONNX's codes of integer and text types, which labels have.
const LABEL_TYPES: [i32; 4] = [6, 7, 8, 9];

/// Returns the name of the output with the values. Classifiers of scikit-learn also give a label,
/// which follows from the probabilities.
pub(super) fn output(graph: &Graph) -> Result<&str> {
    let is_label = |output: &&ValueInfo| {
        let tensor = output.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        tensor.is_some_and(|tensor| LABEL_TYPES.contains(&tensor.element))
    };
    let (labels, values): (Vec<&ValueInfo>, Vec<&ValueInfo>) =
        graph.outputs.iter().partition(is_label);
    match (&values[..], labels.len()) {
        ([one], 0 | 1) => Ok(&one.name),
        ([], 1) => Err(Error::place(
            "the graph",
            "its only output is a label, without the probabilities. Export the probabilities, too",
        )),
        _ => {
            let names: Vec<String> =
                graph.outputs.iter().map(|output| format!("`{}`", output.name)).collect();
            let problem = format!(
                "it has {} outputs ({}). Only a chain of layers with one output can be imported",
                graph.outputs.len(),
                thimble_support::foreign_text::shown(&names.join(", "))
            );
            Err(Error::place("the graph", problem))
        }
    }
}

/// Returns the names of the classes of scikit-learn's classifiers, or none.
pub(super) fn classes(graph: &Graph, initializers: &HashMap<&str, &TensorProto>) -> Vec<String> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    for node in graph.nodes.iter().filter(|node| node.domain == "ai.onnx.ml") {
        match &*node.operator {
            "ZipMap" => {
                let texts = node.attribute("classlabels_strings");
                let texts = texts.map(|attribute| attribute.strings.as_slice()).unwrap_or_default();
                let numbers = node.attribute("classlabels_int64s");
                let numbers =
                    numbers.map(|attribute| attribute.ints.as_slice()).unwrap_or_default();
                match texts.is_empty() {
                    false => return texts.iter().map(text).collect(),
                    true if !numbers.is_empty() => {
                        return numbers.iter().map(i64::to_string).collect();
                    }
                    true => {}
                }
            }
            "ArrayFeatureExtractor" => {
                let classes = node.inputs.first().and_then(|name| initializers.get(name.as_str()));
                let Some(classes) = classes else { continue };
                if !classes.string_data.is_empty() {
                    return classes.string_data.iter().map(text).collect();
                }
                if let Ok(tensor) = super::constant::constant(classes, None) {
                    return tensor.values.iter().map(f64::to_string).collect();
                }
            }
            _ => {}
        }
    }
    Vec::new()
}
