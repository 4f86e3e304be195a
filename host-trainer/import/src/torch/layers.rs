//! Layers of a state dict, in the order and with the activations that the user names.

use std::collections::BTreeSet;

use thimble_support::foreign_text::shown;

use super::{StateDict, inner};
use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line};
use crate::pieces::{self, Piece};
use crate::tensor::Tensor;

/// ε of PyTorch's BatchNorm1d.
const EPSILON: f64 = 1e-5;

/// An item of the list of layers.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// A module of the state dict, with its parameter: ε of batch normalization.
    Module(String, Option<f64>),
    /// A PReLU of the state dict.
    Slopes(String),
    /// An activation.
    Activation(String, Vec<Piece>),
    /// A layer without function in inference.
    Nothing,
}

/// Converts a state dict.
pub(super) fn network(
    source: &'static str,
    all: StateDict,
    layers: Option<&str>,
) -> Result<FloatNetwork> {
    let all = inner(all);
    let modules = modules(&all);
    if modules.is_empty() {
        return Err(Error::format(
            "a file of tensors without any of the name `….weight`",
            "Save the weights with `torch.save(model.state_dict(), \"model.pt\")`, or export to ONNX",
        ));
    }
    let Some(layers) = layers else {
        return Err(Error::Layers(format!(
            "a state dict has weights, but neither order nor activations. Name the layers in the \
             order of `forward`, such as --layers \"{}\". Activations are relu, tanh, gelu and others \
             of Thimble's; batch normalization takes its eps, such as \"bn1(0.001)\"",
            shown(&suggestion(&modules, &all))
        )));
    };
    let mut items = items(layers, &modules, &all)?;
    items.iter_mut().for_each(|item| recognize_slope(item, &all));
    let mut network = FloatNetwork {
        source,
        shape: Vec::new(),
        steps: Vec::new(),
        classes: Vec::new(),
        notes: Vec::new(),
    };
    let mut width = 0;
    for item in &items {
        match item {
            Item::Nothing => {}
            Item::Activation(name, _) | Item::Slopes(name) if width == 0 => {
                return Err(Error::Layers(format!(
                    "--layers begins with `{}`, but must begin with a layer that has weights",
                    shown(name)
                )));
            }
            Item::Activation(name, pieces) => network.push_pieces(name, pieces, width),
            Item::Module(name, parameter) => {
                let (inputs, function) = module(name, *parameter, &all, width)?;
                if let Function::Dense { biases, .. } = &function {
                    width = biases.len();
                } else if width == 0 {
                    width = inputs;
                }
                if network.shape.is_empty() {
                    network.shape = vec![inputs];
                }
                network.push(name, function);
            }
            Item::Slopes(name) => {
                let slopes = all.get(&format!("{name}.weight")).map_or(&[][..], |t| &t.values);
                if slopes.len() != 1 && slopes.len() != width {
                    let problem = format!("it has {} slopes for {width} values", slopes.len());
                    return Err(Error::place(format!("layer `{}`", shown(name)), problem));
                }
                let slopes = slopes.iter().cycle().take(width).copied().collect();
                network.push_slopes(name, slopes);
            }
        }
    }
    if let Some(name) = all.values().find_map(|tensor| tensor.kind.converted()) {
        network.notes.push(format!("{name} weights are converted to float32"));
    }
    let unused: Vec<&String> = modules
        .iter()
        .filter(|name| {
            let is_own =
                |item: &Item| matches!(item, Item::Module(own, _) | Item::Slopes(own) if own == *name);
            !items.iter().any(is_own)
        })
        .collect();
    if !unused.is_empty() {
        return Err(Error::Layers(format!(
            "--layers does not name {} of the file: {}. Name all layers, in the order of `forward`",
            if unused.len() == 1 { "a layer" } else { "layers" },
            shown(&unused.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "))
        )));
    }
    Ok(network)
}

/// Returns the names of the modules with weights, numbers in them in numerical order.
fn modules(all: &StateDict) -> Vec<String> {
    let names: BTreeSet<&str> =
        all.keys().filter_map(|name| name.strip_suffix(".weight")).collect();
    // Batch normalization without γ has only statistics.
    let plain = all.keys().filter_map(|name| name.strip_suffix(".running_mean"));
    let mut names: Vec<String> = names.into_iter().chain(plain).map(str::to_string).collect();
    names.sort_by_cached_key(|name| numerical(name));
    names.dedup();
    names
}

/// Splits a name such that numbers compare as numbers.
fn numerical(name: &str) -> Vec<(String, u64)> {
    let part = |part: &str| {
        let text = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = part.get(text.len()..).unwrap_or_default();
        (text.to_string(), number.parse().unwrap_or(0))
    };
    name.split('.').map(part).collect()
}

/// Returns a list of layers for the message, with relu between them.
fn suggestion(modules: &[String], all: &StateDict) -> String {
    let is_dense = |name: &&String| {
        all.get(&format!("{name}.weight")).is_some_and(|weight| weight.shape.len() == 2)
    };
    let last = modules.iter().rposition(|name| is_dense(&name));
    let mut items = Vec::new();
    for (at, name) in modules.iter().enumerate() {
        items.push(name.clone());
        let next_is_norm = modules.get(at + 1).is_some_and(|next| !is_dense(&next));
        if Some(at) != last && !next_is_norm {
            items.push("relu".to_string());
        }
    }
    items.join(", ")
}

/// Parses the list of layers. A list of activations alone applies the first behind every dense layer
/// but the last, and the second, if there is one, behind the last.
fn items(text: &str, modules: &[String], all: &StateDict) -> Result<Vec<Item>> {
    let parsed: Vec<Item> = split(text).map(|word| item(word, modules)).collect::<Result<_>>()?;
    if parsed.is_empty() {
        return Err(Error::Layers("--layers is empty".into()));
    }
    if parsed.iter().any(|item| matches!(item, Item::Module(..) | Item::Slopes(_))) {
        return Ok(parsed);
    }
    let not_dense = modules.iter().find(|name| {
        all.get(&format!("{name}.weight")).is_none_or(|weight| weight.shape.len() != 2)
    });
    let is_numbered = modules.iter().all(|name| name.ends_with(|c: char| c.is_ascii_digit()));
    if not_dense.is_some() || !is_numbered || parsed.len() > 2 {
        return Err(Error::Layers(format!(
            "activations alone suffice for numbered dense layers. Name the layers in the order of \
             `forward`, such as --layers \"{}\"",
            shown(&suggestion(modules, all))
        )));
    }
    let mut items = Vec::new();
    for (at, name) in modules.iter().enumerate() {
        items.push(Item::Module(name.clone(), None));
        let behind = if at + 1 < modules.len() { parsed.first() } else { parsed.get(1) };
        items.extend(behind.cloned());
    }
    Ok(items)
}

/// Takes a module with one number for a PReLU, whose default is one slope.
fn recognize_slope(item: &mut Item, all: &StateDict) {
    if let Item::Module(name, None) = item
        && all.get(&format!("{name}.weight")).is_some_and(|weight| weight.shape == [1])
        && !all.contains_key(&format!("{name}.running_mean"))
        && !all.contains_key(&format!("{name}.bias"))
    {
        *item = Item::Slopes(std::mem::take(name));
    }
}

/// Splits a list at commas and white space.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '\n', ' ', '\t']).map(str::trim).filter(|word| !word.is_empty())
}

