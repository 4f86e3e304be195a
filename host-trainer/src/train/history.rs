//! What each epoch reached.

use std::fmt::Write;

use crate::network::BatchScore;

/// What one epoch reached.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// What the training rows scored as they were learnt, each before its step.
    pub train: BatchScore,
    /// What the validation rows scored after the epoch.
    pub validation: Option<BatchScore>,
    /// Seconds that the training rows took, validation not included.
    pub seconds: f64,
}

/// What all epochs reached.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    /// One record an epoch, in order; the last may be of a part of an epoch that was stopped.
    pub epochs: Vec<EpochRecord>,
}

impl History {
    /// As CSV, with a header.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from(
            "epoch,learning_rate,loss,accuracy,validation_loss,validation_accuracy,seconds\n",
        );
        for record in &self.epochs {
            let (loss, accuracy) = (record.train.loss(), record.train.accuracy());
            // Writing into a string cannot fail.
            let _ = write!(csv, "{},{:e},", record.epoch, record.learning_rate);
            let _ = write!(csv, "{loss:.6},{accuracy:.6},");
            let _ = match &record.validation {
                Some(score) => write!(csv, "{:.6},{:.6},", score.loss(), score.accuracy()),
                None => write!(csv, ",,"),
            };
            let _ = writeln!(csv, "{:.4}", record.seconds);
        }
        csv
    }

    /// Mean seconds of an epoch; NaN when there was none.
    pub fn seconds_per_epoch(&self) -> f64 {
        self.epochs.iter().map(|record| record.seconds).sum::<f64>() / self.epochs.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_leaves_empty_what_was_not_measured() {
        let train = BatchScore { loss_sum: 1.0, correct: 3, rows: 4 };
        let record = |epoch, validation| EpochRecord {
            epoch,
            learning_rate: 0.001,
            train,
            validation,
            seconds: 0.25,
        };
        let history = History { epochs: vec![record(1, None), record(2, Some(train))] };
        assert_eq!(
            history.to_csv(),
            "epoch,learning_rate,loss,accuracy,validation_loss,validation_accuracy,seconds\n\
             1,1e-3,0.250000,0.750000,,,0.2500\n\
             2,1e-3,0.250000,0.750000,0.250000,0.750000,0.2500\n"
        );
    }
}
