//! Training history: loss and metrics per epoch.

use std::fmt::Write;

use thimble_network::BatchScore;

/// Loss and metrics of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Loss and metrics of the training rows, each before its optimizer step.
    pub train: BatchScore,
    /// Loss and metrics of the validation split after the epoch.
    pub validation: Option<BatchScore>,
    /// Training time in seconds, without validation.
    pub seconds: f64,
}

/// Loss of one mini-batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The batch in it, counted from 1.
    pub batch: usize,
    /// Loss of this batch alone, with weight penalties, before its optimizer step.
    pub loss: f64,
}

/// Loss and metrics of all epochs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    /// One record per epoch, in order. The last epoch may be incomplete if training was stopped.
    pub epochs: Vec<EpochRecord>,
    /// Losses of every `log_every`-th batch, in order.
    pub batches: Vec<BatchRecord>,
}

impl History {
    /// Formats the epochs as CSV with a header. `loss` contains weight penalties, as Keras's does;
    /// `data_loss` does not.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from(
            "epoch,learning_rate,loss,data_loss,accuracy,mean_absolute_error,val_loss,\
             val_data_loss,val_accuracy,val_mean_absolute_error,seconds\n",
        );
        // Losses, accuracy (classification), mean absolute error (regression).
        let score = |score: &BatchScore| {
            let optional = |value: Option<f64>| value.map_or(String::new(), six_digits);
            let accuracy = Some(score.accuracy()).filter(|accuracy| accuracy.is_finite());
            let error = score.mean_absolute_error();
            let losses = [score.loss(), score.data_loss()].map(six_digits).join(",");
            format!("{losses},{},{},", optional(accuracy), optional(error))
        };
        for record in &self.epochs {
            // Writing into a string cannot fail.
            let _ = write!(csv, "{},{:e},", record.epoch, record.learning_rate);
            csv += &score(&record.train);
            csv += &record.validation.as_ref().map_or(",,,,".to_string(), score);
            let _ = writeln!(csv, "{:.4}", record.seconds);
        }
        csv
    }

    /// Formats the losses of batches as CSV with a header.
    pub fn batches_to_csv(&self) -> String {
        let line = |record: &BatchRecord| {
            format!("{},{},{}\n", record.epoch, record.batch, six_digits(record.loss))
        };
        let lines: String = self.batches.iter().map(line).collect();
        format!("epoch,batch,loss\n{lines}")
    }

    /// Returns the mean seconds per epoch, or NaN for no epoch.
    pub fn seconds_per_epoch(&self) -> f64 {
        self.epochs.iter().map(|record| record.seconds).sum::<f64>() / self.epochs.len() as f64
    }
}

/// Formats a number with six significant digits and no exponent.
fn six_digits(value: f64) -> String {
    // A formatted number always parses.
    format!("{value:.5e}").parse::<f64>().unwrap_or(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_leaves_empty_what_was_not_measured() {
        let train = BatchScore {
            loss_sum: 1.0,
            penalty_sum: 1.0,
            correct: 3,
            absolute_error: None,
            rows: 4,
        };
        let numbers = BatchScore { absolute_error: Some(2.0), ..train };
        let record = |epoch, train, validation| EpochRecord {
            epoch,
            learning_rate: 0.001,
            train,
            validation,
            seconds: 0.25,
        };
        let epochs = vec![record(1, train, None), record(2, numbers, Some(train))];
        let batches = vec![BatchRecord { epoch: 2, batch: 100, loss: 0.125 }];
        let history = History { epochs, batches };
        assert_eq!(history.batches_to_csv(), "epoch,batch,loss\n2,100,0.125\n");
        let csv = history.to_csv();
        let lines: Vec<&str> = csv.lines().skip(1).collect();
        assert_eq!(
            lines,
            ["1,1e-3,0.5,0.25,0.75,,,,,,0.2500", "2,1e-3,0.5,0.25,,0.5,0.5,0.25,0.75,,0.2500"]
        );
        assert_eq!(
            [8.661_234_5e-5, 1.0, 2.0 / 3.0].map(six_digits),
            ["0.0000866123", "1", "0.666667"]
        );
    }
}
