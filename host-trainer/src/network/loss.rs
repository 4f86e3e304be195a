//! What training makes small.

use serde::{Deserialize, Serialize};

use super::{Head, Real};

/// How wrong outputs are. Each is a mean over the outputs of a row, but for the categorical ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// −ln of the softmax probability of the row's class.
    #[default]
    SparseCategoricalCrossEntropy,
    /// The same for targets that are distributions over the classes: −Σ t · ln softmax.
    CategoricalCrossEntropy,
    /// −t · ln p − (1 − t) · ln (1 − p), with p the sigmoid of the output before it.
    BinaryCrossEntropy,
    /// (y − t)².
    MeanSquaredError,
    /// |y − t|.
    MeanAbsoluteError,
}

impl Loss {
    /// The name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SparseCategoricalCrossEntropy => "sparse_categorical_cross_entropy",
            Loss::CategoricalCrossEntropy => "categorical_cross_entropy",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::MeanSquaredError => "mean_squared_error",
            Loss::MeanAbsoluteError => "mean_absolute_error",
        }
    }

    /// Whether it compares softmax probabilities.
    pub fn is_categorical(self) -> bool {
        matches!(self, Loss::SparseCategoricalCrossEntropy | Loss::CategoricalCrossEntropy)
    }
}

/// What outputs should be.
#[derive(Clone, Copy, Debug)]
pub enum TargetRows<'a, T> {
    /// A class a row. As numbers: 0 and 1 for a single output, else 1 for the output of the class
    /// and 0 for all others.
    Classes(&'a [u16]),
    /// As many numbers a row as there are outputs.
    Values(&'a [T]),
}

/// What a batch, or several, scored.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BatchScore {
    /// Sum of the losses of the rows, without penalties on weights.
    pub loss_sum: f64,
    /// Rows that are taken for the class that they are.
    pub correct: usize,
    /// For targets that are numbers: the sum over the rows of the mean |y − t|.
    pub absolute_error: Option<f64>,
    /// Rows.
    pub rows: usize,
}

impl BatchScore {
    /// Adds what another batch scored.
    pub fn add(&mut self, other: BatchScore) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.rows += other.rows;
        if let Some(error) = other.absolute_error {
            *self.absolute_error.get_or_insert(0.0) += error;
        }
    }

    /// Mean loss of a row; NaN for no row.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.rows as f64
    }

    /// Share of the rows that are right; NaN for no row, or where targets are no classes.
    pub fn accuracy(&self) -> f64 {
        match self.absolute_error {
            Some(_) => f64::NAN,
            None => self.correct as f64 / self.rows as f64,
        }
    }

    /// Mean |y − t|, where targets are numbers.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        self.absolute_error.map(|error| error / self.rows as f64)
    }
}

/// A loss with all that it needs to know of the network's end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// How wrong outputs are.
    pub loss: Loss,
    /// Share of each target that is spread evenly over all classes: Szegedy et al., *Rethinking
    /// the Inception architecture*, 2016, section 7. For cross-entropies alone.
    pub label_smoothing: f64,
    /// What is applied to the last layer's outputs.
    pub head: Head,
}

impl Objective {
    /// What turns the last layer's outputs into probabilities or values: the network's head, or
    /// what the loss takes for granted where the network has none.
    pub fn scoring_head(&self) -> Head {
        match (self.head, self.loss) {
            (Head::None, loss) if loss.is_categorical() => Head::Softmax,
            (Head::None, Loss::BinaryCrossEntropy) => Head::Sigmoid,
            (head, _) => head,
        }
    }

    /// The class that a row of outputs, before the head, stands for.
    pub fn class<T: Real>(&self, outputs: &[T]) -> usize {
        match (outputs, self.scoring_head()) {
            ([logit], Head::Sigmoid | Head::Softmax) => usize::from(*logit > T::zero()),
            ([value], Head::None) => usize::from(*value > T::from_f64(0.5)),
            _ => first_largest(outputs).0,
        }
    }

