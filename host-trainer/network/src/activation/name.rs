//! Activation functions as presets write them: a name, or a name with its parameter.

use serde::Deserialize;

use super::Activation;

/// Slope of leaky ReLU without a parameter: that of Keras's function `leaky_relu`.
const LEAKY_SLOPE: f64 = 0.2;
/// Largest parameter of ELU. Beyond it, nothing is learnt and a float32 gradient overflows soon.
const MAX_ALPHA: f64 = 100.0;

/// Spelling of an activation function in a preset.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ActivationName {
    Plain(String),
    WithParameter(std::collections::BTreeMap<String, f64>),
}

impl TryFrom<ActivationName> for Activation {
    type Error = String;

    fn try_from(written: ActivationName) -> Result<Activation, String> {
        let (name, parameter) = match written {
            ActivationName::Plain(name) => (name, None),
            ActivationName::WithParameter(map) => {
                match map.into_iter().collect::<Vec<_>>().as_slice() {
                    [(name, parameter)] => (name.clone(), Some(*parameter)),
                    several => {
                        return Err(format!(
                            "an activation is one name, such as \"relu\" or {{ elu = 1.0 }}, but here \
                         are {}",
                            several.len()
                        ));
                    }
                }
            }
        };
        let activation = plain(&name).ok_or_else(|| unknown(&name))?;
        match (activation, parameter) {
            (activation, None) => Ok(activation),
            (Activation::LeakyRelu(_), Some(slope)) => {
                within(&name, slope, 0.0, 1.0).map(Activation::LeakyRelu)
            }
            (Activation::Elu(_), Some(alpha)) => {
                within(&name, alpha, 0.0, MAX_ALPHA).map(Activation::Elu)
            }
            (Activation::HardSigmoid(_), Some(slope)) => {
                within(&name, slope, 0.0, 1.0).map(Activation::HardSigmoid)
            }
            (_, Some(_)) => Err(format!("`{name}` has no parameter: write \"{name}\"")),
        }
    }
}

/// All activation functions. Those with a parameter have their default.
pub const ACTIVATIONS: [Activation; 18] = [
    Activation::Linear,
    Activation::Relu,
    Activation::Relu6,
    Activation::LeakyRelu(LEAKY_SLOPE),
    Activation::Elu(1.0),
    Activation::Selu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::HardSilu,
    Activation::Mish,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSigmoid(1.0 / 6.0),
    Activation::Exponential,
    Activation::Softmax,
];

/// Returns the function of this name. `swish` and `hard_swish` are the older names of `silu` and
/// `hard_silu`.
fn plain(name: &str) -> Option<Activation> {
    let name = match name {
        "swish" => "silu",
        "hard_swish" => "hard_silu",
        name => name,
    };
    ACTIVATIONS.into_iter().find(|activation| activation.name() == name)
}

fn unknown(name: &str) -> String {
    let known = ACTIVATIONS.map(Activation::name);
    let hint = match thimble_support::nearest(name, known) {
        Some(near) => format!(" (did you mean `{near}`?)"),
        None => String::new(),
    };
    format!("`{name}` is not an activation function{hint}. Known are: {}", known.join(", "))
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<f64, String> {
    match (low..=high).contains(&value) {
        true => Ok(value),
        false => Err(format!("`{name}` must be from {low} to {high}, but is {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Activation, String> {
        #[derive(Deserialize)]
        struct Layer {
            activation: Activation,
        }
        toml::from_str::<Layer>(&format!("activation = {text}"))
            .map(|layer| layer.activation)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_alone_has_the_default_parameter() {
        for activation in ACTIVATIONS {
            assert_eq!(read(&format!("{:?}", activation.name())), Ok(activation));
        }
        assert_eq!(read("\"swish\""), Ok(Activation::Silu));
        assert_eq!(read("{ leaky_relu = 0.3 }"), Ok(Activation::LeakyRelu(0.3)));
        assert_eq!(read("{ elu = 0.5 }"), Ok(Activation::Elu(0.5)));
        assert_eq!(read("{ hard_sigmoid = 0.2 }"), Ok(Activation::HardSigmoid(0.2)));
    }

    #[test]
    fn activations_are_read_as_they_are_written() {
        for activation in ACTIVATIONS {
            #[derive(serde::Serialize)]
            struct Layer {
                activation: Activation,
            }
            let text = toml::to_string(&Layer { activation }).unwrap();
            let value = text.trim().trim_start_matches("activation = ");
            let value = match value.strip_prefix("[activation]\n") {
                Some(table) => format!("{{ {table} }}"),
                None => value.to_string(),
            };
            assert_eq!(read(&value), Ok(activation), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("\"rellu\"", "(did you mean `relu`?). Known are: linear, relu,"),
            ("{ relu = 1.0 }", "`relu` has no parameter: write \"relu\""),
            ("{ leaky_relu = 1.5 }", "`leaky_relu` must be from 0 to 1, but is 1.5"),
            ("{ elu = nan }", "`elu` must be from 0 to 100, but is NaN"),
            ("{ elu = 1.0, relu = 1.0 }", "but here are 2"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
