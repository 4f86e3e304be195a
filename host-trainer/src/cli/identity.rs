//! Identity of the sweep or search that a folder belongs to.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::foreign_text::{self, shown};
use crate::run_folder::RunFolder;

/// Kind of the work in a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Noun for messages.
    pub noun: &'static str,
    /// Name of the file that identifies the work.
    pub file: &'static str,
    /// Folder that such work has, so that the file must be there, too.
    pub evidence: &'static str,
    /// Option before each of the options in messages.
    pub option: &'static str,
}

/// Identity of the work.
#[derive(PartialEq, Serialize, Deserialize)]
struct Identity {
    /// Options that it depends on.
    #[serde(alias = "grid")]
    options: Vec<String>,
    /// Preset that everything starts from.
    preset: String,
}

/// Records the work in its folder, or checks that the folder belongs to it.
pub(super) fn keep(
    folder: &RunFolder,
    kind: Kind,
    options: &[String],
    preset: &str,
) -> anyhow::Result<()> {
    let Kind { noun, file, evidence, .. } = kind;
    if folder.path().join(file).exists() {
        return check(folder.path(), kind, options, preset);
    }
    if folder.path().join(evidence).exists() {
        bail!(
            "{}: the folder contains runs, but no {file} of their {noun}. Choose another folder \
             with --output",
            foreign_text::path(folder.path())
        );
    }
    let own = Identity { options: options.to_vec(), preset: preset.to_string() };
    // Strings only: this cannot fail.
    let text = serde_json::to_string_pretty(&own).unwrap_or_default() + "\n";
    Ok(folder.write(file, text.as_bytes())?)
}

/// Checks that a folder belongs to the work.
pub(super) fn check(
    folder: &Path,
    kind: Kind,
    options: &[String],
    preset: &str,
) -> anyhow::Result<()> {
    let Kind { noun, file, option, .. } = kind;
    let path = folder.join(file);
    let own = Identity { options: options.to_vec(), preset: preset.to_string() };
    let there = match fs::read(&path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "{}: the folder has no {file}, which a {noun} writes. Give a folder of the {noun}",
            foreign_text::path(folder)
        ),
        Err(error) => {
            let path = foreign_text::path(&path);
            return Err(error).context(format!("{path} cannot be read"));
        }
    };
    let there: Identity = serde_json::from_slice(&there).with_context(|| {
        format!("{}: the file does not identify a {noun}", foreign_text::path(&path))
    })?;
    if there == own {
        return Ok(());
    }
    let differs = match there.options == own.options {
        true => {
            let lines = there.preset.lines().zip(own.preset.lines());
            let lines = lines.filter(|(there, own)| there != own);
            lines.map(|(there, own)| (there.to_string(), own.to_string())).next()
        }
        false => {
            let all = |of: &Identity| {
                let options = of.options.iter().map(|value| format!("{option}{value}"));
                options.collect::<Vec<_>>().join(" ")
            };
            Some((all(&there), all(&own)))
        }
    };
    let (was, is) = differs.unwrap_or_default();
    bail!(
        "{}: the folder is of another {noun}, with `{}` in place of `{}`. Choose another folder with \
         --output",
        foreign_text::path(folder),
        shown(&was),
        shown(&is)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_of_one_grid() {
        let kind = Kind { noun: "sweep", file: "sweep.json", evidence: "0001", option: "--grid " };
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::shared(outer.path()).unwrap();
        let grid = ["a=1,2".to_string()];
        let keep = |grid: &[String], preset| keep(&folder, kind, grid, preset);
        keep(&grid, "seed = 1\n").unwrap();
        keep(&grid, "seed = 1\n").unwrap();
        let message = keep(&["a=1,3".to_string()], "seed = 1\n").unwrap_err().to_string();
        assert!(message.contains("`--grid a=1,2` in place of `--grid a=1,3`"), "{message}");
        let message = keep(&grid, "seed = 2\n").unwrap_err().to_string();
        assert!(message.contains("`seed = 1` in place of `seed = 2`"), "{message}");
        folder.remove(kind.file).unwrap();
        let message = check(outer.path(), kind, &grid, "").unwrap_err().to_string();
        assert!(message.contains("no sweep.json"), "{message}");
        assert!(!outer.path().join(kind.file).exists());
        fs::create_dir(outer.path().join("0001")).unwrap();
        assert!(keep(&grid, "").unwrap_err().to_string().contains("--output"));
    }
}