    /// Scores outputs, and computes the gradient of `weight` · (sum of losses) by them.
    ///
    /// Cross-entropies are computed from the outputs before softmax or sigmoid, where they are
    /// stable: their gradients are softmax − target and sigmoid − target.
    ///
    /// # Shapes
    /// `outputs` (before the head) and `gradient` are rows × `width`.
    pub fn score<T: Real>(
        &self,
        outputs: &[T],
        width: usize,
        targets: TargetRows<'_, T>,
        weight: T,
        gradient: &mut [T],
    ) -> BatchScore {
        let mut score = BatchScore { rows: outputs.len() / width, ..BatchScore::default() };
        let mut absolute_error = 0.0;
        let rows = outputs.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        for (row, (outputs, gradient)) in rows.enumerate() {
            // The targets of the row lie in its gradient until they have become that.
            let truth = match targets {
                TargetRows::Classes(classes) => {
                    let class = usize::from(classes[row]);
                    gradient.fill(T::zero());
                    match gradient {
                        [single] => *single = T::from_u8(u8::from(class > 0)),
                        _ => gradient[class] = T::one(),
                    }
                    Some(class)
                }
                TargetRows::Values(values) => {
                    gradient.copy_from_slice(&values[row * width..][..width]);
                    self.loss.is_categorical().then(|| first_largest(gradient).0)
                }
            };
            match truth {
                Some(class) => score.correct += usize::from(self.class(outputs) == class),
                None => absolute_error += self.absolute_error(outputs, gradient),
            }
            score.loss_sum += match self.loss {
                loss if loss.is_categorical() => self.categorical(outputs, gradient, weight),
                Loss::BinaryCrossEntropy => self.binary(outputs, gradient, weight),
                _ => self.distance(outputs, gradient, weight),
            };
        }
        if matches!(targets, TargetRows::Values(_)) && !self.loss.is_categorical() {
            score.absolute_error = Some(absolute_error);
        }
        score
    }

    fn absolute_error<T: Real>(&self, outputs: &[T], targets: &[T]) -> f64 {
        let head = self.scoring_head();
        let errors = outputs.iter().zip(targets);
        let sum: f64 = errors.map(|(&x, &t)| (head.value(x) - t).abs().to_f64()).sum();
        sum / outputs.len() as f64
    }

    /// ln Σ e^z · Σ t − Σ t · z. The largest logit is subtracted before the exponential, so that
    /// none overflows.
    #[inline(always)]
    fn categorical<T: Real>(&self, logits: &[T], targets: &mut [T], weight: T) -> f64 {
        let largest = first_largest(logits).1;
        let mut exponentials = T::zero();
        for &logit in logits {
            exponentials += (logit - largest).exp();
        }
        let keep = T::from_f64(1.0 - self.label_smoothing);
        let spread = T::from_f64(self.label_smoothing / logits.len() as f64);
        let total: T = targets.iter().copied().sum();
        let logarithm = exponentials.ln();
        let mut loss = T::zero();
        for (target, &logit) in targets.iter_mut().zip(logits) {
            let wanted = keep * *target + spread * total;
            if wanted != T::zero() {
                loss += wanted * (logarithm - (logit - largest));
            }
            let probability = (logit - largest).exp() / exponentials;
            *target = weight * (probability * total - wanted);
        }
        loss.to_f64()
    }

    /// max(z, 0) − z · t + ln (1 + e^−|z|).
    fn binary<T: Real>(&self, logits: &[T], targets: &mut [T], weight: T) -> f64 {
        let share = T::one() / T::from_f64(logits.len() as f64);
        let keep = T::from_f64(1.0 - self.label_smoothing);
        let spread = T::from_f64(self.label_smoothing / 2.0);
        let mut loss = T::zero();
        for (target, &logit) in targets.iter_mut().zip(logits) {
            let wanted = keep * *target + spread;
            loss += logit.max(T::zero()) - logit * wanted + (-logit.abs()).exp().ln_1p();
            if logit.is_nan() {
                // `max` forgets it, and divergence must not look like silence.
                loss = logit;
            }
            *target = weight * share * (Head::Sigmoid.value(logit) - wanted);
        }
        (loss * share).to_f64()
    }

