//! Points of a grid, and shards for several machines.

use std::fs;
use std::num::NonZero;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::foreign_text::{self, shown};
use crate::run_folder::RunFolder;

/// Shard of a sweep: the points whose number, modulo `count`, is `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Index from 0.
    pub(super) index: usize,
    /// Number of shards.
    pub(super) count: NonZero<usize>,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` must be I/N with I from 1 to N, such as 2/3");
        let (index, count) = text.split_once('/').ok_or_else(fail)?;
        let count: NonZero<usize> = count.parse().map_err(|_| fail())?;
        let index: usize = index.parse().map_err(|_| fail())?;
        match (1..=count.get()).contains(&index) {
            true => Ok(Shard { index: index - 1, count }),
            false => Err(fail()),
        }
    }
}

/// A point of the grid: `key=value` for each key.
pub(super) type Point = Vec<String>;

/// Returns the points of a grid; the last key changes fastest. Each axis is `key=value,value,…`. A
/// comma inside brackets does not separate values.
pub(super) fn points(axes: &[String]) -> anyhow::Result<Vec<Point>> {
    let mut points: Vec<Point> = vec![Vec::new()];
    for axis in axes {
        let Some((key, values)) = axis.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("--grid {axis}: the form is KEY=VALUE,VALUE,…");
        };
        let values = split_values(values);
        if values.iter().any(|value| value.is_empty()) {
            bail!("--grid {axis}: a value is missing");
        }
        let with = |point: &Point| {
            let point = point.clone();
            values.iter().map(move |value| [&point[..], &[format!("{key}={value}")]].concat())
        };
        points = points.iter().flat_map(with).collect();
    }
    Ok(points)
}

/// Name of the file that identifies the sweep of a folder.
const FILE: &str = "sweep.json";

/// Identity of a sweep.
#[derive(PartialEq, Serialize, Deserialize)]
struct Sweep {
    grid: Vec<String>,
    /// Preset that all points start from.
    preset: String,
}

/// Records the sweep in its folder, or checks that the folder belongs to this sweep.
pub(super) fn keep(folder: &RunFolder, grid: &[String], preset: &str) -> anyhow::Result<()> {
    let path = folder.path().join(FILE);
    let own = Sweep { grid: grid.to_vec(), preset: preset.to_string() };
    let there = match fs::read(&path) {
        Ok(there) => there,
        Err(_) if folder.path().join("0001").exists() => bail!(
            "{}: the folder contains runs, but no {FILE} of their sweep. Choose another folder \
             with --output",
            foreign_text::path(folder.path())
        ),
        Err(_) => {
            // Strings only: this cannot fail.
            let text = serde_json::to_string_pretty(&own).unwrap_or_default() + "\n";
            return Ok(folder.write(FILE, text.as_bytes())?);
        }
    };
    let there: Sweep = serde_json::from_slice(&there).with_context(|| {
        format!("{}: the file does not identify a sweep", foreign_text::path(&path))
    })?;
    if there == own {
        return Ok(());
    }
    let differs = match there.grid == own.grid {
        true => {
            let lines = there.preset.lines().zip(own.preset.lines());
            let lines = lines.filter(|(there, own)| there != own);
            lines.map(|(there, own)| (there.to_string(), own.to_string())).next()
        }
        false => {
            let grid = |sweep: &Sweep| format!("--grid {}", sweep.grid.join(" --grid "));
            Some((grid(&there), grid(&own)))
        }
    };
    let (was, is) = differs.unwrap_or_default();
    bail!(
        "{}: the folder is of another sweep, with `{}` in place of `{}`. Choose another folder with \
         --output",
        foreign_text::path(folder.path()),
        shown(&was),
        shown(&is)
    )
}

fn split_values(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut values) = (0, 0, Vec::new());
    for (index, character) in text.char_indices() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                values.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    values.push(text[start..].trim());
    values
}

/// Returns the keys of the axes.
pub(super) fn keys(axes: &[String]) -> Vec<&str> {
    axes.iter().filter_map(|axis| Some(axis.split_once('=')?.0)).collect()
}

impl Shard {
    /// Returns whether the point with this number is in the shard.
    pub(super) fn has(self, number: usize) -> bool {
        number % self.count == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination() {
        let axes = ["a.b=1,2".to_string(), "c=[1, 2],x".to_string()];
        let expected =
            [["a.b=1", "c=[1, 2]"], ["a.b=1", "c=x"], ["a.b=2", "c=[1, 2]"], ["a.b=2", "c=x"]];
        assert_eq!(points(&axes).unwrap(), expected);
        assert!(points(&["a".to_string()]).is_err());
        assert!(points(&["a=1,".to_string()]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn shards_are_counted_from_one() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!((shard.index, shard.count.get()), (1, 3));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_is_of_one_grid() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::shared(outer.path()).unwrap();
        let grid = ["a=1,2".to_string()];
        keep(&folder, &grid, "seed = 1\n").unwrap();
        keep(&folder, &grid, "seed = 1\n").unwrap();
        let message = keep(&folder, &["a=1,3".to_string()], "seed = 1\n").unwrap_err().to_string();
        assert!(message.contains("`--grid a=1,2` in place of `--grid a=1,3`"), "{message}");
        let message = keep(&folder, &grid, "seed = 2\n").unwrap_err().to_string();
        assert!(message.contains("`seed = 1` in place of `seed = 2`"), "{message}");
        folder.remove(FILE).unwrap();
        fs::create_dir(outer.path().join("0001")).unwrap();
        assert!(keep(&folder, &grid, "").unwrap_err().to_string().contains("--output"));
    }
}
