//! Training objective: loss, output activation, label smoothing and decision threshold.

use super::{BatchScore, Head, Loss, Real, SoftRows, TargetRows};

/// Largest number of classes for which the exponentials of a row are cached.
const KEPT: usize = 16;

/// Loss with output activation, label smoothing and decision threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Loss function.
    pub loss: Loss,
    /// Label smoothing, the share of each target that is spread evenly over all classes: Szegedy et
    /// al., *Rethinking the Inception architecture*, 2016, section 7. Only for cross-entropies.
    pub label_smoothing: f64,
    /// Output activation of the network.
    pub head: Head,
    /// Decision threshold for two classes. A row is of the second class if its probability is above
    /// this.
    pub threshold: f32,
}

impl Default for Objective {
    fn default() -> Self {
        let (loss, head) = (Loss::default(), Head::default());
        Objective { loss, label_smoothing: 0.0, head, threshold: 0.5 }
    }
}

impl Objective {
    /// Returns the activation that turns the last layer's outputs into probabilities or values. It
    /// is the network's output activation, or the one that the loss implies if the network has
    /// none.
    pub fn scoring_head(&self) -> Head {
        match (self.head, self.loss) {
            (Head::None, loss) if loss.is_categorical() => Head::Softmax,
            (Head::None, Loss::BinaryCrossEntropy) => Head::Sigmoid,
            (head, _) => head,
        }
    }

    /// Returns the predicted class of a row of outputs before the output activation.
    pub fn class<T: Real>(&self, outputs: &[T]) -> usize {
        let threshold = f64::from(self.threshold);
        let is_default = self.threshold == 0.5;
        match (outputs, self.scoring_head()) {
            ([logit], Head::Sigmoid | Head::Softmax) => {
                usize::from(*logit > T::from_f64(logit_of(threshold)))
            }
            ([value], Head::None) => usize::from(*value > T::from_f64(threshold)),
            // The softmax probability of the second class is the sigmoid of the difference of the
            // logits.
            ([first, second], Head::Softmax) if !is_default => {
                usize::from(*second - *first > T::from_f64(logit_of(threshold)))
            }
            _ => first_largest(outputs).0,
        }
    }

