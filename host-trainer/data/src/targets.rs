//! Targets of all rows: classes, or numbers.

use model_format::limits::MAX_TEXT;
use ndarray::Array2;
use thimble_support::foreign_text::shown;

/// Class labels of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Class of each row, an index into `names`.
    pub indices: Vec<u16>,
    /// Names of the classes.
    pub names: Vec<String>,
}

/// Regression targets of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The numbers, rows × names.
    pub values: Array2<f32>,
    /// Name of each target.
    pub names: Vec<String>,
    /// Unit of each target, which may be empty.
    pub units: Vec<String>,
}

/// Targets of all rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classification: one class per row.
    Classes(Labels),
    /// Regression: numbers per row.
    Values(Values),
}

impl From<Labels> for Targets {
    fn from(labels: Labels) -> Self {
        Targets::Classes(labels)
    }
}

impl From<Values> for Targets {
    fn from(values: Values) -> Self {
        Targets::Values(values)
    }
}

/// Checks the classes of this many rows.
pub(super) fn check_labels(labels: &Labels, rows: usize) -> Result<(), String> {
    if labels.indices.len() != rows {
        let count = labels.indices.len();
        return Err(format!("{rows} rows of features, but {count} labels"));
    }
    let classes = labels.names.len();
    if let Some(long) = labels.names.iter().find(|name| name.len() > MAX_TEXT) {
        return Err(format!(
            "the class `{}` has {} bytes, a model's have {MAX_TEXT} at most: shorten it",
            shown(long),
            long.len()
        ));
    }
    match labels.indices.iter().position(|&label| usize::from(label) >= classes) {
        Some(row) => {
            let label = labels.indices[row];
            Err(format!("row {row}: label {label}, but there are {classes} classes"))
        }
        None => Ok(()),
    }
}

/// Checks the numbers of this many rows.
pub(super) fn check_values(values: &Values, rows: usize) -> Result<(), String> {
    let (count, width) = values.values.dim();
    if count != rows {
        return Err(format!("{rows} rows of features, but {count} of targets"));
    }
    if width == 0 || width != values.names.len() {
        return Err(format!("{width} targets a row with {} names", values.names.len()));
    }
    match values.values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), value)) => {
            let name = shown(&values.names[column]);
            Err(format!("row {row}, target {name}: {value}"))
        }
        None => Ok(()),
    }
}
