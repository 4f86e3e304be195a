//! Datasets: features and targets in memory, in the compact types of their source.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::targets::{check_labels, check_values};
use super::{
    Area, Averager, Error, Features, Intake, Labels, Preparation, Raw, RowRecordings, Targets,
    image_shape,
};

/// Name and unit of a feature or target, from the header of its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureLabel {
    /// Name.
    pub name: String,
    /// Unit, which may be empty.
    pub unit: String,
}

/// A dataset: features and targets of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    shape: Vec<usize>,
    features: Features,
    targets: Targets,
    feature_labels: Vec<FeatureLabel>,
    intake: Option<Arc<Intake>>,
    preparation: Option<Preparation>,
    original: Option<Arc<Original>>,
    recordings: Option<Arc<RowRecordings>>,
}

/// Images of a dataset before they were averaged to fewer pixels.
#[derive(Clone, Debug)]
pub struct Original {
    /// The bytes, rows × pixels and channels.
    pub values: Array2<u8>,
    /// Height and width, and the channels if there are several.
    pub shape: Vec<usize>,
    /// Averaging to the dataset's features.
    pub averager: Averager,
}

impl PartialEq for Original {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values && self.averager.area() == other.averager.area()
    }
}

impl Dataset {
    /// Creates a dataset from features and targets.
    ///
    /// # Shapes
    /// `shape` is the shape of one row. Its product is the width of `features`.
    ///
    /// # Errors
    /// [`Error::Dataset`] if there is no row, if shapes or lengths differ, if a label has no name,
    /// or if a number is not finite.
    pub fn new(
        name: impl Into<String>,
        shape: Vec<usize>,
        features: Features,
        targets: impl Into<Targets>,
    ) -> Result<Self, Error> {
        let (name, targets) = (name.into(), targets.into());
        let fail = |problem: String| Error::Dataset { dataset: name.clone(), problem };
        let (rows, width) = (features.rows(), features.width());
        if rows == 0 || width == 0 {
            return Err(fail(format!(
                "{rows} rows of {width} features: there is nothing to learn"
            )));
        }
        if shape.iter().product::<usize>() != width {
            return Err(fail(format!("shape {shape:?} is not that of {width} features")));
        }
        match &targets {
            Targets::Classes(labels) => check_labels(labels, rows).map_err(fail)?,
            Targets::Values(values) => check_values(values, rows).map_err(fail)?,
        }
        match &features {
            Features::Bytes { scale, .. } if !(scale.is_normal() && *scale > 0.0) => {
                return Err(fail(format!("scale {scale} is not a positive number")));
            }
            Features::Bytes { .. } => {}
            Features::Counts { raw, .. } => {
                if raw.len() != width {
                    return Err(fail(format!(
                        "{} lines of counts, but {width} features",
                        raw.len()
                    )));
                }
                if let Some(problem) = raw.iter().find_map(Raw::problem) {
                    return Err(fail(problem));
                }
            }
            Features::Reals(values) => {
                if let Some(((row, column), value)) =
                    values.indexed_iter().find(|(_, value)| !value.is_finite())
                {
                    return Err(fail(format!("row {row}, feature {column}: {value}")));
                }
            }
        }
        let (feature_labels, intake, preparation) = (Vec::new(), None, None);
        let (original, recordings) = (None, None);
        Ok(Dataset {
            name,
            shape,
            features,
            targets,
            feature_labels,
            intake,
            preparation,
            original,
            recordings,
        })
    }

    /// Returns the same rows as raw ADC counts, see [`Features::counted`].
    ///
    /// # Errors
    /// [`Error::Dataset`] if the features are not real numbers, or `raw` has another number of
    /// features.
    pub fn counted(self, raw: &[Raw]) -> Result<Self, Error> {
        let Dataset { name, shape, features, targets, feature_labels, intake, preparation, .. } =
            self;
        match features.counted(raw) {
            Ok(features) => {
                let dataset = Dataset::new(name, shape, features, targets)?;
                Ok(Dataset { feature_labels, intake, preparation, ..dataset })
            }
            Err(problem) => Err(Error::Dataset { dataset: name, problem }),
        }
    }