    /// Computes loss and metrics of a mini-batch, and the gradient of `weight` · (sum of losses) by
    /// the outputs.
    ///
    /// Cross-entropies are computed from logits, where they are numerically stable. Their gradients
    /// are softmax − target and sigmoid − target. Class weights multiply the loss and the gradient
    /// of a row, as in Keras.
    ///
    /// # Shapes
    /// `outputs` (before the output activation) and `gradient` are rows × `width`.
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
        let are_classes = targets.are_classes();
        for (row, (outputs, gradient)) in rows.enumerate() {
            // The row of `gradient` holds the targets until the loss overwrites them.
            let (truth, class_weight) = match targets {
                TargetRows::Classes(classes) | TargetRows::WeightedClasses(classes, _) => {
                    let class = usize::from(classes[row]);
                    gradient.fill(T::zero());
                    match gradient {
                        [single] => *single = T::from_u8(u8::from(class > 0)),
                        _ => gradient[class] = T::one(),
                    }
                    let class_weight = match targets {
                        TargetRows::WeightedClasses(_, weights) => Some(weights[class]),
                        _ => None,
                    };
                    (Some(class), class_weight)
                }
                TargetRows::Soft(SoftRows { targets, .. }) => {
                    gradient.copy_from_slice(&targets[row * width..][..width]);
                    (Some(first_largest(gradient).0), None)
                }
                TargetRows::Values(values) | TargetRows::ScaledValues(values, _) => {
                    gradient.copy_from_slice(&values[row * width..][..width]);
                    (self.loss.is_categorical().then(|| first_largest(gradient).0), None)
                }
            };
            match (truth, targets) {
                (Some(class), _) => score.correct += usize::from(self.class(outputs) == class),
                (None, TargetRows::ScaledValues(_, units)) => {
                    absolute_error += self.scaled_error(outputs, gradient, units);
                }
                (None, _) => absolute_error += self.absolute_error(outputs, gradient),
            }
            if let TargetRows::Soft(soft) = targets {
                let row_weight = match soft.class_weights {
                    [] => T::one(),
                    weights => gradient.iter().zip(weights).map(|(&t, &w)| t * w).sum(),
                };
                let keep = T::one() - soft.weight;
                let weight = weight * row_weight;
                let mut loss = keep.to_f64() * self.categorical(outputs, gradient, weight * keep);
                if soft.weight > T::zero() {
                    let (teacher, weight) =
                        (&soft.teacher[row * width..][..width], weight * soft.weight);
                    let by_teacher =
                        distilled(outputs, teacher, soft.temperature, weight, gradient);
                    loss += soft.weight.to_f64() * by_teacher;
                }
                score.loss_sum += row_weight.to_f64() * loss;
                continue;
            }
            let row_weight = class_weight.map_or(weight, |class_weight| weight * class_weight);
            let loss = match self.loss {
                loss if loss.is_categorical() => self.categorical(outputs, gradient, row_weight),
                Loss::BinaryCrossEntropy => self.binary(outputs, gradient, row_weight),
                _ => self.distance(outputs, gradient, row_weight),
            };
            score.loss_sum +=
                class_weight.map_or(loss, |class_weight| class_weight.to_f64() * loss);
        }
        if !are_classes && !self.loss.is_categorical() {
            score.absolute_error = Some(absolute_error);
        }
        score
    }

    /// Returns the mean |y − t| of a row of scaled outputs, in the targets' own units.
    fn scaled_error<T: Real>(&self, outputs: &[T], targets: &[T], units: &[T]) -> f64 {
        let head = self.scoring_head();
        let errors = outputs.iter().zip(targets).zip(units);
        let sum: f64 =
            errors.map(|((&x, &t), &unit)| ((head.value(x) - t).abs() * unit).to_f64()).sum();
        sum / outputs.len() as f64
    }

    fn absolute_error<T: Real>(&self, outputs: &[T], targets: &[T]) -> f64 {
        let head = self.scoring_head();
        let errors = outputs.iter().zip(targets);
        let sum: f64 = errors.map(|(&x, &t)| (head.value(x) - t).abs().to_f64()).sum();
        sum / outputs.len() as f64
    }

    /// Categorical cross-entropy of logits: ln Σ e^z · Σ t − Σ t · z. The largest logit is
    /// subtracted before the exponential, so that none overflows (log-sum-exp).
    #[inline(always)]
    fn categorical<T: Real>(&self, logits: &[T], targets: &mut [T], weight: T) -> f64 {
        // Exponentials take most of the time, so those of few classes are cached.
        let mut kept = [T::zero(); KEPT];
        let are_kept = logits.len() <= KEPT;
        let largest = first_largest(logits).1;
        let mut exponentials = T::zero();
        for (index, &logit) in logits.iter().enumerate() {
            let exponential = (logit - largest).exp();
            if are_kept {
                kept[index] = exponential;
            }
            exponentials += exponential;
        }
        let keep = T::from_f64(1.0 - self.label_smoothing);
        let spread = T::from_f64(self.label_smoothing / logits.len() as f64);
        let total: T = targets.iter().copied().sum();
        let logarithm = exponentials.ln();
        let mut loss = T::zero();
        for (index, (target, &logit)) in targets.iter_mut().zip(logits).enumerate() {
            let wanted = keep * *target + spread * total;
            if wanted != T::zero() {
                loss += wanted * (logarithm - (logit - largest));
            }
            let exponential = if are_kept { kept[index] } else { (logit - largest).exp() };
            let probability = exponential / exponentials;
            *target = weight * (probability * total - wanted);
        }
        loss.to_f64()
    }

    /// Binary cross-entropy of logits: max(z, 0) − z · t + ln (1 + e^−|z|).
    fn binary<T: Real>(&self, logits: &[T], targets: &mut [T], weight: T) -> f64 {
        let share = T::one() / T::from_f64(logits.len() as f64);
        let keep = T::from_f64(1.0 - self.label_smoothing);
        let spread = T::from_f64(self.label_smoothing / 2.0);
        let mut loss = T::zero();
        for (target, &logit) in targets.iter_mut().zip(logits) {
            let wanted = keep * *target + spread;
            loss += logit.max(T::zero()) - logit * wanted + (-logit.abs()).exp().ln_1p();
            if logit.is_nan() {
                // `max` discards NaN, and divergence must not go unnoticed.
                loss = logit;
            }
            *target = weight * share * (Head::Sigmoid.value(logit) - wanted);
        }
        (loss * share).to_f64()
    }

    /// Mean squared or mean absolute error.
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

