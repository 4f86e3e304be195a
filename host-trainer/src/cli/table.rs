//! Presets that commands name: one of the program, a file of the user, or one made for a CSV file.

use std::path::Path;

use anyhow::bail;
use clap::builder::PossibleValuesParser;

use super::files;
use super::predict_rows::is_table;
use crate::data::{Loaded, Locations};
use crate::foreign_text::{self, shown};
use crate::preset::{self, Preset};

/// Most numbers in a column that are still taken for classes.
const MOST_CLASSES: usize = 20;

/// Training settings for a CSV file.
const TRAINING: &str = r#"
epochs = 60
batch_size = 32
schedule = "cosine"
optimizer = { adam = { learning_rate = 0.005 } }
"#;

/// Arguments of a CSV file that is named in place of a preset.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TableArgs {
    /// Column of a CSV file to predict: words or at most 20 different numbers are classes, other
    /// numbers are values
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Columns of a CSV file that are no features, separated by commas
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "target")]
    pub ignore: Vec<String>,
    /// Treatment of missing values in a CSV file: leave the row out, or take the feature's mean
    #[arg(long, value_name = "WAY", requires = "target",
          value_parser = PossibleValuesParser::new(["drop", "mean"]))]
    pub missing: Option<String>,
}

impl TableArgs {
    /// Returns the preset of this name or file, or one for the CSV file of this name.
    ///
    /// `settings` are those of the command line, which the caller applies to the preset: they say how the
    /// table is read.
    pub fn find(
        &self,
        name: &str,
        settings: &[String],
        locations: &Locations,
    ) -> anyhow::Result<Preset> {
        let path = Path::new(name);
        match (is_table(path), &self.target) {
            (true, Some(target)) => self.of_table(path, target, settings, locations),
            (true, None) => {
                let text = files::read(path)?;
                let text = String::from_utf8_lossy(&text);
                bail!(
                    "{}: the column to predict is missing. Give it with --target. The first line is \
                     `{}`",
                    foreign_text::path(path),
                    shown(text.lines().next().unwrap_or_default())
                )
            }
            (false, Some(_)) => {
                bail!("--target is for a CSV file; the preset {} has its own", shown(name))
            }
            (false, None) => Ok(preset::find(name)?),
        }
    }

    /// Returns the settings of the data that these arguments stand for.
    fn settings(&self) -> Vec<String> {
        let mut settings = Vec::new();
        if !self.ignore.is_empty() {
            let names = self.ignore.iter().map(|name| toml::Value::String(name.trim().into()));
            let names = toml::Value::Array(names.collect());
            settings.push(format!("data.dataset.csv.ignore={names}"));
        }
        if let Some(missing) = &self.missing {
            settings.push(format!("data.dataset.csv.missing=\"{missing}\""));
        }
        settings
    }

    /// Returns a preset for a table. A column of words, or of few numbers, contains classes. The settings
    /// of the data apply when the table is read, such as columns to ignore.
    fn of_table(
        &self,
        path: &Path,
        target: &str,
        settings: &[String],
        locations: &Locations,
    ) -> anyhow::Result<Preset> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let name: String = stem.chars().map(plain).take(32).collect();
        let preset = |target: String, test: &str, outputs: usize, training: &str| {
            let file = toml::Value::String(path.to_string_lossy().into_owned());
            let name =
                toml::Value::String(if name.is_empty() { "table".into() } else { name.clone() });
            let text = format!(
                "name = {name}\n[data]\ndataset = {{ csv = {{ file = {file}, target = {target} }} }}\n\
                 test = {{ {test} = {{ fraction = 0.2 }} }}\nscaling = \"standard\"\n[network]\nlayers = \
                 [{{ dense = {{ units = 16, activation = \"relu\" }} }}, {{ dense = {{ units = {outputs} }} \
                 }}]\n[training]\n{training}{TRAINING}"
            );
            Preset::read(&text, "the preset of the table")
        };
        let column = toml::Value::String(target.to_string());
        let classes = |count| preset(format!("{{ classes = {column} }}"), "stratified", count, "");
        let values = || {
            let loss = "loss = \"mean_squared_error\"\n";
            preset(format!("{{ values = [{column}] }}"), "random", 1, loss)
        };
        let (first, second) = (classes(2)?, values()?);
        let is_of_data = |setting: &&String| setting.starts_with("data.");
        let own = self.settings();
        let settings = own.iter().chain(settings.iter().filter(is_of_data));
        let settings: Vec<String> = settings.cloned().collect();
        let read = |preset: &Preset| -> anyhow::Result<Loaded> {
            Ok(preset.with_settings(&settings)?.data.load(locations, preset.seed)?)
        };
        let is_number = |name: &String| name.trim().parse::<f64>().is_ok();
        match read(&first) {
            Ok(loaded) => {
                let names = loaded.train.class_names();
                match names.iter().all(is_number) && names.len() > MOST_CLASSES {
                    true => Ok(second.with_settings(&own)?),
                    false => Ok(classes(names.len())?.with_settings(&own)?),
                }
            }
            // More different numbers than a model has classes.
            Err(error) => match read(&second) {
                Ok(_) => Ok(second.with_settings(&own)?),
                Err(_) => Err(error.context(
                    "the table cannot be read. --ignore NAME leaves columns out that are no features; \
                     --missing drop or --missing mean takes a table with missing values",
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn words_and_few_numbers_are_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.csv");
        let rows: String =
            (0..400).map(|n| format!("{n},{},{},{}\n", n % 3, ["x", "y"][n % 2], n * 7)).collect();
        fs::write(&path, format!("a,digit,word,number\n{rows}")).unwrap();
        let name = path.to_str().unwrap();
        let find = |target: &str, ignore: &[&str]| {
            let ignore = ignore.iter().map(|name| name.to_string()).collect();
            let args = TableArgs { target: Some(target.into()), ignore, missing: None };
            args.find(name, &[], &Locations::default())
        };
        let of = |target| find(target, if target == "word" { &[] } else { &["word"] });
        let units = |preset: &Preset| preset.network.layers[1].dense().unwrap().units;
        let preset = of("word").unwrap();
        assert_eq!((preset.name.as_str(), units(&preset)), ("a-b", 2));
        assert_eq!(units(&of("digit").unwrap()), 3);
        assert!(of("number").unwrap().data.dataset.has_values());
        assert!(format!("{:#}", of("none").unwrap_err()).contains("none"));
        let words = format!("{:#}", find("digit", &[]).unwrap_err());
        assert!(words.contains("--ignore") && words.contains("word"), "{words}");
        let none = TableArgs::default().find(name, &[], &Locations::default());
        assert!(none.unwrap_err().to_string().contains("a,digit,word,number"));
    }

    #[test]
    fn missing_values_and_settings_of_the_data_apply_to_the_preset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gaps.csv");
        let rows: String =
            (0..60).map(|n| format!("{n};NA;{}\n{n};1;x\n", ["x", "y"][n % 2])).collect();
        fs::write(&path, format!("a;b;kind\n{rows}")).unwrap();
        let settings = ["data.dataset.csv.separator=\";\"".to_string()];
        let missing = Some("mean".to_string());
        let args = TableArgs { target: Some("kind".into()), ignore: vec![], missing };
        let found = args.find(path.to_str().unwrap(), &settings, &Locations::default()).unwrap();
        let preset = found.with_settings(&settings).unwrap();
        let loaded = preset.data.load(&Locations::default(), 1).unwrap();
        assert_eq!(loaded.train.rows(), 120);
    }
}
