//! Inputs and targets of a network whose rows are not known, such as an imported one.

use serde::{Deserialize, Serialize};
use thimble_support::foreign_text::shown;

use super::TargetKind;

/// Inputs and targets of a network without rows. They are enough to predict the rows of a table in
/// float; everything that measures needs rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Number of features.
    pub features: usize,
    /// Target of a row.
    pub target: SchemaTarget,
}

/// Target of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaTarget {
    /// Names of the classes, in the order of the outputs.
    Classes(Vec<String>),
    /// Number of values.
    Values(usize),
}

impl Schema {
    /// Returns the kind of targets.
    pub fn target_kind(&self) -> TargetKind {
        match &self.target {
            SchemaTarget::Classes(names) => TargetKind::Classes(names.len()),
            SchemaTarget::Values(count) => TargetKind::Values(*count),
        }
    }

    /// Returns the difference from a network with these inputs and outputs, if there is one.
    pub fn misfit(&self, inputs: usize, outputs: usize) -> Option<String> {
        let own = match &self.target {
            SchemaTarget::Classes(names) => names.len(),
            SchemaTarget::Values(count) => *count,
        };
        // One probability stands for two classes.
        let fits = own == outputs
            || matches!(self.target, SchemaTarget::Classes(_)) && (own, outputs) == (2, 1);
        (self.features != inputs || !fits).then(|| {
            format!(
                "the network has {inputs} inputs and {outputs} outputs, but {} features and {own} \
                 targets",
                self.features
            )
        })
    }

    /// Returns the problem of the settings, if there is one.
    pub fn problem(&self) -> Option<String> {
        let names = match &self.target {
            _ if self.features == 0 => return Some("features must be at least 1".into()),
            SchemaTarget::Values(0) => return Some("target.values must be at least 1".into()),
            SchemaTarget::Values(_) => return None,
            SchemaTarget::Classes(names) => names,
        };
        if names.len() < 2 {
            return Some("target.classes must have at least 2 names".into());
        }
        let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
        twice.map(|(_, name)| format!("target.classes has `{}` twice", shown(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_sense_are_named() {
        let schema = |features, target| Schema { features, target }.problem().unwrap_or_default();
        let classes = |names: &[&str]| {
            SchemaTarget::Classes(names.iter().map(|name| name.to_string()).collect())
        };
        assert_eq!(schema(1, classes(&["a", "b"])), "");
        assert_eq!(schema(3, SchemaTarget::Values(2)), "");
        let fits = |target, outputs| Schema { features: 3, target }.misfit(3, outputs);
        assert_eq!(fits(SchemaTarget::Values(1), 1), None);
        assert_eq!(fits(classes(&["a", "b"]), 1), None);
        assert!(
            fits(SchemaTarget::Values(2), 1).is_some_and(|problem| problem.contains("2 targets"))
        );
        assert!(fits(classes(&["a", "b", "c"]), 1).is_some());
        assert!(schema(0, SchemaTarget::Values(1)).contains("features"));
        assert!(schema(1, SchemaTarget::Values(0)).contains("target.values"));
        assert!(schema(1, classes(&["a"])).contains("at least 2"));
        assert!(schema(1, classes(&["a", "b", "a"])).contains("`a` twice"));
    }
}
