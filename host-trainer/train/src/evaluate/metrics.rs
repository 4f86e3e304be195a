//! Metrics: precision, recall, F1, ROC AUC, average precision, calibration error, R².

use super::{Confusion, sort_scores};

/// Bins of the calibration error, as in Guo et al., *On calibration of modern neural networks*,
/// 2017.
const BINS: usize = 15;

/// Smallest probability of the cross-entropy: Keras's `epsilon`.
const LEAST: f64 = 1e-7;

impl Confusion {
    /// Returns the precision of a class: of the rows predicted as it, the share that are of it. NaN
    /// if no row is predicted as it.
    pub fn precision(&self, class: usize) -> f64 {
        let taken: u32 = self.counts().column(class).sum();
        f64::from(self.counts()[(class, class)]) / f64::from(taken)
    }

    /// Returns the recall of a class: of its rows, the share predicted as it. NaN if it has no
    /// rows.
    pub fn recall(&self, class: usize) -> f64 {
        self.class_accuracy(class)
    }

    /// Returns the F1 score of a class, the harmonic mean of precision and recall: 2 · right /
    /// (rows of it + rows predicted as it). NaN if there are neither.
    pub fn f1(&self, class: usize) -> f64 {
        let taken: u32 = self.counts().column(class).sum();
        let right = f64::from(self.counts()[(class, class)]);
        2.0 * right / (f64::from(self.class_total(class)) + f64::from(taken))
    }

    /// Returns the macro average of a metric. NaN counts as 0, and classes without rows are
    /// ignored.
    pub fn macro_mean(&self, figure: impl Fn(&Self, usize) -> f64) -> f64 {
        let classes: Vec<usize> =
            (0..self.names().len()).filter(|&class| self.class_total(class) > 0).collect();
        let figures = classes.iter().map(|&class| {
            let figure = figure(self, class);
            if figure.is_nan() { 0.0 } else { figure }
        });
        figures.sum::<f64>() / classes.len() as f64
    }
}

impl Confusion {
    /// Returns the balanced accuracy, the mean recall of all classes that have rows.
    pub fn balanced_accuracy(&self) -> f64 {
        self.macro_mean(Self::recall)
    }

    /// Returns the most frequent class and its share of the rows, or `None` for no row.
    pub fn most_frequent(&self) -> Option<(usize, f64)> {
        let classes = (0..self.names().len()).rev();
        let class = classes.max_by_key(|&class| self.class_total(class))?;
        let share = f64::from(self.class_total(class)) / f64::from(self.total());
        share.is_finite().then_some((class, share))
    }

    /// Returns the minority class of two, which is usually the one to detect. It is the second if
    /// both have equally many rows.
    pub fn rarer(&self) -> Option<usize> {
        (self.names().len() == 2).then(|| usize::from(self.class_total(1) <= self.class_total(0)))
    }
}

/// Metrics of predicted probabilities: ROC AUC, average precision, top-k accuracy, calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Area under the ROC curve of each class, one-vs-rest. For two classes, both are the same
    /// except for ties. NaN for a class with no row or all rows.
    pub auc: Vec<f64>,
    /// Average precision of each class, the area under its precision-recall curve. NaN for a class
    /// without rows.
    pub average_precision: Vec<f64>,
    /// Top-k accuracy for k from 1 to at most 5.
    pub top_k: Vec<f64>,
    /// Cross-entropy of the probabilities: the mean of −ln p of the true class, with p at least
    /// 1e-7, as Keras evaluates it and scikit-learn's `log_loss`.
    pub log_loss: f64,
    /// Expected calibration error, the mean difference of confidence and accuracy.
    pub calibration_error: f64,
}