    /// Returns the same images, averaged to this height and width. The images before are kept for
    /// [`original`](Self::original).
    ///
    /// # Errors
    /// [`Error::Dataset`] if rows are not images, or if they are smaller.
    pub fn averaged(self, to: [usize; 2]) -> Result<Self, Error> {
        let Dataset { name, shape, features, targets, feature_labels, intake, preparation, .. } =
            self;
        let fail = |problem: String| Error::Dataset { dataset: name.clone(), problem };
        let (Some([height, width, channels]), Features::Bytes { values, scale }) =
            (image_shape(&shape), features)
        else {
            return Err(fail(
                "its rows are not images: leave data.pool and data.resize out".into(),
            ));
        };
        if to[0] == 0 || to[1] == 0 || to[0] > height || to[1] > width {
            return Err(fail(format!(
                "images of {height} × {width} cannot be averaged to {} × {}: data.resize must be \
                 at least 1 × 1 and at most the image",
                to[0], to[1]
            )));
        }
        let area = Area { from: [height, width], to };
        let mut after = shape.clone();
        after[..2].copy_from_slice(&to);
        let width: usize = after.iter().product();
        let mut averaged = vec![0; values.nrows() * width];
        let average =
            |(row, out): (usize, &mut [u8])| area.average(&values.row(row).to_vec(), channels, out);
        averaged
            .par_chunks_mut(width)
            .enumerate()
            .try_for_each(average)
            .map_err(|_| fail(format!("images of {height} × {width} have too many pixels")))?;
        let averaged = Array2::from_shape_vec((values.nrows(), width), averaged)
            .map_err(|error| fail(error.to_string()))?;
        let sides = [to[0] as u32, to[1] as u32];
        let averager = Averager::new(area, channels);
        Ok(Dataset {
            name,
            shape: after,
            features: Features::Bytes { values: averaged, scale },
            targets,
            feature_labels,
            intake,
            preparation: preparation.map(|whole| Preparation { average: Some(sides), ..whole }),
            original: Some(Arc::new(Original { values, shape, averager })),
            recordings: None,
        })
    }

    /// Returns the images before averaging, or `None` if they were not averaged.
    pub fn original(&self) -> Option<&Original> {
        self.original.as_deref()
    }

    /// Returns the same rows with a name and a unit per feature.
    ///
    /// # Errors
    /// [`Error::Dataset`] if their number is not the number of features.
    pub fn with_feature_labels(self, labels: Vec<FeatureLabel>) -> Result<Self, Error> {
        let (found, width) = (labels.len(), self.width());
        if found != width {
            let problem = format!("{found} names of features, but {width} features");
            return Err(Error::Dataset { dataset: self.name, problem });
        }
        Ok(Dataset { feature_labels: labels, ..self })
    }

    /// Returns the same rows with the report of reading their table.
    pub fn with_intake(self, intake: Arc<Intake>) -> Self {
        Dataset { intake: Some(intake), ..self }
    }

    /// Returns the report of reading the table, or `None` for other sources.
    pub fn intake(&self) -> Option<&Intake> {
        self.intake.as_deref()
    }

    /// Returns `true` if means replace missing values of a table.
    pub(super) fn is_filled(&self) -> bool {
        self.intake.as_ref().is_some_and(|intake| !intake.filled.is_empty())
    }

    /// Returns the mean of each feature over the values of these rows that are not missing.
    pub fn means_for_missing(&self, rows: &[u32]) -> Vec<f32> {
        let value = |row: u32, feature: usize| match &self.features {
            Features::Reals(values) => f64::from(values[(row as usize, feature)]),
            Features::Counts { values, raw } => raw[feature].real(values[(row as usize, feature)]),
            Features::Bytes { values, .. } => f64::from(values[(row as usize, feature)]),
        };
        let filled = self.intake.as_ref().map_or(&[][..], |intake| &intake.filled);
        super::table::means(self.width(), rows.iter().copied(), filled, value)
    }

    /// Replaces the missing values of a table with these means.
    pub(super) fn fill(&mut self, means: &[f32]) {
        let Some(intake) = self.intake.clone() else { return };
        for &(row, feature) in &intake.filled {
            let (at, mean) = ((row as usize, feature as usize), means[feature as usize]);
            match &mut self.features {
                Features::Reals(values) => values[at] = mean,
                Features::Counts { values, raw } => {
                    values[at] = raw[feature as usize].count(f64::from(mean));
                }
                Features::Bytes { .. } => {}
            }
        }
    }

    /// Returns the same rows with the recording of each.
    pub(super) fn with_recordings(self, recordings: Arc<RowRecordings>) -> Self {
        Dataset { recordings: Some(recordings), ..self }
    }

    /// Returns the recording of each row, or `None` if rows are not windows of recordings.
    pub fn recordings(&self) -> Option<&RowRecordings> {
        self.recordings.as_deref()
    }

