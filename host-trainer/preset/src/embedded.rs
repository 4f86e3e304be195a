//! Embedded presets.

use std::fs;
use std::path::Path;

use thimble_support::foreign_text;
use thimble_support::nearest;

use super::{Error, Preset};

/// An embedded preset.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedPreset {
    /// Name.
    pub name: &'static str,
    /// Content of its TOML file.
    pub text: &'static str,
}

/// Name and results of each embedded preset, written by `thimble-tests`'s program `figures`.
const REACHED: &str = include_str!("../reached.txt");

impl EmbeddedPreset {
    /// Returns the accuracy or error on the rows of results, mean of three seeds.
    pub fn reached(&self) -> &'static str {
        let lines = REACHED.lines().filter_map(|line| line.split_once('\t'));
        let of_name = |(name, _): &(&str, &str)| *name == self.name;
        lines.clone().find(of_name).map_or("not measured", |(_, figures)| figures)
    }
}

/// Embeds the files of presets, given their names.
macro_rules! embedded {
    ($($name:literal,)*) => {
        [$(EmbeddedPreset {
            name: $name,
            text: include_str!(concat!("../presets/", $name, ".toml")),
        }),*]
    };
}

/// All embedded presets, the default one first. Those of the courses' notebooks begin with the
/// notebook's letter, see NOTEBOOKS.md; those of the zoo, see ZOO.md, with `zoo`.
pub const EMBEDDED: [EmbeddedPreset; 31] = embedded![
    "digits",
    "mnist",
    "mnist-16k",
    "fashion-mnist",
    "motion",
    "activity",
    "eggcrate-adc",
    "c-700-500",
    "s-512",
    "u-spirals-6",
    "u-spirals-2",
    "u-eggcrate",
    "u-ripple",
    "u-8",
    "u-200-linear",
    "u-200-tanh",
    "u-200-tanh-15",
    "u-100-200-100",
    "u-200-500-200",
    "d-200-200",
    "d-50-50",
    "d-1024-sigmoid",
    "d-aim",
    "zoo-mnist-2k",
    "zoo-mnist-5k",
    "zoo-mnist-13k",
    "zoo-mnist-48k",
    "zoo-mnist-213k",
    "zoo-mnist-2m",
    "zoo-fashion-48k",
    "zoo-fashion-213k",
];

/// Returns the embedded preset of this name, or reads the file if the name ends in `.toml`.
///
/// # Errors
/// [`Error`] if there is none, or it is not valid.
pub fn find(name: &str) -> Result<Preset, Error> {
    if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        let text =
            fs::read_to_string(name).map_err(|error| Error::File { path: name.into(), error })?;
        return Preset::read(&text, &foreign_text::path(Path::new(name)));
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
    fn the_readme_shows_every_key_of_a_preset() {
        /// All keys of a value, however deep.
        fn keys(value: &toml::Value, found: &mut std::collections::BTreeSet<String>) {
            match value {
                toml::Value::Table(table) => {
                    for (key, value) in table {
                        found.insert(key.clone());
                        keys(value, found);
                    }
                }
                toml::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
                _ => {}
            }
        }
        let readme = include_str!("../../README.md");
        let blocks: Vec<&str> = readme.split("```toml").skip(1).collect();
        let block = |index: usize| blocks[index].split("```").next().unwrap();
        Preset::read(block(0), "README.md").unwrap();
        for line in block(1).lines().filter(|line| line.starts_with("dataset")) {
            let digits = "dataset = \"digits\"";
            let text = EMBEDDED[0].text;
            assert!(text.contains(digits));
            // Data without images is not augmented.
            let text = match line.contains("images") {
                true => text.to_string(),
                false => text
                    .lines()
                    .filter(|line| !line.starts_with("augmentation"))
                    .collect::<Vec<_>>()
                    .join("\n"),
            };
            let loss = if line.contains("values") || line.contains("surface") {
                "mean_squared_error"
            } else {
                "sparse_categorical_cross_entropy"
            };
            let units = match line {
                _ if loss == "mean_squared_error" => 1,
                _ if line.contains("spirals") => 2,
                _ if line.contains("motion") => 5,
                _ if line.contains("activity") => 3,
                _ => 10,
            };
            let text = text
                .replace(digits, line)
                .replace("[training]", &format!("[training]\nloss = \"{loss}\""));
            let text = text.replace("units = 10", &format!("units = {units}"));
            // Only images are shifted.
            let lines = text.lines().filter(|line| !line.starts_with("augmentation"));
            Preset::read(&lines.collect::<Vec<_>>().join("\n"), line).unwrap();
        }
        // What the program writes of its presets, it explains.
        let (mut known, mut shown) = Default::default();
        for embedded in EMBEDDED {
            keys(
                &find(embedded.name).unwrap().to_toml().parse::<toml::Table>().unwrap().into(),
                &mut known,
            );
        }
        keys(&block(0).parse::<toml::Table>().unwrap().into(), &mut shown);
        let elsewhere = |key: &String| readme.contains(key.as_str());
        let missing: Vec<_> = known.difference(&shown).filter(|key| !elsewhere(key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_presets_reached_is_what_the_readme_says() {
        let readme = include_str!("../../README.md");
        let figures = readme.split("## Figures").nth(1).unwrap().split("Sweeps of").next().unwrap();
        for embedded in EMBEDDED {
            let row = figures.lines().find_map(|line| {
                let mut cells = line.trim_matches('|').split('|').map(str::trim);
                let name = cells.next()?.split(',').next()?;
                (name == embedded.name).then(|| cells.collect::<Vec<_>>())
            });
            let row = row.unwrap_or_else(|| panic!("{} has no row", embedded.name));
            for cell in row {
                let figure =
                    cell.split(" ±").next().and_then(|cell| cell.split(" (").next()).unwrap();
                assert!(embedded.reached().contains(figure), "{}: {figure}", embedded.name);
            }
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let message = find("minst").unwrap_err().to_string();
        assert!(message.contains("did you mean `mnist`?"), "{message}");
        let message = find("no/such.toml").unwrap_err().to_string();
        assert!(message.starts_with("no/such.toml: there is no such file"), "{message}");
    }
}
