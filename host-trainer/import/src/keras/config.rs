//! Configuration of one Keras layer.

use std::collections::HashMap;

use serde_json::Value;
use thimble_network::Activation;
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::float_network::Line;
use crate::pieces::{self, Piece};

/// A layer of a Keras model.
#[derive(Clone, Debug)]
pub(super) struct LayerConfig<'c> {
    /// Position in its model.
    pub(super) index: usize,
    /// The whole entry.
    pub(super) whole: &'c Value,
    pub(super) class: &'c str,
    pub(super) name: &'c str,
    /// Groups that lead to it in files by place.
    pub(super) path: Vec<String>,
    /// Names that lead to it in files by name.
    pub(super) names: Vec<String>,
}

impl<'c> LayerConfig<'c> {
    /// Reads class and name. `counts` counts the layers of each class so far.
    pub(super) fn new(
        index: usize,
        whole: &'c Value,
        path: &[String],
        names: &[String],
        counts: &mut HashMap<String, usize>,
    ) -> Self {
        let class = whole["class_name"].as_str().unwrap_or_default();
        let name = whole["config"]["name"].as_str().or(whole["name"].as_str()).unwrap_or_default();
        let group = snake_case(class);
        let count = counts.entry(group.clone()).or_default();
        let group = match *count {
            0 => group,
            count => format!("{group}_{count}"),
        };
        *count += 1;
        LayerConfig {
            index,
            whole,
            class,
            name,
            path: [path, &[group]].concat(),
            names: [names, &[name.to_string()]].concat(),
        }
    }

    /// Returns whether the layer is an operation of `keras.ops`, not a layer.
    pub(super) fn is_operation(&self) -> bool {
        self.whole["module"].as_str().is_some_and(|module| module.starts_with("keras.src.ops."))
    }

    /// Returns the affine function of an operation of `keras.ops` on a tensor and a number.
    pub(super) fn arithmetic(&self) -> Option<Line> {
        let [first, second] = self.whole["inbound_nodes"][0]["args"].as_array()?.as_slice() else {
            return None;
        };
        let (number, is_left) = match (first.as_f64(), second.as_f64()) {
            (None, Some(number)) => (number, false),
            (Some(number), None) => (number, true),
            _ => return None,
        };
        Some(match (self.class, is_left) {
            ("Add", _) => Line::new(1.0, number),
            ("Subtract", false) => Line { offset: number, ..Line::IDENTITY },
            ("Subtract", true) => Line::new(-1.0, number),
            ("Multiply", _) => Line::new(number, 0.0),
            ("Divide" | "TrueDivide", false) => Line::new(1.0 / number, 0.0),
            _ => return None,
        })
    }

    /// Returns `true` for a layer of Keras itself.
    pub(super) fn is_builtin(&self) -> bool {
        let registered = self.whole["registered_name"].as_str();
        registered.is_none_or(|name| name == self.class)
    }

    /// Returns the error for this layer.
    pub(super) fn refuse(&self, problem: impl Into<String>) -> Error {
        Error::place(self.place(), problem)
    }

    /// Returns index, name and class, for messages.
    pub(super) fn place(&self) -> String {
        format!("layer {} `{}` ({})", self.index, shown(self.name), shown(self.class))
    }

