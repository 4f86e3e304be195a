//! Parsing of presets from TOML, and overrides of single settings.

use std::path::PathBuf;

use thimble_support::nearest;
use thimble_train::train::Distillation;

use super::{Error, Preset};

impl Preset {
    /// Parses a preset from TOML. `origin` is its name in errors, such as its file.
    ///
    /// # Errors
    /// [`Error::Toml`] with line, column and key for an invalid setting. [`Error::Setting`] for
    /// incompatible settings.
    pub fn read(text: &str, origin: &str) -> Result<Self, Error> {
        let toml_error = |error: toml::de::Error, path: String| {
            let start = error.span().map_or(0, |span| span.start);
            let (line, column) = line_and_column(text, start);
            let message = error.message().trim().replace('\n', ", ");
            let nearest = meant(&message).map(String::from);
            let key = match path.as_str() {
                "" | "." => String::new(),
                path => format!("{path}: "),
            };
            Error::Toml { origin: origin.to_string(), line, column, key, message, nearest }
        };
        let deserializer =
            toml::Deserializer::parse(text).map_err(|error| toml_error(error, String::new()))?;
        let mut preset: Preset =
            serde_path_to_error::deserialize(deserializer).map_err(|error| {
                let path = error.path().to_string();
                toml_error(error.into_inner(), path)
            })?;
        preset.check(origin)?;
        // Made explicit, so that a later change of the default has no effect.
        preset.data.scaling = Some(preset.data.scaling());
        Ok(preset)
    }

    /// Returns the same preset with distillation of these runs, or unchanged for none.
    ///
    /// # Errors
    /// [`Error::Setting`] if the network has no classes to distill.
    pub fn with_teachers(mut self, teachers: &[PathBuf]) -> Result<Self, Error> {
        if teachers.is_empty() {
            return Ok(self);
        }
        let teachers = teachers.to_vec();
        match &mut self.training.distillation {
            Some(distillation) => distillation.teachers = teachers,
            none => *none = Some(Distillation::by(teachers)),
        }
        self.check("--teacher")?;
        Ok(self)
    }

    /// Returns the preset with some settings replaced, each in the form `key=value`. A key is a
    /// path such as `training.optimizer.adam.learning_rate` or `network.layers.0.dense.units`. A
    /// value is TOML, or a string if it is not valid TOML.
    ///
    /// # Errors
    /// [`Error::Override`] for a setting that cannot be parsed, or whose key or value is invalid.
    /// [`Error::Setting`] for incompatible settings.
    pub fn with_settings(&self, settings: &[String]) -> Result<Self, Error> {
        if settings.is_empty() {
            return Ok(self.clone());
        }
        let fail = |setting: &str, problem: String| Error::Override {
            setting: setting.to_string(),
            problem,
            nearest: None,
        };
        let mut root = toml::Value::try_from(self)
            .map_err(|error| fail(&settings.join(" "), error.to_string()))?;
        for setting in settings {
            let (key, text) = setting
                .split_once('=')
                .ok_or_else(|| fail(setting, "must be KEY=VALUE".to_string()))?;
            let parsed = format!("value = {text}").parse::<toml::Table>();
            let value = match parsed.ok().and_then(|mut table| table.remove("value")) {
                Some(value) => value,
                None => toml::Value::String(text.to_string()),
            };
            let mut place = &mut root;
            for part in key.trim().split('.') {
                place = match place {
                    toml::Value::Table(table) => table
                        .entry(part.to_string())
                        .or_insert_with(|| toml::Value::Table(toml::Table::new())),
                    toml::Value::Array(array) => {
                        let length = array.len();
                        let index = part.parse::<usize>().ok().filter(|&index| index < length);
                        let index = index.ok_or_else(|| {
                            fail(setting, format!("`{part}` is no index from 0 to {}", length - 1))
                        })?;
                        &mut array[index]
                    }
                    other => {
                        // For example a schedule that was a word and becomes a table.
                        *other = toml::Value::Table(toml::Table::new());
                        match other {
                            toml::Value::Table(table) => table
                                .entry(part.to_string())
                                .or_insert_with(|| toml::Value::Table(toml::Table::new())),
                            _ => return Err(fail(setting, "names no place".to_string())),
                        }
                    }
                };
            }
            *place = value;
        }
        let text = toml::to_string_pretty(&root)
            .map_err(|error| fail(&settings.join(" "), error.to_string()))?;
        let read = Preset::read(&text, &format!("preset {} with settings", self.name));
        read.map_err(|error| match error {
            // Line and column of a generated text are useless to the user.
            Error::Toml { key, message, nearest, .. } => {
                let key = key.trim_end_matches([':', ' ']);
                let about = |setting: &&String| {
                    setting.split_once('=').is_some_and(|(own, _)| key.starts_with(own.trim()))
                };
                let setting = settings.iter().rev().find(about);
                let setting = setting.cloned().unwrap_or_else(|| settings.join(" "));
                Error::Override { setting, problem: format!("{key}: {message}"), nearest }
            }
            other => other,
        })
    }

