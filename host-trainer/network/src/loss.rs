//! Loss functions, and scores of a mini-batch.

use serde::{Deserialize, Serialize};

/// Loss function. All but the categorical ones are means over the outputs of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Categorical cross-entropy of class indices: −ln softmax(y)_class.
    #[default]
    SparseCategoricalCrossEntropy,
    /// Categorical cross-entropy of distributions over the classes: −Σ t · ln softmax(y).
    CategoricalCrossEntropy,
    /// Binary cross-entropy −t · ln p − (1 − t) · ln (1 − p), with p the sigmoid of the logit.
    BinaryCrossEntropy,
    /// Squared error (y − t)².
    MeanSquaredError,
    /// Absolute error |y − t|.
    MeanAbsoluteError,
}

impl Loss {
    /// Returns the name that presets use.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SparseCategoricalCrossEntropy => "sparse_categorical_cross_entropy",
            Loss::CategoricalCrossEntropy => "categorical_cross_entropy",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::MeanSquaredError => "mean_squared_error",
            Loss::MeanAbsoluteError => "mean_absolute_error",
        }
    }

    /// Returns `true` for regression losses.
    pub fn is_distance(self) -> bool {
        matches!(self, Loss::MeanSquaredError | Loss::MeanAbsoluteError)
    }

    /// Returns `true` for the losses of softmax probabilities.
    pub fn is_categorical(self) -> bool {
        matches!(self, Loss::SparseCategoricalCrossEntropy | Loss::CategoricalCrossEntropy)
    }
}

/// Loss and metrics of one or more mini-batches.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BatchScore {
    /// Sum of the losses of all rows, weighted by class if classes have weights. Without weight
    /// penalties.
    pub loss_sum: f64,
    /// Sum over all rows of the weight penalty at the time of their mini-batch.
    pub penalty_sum: f64,
    /// Number of rows with the right class.
    pub correct: usize,
    /// For regression, the sum over the rows of the mean |y − t|, in the target's own unit.
    pub absolute_error: Option<f64>,
    /// Rows.
    pub rows: usize,
}

impl BatchScore {
    /// Adds the scores of another mini-batch.
    pub fn add(&mut self, other: BatchScore) {
        self.loss_sum += other.loss_sum;
        self.penalty_sum += other.penalty_sum;
        self.correct += other.correct;
        self.rows += other.rows;
        if let Some(error) = other.absolute_error {
            *self.absolute_error.get_or_insert(0.0) += error;
        }
    }

    /// Returns the loss as Keras means it, or NaN for no row: the mean loss per row, plus the
    /// weight penalty.
    pub fn loss(&self) -> f64 {
        (self.loss_sum + self.penalty_sum) / self.rows as f64
    }

    /// Returns the mean loss per row without weight penalty, or NaN for no row.
    pub fn data_loss(&self) -> f64 {
        self.loss_sum / self.rows as f64
    }

    /// Adds a weight penalty, which is the same for each row.
    pub fn add_penalty(&mut self, penalty: f64) {
        self.penalty_sum += penalty * self.rows as f64;
    }

    /// Returns the share of rows with the right class, or NaN for no row and for regression.
    pub fn accuracy(&self) -> f64 {
        match self.absolute_error {
            Some(_) => f64::NAN,
            None => self.correct as f64 / self.rows as f64,
        }
    }

    /// Returns the mean absolute error, for regression.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        self.absolute_error.map(|error| error / self.rows as f64)
    }
}
