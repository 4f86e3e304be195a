//! Order of a Keras model's layers: a chain from the input to the output.

use std::collections::HashMap;

use serde_json::Value;
use thimble_support::foreign_text::shown;

use super::config::LayerConfig;
use crate::error::{Error, Result};

/// Maximum depth of nested models.
const MAX_DEPTH: usize = 16;

/// Appends the layers of a model to the chain, with nested models in place.
///
/// `path` leads to the model in files by place, `names` in files by name.
pub(super) fn flatten<'c>(
    model: &'c Value,
    path: &[String],
    names: &[String],
    chain: &mut Vec<LayerConfig<'c>>,
) -> Result<()> {
    if path.len() > MAX_DEPTH {
        return Err(Error::place("the model", format!("models nested deeper than {MAX_DEPTH}")));
    }
    let class = model["class_name"].as_str().unwrap_or_default();
    let config = &model["config"];
    // Keras before 2.2.3 had the list of layers alone.
    let layers = config["layers"].as_array().or_else(|| config.as_array());
    let layers = layers.ok_or_else(|| Error::damaged("config", "the list of layers is missing"))?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut all = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let layer = LayerConfig::new(index, layer, path, names, &mut counts);
        all.push(layer);
    }
    let ordered = match class {
        "Sequential" => all,
        _ => functional(config, all)?,
    };
    for layer in ordered {
        match layer.class {
            "Sequential" | "Functional" | "Model" if layer.is_builtin() => {
                flatten(layer.whole, &layer.path, &layer.names, chain)?;
            }
            _ => chain.push(layer),
        }
    }
    Ok(())
}

/// Returns the layers of a functional model on the way from its input to its output.
fn functional<'c>(config: &'c Value, layers: Vec<LayerConfig<'c>>) -> Result<Vec<LayerConfig<'c>>> {
    one_end(&config["input_layers"], "inputs")?;
    let output = one_end(&config["output_layers"], "outputs")?;
    let mut by_name: HashMap<&str, LayerConfig<'c>> =
        layers.into_iter().map(|layer| (layer.name, layer)).collect();
    let mut backwards = Vec::new();
    let mut name = Some(output);
    while let Some(current) = name {
        let Some(layer) = by_name.remove(current) else {
            let problem = format!("layer `{}` is missing, or reads its own output", shown(current));
            return Err(Error::damaged("config", problem));
        };
        name = before(&layer)?;
        backwards.push(layer);
    }
    backwards.reverse();
    Ok(backwards)
}

/// Returns the name of the only input or output layer.
fn one_end<'c>(ends: &'c Value, what: &str) -> Result<&'c str> {
    let list = ends.as_array().map(Vec::as_slice).unwrap_or_default();
    match list {
        [Value::String(name), ..] => Ok(name),
        [Value::Array(one)] => match one.first() {
            Some(Value::String(name)) => Ok(name),
            _ => Err(Error::damaged("config", format!("the list of {what}"))),
        },
        _ => Err(Error::place(
            "the model",
            format!(
                "it has {} {what}. Only a chain of layers with one input and one output can be \
                 imported",
                list.len()
            ),
        )),
    }
}

/// Returns the name of the layer whose output this layer reads.
fn before<'c>(layer: &LayerConfig<'c>) -> Result<Option<&'c str>> {
    let nodes = layer.whole["inbound_nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let node = match nodes {
        [] => return Ok(None),
        [node] => node,
        nodes => {
            return Err(layer.refuse(format!(
                "the layer is used {} times. Only a chain in which each layer is used once can be \
                 imported",
                nodes.len()
            )));
        }
    };
    let mut inputs = Vec::new();
    match node.as_array() {
        // Keras 2: a list of [name, node, tensor, arguments].
        Some(list) => {
            inputs.extend(list.iter().filter_map(|tensor| tensor[0].as_str()));
        }
        // Keras 3: tensors anywhere among the arguments.
        None => histories(&node["args"], &mut inputs),
    }
    match inputs[..] {
        [one] => Ok(Some(one)),
        [] => Ok(None),
        _ => Err(layer.refuse(format!(
            "it joins {} branches ({}). A skip connection or a model with branches cannot be \
             imported, only a chain of layers",
            inputs.len(),
            inputs.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Collects the names of layers in `keras_history`.
fn histories<'c>(value: &'c Value, names: &mut Vec<&'c str>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| histories(value, names)),
        Value::Object(fields) => match fields.get("keras_history") {
            Some(history) => names.extend(history[0].as_str()),
            None => fields.values().for_each(|value| histories(value, names)),
        },
        _ => {}
    }
}
