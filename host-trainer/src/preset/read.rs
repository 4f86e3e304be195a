//! Reading a preset, and checking it.

use super::types::LayerSettings;
use super::{Error, Preset, nearest};
use crate::network::Loss;

impl Preset {
    /// Reads a preset from TOML. `origin` is what errors call it: its file.
    ///
    /// # Errors
    /// [`Error::Toml`] with line, column and key for what is not valid by itself;
    /// [`Error::Setting`] for settings that do not go together.
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
        let preset: Preset = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            toml_error(error.into_inner(), path)
        })?;
        preset.check(origin)?;
        Ok(preset)
    }

    /// As TOML with every setting spelt out, the defaults too.
    pub fn to_toml(&self) -> String {
        // Strings, numbers and tables: TOML can hold them all, so this cannot fail.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Checks what only follows from several settings together.
    fn check(&self, origin: &str) -> Result<(), Error> {
        let fail = |key: &str, problem: String| {
            Err(Error::Setting { origin: origin.to_string(), key: key.to_string(), problem })
        };
        let dataset = self.data.dataset;
        let most = model_format::limits::MAX_TEXT;
        if self.name.is_empty() || self.name.len() > most {
            return fail("name", format!("must have 1 to {most} bytes, as a model's name"));
        }
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.name.chars().all(plain) || self.name.starts_with('.') {
            // It names the run's folder too.
            return fail("name", "must be of letters, digits, `-`, `_`, `.`".to_string());
        }
        match (self.data.test, dataset.has_test()) {
            (Some(_), true) => {
                return fail("data.test", format!("{dataset} has test rows of its own: leave it out"));
            }
            (None, false) => {
                let example = "test = { stratified = { fraction = 0.2 } }";
                let problem = format!("{dataset} has no test rows of its own: set {example}");
                return fail("data.test", problem);
            }
            _ => {}
        }
        let most = model_format::limits::MAX_LAYERS;
        let layers = &self.network.layers;
        let Some(LayerSettings::Dense(last)) = layers.last() else {
            return fail("network.layers", "there must be at least one layer".to_string());
        };
        if layers.len() > most {
            let problem = format!("{} layers are more than a model can have: {most}", layers.len());
            return fail("network.layers", problem);
        }
        let Loss::SparseCategoricalCrossEntropy = self.training.loss;
        let (_, classes) = dataset.widths();
        if last.units != classes {
            let key = format!("network.layers[{}].dense.units", layers.len() - 1);
            let problem = format!(
                "the last layer has {} outputs, but {dataset} has {classes} classes: make it \
                 {classes}",
                last.units
            );
            return fail(&key, problem);
        }
        Ok(())
    }
}

/// Line and column, both counted from 1, of a byte of a text.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What was probably meant where serde says "unknown field `x`, expected one of `y`, `z`".
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
            ("share = 0.2", "share = 2.0", "share: must be from 0 to 1"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{to}: {message}");
            assert!(message.starts_with("my.toml:"), "{to}: {message}");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        for (from, to, meant) in [
            ("\"digits\"\ntest", "\"digit\"\ntest", "digits"),
            ("\"relu\"", "\"rely\"", "relu"),
            ("adam", "adan", "adam"),
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
            ("test = {", "validation = {", "data.test: digits has no test rows"),
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