    /// Returns name and unit of each feature. Empty if features have no names, such as pixels.
    pub fn feature_labels(&self) -> &[FeatureLabel] {
        &self.feature_labels
    }

    /// Returns the same rows with the preparation of their images.
    pub fn with_preparation(self, preparation: Preparation) -> Self {
        Dataset { preparation: Some(preparation), ..self }
    }

    /// Returns the preparation of the images, or `None` if rows are not images.
    pub fn preparation(&self) -> Option<Preparation> {
        self.preparation
    }

    /// Returns the name of the dataset.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the shape of one row, such as `[28, 28]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the features of all rows.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Returns the targets of all rows.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Returns the class labels, for classification.
    pub fn labels(&self) -> Option<&Labels> {
        match &self.targets {
            Targets::Classes(labels) => Some(labels),
            Targets::Values(_) => None,
        }
    }

    /// Returns the number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.features.rows()
    }

    /// Returns the number of features per row, at least 1.
    pub fn width(&self) -> usize {
        self.features.width()
    }

    /// Returns the number of classes, 0 for regression.
    pub fn classes(&self) -> usize {
        self.class_names().len()
    }

    /// Returns the names of the classes. Empty for regression.
    pub fn class_names(&self) -> &[String] {
        self.labels().map_or(&[], |labels| &labels.names)
    }
}

/// Returns the class names of datasets of digits.
pub(super) fn digit_names() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Values;

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
    fn reals_become_what_a_sensor_counts() {
        let raw = |range| Raw { counts: [0, 100], range };
        let reals = || Features::Reals(array![[0.0, 5.0], [0.504, 99.0]]);
        let counted = reals().counted(&[raw([0.0, 1.0]), raw([0.0, 10.0])]).unwrap();
        let Features::Counts { values, .. } = &counted else { panic!("counts") };
        assert_eq!(*values, array![[0, 50], [50, 100]]);
        assert!(reals().counted(&[raw([0.0, 1.0])]).is_ok());
        assert!(reals().counted(&[raw([0.0, 1.0]); 3]).unwrap_err().contains("3 entries"));
        assert!(counted.counted(&[raw([0.0, 1.0])]).unwrap_err().contains("counts already"));
        let flat = reals().counted(&[raw([1.0, 1.0])]).unwrap();
        assert!(problem(flat, &[0, 1]).contains("range must go up or down"));
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
        let values =
            |values| Values { values, names: vec!["z".into()], units: vec![String::new()] };
        let refused = |targets| Dataset::new("d", vec![2], bytes(), targets).unwrap_err();
        let message = refused(values(array![[1.0], [f32::INFINITY]])).to_string();
        assert!(message.contains("row 1, target z: inf"), "{message}");
        assert!(refused(values(array![[1.0]])).to_string().contains("but 1 of targets"));
        assert!(refused(values(array![[1.0, 2.0], [1.0, 2.0]])).to_string().contains("1 names"));
    }

    #[test]
    fn averaged_images_keep_those_before() {
        let images = |shape: Vec<usize>| {
            let width: usize = shape.iter().product();
            let values =
                Array2::from_shape_fn((2, width), |(row, pixel)| (row * 100 + pixel) as u8);
            let labels = Labels { indices: vec![0, 1], names: vec!["a".into(), "b".into()] };
            Dataset::new("d", shape, Features::Bytes { values, scale: 0.5 }, labels).unwrap()
        };
        let whole = images(vec![2, 4]).with_preparation(Preparation::plain(2, 4));
        let averaged = whole.clone().averaged([1, 2]).unwrap();
        let Features::Bytes { values, scale } = averaged.features() else { panic!("bytes") };
        // Means of 0, 1, 4, 5 and of 2, 3, 6, 7; halves round up.
        assert_eq!((values.as_slice().unwrap(), *scale), ([3, 5, 103, 105].as_slice(), 0.5));
        assert_eq!(averaged.shape(), [1, 2]);
        assert_eq!(averaged.preparation().unwrap().shape(), [1, 2]);
        let original = averaged.original().unwrap();
        assert_eq!(original.shape, [2, 4]);
        assert_eq!(
            Some(&original.values),
            match whole.features() {
                Features::Bytes { values, .. } => Some(values),
                _ => None,
            }
        );
        for (to, expected) in [([3, 4], "cannot be averaged to 3 × 4"), ([0, 1], "to 0 × 1")] {
            let message = whole.clone().averaged(to).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let message = images(vec![8]).averaged([1, 2]).unwrap_err().to_string();
        assert!(message.contains("not images"), "{message}");
    }
}
