//! Settings of a CSV file in a preset.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model_format::limits::MAX_TEXT;
use serde::{Deserialize, Serialize};
use thimble_support::foreign_text::shown;

use super::problem::Problem;

/// A CSV file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Path of the file, relative to the working directory.
    pub file: PathBuf,
    /// Target columns.
    pub target: TableTarget,
    /// Feature columns, which must be numeric. By default all columns but the target. A run writes
    /// their names to its own preset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Ignored columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Units of features and targets by column name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, String>,
    /// `true` if the first line contains the names of the columns. Otherwise they are named `1`,
    /// `2`, and so on.
    #[serde(default = "yes")]
    pub header: bool,
    /// Separator of columns, detected by default. A space is any number of spaces and tabs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// Decimal mark, `.` or `,`, detected by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// First character of comment lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// Treatment of missing values.
    #[serde(default)]
    pub missing: Missing,
}

/// Target columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableTarget {
    /// Classification: the column of class names.
    Classes(String),
    /// Regression: the columns of numbers.
    Values(Vec<String>),
}

/// Treatment of missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A missing value is an error.
    #[default]
    Refuse,
    /// Rows with missing values are dropped.
    Drop,
    /// Missing values are replaced by the feature's mean over the training split. Rows without a
    /// target are dropped.
    Mean,
}

fn yes() -> bool {
    true
}

impl TableTarget {
    /// Returns the names of the columns.
    pub fn names(&self) -> Vec<&str> {
        match self {
            TableTarget::Classes(name) => vec![name],
            TableTarget::Values(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

impl Table {
    /// Creates settings with all defaults.
    pub fn new(file: impl Into<PathBuf>, target: TableTarget) -> Self {
        Table {
            file: file.into(),
            target,
            features: Vec::new(),
            ignore: Vec::new(),
            units: BTreeMap::new(),
            header: true,
            separator: None,
            decimal: None,
            comment: None,
            missing: Missing::Refuse,
        }
    }

    /// Returns the unit of a column, which may be empty.
    pub fn unit(&self, column: &str) -> String {
        self.units.get(column).cloned().unwrap_or_default()
    }

    /// Checks the settings without opening the file.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let ascii = |key: &str, mark: Option<char>, known: &str| match mark {
            Some(mark) if !mark.is_ascii() || mark == '"' || "\r\n\0".contains(mark) => {
                let problem = format!("`{}` cannot be it: {known}", shown(&mark.to_string()));
                Err(Problem::key(key, problem))
            }
            _ => Ok(()),
        };
        ascii("separator", self.separator, "give an ASCII character such as `;`")?;
        ascii("comment", self.comment, "give an ASCII character such as `#`")?;
        if self.separator.is_some_and(|mark| mark.is_ascii_alphanumeric() || "+-.".contains(mark)) {
            return Err(Problem::key("separator", "it would cut numbers or words apart".into()));
        }
        match self.decimal {
            None | Some('.' | ',') => {}
            Some(other) => {
                let other = shown(&other.to_string());
                let problem = format!("`{other}` is no decimal mark: give `.` or `,`");
                return Err(Problem::key("decimal", problem));
            }
        }
        if self.decimal.is_some() && self.decimal == self.separator {
            let problem = "it is the separator too: the two must differ".to_string();
            return Err(Problem::key("decimal", problem));
        }
        let targets = self.target.names();
        let features = self.features.iter().map(String::as_str).collect::<Vec<_>>();
        let ignored = self.ignore.iter().map(String::as_str).collect::<Vec<_>>();
        for (key, names) in [("target.values", &targets), ("features", &features)] {
            let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            if let Some((_, name)) = twice {
                let problem = format!("it names the column `{}` twice", shown(name));
                return Err(Problem::key(key, problem));
            }
        }
        if let Some(both) = features.iter().find(|name| targets.contains(name)) {
            let problem = format!("column `{}` is both feature and target", shown(both));
            return Err(Problem::key("features", problem));
        }
        if let Some(both) =
            ignored.iter().find(|name| targets.contains(name) || features.contains(name))
        {
            let what = if targets.contains(both) { "the target" } else { "a feature" };
            let problem = format!("column `{}` is {what} too: name it in one place", shown(both));
            return Err(Problem::key("ignore", problem));
        }
        for (name, unit) in &self.units {
            if unit.len() > MAX_TEXT || unit.chars().any(char::is_control) {
                let key = format!("units.{}", shown(name));
                let problem = format!("a unit has at most {MAX_TEXT} bytes, all of them printable");
                return Err(Problem::key(&key, problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_refused_by_key() {
        let table = || Table::new("x.csv", TableTarget::Values(vec!["y".into(), "z".into()]));
        assert!(table().check().is_ok());
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        for (table, expected) in [
            (Table { separator: Some('é'), ..table() }, "csv.separator: `é` cannot be it"),
            (Table { separator: Some('5'), ..table() }, "csv.separator: it would cut"),
            (Table { separator: Some('\n'), ..table() }, "csv.separator: `\\n` cannot be it"),
            (Table { decimal: Some(';'), ..table() }, "csv.decimal: `;` is no decimal mark"),
            (Table { decimal: Some(','), separator: Some(','), ..table() }, "must differ"),
            (Table { comment: Some('"'), ..table() }, "csv.comment"),
            (Table { target: TableTarget::Values(names(&["y", "y"])), ..table() }, "`y` twice"),
            (Table { features: names(&["a", "a"]), ..table() }, "csv.features: it names"),
            (Table { features: names(&["z"]), ..table() }, "`z` is both feature and target"),
            (Table { ignore: names(&["z"]), ..table() }, "csv.ignore: column `z` is the target"),
            (
                Table { ignore: names(&["a"]), features: names(&["a"]), ..table() },
                "column `a` is a feature too",
            ),
            (
                Table { units: [("y".to_string(), "k".repeat(65))].into(), ..table() },
                "csv.units.y: a unit has at most 64 bytes",
            ),
        ] {
            let problem = table.check().unwrap_err();
            let message = format!("{}: {}", problem.place, problem.text);
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn training_needs_a_target() {
        let error = Table::new("x.csv", TableTarget::Values(vec![])).load().unwrap_err();
        assert!(error.to_string().contains("no column is named"), "{error}");
    }
}
