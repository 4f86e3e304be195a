//! Which classes are taken for which.

use ndarray::Array2;

/// Counts of rows by their class and by the class that they were taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    names: Vec<String>,
    /// Row: true class; column: predicted class.
    counts: Array2<u32>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(names: Vec<String>) -> Self {
        let counts = Array2::zeros((names.len(), names.len()));
        Confusion { names, counts }
    }

    /// Counts a row; a class that has no name is not counted.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        if let Some(count) = self.counts.get_mut((truth, predicted)) {
            *count += 1;
        }
    }

    /// Adds what another has counted of the same classes.
    pub fn merge(&mut self, other: &Confusion) {
        if other.counts.dim() == self.counts.dim() {
            self.counts += &other.counts;
        }
    }

    /// Names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The counts. Row: true class; column: predicted class.
    pub fn counts(&self) -> &Array2<u32> {
        &self.counts
    }

    /// Rows counted.
    pub fn total(&self) -> u32 {
        self.counts.sum()
    }

    /// Rows taken for what they are.
    pub fn correct(&self) -> u32 {
        self.counts.diag().sum()
    }

    /// Share of the rows taken for what they are; NaN for no row.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct()) / f64::from(self.total())
    }

    /// Rows of a class.
    pub fn class_total(&self, class: usize) -> u32 {
        self.counts.row(class).sum()
    }

    /// Share of the rows of a class taken for it; NaN when there is none.
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
