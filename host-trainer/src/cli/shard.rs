//! Shards of a sweep or a search, for several machines.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::terminal;
use crate::foreign_text;

/// Arguments of a command whose work several machines share.
#[derive(Debug, Args)]
pub struct ShardArgs {
    /// Train only the networks of shard I of N, to distribute them over N machines [default: the task of
    /// a Slurm array or of a Kubernetes indexed job; 1/1 trains all]
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Merge the results of the shards in these folders; their networks are not trained again
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "shard")]
    pub collect: Vec<PathBuf>,
}

/// Shard: the work whose number, modulo `count`, is `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Index from 0.
    index: usize,
    /// Number of shards.
    count: NonZero<usize>,
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

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl Shard {
    /// Returns whether the work with this number is in the shard.
    pub(super) fn has(self, number: usize) -> bool {
        number % self.count == self.index
    }

    /// Returns the number of shards.
    pub(super) fn count(self) -> usize {
        self.count.get()
    }

    /// Returns the name of a file or folder of the shard, such as `sweep-2-of-3`.
    pub(super) fn name(self, of: &str) -> String {
        format!("{of}-{}-of-{}", self.index + 1, self.count)
    }

    /// Parses a name of [`name`](Self::name).
    fn named(name: &str, of: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix(of)?.strip_prefix('-')?.split_once("-of-")?;
        format!("{index}/{count}").parse().ok()
    }

    /// Returns the shard of the option, or that of the task of a Slurm array or of a Kubernetes
    /// indexed job.
    pub(super) fn of_task(option: Option<Shard>) -> anyhow::Result<Option<Shard>> {
        if option.is_some() {
            // 1/1 is the whole, in a task of an array, too.
            return Ok(option.filter(|shard| shard.count() > 1));
        }
        let shard = from_variables(&|name| env::var(name).ok())?;
        if let Some((shard, variable)) = shard {
            terminal::note(&format!("shard {shard}, by {variable}"));
        }
        Ok(shard.map(|(shard, _)| shard))
    }
}