/// Computes the metrics of predicted probabilities.
///
/// # Shapes
/// `probabilities` is rows × `classes`, at least two; `truths` has one class per row.
pub fn ranking(probabilities: &[f32], classes: usize, truths: &[u16]) -> Ranking {
    let rows = || probabilities.chunks_exact(classes).zip(truths);
    let scores = |class: usize| {
        let mut scores: Vec<(f32, bool)> =
            rows().map(|(row, &truth)| (row[class], usize::from(truth) == class)).collect();
        sort_scores(&mut scores);
        scores
    };
    let (auc, average_precision) = (0..classes)
        .map(|class| {
            let scores = scores(class);
            (area_under_roc(&scores), average_precision(&scores))
        })
        .unzip();
    let mut within = vec![0_usize; classes.min(5)];
    let mut bins = [(0_usize, 0.0_f64, 0_usize); BINS];
    let mut log_loss = 0.0;
    for (row, &truth) in rows() {
        let own = row[usize::from(truth)];
        log_loss -= f64::from(own).clamp(LEAST, 1.0).ln();
        // The first of equal ones wins, as in the predicted class.
        let before =
            |(class, p): &(usize, &f32)| **p > own || (**p == own && *class < usize::from(truth));
        let rank = row.iter().enumerate().filter(before).count();
        within.iter_mut().skip(rank).for_each(|count| *count += 1);
        let confidence = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let bin = ((f64::from(confidence) * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 += f64::from(confidence);
        bins[bin].2 += usize::from(rank == 0);
    }
    let count = truths.len() as f64;
    let gaps = bins.iter().map(|(_, confidence, right)| (confidence - *right as f64).abs());
    Ranking {
        auc,
        average_precision,
        top_k: within.iter().map(|&within| within as f64 / count).collect(),
        log_loss: log_loss / count,
        calibration_error: gaps.sum::<f64>() / count,
    }
}

/// Computes the ROC AUC as the Mann–Whitney U statistic: the probability that a row of the class
/// scores higher than another row, with ties counted as one half. `scores` are in ascending order.
fn area_under_roc(scores: &[(f32, bool)]) -> f64 {
    let positives = scores.iter().filter(|(_, of_class)| *of_class).count() as f64;
    let negatives = scores.len() as f64 - positives;
    let (mut below, mut wins) = (0.0, 0.0);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let of_class = tied.iter().filter(|(_, of_class)| *of_class).count() as f64;
        let others = tied.len() as f64 - of_class;
        wins += of_class * (below + 0.5 * others);
        below += others;
    }
    wins / (positives * negatives)
}

/// Computes the average precision Σ (Rₙ − Rₙ₋₁) · Pₙ over descending thresholds, with tied rows
/// together, as scikit-learn's `average_precision_score`. `scores` are in ascending order.
fn average_precision(scores: &[(f32, bool)]) -> f64 {
    let positives = scores.iter().filter(|(_, of_class)| *of_class).count() as f64;
    let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
    for tied in scores.chunk_by(|a, b| a.0 == b.0).rev() {
        let of_class = tied.iter().filter(|(_, of_class)| *of_class).count() as f64;
        found += of_class;
        taken += tied.len() as f64;
        area += of_class * found / taken;
    }
    area / positives
}

/// Regression errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression {
    /// Mean squared error.
    pub mean_squared_error: f64,
    /// Mean absolute error.
    pub mean_absolute_error: f64,
    /// Coefficient of determination, 1 − squared error / variance. 1 is perfect, 0 is no better
    /// than the mean. Not finite if all values are the same.
    pub r_squared: f64,
}

/// Computes the errors of all outputs together.
///
/// # Shapes
/// Both have rows × `width` elements. R² is over all columns together, each around its own mean.
pub fn regression(values: &[f32], truths: &[f32], width: usize) -> Regression {
    let count = truths.len() as f64;
    let errors = || values.iter().zip(truths).map(|(&y, &t)| f64::from(y) - f64::from(t));
    let squares: f64 = errors().map(|e| e * e).sum();
    let variation = |column: usize| {
        let values = || truths.iter().skip(column).step_by(width).map(|&t| f64::from(t));
        let mean = values().sum::<f64>() / values().count() as f64;
        values().map(|t| (t - mean) * (t - mean)).sum::<f64>()
    };
    Regression {
        mean_squared_error: squares / count,
        mean_absolute_error: errors().map(f64::abs).sum::<f64>() / count,
        r_squared: 1.0 - squares / (0..width).map(variation).sum::<f64>(),
    }
}