/// Returns T² times the cross-entropy of softmax(z / T) by a teacher's probabilities q, and adds
/// `weight` times its gradient T · (softmax(z / T) − q). The factor T² keeps the gradients in
/// proportion to those by labels: Hinton et al., *Distilling the knowledge in a neural network*,
/// 2015, section 2.
fn distilled<T: Real>(
    logits: &[T],
    teacher: &[T],
    temperature: T,
    weight: T,
    gradient: &mut [T],
) -> f64 {
    let largest = first_largest(logits).1;
    let scaled = |logit: T| (logit - largest) / temperature;
    let sum: T = logits.iter().map(|&logit| scaled(logit).exp()).sum();
    let logarithm = sum.ln();
    let mut loss = T::zero();
    for ((gradient, &logit), &q) in gradient.iter_mut().zip(logits).zip(teacher) {
        let logit = scaled(logit);
        loss += q * (logarithm - logit);
        *gradient += weight * temperature * (logit.exp() / sum - q);
    }
    (temperature * temperature * loss).to_f64()
}

/// Returns the logit of a probability, ln (p / (1 − p)). It is exactly 0 for 1/2.
pub(crate) fn logit_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// Returns index and value of the largest element (argmax), the first of equal ones. The index is 0
/// for an empty slice.
pub fn first_largest<T: PartialOrd + Copy + Default>(values: &[T]) -> (usize, T) {
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
        Objective { loss, ..Objective::default() }
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
    fn distillation_by_hand_and_by_central_differences() {
        let objective = objective(Loss::SparseCategoricalCrossEntropy);
        let (targets, teacher) = ([0.0, 0.75, 0.25], [0.5, 0.25, 0.25]);
        // Weight of the row: 0.75 · 2 + 0.25 · 2 = 2.
        let class_weights = [9.0, 2.0, 2.0];
        let score = |outputs: &[f64], temperature: f64, weight: f64, gradient: &mut [f64]| {
            let class_weights = &class_weights;
            let soft = SoftRows {
                targets: &targets,
                teacher: &teacher,
                temperature,
                weight,
                class_weights,
            };
            objective.score(outputs, 3, TargetRows::Soft(soft), 1.0, gradient)
        };
        let mut gradient = [f64::NAN; 3];
        // Equal logits: both cross-entropies are ln 3, and the one by the teacher counts T² times.
        let found = score(&[0.0; 3], 2.0, 0.25, &mut gradient);
        assert!((found.loss_sum - 2.0 * (0.75 + 0.25 * 4.0) * 3_f64.ln()).abs() < 1e-15);
        // Twice 0.75 · (1/3 − t) + 0.25 · 2 · (1/3 − q).
        for ((gradient, t), q) in gradient.iter().zip(targets).zip(teacher) {
            let third = 1.0 / 3.0;
            assert!((gradient - 2.0 * (0.75 * (third - t) + 0.5 * (third - q))).abs() < 1e-15);
        }
        assert_eq!((found.correct, found.rows, found.absolute_error), (0, 1, None));
        let outputs = [0.3, -1.2, 2.0];
        score(&outputs, 3.0, 0.6, &mut gradient);
        // Errors of both kinds are ε^(2/3) times |f| and |f‴| / 6, here below 40.
        let step = f64::EPSILON.cbrt();
        for index in 0..3 {
            let at = |offset: f64| {
                let mut moved = outputs;
                moved[index] += offset;
                score(&moved, 3.0, 0.6, &mut [0.0; 3]).loss_sum
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            assert!((gradient[index] - difference).abs() < 40.0 * step * step, "{index}");
        }
        // Without a teacher, soft targets of one class are that class.
        let mut other = [f64::NAN; 3];
        let soft = SoftRows {
            targets: &[0.0, 1.0, 0.0],
            teacher: &[],
            temperature: 1.0,
            weight: 0.0,
            class_weights: &[],
        };
        let soft = objective.score(&outputs, 3, TargetRows::Soft(soft), 0.5, &mut gradient);
        let hard = objective.score(&outputs, 3, TargetRows::Classes(&[1]), 0.5, &mut other);
        assert_eq!((soft, gradient), (hard, other));
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

    #[test]
    fn weights_of_classes_multiply_loss_and_gradient() {
        let outputs = [1.0_f64.ln(), 2.0_f64.ln(), 0.3, -0.2];
        for loss in
            [Loss::SparseCategoricalCrossEntropy, Loss::BinaryCrossEntropy, Loss::MeanSquaredError]
        {
            let (mut plain, mut weighted) = ([f64::NAN; 4], [f64::NAN; 4]);
            let objective = objective(loss);
            let all = TargetRows::Classes(&[0, 1]);
            let score = objective.score(&outputs, 2, all, 0.5, &mut plain);
            let mut row = [f64::NAN; 2];
            let one = |outputs: &[f64], class: &[u16], row: &mut [f64; 2]| {
                objective.score(outputs, 2, TargetRows::Classes(class), 0.5, row).loss_sum
            };
            let first = one(&outputs[..2], &[0], &mut row);
            let second = one(&outputs[2..], &[1], &mut row);
            let targets = TargetRows::WeightedClasses(&[0, 1], &[0.25, 10.0]);
            let found = objective.score(&outputs, 2, targets, 0.5, &mut weighted);
            assert!((found.loss_sum - (0.25 * first + 10.0 * second)).abs() < 1e-12, "{loss:?}");
            assert_eq!((found.correct, found.rows), (score.correct, 2));
            for (index, (weighted, plain)) in weighted.iter().zip(plain).enumerate() {
                let expected = plain * if index < 2 { 0.25 } else { 10.0 };
                assert!((weighted - expected).abs() < 1e-12, "{loss:?}: {weighted} {expected}");
            }
        }
    }

    #[test]
    fn scaled_values_are_off_by_what_they_are_in_their_own_unit() {
        let mut gradients = [f64::NAN; 2];
        let targets = TargetRows::ScaledValues(&[3.0, 1.0], &[10.0, 0.5]);
        let squared = objective(Loss::MeanSquaredError);
        let score = squared.score(&[1.0, 2.0], 2, targets, 1.0, &mut gradients);
        // The loss stays scaled: (2² + 1²) / 2. The errors are 20 and 0.5.
        assert_eq!((score.loss(), score.mean_absolute_error()), (2.5, Some(10.25)));
    }

    #[test]
    fn a_threshold_moves_the_border_between_two_classes() {
        let with = |loss, threshold| Objective { threshold, ..objective(loss) };
        // The sigmoid of ln 3 is 3/4, and so is the softmax of (0, ln 3).
        let logit = 3.0_f64.ln();
        for (threshold, class) in [(0.5, 1), (0.74, 1), (0.76, 0)] {
            assert_eq!(with(Loss::BinaryCrossEntropy, threshold).class(&[logit]), class);
            let softmax = with(Loss::SparseCategoricalCrossEntropy, threshold);
            assert_eq!(softmax.class(&[0.0, logit]), class);
            assert_eq!(with(Loss::MeanSquaredError, threshold).class(&[0.75]), class);
        }
        let softmax = with(Loss::SparseCategoricalCrossEntropy, 0.1);
        // The probability is 1/4.
        assert_eq!((softmax.class(&[logit, 0.0]), softmax.class(&[logit, 0.0, 0.0])), (1, 0));
    }
}
