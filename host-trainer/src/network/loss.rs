//! What training makes small.

use serde::{Deserialize, Serialize};

use super::Real;

/// How wrong outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// −ln of the softmax probability of the row's class; the outputs are logits.
    #[default]
    SparseCategoricalCrossEntropy,
}

/// What a batch, or several, scored.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BatchScore {
    /// Sum of the losses of the rows.
    pub loss_sum: f64,
    /// Rows whose class has the largest output.
    pub correct: usize,
    /// Rows.
    pub rows: usize,
}

impl BatchScore {
    /// Adds what another batch scored.
    pub fn add(&mut self, other: BatchScore) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.rows += other.rows;
    }

    /// Mean loss of a row; NaN for no row.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.rows as f64
    }

    /// Share of the rows that are right; NaN for no row.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }
}

impl Loss {
    /// The name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SparseCategoricalCrossEntropy => "sparse_categorical_cross_entropy",
        }
    }

    /// Scores outputs, and computes the gradient of `weight` · (sum of losses) by them.
    ///
    /// The gradient of the cross-entropy by the logits is softmax − one-hot. The largest logit is
    /// subtracted before the exponential, so that none overflows.
    ///
    /// # Shapes
    /// `outputs` and `gradient` are rows × width; `labels` has one class below width a row.
    pub fn score<T: Real>(
        self,
        outputs: &[T],
        width: usize,
        labels: &[u16],
        weight: T,
        gradient: &mut [T],
    ) -> BatchScore {
        let Loss::SparseCategoricalCrossEntropy = self;
        let mut score = BatchScore { rows: labels.len(), ..BatchScore::default() };
        let rows = outputs.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        for ((logits, gradient), &label) in rows.zip(labels) {
            let label = usize::from(label);
            let (best, largest) = first_largest(logits);
            score.correct += usize::from(best == label);
            let mut sum = T::zero();
            for (exponential, &logit) in gradient.iter_mut().zip(logits) {
                *exponential = (logit - largest).exp();
                sum += *exponential;
            }
            score.loss_sum += (sum.ln() - (logits[label] - largest)).to_f64();
            let factor = weight / sum;
            gradient.iter_mut().for_each(|exponential| *exponential *= factor);
            gradient[label] -= weight;
        }
        score
    }
}

/// Index and value of the largest element, the first of equal ones; index 0 for an empty slice.
pub(crate) fn first_largest<T: PartialOrd + Copy + Default>(values: &[T]) -> (usize, T) {
    let mut best = (0, values.first().copied().unwrap_or_default());
    for (index, &value) in values.iter().enumerate().skip(1) {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_by_hand() {
        // Softmax of (ln 1, ln 2, ln 5) is (1, 2, 5) / 8.
        let outputs = [1.0_f64.ln(), 2.0_f64.ln(), 5.0_f64.ln()];
        let mut gradients = [f64::NAN; 3];
        let loss = Loss::SparseCategoricalCrossEntropy;
        let score = loss.score(&outputs, 3, &[1], 2.0, &mut gradients);
        assert!((score.loss() - 4.0_f64.ln()).abs() < 1e-15);
        assert_eq!((score.correct, score.rows), (0, 1));
        for (gradient, expected) in gradients.iter().zip([0.25, 0.5 - 2.0, 1.25]) {
            assert!((gradient - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn huge_logits_stay_finite() {
        let mut gradients = [f32::NAN; 3];
        let loss = Loss::SparseCategoricalCrossEntropy;
        let score = loss.score(&[1e30_f32, -1e30, 0.0], 3, &[0], 1.0, &mut gradients);
        assert_eq!((score.loss_sum, score.correct), (0.0, 1));
        assert_eq!(gradients, [0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_first_of_equal_outputs_wins() {
        assert_eq!(first_largest(&[1, 3, 3]), (1, 3));
        assert_eq!(first_largest::<i8>(&[]), (0, 0));
    }
}
