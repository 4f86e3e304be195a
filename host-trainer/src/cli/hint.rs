//! Hints for unknown options.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;
use crate::preset::{self, Preset};

/// Adds a hint to the error for a setting that was typed as an option, such as `--epochs`.
///
/// `words` are the arguments without the program's name.
/// `words` are what was typed, without the program's name.
pub fn setting_meant(mut error: clap::Error, words: &[String]) -> clap::Error {
    let option = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(option))) => option.clone(),
        _ => return error,
    };
    let line = Cli::command();
    let command = words.iter().find_map(|word| line.find_subcommand(word));
    if !command.is_some_and(|command| command.get_arguments().any(|a| a.get_id() == "set")) {
        return error;
    }
    let name = option.trim_start_matches('-').split('=').next().unwrap_or_default();
    let named = words.iter().find_map(|word| preset::find(word).ok());
    let Some(preset) = named.or_else(|| preset::find("digits").ok()) else { return error };
    if let Some(key) = key_of(&preset, &name.replace('-', "_")) {
        let tip = format!("give settings by their key: --set {key}=VALUE");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Returns the full key of the first setting with this name.
fn key_of(preset: &Preset, name: &str) -> Option<String> {
    fn within(value: &toml::Value, path: &str, name: &str) -> Option<String> {
        let children: Vec<(String, &toml::Value)> = match value {
            toml::Value::Table(table) => table.iter().map(|(k, v)| (k.clone(), v)).collect(),
            toml::Value::Array(array) => {
                array.iter().enumerate().map(|(k, v)| (k.to_string(), v)).collect()
            }
            _ => Vec::new(),
        };
        let path = |key: &str| if path.is_empty() { key.into() } else { format!("{path}.{key}") };
        let own = children.iter().find(|(key, _)| key == name).map(|(key, _)| path(key));
        own.or_else(|| children.iter().find_map(|(key, value)| within(value, &path(key), name)))
    }
    within(&toml::Value::try_from(preset).ok()?, "", name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn said(line: &[&str]) -> String {
        let words: Vec<String> = line.iter().map(|word| word.to_string()).collect();
        let error = Cli::try_parse_from(std::iter::once(&"host-trainer").chain(line)).unwrap_err();
        setting_meant(error, &words).to_string()
    }

    #[test]
    fn the_name_of_a_setting_becomes_its_key() {
        for (line, key) in [
            (["train", "digits", "--epochs", "3"], "--set training.epochs=VALUE"),
            (["train", "mnist", "--batch-size", "3"], "--set training.batch_size=VALUE"),
            (["bench", "mnist", "--learning-rate=1", "-q"], ".adam.learning_rate=VALUE"),
            (["train", "digits", "--units", "8"], "--set network.layers.0.dense.units=VALUE"),
        ] {
            let said = said(&line);
            assert!(said.contains(key), "{said}");
        }
    }

    #[test]
    fn other_options_and_commands_are_refused_as_ever() {
        for line in [["train", "digits", "--color"], ["evaluate", "m.thimble", "--epochs"]] {
            let said = said(&line);
            assert!(!said.contains("--set"), "{said}");
        }
    }
}