/// Returns the shard of environment variables, and the variable of its index.
fn from_variables(
    variable: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<(Shard, &'static str)>> {
    let number = |name: &str| -> anyhow::Result<Option<usize>> {
        let Some(text) = variable(name) else { return Ok(None) };
        let parsed = text.trim().parse();
        parsed.map(Some).with_context(|| format!("{name}={text} is no whole number"))
    };
    const SLURM: &str = "SLURM_ARRAY_TASK_ID";
    const KUBERNETES: &str = "JOB_COMPLETION_INDEX";
    let (name, index, count) = if let Some(id) = number(SLURM)? {
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(1);
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let Some(count) = number("SLURM_ARRAY_TASK_COUNT")? else {
            bail!(
                "{SLURM} is set, but not SLURM_ARRAY_TASK_COUNT. Give the shard with --shard I/N"
            );
        };
        (SLURM, id.checked_sub(first).map(|offset| offset / step), count)
    } else if let Some(index) = number(KUBERNETES)? {
        let Some(count) = number("JOB_COMPLETIONS")? else {
            bail!(
                "{KUBERNETES} is set, but not the number of completions. Set JOB_COMPLETIONS in the \
                 job's `env`, or give the shard with --shard I/N"
            );
        };
        (KUBERNETES, Some(index), count)
    } else {
        return Ok(None);
    };
    let Some((index, count)) = index.zip(NonZero::new(count)).filter(|(i, n)| *i < n.get()) else {
        bail!(
            "{name} is not within the {count} tasks of the array. Number them without gaps, or give \
             the shard with --shard I/N"
        );
    };
    Ok(Some((Shard { index, count }, name)))
}

/// Results of a shard by which it is found: this name and that of the shard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// A CSV table.
    Table(&'static str),
    /// A folder.
    Folder(&'static str),
}

impl Part {
    /// Returns the shard whose part is at this path.
    fn shard_at(self, path: &Path) -> Option<Shard> {
        let name = path.file_name()?.to_str()?;
        match self {
            Part::Table(of) if path.is_file() => Shard::named(name.strip_suffix(".csv")?, of),
            Part::Folder(of) if path.is_dir() => Shard::named(name, of),
            Part::Table(_) | Part::Folder(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Part::Table(of) | Part::Folder(of) => of,
        }
    }
}

/// Finds the parts of all shards in some folders, by their names. Returns one per shard, in order.
///
/// # Errors
/// Names shards that are missing, that are there twice, or that are of different numbers of shards.
pub(super) fn collect(folders: &[PathBuf], part: Part) -> anyhow::Result<Vec<PathBuf>> {
    let mut found: BTreeMap<usize, PathBuf> = BTreeMap::new();
    let mut first: Option<(NonZero<usize>, PathBuf)> = None;
    for folder in folders {
        let failed = || format!("{} cannot be read", foreign_text::path(folder));
        let mut entries = Vec::new();
        for entry in folder.read_dir().with_context(failed)? {
            entries.push(entry.with_context(failed)?.path());
        }
        entries.push(folder.clone());
        entries.sort();
        let before = found.len();
        for path in entries {
            let Some(shard) = part.shard_at(&path) else { continue };
            let shown = |path: &Path| foreign_text::path(path);
            let (count, place) = first.get_or_insert_with(|| (shard.count, path.clone()));
            if shard.count != *count {
                bail!(
                    "--collect: {} is one of {} shards, but {} is one of {count}. Collect the shards \
                     of one division",
                    shown(&path),
                    shard.count,
                    shown(place)
                );
            }
            if let Some(other) = found.insert(shard.index, path.clone()) {
                bail!(
                    "--collect: shard {shard} is there twice, {} and {}. Leave one out",
                    shown(&other),
                    shown(&path)
                );
            }
        }
        if found.len() == before {
            bail!(
                "--collect: {} has no shard, `{}-I-of-N`. Give the folders that the shards wrote",
                foreign_text::path(folder),
                part.name()
            );
        }
    }
    let Some((count, _)) = first else { bail!("--collect: no folder is given") };
    let missing: Vec<String> = (0..count.get())
        .filter(|index| !found.contains_key(index))
        .map(|index| Shard { index, count }.to_string())
        .collect();
    if !missing.is_empty() {
        bail!(
            "--collect: the folders lack shard {}. Run it with --shard, or give its folder, too",
            missing.join(", ")
        );
    }
    Ok(found.into_values().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn shards_are_counted_from_one() {
        let shard: Shard = "2/3".parse().unwrap();
        assert_eq!((shard.index, shard.count()), (1, 3));
        assert_eq!((shard.to_string(), shard.name("x")), ("2/3".into(), "x-2-of-3".into()));
        assert_eq!(Shard::named("x-2-of-3", "x"), Some(shard));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn tasks_of_arrays_and_jobs_are_shards() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> =
                set.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            let found = from_variables(&|name: &str| {
                set.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
            });
            found.map(|found| found.map(|(shard, _)| shard.to_string())).map_err(|e| e.to_string())
        };
        assert_eq!(of(&[]), Ok(None));
        let slurm = |id, min| {
            of(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_COUNT", "4"),
            ])
        };
        assert_eq!(slurm("3", "1"), Ok(Some("3/4".into())));
        assert_eq!(slurm("3", "0"), Ok(Some("4/4".into())));
        assert!(slurm("9", "1").unwrap_err().contains("--shard"));
        assert!(slurm("x", "1").unwrap_err().contains("SLURM_ARRAY_TASK_ID=x"));
        let stepped = [
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        assert_eq!(of(&stepped), Ok(Some("3/3".into())));
        let job = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "2")];
        assert_eq!(of(&job), Ok(Some("1/2".into())));
        assert!(of(&job[..1]).unwrap_err().contains("JOB_COMPLETIONS"));
    }

    #[test]
    fn missing_and_double_shards_are_named() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        for folder in ["a/s-1-of-3", "b/s-2-of-3", "c/s-3-of-3", "d/s-1-of-3", "e/s-1-of-2", "f"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let of = |names: &[&str]| {
            let folders: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
            collect(&folders, Part::Folder("s")).map_err(|error| error.to_string())
        };
        let all = [at("a/s-1-of-3"), at("b/s-2-of-3"), at("c/s-3-of-3")].to_vec();
        assert_eq!(of(&["c", "a", "b/s-2-of-3"]), Ok(all));
        assert!(of(&["a"]).unwrap_err().contains("lack shard 2/3, 3/3"));
        assert!(of(&["a", "b", "d"]).unwrap_err().contains("shard 1/3 is there twice"));
        assert!(of(&["a", "e"]).unwrap_err().contains("one of 2 shards"));
        assert!(of(&["f"]).unwrap_err().contains("has no shard"));
        // A table in a folder of the same name is one part.
        let table = at("a/s-1-of-3/s-1-of-1.csv");
        fs::write(&table, "").unwrap();
        assert_eq!(collect(&[at("a/s-1-of-3")], Part::Table("s")).unwrap(), [table]);
    }
}
