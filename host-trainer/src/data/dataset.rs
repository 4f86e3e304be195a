//! Features and labels, held as compactly as they came.

use ndarray::Array2;

use super::Error;

/// The inputs of all rows of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Bytes, such as pixels: the network sees `scale · byte`.
    ///
    /// They stay bytes in memory (a quarter of the room of floats) and become floats a batch at a
    /// time. An int8 input represents them exactly: q = byte − 128 at the same scale.
    Bytes {
        /// The bytes. Shape: rows × features.
        values: Array2<u8>,
        /// What a step of one is worth: 1/255 for MNIST, 1/16 for the digits.
        scale: f32,
    },
    /// Real numbers, which the network sees as they are. Shape: rows × features.
    Reals(Array2<f32>),
}

impl Features {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Features::Bytes { values, .. } => values.nrows(),
            Features::Reals(values) => values.nrows(),
        }
    }

    /// Number of features of a row.
    pub fn width(&self) -> usize {
        match self {
            Features::Bytes { values, .. } => values.ncols(),
            Features::Reals(values) => values.ncols(),
        }
    }
}

/// The class of each row, and what the classes are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The class of each row, an index into `names`.
    pub indices: Vec<u16>,
    /// What each class is called.
    pub names: Vec<String>,
}

/// Rows of features, each with its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    shape: Vec<usize>,
    features: Features,
    labels: Labels,
}

impl Dataset {
    /// Joins features and labels.
    ///
    /// # Shapes
    /// `shape` is the shape of one row, its product the width of `features`.
    ///
    /// # Errors
    /// [`Error::Dataset`] when there is no row, the shapes or lengths differ, a label has no name,
    /// or a number is not finite.
    pub fn new(
        name: impl Into<String>,
        shape: Vec<usize>,
        features: Features,
        labels: Labels,
    ) -> Result<Self, Error> {
        let name = name.into();
        let fail = |problem: String| Error::Dataset { dataset: name.clone(), problem };
        let (rows, width) = (features.rows(), features.width());
        if rows == 0 || width == 0 {
            return Err(fail(format!("{rows} rows of {width} features: there is nothing to learn")));
        }
        if shape.iter().product::<usize>() != width {
            return Err(fail(format!("shape {shape:?} is not that of {width} features")));
        }
        if labels.indices.len() != rows {
            let count = labels.indices.len();
            return Err(fail(format!("{rows} rows of features, but {count} labels")));
        }
        let classes = labels.names.len();
        if let Some(row) = labels.indices.iter().position(|&label| usize::from(label) >= classes) {
            let label = labels.indices[row];
            return Err(fail(format!("row {row}: label {label}, but there are {classes} classes")));
        }
        match &features {
            Features::Bytes { scale, .. } if !(scale.is_normal() && *scale > 0.0) => {
                return Err(fail(format!("scale {scale} is not a positive number")));
            }
            Features::Bytes { .. } => {}
            Features::Reals(values) => {
                if let Some(((row, column), value)) =
                    values.indexed_iter().find(|(_, value)| !value.is_finite())
                {
                    return Err(fail(format!("row {row}, feature {column}: {value}")));
                }
            }
        }
        Ok(Dataset { name, shape, features, labels })
    }

    /// Name of the dataset.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of one row, such as `[28, 28]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The inputs of all rows.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The class of each row.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.features.rows()
    }

    /// Number of features of a row, at least 1.
    pub fn width(&self) -> usize {
        self.features.width()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.labels.names.len()
    }
}

/// Names of the ten digits, for the datasets whose classes they are.
pub(super) fn digit_names() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn labels(indices: &[u16]) -> Labels {
        Labels { indices: indices.to_vec(), names: vec!["no".into(), "yes".into()] }
    }

    fn problem(features: Features, indices: &[u16]) -> String {
        let width = features.width();
        match Dataset::new("d", vec![width], features, labels(indices)) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("must be refused"),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_row() {
        let bytes = || Features::Bytes { values: array![[1, 2], [3, 4]], scale: 0.5 };
        assert!(Dataset::new("d", vec![2], bytes(), labels(&[0, 1])).is_ok());
        assert!(problem(bytes(), &[0]).contains("2 rows of features, but 1 labels"));
        assert!(problem(bytes(), &[0, 2]).contains("row 1: label 2"));
        let reals = Features::Reals(array![[0.0, 1.0], [f32::NAN, 2.0]]);
        assert!(problem(reals, &[0, 1]).contains("row 1, feature 0: NaN"));
        let nothing = Features::Reals(Array2::zeros((0, 2)));
        assert!(problem(nothing, &[]).contains("nothing to learn"));
        assert!(Dataset::new("d", vec![3], bytes(), labels(&[0, 1])).is_err());
    }
}