/// Computes the errors of each output.
///
/// # Shapes
/// Both have rows × `width` elements.
pub fn regressions(values: &[f32], truths: &[f32], width: usize) -> Vec<Regression> {
    let column = |all: &[f32], output: usize| -> Vec<f32> {
        all.iter().skip(output).step_by(width).copied().collect()
    };
    let output = |output| regression(&column(values, output), &column(truths, output), 1);
    (0..width).map(output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_recall_and_f1_by_hand() {
        let mut confusion = Confusion::new(vec!["a".into(), "b".into(), "c".into()]);
        for (truth, taken) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (1, 0)] {
            confusion.add(truth, taken);
        }
        assert_eq!((confusion.precision(0), confusion.recall(0)), (0.5, 2.0 / 3.0));
        assert!((confusion.f1(0) - 4.0 / 7.0).abs() < 1e-15);
        assert!(confusion.precision(2).is_nan() && confusion.f1(2).is_nan());
        // The class without rows does not count.
        let mean = confusion.macro_mean(Confusion::recall);
        assert!((mean - 0.5).abs() < 1e-15, "{mean}");
    }

    #[test]
    fn ranking_by_hand() {
        let probabilities = [0.9, 0.1, 0.6, 0.4, 0.6, 0.4, 0.2, 0.8];
        let ranking = ranking(&probabilities, 2, &[0, 0, 1, 1]);
        // Of 4 pairs 3 are right, and one is a tie.
        assert_eq!(ranking.auc, [0.875, 0.875]);
        assert_eq!(ranking.top_k, [0.75, 1.0]);
        // Bins of 0.9 (right), of twice 0.6 (one right) and of 0.8 (right).
        assert!((ranking.calibration_error - (0.1 + 0.2 + 0.2) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_ranking_of_ties_is_worth_half() {
        let ranking = ranking(&[0.5; 8], 2, &[0, 0, 1, 1]);
        assert_eq!((ranking.auc[0], ranking.top_k[0]), (0.5, 0.5));
        assert_eq!(ranking.average_precision[1], 0.5);
    }

    #[test]
    fn average_precision_is_that_of_scikit_learn() {
        // average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) in its documentation.
        let seconds = [0.1_f32, 0.4, 0.35, 0.8];
        let rows: Vec<f32> = seconds.iter().flat_map(|&p| [1.0 - p, p]).collect();
        let area = ranking(&rows, 2, &[0, 0, 1, 1]).average_precision[1];
        assert!((area - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12, "{area}");
        assert!(ranking(&rows, 2, &[0; 4]).average_precision[1].is_nan());
    }

    #[test]
    fn uneven_classes_weigh_the_same_in_balanced_accuracy() {
        let mut confusion = Confusion::new(vec!["fault".into(), "ok".into()]);
        (0..8).for_each(|_| confusion.add(1, 1));
        confusion.add(0, 0);
        confusion.add(0, 1);
        assert_eq!((confusion.accuracy(), confusion.balanced_accuracy()), (0.9, 0.75));
        assert_eq!((confusion.most_frequent(), confusion.rarer()), (Some((1, 0.8)), Some(0)));
        assert_eq!(Confusion::new(vec!["a".into()]).most_frequent(), None);
    }

    #[test]
    fn each_output_has_errors_of_its_own() {
        // The first output is exact, the second always 1 too large.
        let each = regressions(&[1.0, 5.0, 2.0, 7.0], &[1.0, 4.0, 2.0, 6.0], 2);
        assert_eq!((each[0].mean_squared_error, each[0].r_squared), (0.0, 1.0));
        assert_eq!((each[1].mean_squared_error, each[1].r_squared), (1.0, 0.0));
    }

    #[test]
    fn errors_by_hand() {
        let errors = regression(&[1.0, 2.0, 4.0], &[1.0, 3.0, 2.0], 1);
        assert_eq!(errors.mean_absolute_error, 1.0);
        assert!((errors.mean_squared_error - 5.0 / 3.0).abs() < 1e-15);
        assert!((errors.r_squared - (1.0 - 5.0 / 2.0)).abs() < 1e-15);
    }
}