    /// Squares or magnitudes of y − t.
    fn distance<T: Real>(&self, outputs: &[T], targets: &mut [T], weight: T) -> f64 {
        let share = T::one() / T::from_f64(outputs.len() as f64);
        let mut loss = T::zero();
        for (target, &output) in targets.iter_mut().zip(outputs) {
            let value = self.head.value(output);
            let error = value - *target;
            let slope = match self.loss {
                Loss::MeanAbsoluteError => {
                    loss += error.abs();
                    if error > T::zero() {
                        T::one()
                    } else if error < T::zero() {
                        -T::one()
                    } else {
                        T::zero()
                    }
                }
                _ => {
                    loss += error * error;
                    error + error
                }
            };
            *target = weight * share * slope * self.head.derivative(value);
        }
        (loss * share).to_f64()
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

    fn objective(loss: Loss) -> Objective {
        Objective { loss, label_smoothing: 0.0, head: Head::None }
    }

    #[test]
    fn cross_entropy_by_hand() {
        // Softmax of (ln 1, ln 2, ln 5) is (1, 2, 5) / 8.
        let outputs = [1.0_f64.ln(), 2.0_f64.ln(), 5.0_f64.ln()];
        let mut gradients = [f64::NAN; 3];
        let loss = objective(Loss::SparseCategoricalCrossEntropy);
        let score = loss.score(&outputs, 3, TargetRows::Classes(&[1]), 2.0, &mut gradients);
        assert!((score.loss() - 4.0_f64.ln()).abs() < 1e-15);
        assert_eq!((score.correct, score.rows), (0, 1));
        for (gradient, expected) in gradients.iter().zip([0.25, 0.5 - 2.0, 1.25]) {
            assert!((gradient - expected).abs() < 1e-15);
        }
        // The same as a distribution.
        let again = objective(Loss::CategoricalCrossEntropy);
        let targets = TargetRows::Values(&[0.0, 1.0, 0.0]);
        assert_eq!(again.score(&outputs, 3, targets, 2.0, &mut gradients), score);
    }

    #[test]
    fn smoothing_spreads_a_share_over_all_classes() {
        let smooth =
            Objective { label_smoothing: 0.3, ..objective(Loss::SparseCategoricalCrossEntropy) };
        let mut gradients = [f64::NAN; 3];
        let score = smooth.score(&[0.0; 3], 3, TargetRows::Classes(&[2]), 1.0, &mut gradients);
        assert!((score.loss() - 3_f64.ln()).abs() < 1e-15);
        for (gradient, target) in gradients.iter().zip([0.1, 0.1, 0.8]) {
            assert!((gradient - (1.0 / 3.0 - target)).abs() < 1e-15);
        }
    }

    #[test]
    fn binary_cross_entropy_by_hand() {
        // Sigmoid of ln 3 is 3/4.
        let mut gradients = [f64::NAN; 2];
        let outputs = [3_f64.ln(), -3_f64.ln()];
        let loss = objective(Loss::BinaryCrossEntropy);
        let score = loss.score(&outputs, 1, TargetRows::Classes(&[1, 1]), 1.0, &mut gradients);
        assert!((score.loss_sum - (4.0_f64 / 3.0).ln() - 4_f64.ln()).abs() < 1e-15);
        assert_eq!((score.correct, score.rows), (1, 2));
        assert!((gradients[0] + 0.25).abs() < 1e-15 && (gradients[1] + 0.75).abs() < 1e-15);
    }

    #[test]
    fn distances_by_hand() {
        let mut gradients = [f64::NAN; 2];
        let targets = TargetRows::Values(&[3.0, 1.0]);
        let squared = objective(Loss::MeanSquaredError);
        let score = squared.score(&[1.0, 2.0], 2, targets, 1.0, &mut gradients);
        assert_eq!((score.loss(), gradients), (2.5, [-2.0, 1.0]));
        assert_eq!(score.mean_absolute_error(), Some(1.5));
        assert!(score.accuracy().is_nan());
        let absolute = objective(Loss::MeanAbsoluteError);
        let score = absolute.score(&[1.0, 2.0], 2, targets, 1.0, &mut gradients);
        assert_eq!((score.loss(), gradients), (1.5, [-0.5, 0.5]));
    }

    #[test]
    fn huge_logits_stay_finite_and_nan_is_not_hidden() {
        let mut gradients = [f32::NAN; 3];
        let loss = objective(Loss::SparseCategoricalCrossEntropy);
        let outputs = [1e30_f32, -1e30, 0.0];
        let score = loss.score(&outputs, 3, TargetRows::Classes(&[0]), 1.0, &mut gradients);
        assert_eq!((score.loss_sum, score.correct), (0.0, 1));
        assert_eq!(gradients, [0.0, 0.0, 0.0]);
        for loss in [Loss::SparseCategoricalCrossEntropy, Loss::BinaryCrossEntropy] {
            let loss = objective(loss);
            let outputs = [f32::NAN, 0.0, 1.0];
            let score = loss.score(&outputs, 3, TargetRows::Classes(&[0]), 1.0, &mut gradients);
            assert!(score.loss_sum.is_nan(), "{loss:?}");
        }
    }

    #[test]
    fn the_first_of_equal_outputs_wins() {
        assert_eq!(first_largest(&[1, 3, 3]), (1, 3));
        assert_eq!(first_largest::<i8>(&[]), (0, 0));
    }
}