    /// Formats the preset as TOML with all settings, including defaults.
    pub fn to_toml(&self) -> String {
        let mut whole = self.clone();
        if self.data.dataset.has_values() {
            whole.data.target_scaling = Some(self.target_scaling());
        }
        // TOML can represent strings, numbers and tables, so this cannot fail.
        toml::to_string_pretty(&whole).unwrap_or_default()
    }
}

/// Returns line and column, both counted from 1, of a byte offset.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Returns the most similar name from serde's message "unknown field `x`, expected one of `y`,
/// `z`".
fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    nearest(word, quoted)
}

#[cfg(test)]
mod tests {
    use super::super::EMBEDDED;
    use super::*;

    /// The message for the digits preset with one piece of text replaced.
    fn message(from: &str, to: &str) -> String {
        let text = EMBEDDED[0].text;
        assert!(text.contains(from), "{from}");
        let text = text.replacen(from, to, 1);
        Preset::read(&text, "my.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_the_nearest() {
        let message = message("batch_size", "bath_size");
        assert!(message.starts_with("my.toml:21:1: training.bath_size: "), "{message}");
        assert!(message.contains("unknown field `bath_size`"), "{message}");
        assert!(message.ends_with("(did you mean `batch_size`?)"), "{message}");
    }

    #[test]
    fn numbers_out_of_range_are_named_with_key_and_rule() {
        for (from, to, expected) in [
            ("units = 32", "units = 0", "units: must be at least 1, but is 0"),
            ("units = 32", "units = -3", "units: must be at least 1, but is -3"),
            ("units = 32", "units = 9000", "units: must be at most 8192"),
            ("= 0.005", "= -0.005", "learning_rate: must be above 0, but is -0.005"),
            ("= 0.005", "= nan", "learning_rate: must be above 0, but is NaN"),
            ("weight_decay = 0.02", "weight_decay = -1.0", "weight_decay: must be 0 or more"),
            ("epochs = 150", "epochs = 0", "training.epochs: must be at least 1"),
            ("fraction = 0.2", "fraction = 1.5", "fraction: must be between 0 and 1"),
            ("seed = 1", "seed = -1", "seed: must be 0 or more"),
            ("\"min_max\"", "{ percentile = 40.0 }", "percentile: must be above 50"),
            (
                "fraction = 0.2 }\n\n[quant",
                "fraction = 2.0 }\n\n[quant",
                "fraction: must be from 0 to 1",
            ),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{to}: {message}");
            assert!(message.starts_with("my.toml:"), "{to}: {message}");
        }
    }

    #[test]
    fn settings_can_be_replaced_by_key() {
        let digits = Preset::read(EMBEDDED[0].text, "digits").unwrap();
        let with = |settings: &[&str]| {
            digits.with_settings(&settings.iter().map(|s| s.to_string()).collect::<Vec<_>>())
        };
        let changed = with(&[
            "training.epochs=3",
            "training.optimizer.adamw.learning_rate = 0.5",
            "network.layers.0.dense.units=8",
            "network.layers.0.dense.activation=tanh",
            "training.schedule={ step = { epochs = 2, factor = 0.5 } }",
            "quantization.calibration.percentile=99.5",
        ])
        .unwrap();
        assert_eq!(changed.training.epochs, 3);
        assert_eq!(changed.training.optimizer.learning_rate(), 0.5);
        let first = changed.network.layers[0].dense().unwrap();
        assert_eq!((first.units, first.activation.name()), (8, "tanh"));
        for (setting, expected) in [
            ("training.epochs", "must be KEY=VALUE"),
            ("training.epochs=0", "training.epochs: must be at least 1"),
            ("training.epoch=3", "did you mean `epochs`?"),
            ("network.layers.7.dense.units=3", "`7` is no index from 0 to 1"),
            ("network.layers.1.dense.units=3", "has 10 classes: make it 10"),
        ] {
            let message = with(&[setting]).unwrap_err().to_string();
            assert!(message.contains(expected), "{setting}: {message}");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        for (from, to, meant) in [
            ("\"digits\"\ntest", "\"digit\"\ntest", "digits"),
            ("\"relu\"", "\"rely\"", "relu"),
            ("adamw", "adamww", "adamw"),
            ("stratified", "stratifid", "stratified"),
            ("\"cosine\"", "\"cosin\"", "cosine"),
            ("dense", "dens", "dense"),
        ] {
            let message = message(from, to);
            assert!(message.contains(&format!("did you mean `{meant}`")), "{to}: {message}");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        for (from, to, expected) in [
            ("units = 10", "units = 11", "network.layers[1].dense.units: the last layer has 11"),
            (
                "test = { stratified = { fraction = 0.2 } }",
                "",
                "data.test: digits has no test rows",
            ),
            ("dataset = \"digits\"", "dataset = \"mnist\"", "data.test: mnist has test rows"),
            ("name = \"digits\"", "name = \"\"", "name: must have 1 to 64 bytes"),
            ("name = \"digits\"", "name = \"../up\"", "name: must be of letters"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{to}: {message}");
        }
        let empty = Preset::read("", "my.toml").unwrap_err().to_string();
        assert!(empty.contains("missing field `name`"), "{empty}");
        let broken = Preset::read("name = ", "my.toml").unwrap_err().to_string();
        assert!(broken.starts_with("my.toml:1:"), "{broken}");
    }
}
