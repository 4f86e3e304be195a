//! Preset that a search starts from: one of the user, or one made for a CSV file.

use std::path::Path;

use anyhow::bail;

use super::args::SearchArgs;
use crate::cli::files;
use crate::cli::predict_rows::is_table;
use crate::data::{Amount, HoldOut, Loaded, Locations};
use crate::foreign_text::{self, shown};
use crate::preset::{self, Preset};

/// Share of the training rows that choose among networks, if the preset has no validation rows.
const VALIDATION: f64 = 0.2;

/// Most numbers in a column that are still taken for classes.
const MOST_CLASSES: usize = 20;

/// Training settings for a CSV file.
const TRAINING: &str = r#"
epochs = 60
batch_size = 32
schedule = "cosine"
optimizer = { adam = { learning_rate = 0.005 } }
"#;

/// Returns the preset with the settings of the command line.
pub(super) fn base(args: &SearchArgs, locations: &Locations) -> anyhow::Result<Preset> {
    let path = Path::new(&args.data);
    let preset = match (is_table(path), &args.target) {
        (true, Some(target)) => of_table(path, target, &args.set, locations)?,
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
            bail!("--target is for a CSV file; the preset {} has its own", shown(&args.data))
        }
        (false, None) => preset::find(&args.data)?,
    };
    let mut preset = preset.with_settings(&args.set)?;
    preset.seed = args.seed.unwrap_or(preset.seed);
    Ok(preset)
}

/// Returns the preset with validation rows, taken from its training rows if it has none: of windows,
/// whole recordings.
pub(super) fn validated(preset: &Preset) -> Preset {
    let mut preset = preset.clone();
    let amount = Amount::Fraction(VALIDATION);
    let data = &mut preset.data;
    if data.validation.is_none() {
        // With validation rows there is no default for the test rows.
        data.test = data.test.take().or(data.default_test());
        data.validation = Some(match (data.dataset.has_recordings(), data.dataset.has_values()) {
            (true, _) => HoldOut::Recordings(amount),
            (false, true) => HoldOut::Random(amount),
            (false, false) => HoldOut::Stratified(amount),
        });
    }
    preset
}

/// Returns a preset for a table. A column of words, or of few numbers, contains classes. The settings
/// of the data apply when the table is read, such as columns to ignore.
fn of_table(
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
        let name = toml::Value::String(if name.is_empty() { "table".into() } else { name.clone() });
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
    let settings: Vec<String> = settings.iter().filter(is_of_data).cloned().collect();
    let read = |preset: &Preset| -> anyhow::Result<Loaded> {
        Ok(preset.with_settings(&settings)?.data.load(locations, preset.seed)?)
    };
    let is_number = |name: &String| name.trim().parse::<f64>().is_ok();
    match read(&first) {
        Ok(loaded) => {
            let names = loaded.train.class_names();
            match names.iter().all(is_number) && names.len() > MOST_CLASSES {
                true => Ok(second),
                false => Ok(classes(names.len())?),
            }
        }
        // More different numbers than a model has classes.
        Err(error) => match read(&second) {
            Ok(_) => Ok(second),
            Err(_) => Err(error.context(
                "the table cannot be read. Columns that are no features are left out by --set \
                 'data.dataset.csv.ignore=[\"NAME\"]'",
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::TestRows;

    #[test]
    fn validation_rows_are_whole_recordings_beside_the_default_test_rows() {
        let mut activity = preset::find("activity").unwrap();
        activity.data.test = None;
        let data = validated(&activity).data;
        assert_eq!(data.validation, Some(HoldOut::Recordings(Amount::Fraction(0.2))));
        assert_eq!(data.test, Some(TestRows::Recordings(Amount::Fraction(0.2))));
        let digits = validated(&preset::find("digits").unwrap()).data;
        assert_eq!(digits.validation, Some(HoldOut::Stratified(Amount::Fraction(0.2))));
    }

    #[test]
    fn words_and_few_numbers_are_classes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.csv");
        let rows: String =
            (0..400).map(|n| format!("{n},{},{},{}\n", n % 3, ["x", "y"][n % 2], n * 7)).collect();
        fs::write(&path, format!("a,digit,word,number\n{rows}")).unwrap();
        let ignore = ["data.dataset.csv.ignore=[\"word\"]".to_string()];
        let of = |target| {
            let settings = if target == "word" { &[][..] } else { &ignore };
            of_table(&path, target, settings, &Locations::default())
        };
        let units = |preset: &Preset| preset.network.layers[1].dense().unwrap().units;
        let preset = of("word").unwrap();
        assert_eq!((preset.name.as_str(), units(&preset)), ("a-b", 2));
        assert_eq!(units(&of("digit").unwrap()), 3);
        assert!(of("number").unwrap().data.dataset.has_values());
        assert!(format!("{:#}", of("none").unwrap_err()).contains("none"));
        let words = of_table(&path, "digit", &[], &Locations::default()).unwrap_err();
        assert!(format!("{words:#}").contains("csv.ignore"), "{words:#}");
    }
}
