//! The presets that come with the program.

use std::fs;
use std::path::Path;

use super::{Error, Preset, nearest};

/// A preset that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedPreset {
    /// Its name.
    pub name: &'static str,
    /// Its TOML file.
    pub text: &'static str,
    /// What is to be expected of it.
    pub expectation: &'static str,
}

/// All of them, the default one first.
pub const EMBEDDED: [EmbeddedPreset; 17] = [
    EmbeddedPreset {
        name: "digits",
        text: include_str!("../../presets/digits.toml"),
        expectation: "98 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist",
        text: include_str!("../../presets/mnist.toml"),
        expectation: "97.5 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-700-500",
        text: include_str!("../../presets/mnist-700-500.toml"),
        expectation: "97.9 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-512-sgd",
        text: include_str!("../../presets/mnist-512-sgd.toml"),
        expectation: "the accuracy of a network from scratch: see the README",
    },
    EmbeddedPreset {
        name: "mnist-200-200",
        text: include_str!("../../presets/mnist-200-200.toml"),
        expectation: "97.5 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-1024-sigmoid",
        text: include_str!("../../presets/mnist-1024-sigmoid.toml"),
        expectation: "98 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-8",
        text: include_str!("../../presets/mnist-8.toml"),
        expectation: "92 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-200-linear",
        text: include_str!("../../presets/mnist-200-linear.toml"),
        expectation: "92 % of the test digits: no more than one layer",
    },
    EmbeddedPreset {
        name: "mnist-200-tanh",
        text: include_str!("../../presets/mnist-200-tanh.toml"),
        expectation: "98 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-100-200-100",
        text: include_str!("../../presets/mnist-100-200-100.toml"),
        expectation: "97.8 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-200-500-200",
        text: include_str!("../../presets/mnist-200-500-200.toml"),
        expectation: "98 % of the test digits",
    },
    EmbeddedPreset {
        name: "mnist-50-50",
        text: include_str!("../../presets/mnist-50-50.toml"),
        expectation: "96.5 % of the test digits",
    },
    EmbeddedPreset {
        name: "fashion-mnist",
        text: include_str!("../../presets/fashion-mnist.toml"),
        expectation: "not measured yet",
    },
    EmbeddedPreset {
        name: "spiral-6",
        text: include_str!("../../presets/spiral-6.toml"),
        expectation: "nearly all points right",
    },
    EmbeddedPreset {
        name: "spiral-2",
        text: include_str!("../../presets/spiral-2.toml"),
        expectation: "what heavy regularisation leaves",
    },
    EmbeddedPreset {
        name: "spiral-2-fit",
        text: include_str!("../../presets/spiral-2-fit.toml"),
        expectation: "nearly all points right",
    },
    EmbeddedPreset {
        name: "eggcrate",
        text: include_str!("../../presets/eggcrate.toml"),
        expectation: "a mean squared error below 0.001",
    },
];

/// The preset of this name, or in this file when the name ends in `.toml`.
///
/// # Errors
/// [`Error`] when there is none, or it is not valid.
pub fn find(name: &str) -> Result<Preset, Error> {
    if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        let text =
            fs::read_to_string(name).map_err(|error| Error::File { path: name.into(), error })?;
        return Preset::read(&text, name);
    }
    match EMBEDDED.iter().find(|preset| preset.name == name) {
        Some(preset) => Preset::read(preset.text, &format!("preset {name}")),
        None => Err(Error::Unknown {
            name: name.to_string(),
            known: EMBEDDED.map(|preset| preset.name).join(", "),
            nearest: nearest(name, EMBEDDED.map(|preset| preset.name)).map(String::from),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_valid_and_survive_being_written_and_read() {
        for embedded in EMBEDDED {
            let preset = find(embedded.name).unwrap();
            assert_eq!(preset.name, embedded.name);
            let written = preset.to_toml();
            assert_eq!(Preset::read(&written, "written").unwrap(), preset);
            // Everything is spelt out, so that a later default changes nothing.
            assert_eq!(written, Preset::read(&written, "written").unwrap().to_toml());
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let message = find("minst").unwrap_err().to_string();
        assert!(message.contains("did you mean `mnist`?"), "{message}");
        let message = find("no/such.toml").unwrap_err().to_string();
        assert!(message.starts_with("no/such.toml: the preset cannot be read"), "{message}");
    }
}
