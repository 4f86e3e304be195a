//! Loss functions, the targets that they compare with, and the scores that they give.

use serde::{Deserialize, Serialize};

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

    /// Whether it measures how far outputs are from numbers.
    pub fn is_distance(self) -> bool {
        matches!(self, Loss::MeanSquaredError | Loss::MeanAbsoluteError)
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
    /// The same, with a weight for each class: loss and gradient of a row are multiplied by it.
    WeightedClasses(&'a [u16], &'a [T]),
    /// As many numbers a row as there are outputs.
    Values(&'a [T]),
    /// The same, scaled, with the size of one scaled unit of each output in the target's own unit.
    ScaledValues(&'a [T], &'a [T]),
}

impl<T> TargetRows<'_, T> {
    /// Whether targets are classes.
    pub(super) fn are_classes(&self) -> bool {
        matches!(self, TargetRows::Classes(_) | TargetRows::WeightedClasses(..))
    }
}

/// What a batch, or several, scored.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BatchScore {
    /// Sum of the losses of the rows, weighted by class where classes have weights, without
    /// penalties on weights.
    pub loss_sum: f64,
    /// Rows that are taken for the class that they are.
    pub correct: usize,
    /// For targets that are numbers: the sum over the rows of the mean |y − t|, in the target's own
    /// unit.
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