fn item(word: &str, modules: &[String]) -> Result<Item> {
    let is_module = |name: &str| modules.iter().any(|own| own == name);
    if let Some(name) = word.strip_suffix("(prelu)").filter(|name| is_module(name)) {
        return Ok(Item::Slopes(name.to_string()));
    }
    let (name, parameter) = match word.strip_suffix(')').and_then(|word| word.split_once('(')) {
        None => (word, None),
        Some((name, number)) => match number.parse::<f64>() {
            Ok(number) if number.is_finite() => (name, Some(number)),
            _ => {
                return Err(Error::Layers(format!(
                    "--layers: `{}` has no number in its parentheses",
                    shown(word)
                )));
            }
        },
    };
    if is_module(name) {
        return Ok(Item::Module(name.to_string(), parameter));
    }
    let pieces = match (name, parameter) {
        ("dropout" | "flatten" | "identity" | "linear" | "none", _) => return Ok(Item::Nothing),
        // PyTorch's own default.
        ("leaky_relu", slope) => pieces::leaky_relu(slope.unwrap_or(0.01)),
        ("elu", alpha) => pieces::scaled_elu(alpha.unwrap_or(1.0), 1.0),
        ("hard_sigmoid" | "hardsigmoid", None) => pieces::hard_sigmoid(1.0 / 6.0, 0.5),
        (name, None) => pieces::named(name),
        (_, Some(_)) => None,
    };
    match pieces {
        Some(pieces) => Ok(Item::Activation(name.to_string(), pieces)),
        None => Err(Error::Layers(format!(
            "--layers: `{}` is neither a layer of the file ({}) nor an activation",
            shown(word),
            shown(&modules.join(", "))
        ))),
    }
}