    /// Returns a setting.
    pub(super) fn setting(&self, key: &str) -> &'c Value {
        &self.whole["config"][key]
    }

    /// Returns a number, or the default if the setting is missing.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64> {
        match self.setting(key) {
            Value::Null => Ok(default),
            value => value.as_f64().ok_or_else(|| {
                self.refuse(format!(
                    "`{key}` is {}, but a number is needed",
                    shown(&value.to_string())
                ))
            }),
        }
    }

    /// Returns a flag, or the default if the setting is missing.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.setting(key).as_bool().unwrap_or(default)
    }

    /// Returns a width.
    pub(super) fn units(&self) -> Result<usize> {
        let units = self.setting("units").as_u64().and_then(|units| usize::try_from(units).ok());
        units.ok_or_else(|| self.refuse("`units` is missing"))
    }

    /// Returns a list of numbers, which may be nested or a single number. `None` if it is missing.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        fn collect(value: &Value, all: &mut Vec<f64>) -> Option<()> {
            match value {
                Value::Array(list) => list.iter().try_for_each(|value| collect(value, all)),
                value => value.as_f64().map(|number| all.push(number)),
            }
        }
        // An array of NumPy or TensorFlow is an object with its values.
        let value = match self.setting(key) {
            Value::Object(fields) => {
                fields.get("config").map_or(&Value::Null, |config| &config["value"])
            }
            value => value,
        };
        let mut all = Vec::new();
        match value {
            Value::Null if self.setting(key).is_null() => Ok(None),
            value => match collect(value, &mut all) {
                Some(()) => Ok(Some(all)),
                None => Err(self.refuse(format!("`{key}` is no list of numbers"))),
            },
        }
    }

    /// Returns the name of the number type of the computation.
    pub(super) fn policy(&self) -> &'c str {
        match self.setting("dtype") {
            Value::String(name) => name,
            other => other["config"]["name"].as_str().unwrap_or("float32"),
        }
    }

    /// Returns the activation of the setting `activation`.
    pub(super) fn activation(&self, is_keras_2: bool) -> Result<Vec<Piece>> {
        let value = self.setting("activation");
        let name = match value {
            Value::Null => return Ok(Vec::new()),
            Value::String(name) => name.as_str(),
            object => return self.activation_object(object, is_keras_2),
        };
        self.named_activation(name, is_keras_2)
    }

    /// Returns an activation that was given as a layer or a function.
    fn activation_object(&self, object: &'c Value, is_keras_2: bool) -> Result<Vec<Piece>> {
        let class = object["class_name"].as_str().unwrap_or_default();
        let registered = object["registered_name"].as_str();
        if class == "function" {
            let name = object["config"].as_str().or(registered).unwrap_or_default();
            let is_keras = object["module"]
                .as_str()
                .is_some_and(|module| module.starts_with("keras.") || module == "keras");
            return match is_keras {
                true => self.named_activation(name, is_keras_2),
                false => Err(self.custom_activation(name)),
            };
        }
        if registered.is_some_and(|name| name != class) {
            return Err(self.custom_activation(registered.unwrap_or(class)));
        }
        let layer = LayerConfig { whole: object, class, ..self.clone() };
        match layer.activation_layer(is_keras_2)? {
            Some(pieces) => Ok(pieces),
            None => Err(self.custom_activation(class)),
        }
    }

    fn custom_activation(&self, name: &str) -> Error {
        self.refuse(format!(
            "the activation `{}` is not one of Keras's own functions, and the file does not contain \
             what it computes. Use one of Keras's, such as relu, silu or gelu, and train again",
            shown(name)
        ))
    }

    /// Returns an activation by Keras's name.
    fn named_activation(&self, name: &str, is_keras_2: bool) -> Result<Vec<Piece>> {
        let pieces = match name {
            "leaky_relu" => pieces::leaky_relu(0.2),
            // Keras 2 had another slope.
            "hard_sigmoid" if is_keras_2 => pieces::hard_sigmoid(0.2, 0.5),
            "hard_sigmoid" => pieces::hard_sigmoid(1.0 / 6.0, 0.5),
            name => pieces::named(name),
        };
        pieces.ok_or_else(|| {
            if name.contains('>') {
                return self.custom_activation(name);
            }
            self.refuse(format!(
                "the activation `{}` is not supported. Use one of {}, and train again",
                shown(name),
                "relu, relu6, leaky_relu, elu, celu, selu, gelu, silu, mish, softplus, softsign, tanh, \
                 hard_tanh, sigmoid, hard_sigmoid, log_sigmoid, hard_silu, exponential"
            ))
        })
    }

    /// Returns the function of a layer that is only an activation, or `None` for another layer.
    pub(super) fn activation_layer(&self, is_keras_2: bool) -> Result<Option<Vec<Piece>>> {
        let unsupported = |key: &str, value: f64| {
            self.refuse(format!(
                "`{key}` of {value} is not supported. Train with another activation"
            ))
        };
        Ok(Some(match self.class {
            "Activation" => self.activation(is_keras_2)?,
            _ if self.is_operation() => match self.arithmetic() {
                Some(line) => vec![Piece::Line(line)],
                None => match pieces::named(&snake_case(self.class)) {
                    Some(pieces) => pieces,
                    None => return Ok(None),
                },
            },
            "ReLU" => {
                let threshold = self.number("threshold", 0.0)?;
                let slope = self.number("negative_slope", 0.0)?;
                let most = self.number("max_value", f64::INFINITY)?;
                if threshold != 0.0 {
                    return Err(unsupported("threshold", threshold));
                }
                let low = if slope == 0.0 { 0.0 } else { f64::NEG_INFINITY };
                let bounds = || pieces::clip(low, most).filter(|_| most > 0.0);
                let bounds = bounds().ok_or_else(|| unsupported("max_value", most))?;
                let leaky = pieces::leaky_relu(slope);
                let leaky = leaky.ok_or_else(|| unsupported("negative_slope", slope))?;
                if slope == 0.0 { bounds } else { [leaky, bounds].concat() }
            }
            "LeakyReLU" => {
                let slope = match self.setting("negative_slope") {
                    Value::Null => self.number("alpha", 0.3)?,
                    _ => self.number("negative_slope", 0.3)?,
                };
                pieces::leaky_relu(slope).ok_or_else(|| unsupported("negative_slope", slope))?
            }
            "ELU" => {
                let alpha = self.number("alpha", 1.0)?;
                pieces::scaled_elu(alpha, 1.0).ok_or_else(|| unsupported("alpha", alpha))?
            }
            "Softmax" => {
                let axis = self.setting("axis");
                let last = match axis {
                    Value::Array(list) => matches!(&list[..], [one] if one.as_i64() == Some(-1)),
                    Value::Null => true,
                    other => matches!(other.as_i64(), Some(-1 | 1)),
                };
                if !last {
                    return Err(
                        self.refuse("a softmax of another axis than the last is not supported")
                    );
                }
                pieces::activation(Activation::Softmax)
            }
            _ => return Ok(None),
        }))
    }
}

/// Returns Keras 3's group name of a class, such as `leaky_re_lu` for LeakyReLU.
fn snake_case(class: &str) -> String {
    let class: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    // An underscore before a capital that begins a word of lower case, then between lower case and
    // capital, as its two regular expressions do.
    let mut first = Vec::new();
    let mut at = 0;
    while at < class.len() {
        let starts_word = class[at].is_ascii_uppercase()
            && class.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if starts_word && at > 0 {
            first.push('_');
        }
        first.push(class[at]);
        at += 1;
    }
    let mut name = String::new();
    for (at, c) in first.iter().enumerate() {
        if c.is_ascii_uppercase() && at > 0 && first[at - 1].is_ascii_lowercase() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_keras_does() {
        for (class, group) in [
            ("Dense", "dense"),
            ("BatchNormalization", "batch_normalization"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("PReLU", "p_re_lu"),
            ("ELU", "elu"),
            ("InputLayer", "input_layer"),
            ("GaussianNoise", "gaussian_noise"),
        ] {
            assert_eq!(snake_case(class), group);
        }
    }
}
