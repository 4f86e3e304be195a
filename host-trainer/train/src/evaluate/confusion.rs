//! Confusion matrix.

use ndarray::Array2;

/// Confusion matrix: counts of rows by true and predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    names: Vec<String>,
    /// Rows are true classes, columns are predicted classes.
    counts: Array2<u32>,
}

impl Confusion {
    /// Creates a matrix of zeros for the classes of these names.
    pub fn new(names: Vec<String>) -> Self {
        let counts = Array2::zeros((names.len(), names.len()));
        Confusion { names, counts }
    }

    /// Counts a row. A class index without a name is ignored.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        if let Some(count) = self.counts.get_mut((truth, predicted)) {
            *count += 1;
        }
    }

    /// Adds the counts of another matrix of the same classes.
    pub fn merge(&mut self, other: &Confusion) {
        if other.counts.dim() == self.counts.dim() {
            self.counts += &other.counts;
        }
    }

    /// Returns the names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the counts. Rows are true classes, columns are predicted classes.
    pub fn counts(&self) -> &Array2<u32> {
        &self.counts
    }

    /// Returns the number of rows.
    pub fn total(&self) -> u32 {
        self.counts.sum()
    }

    /// Returns the number of rows with the right class.
    pub fn correct(&self) -> u32 {
        self.counts.diag().sum()
    }

    /// Returns the share of rows with the right class, or NaN for no row.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct()) / f64::from(self.total())
    }

    /// Returns the number of rows of a class.
    pub fn class_total(&self, class: usize) -> u32 {
        self.counts.row(class).sum()
    }

    /// Returns the recall of a class, or NaN if it has no rows.
    pub fn class_accuracy(&self, class: usize) -> f64 {
        f64::from(self.counts[(class, class)]) / f64::from(self.class_total(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_follow_from_counts() {
        let mut confusion = Confusion::new(vec!["a".into(), "b".into(), "c".into()]);
        for (truth, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1), (3, 0)] {
            confusion.add(truth, predicted);
        }
        assert_eq!((confusion.correct(), confusion.total()), (3, 4));
        assert_eq!(confusion.accuracy(), 0.75);
        assert_eq!((confusion.class_accuracy(0), confusion.class_accuracy(1)), (0.5, 1.0));
        assert!(confusion.class_accuracy(2).is_nan());
        let copy = confusion.clone();
        confusion.merge(&copy);
        assert_eq!(confusion.counts()[(0, 1)], 2);
    }
}