/// Returns the inputs and the function of a module. `width` is the number of values before it, or 0
/// for the first.
fn module(
    name: &str,
    parameter: Option<f64>,
    all: &StateDict,
    width: usize,
) -> Result<(usize, Function)> {
    let place = format!("layer `{}`", shown(name));
    let tensor = |part: &str| all.get(&format!("{name}.{part}"));
    let values = |part: &str, count: usize, default: f64| match tensor(part) {
        None => Ok(vec![default; count]),
        Some(tensor) if tensor.values.len() == count => Ok(tensor.values.clone()),
        Some(tensor) => {
            let problem = format!("`{part}` has shape {:?}, but {count} values", tensor.shape);
            Err(Error::place(&place, problem))
        }
    };
    if let (Some(mean), Some(variance)) = (tensor("running_mean"), tensor("running_var")) {
        let count = mean.values.len();
        if width != 0 && width != count {
            let problem = format!("batch normalization of {count} values, but {width} come before");
            return Err(Error::place(place, problem));
        }
        if variance.values.len() != count {
            return Err(Error::place(place, "`running_var` has another shape than `running_mean`"));
        }
        let (gamma, beta) = (values("weight", count, 1.0)?, values("bias", count, 0.0)?);
        let epsilon = parameter.unwrap_or(EPSILON);
        let line = |k: usize| Line {
            offset: mean.values[k],
            factor: gamma[k] / (variance.values[k] + epsilon).sqrt(),
            shift: beta[k],
        };
        return Ok((count, Function::Affine((0..count).map(line).collect())));
    }
    let Some(Tensor { shape, values: weights, .. }) = tensor("weight") else {
        return Err(Error::place(place, "it has no weights"));
    };
    let [outputs, inputs] = shape[..] else {
        let problem = match shape.len() {
            1 => format!(
                "it has one weight per value and no running statistics. A PReLU is named \
                 `{}(prelu)`; LayerNorm and RMSNorm cannot be folded into dense layers, use \
                 BatchNorm1d",
                shown(name)
            ),
            _ => format!(
                "its weights have shape {shape:?}. Only Linear and BatchNorm1d are supported, no \
                 convolution"
            ),
        };
        return Err(Error::place(place, problem));
    };
    if width != 0 && width != inputs {
        let problem = format!("it has {inputs} inputs, but {width} values come before it");
        return Err(Error::place(place, problem));
    }
    let biases = values("bias", outputs, 0.0)?;
    Ok((inputs, Function::Dense { weights: weights.clone(), biases, scales: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::NumberType;

    fn state(tensors: &[(&str, &[usize])]) -> StateDict {
        let tensor = |shape: &[usize]| {
            let count = crate::tensor::size(shape);
            Tensor { shape: shape.to_vec(), values: vec![0.5; count], kind: NumberType::F32 }
        };
        tensors.iter().map(|(name, shape)| (name.to_string(), tensor(shape))).collect()
    }

    const NUMBERED: [(&str, &[usize]); 6] = [
        ("module.net.10.weight", &[2, 3]),
        ("module.net.10.bias", &[2]),
        ("module.net.2.weight", &[3, 3]),
        ("module.net.2.bias", &[3]),
        ("module.net.0.weight", &[3, 4]),
        ("module.net.0.bias", &[3]),
    ];

    fn names(network: &FloatNetwork) -> Vec<&str> {
        network.steps.iter().map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn layers_are_in_the_order_of_their_numbers_or_of_the_list() {
        let read = |layers: &str| network("", state(&NUMBERED), Some(layers));
        let expected = ["net.0", "relu", "net.2", "relu", "net.10", "softmax"];
        assert_eq!(names(&read("relu, softmax").unwrap()), expected);
        assert_eq!(
            names(&read("net.0 tanh net.2,net.10").unwrap()),
            ["net.0", "tanh", "net.2", "net.10"]
        );
        for (layers, word) in [
            ("net.0, relu", "does not name layers of the file: net.2, net.10"),
            ("net.0, wavy", "`wavy` is neither"),
            ("relu, net.0, net.2, net.10", "begins with `relu`"),
            ("net.2, net.0, net.10", "4 inputs, but 3 values"),
            ("leaky_relu(2), net.0", "neither"),
            ("relu(x)", "no number"),
            ("", "empty"),
        ] {
            let message = read(layers).unwrap_err().to_string();
            assert!(message.contains(word), "{layers}: {message}");
        }
        let message = network("", state(&NUMBERED), None).unwrap_err().to_string();
        assert!(message.contains("\"net.0, relu, net.2, relu, net.10\""), "{message}");
    }

    #[test]
    fn other_layers_are_named() {
        for (shape, word) in [(&[4][..], "LayerNorm"), (&[8, 1, 3, 3], "convolution")] {
            let message = network("", state(&[("a.weight", shape)]), Some("a")).unwrap_err();
            assert!(message.to_string().contains(word), "{message}");
        }
        assert!(network("", state(&[("loss", &[])]), Some("relu")).is_err());
    }
}
