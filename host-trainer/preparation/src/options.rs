//! Options of preprocessing: channels, resizing method, inversion, background.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Channels of a prepared image, with Keras's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorMode {
    /// One channel.
    #[default]
    Grayscale,
    /// Red, green and blue, pixel by pixel.
    Rgb,
}

/// Resizing method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The whole image, resized without its aspect ratio.
    #[default]
    Stretch,
    /// The largest centered part with the aspect ratio of the result, resized.
    Crop,
    /// The whole image, resized with its aspect ratio and padded with background.
    Pad,
    /// Ink bright on black, cropped, resized and centered by mass, as in MNIST.
    Mnist,
    /// Clothing bright on black, trimmed, resized and centered, as in Fashion-MNIST.
    FashionMnist,
}

/// Inversion of an image: 255 − value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invert {
    /// Never.
    No,
    /// Always.
    Yes,
    /// If its border is light, so that the background becomes dark.
    Auto,
}

/// Color behind transparent pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// White, as paper.
    #[default]
    White,
    /// Black.
    Black,
}

impl Fit {
    pub(crate) const ALL: [Fit; 5] =
        [Fit::Stretch, Fit::Crop, Fit::Pad, Fit::Mnist, Fit::FashionMnist];

    /// Returns the name in presets and in model files.
    pub fn name(self) -> &'static str {
        match self {
            Fit::Stretch => "stretch",
            Fit::Crop => "crop",
            Fit::Pad => "pad",
            Fit::Mnist => "mnist",
            Fit::FashionMnist => "fashion_mnist",
        }
    }

    /// Returns the default inversion.
    pub fn default_invert(self) -> Invert {
        if self.finds_foreground() { Invert::Auto } else { Invert::No }
    }

    /// Returns a short description for messages.
    pub fn description(self) -> &'static str {
        match self {
            Fit::Stretch => "the whole image, resized",
            Fit::Crop => "the middle of the image, resized",
            Fit::Pad => "the whole image, resized and padded",
            Fit::Mnist => "cropped and centered as MNIST's digits",
            Fit::FashionMnist => "trimmed and centered as Fashion-MNIST's clothes",
        }
    }

    /// Returns `true` if the method detects the foreground and makes it bright on black.
    pub fn finds_foreground(self) -> bool {
        matches!(self, Fit::Mnist | Fit::FashionMnist)
    }
}

impl Invert {
    /// Returns `true` if an image with this background shade is inverted.
    pub(crate) fn is_wanted(self, background: u8) -> bool {
        match self {
            Invert::No => false,
            Invert::Yes => true,
            Invert::Auto => background > 127,
        }
    }
}

impl Background {
    pub(crate) fn value(self) -> u8 {
        match self {
            Background::White => 255,
            Background::Black => 0,
        }
    }

    /// Composites a value of this opacity with the background.
    pub(crate) fn behind(self, value: u8, alpha: u8) -> u8 {
        let [value, alpha, back] = [value, alpha, self.value()].map(u32::from);
        ((value * alpha + back * (255 - alpha) + 127) / 255) as u8
    }
}

impl Serialize for Invert {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Invert::No => serializer.serialize_bool(false),
            Invert::Yes => serializer.serialize_bool(true),
            Invert::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Invert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Invert;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or \"auto\"")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Invert, E> {
                Ok(if value { Invert::Yes } else { Invert::No })
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Invert, E> {
                match value {
                    "auto" => Ok(Invert::Auto),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_write_invert_as_true_false_or_auto() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Key {
            invert: Invert,
        }
        for (text, invert) in
            [("true", Invert::Yes), ("false", Invert::No), ("\"auto\"", Invert::Auto)]
        {
            let key: Key = toml::from_str(&format!("invert = {text}")).unwrap();
            assert_eq!(key, Key { invert });
            assert_eq!(toml::to_string(&key).unwrap().trim(), format!("invert = {text}"));
        }
        let message = toml::from_str::<Key>("invert = \"maybe\"").unwrap_err().to_string();
        assert!(message.contains("true, false or \"auto\""), "{message}");
    }
}
