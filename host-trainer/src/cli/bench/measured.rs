//! Measurements of a benchmark as text and as JSON.

use serde_json::{Value, json};

use crate::report::style::{HEADING, STRONG, paint};
use crate::report::{Cell, Table, percent};

/// Measurements of a benchmark.
pub(super) struct Measured<'a> {
    pub preset: &'a str,
    pub network: String,
    pub rows: usize,
    pub batch_size: usize,
    /// Threads that share a batch.
    pub workers: usize,
    pub threads: usize,
    pub epochs: usize,
    /// Name, seconds of the fastest epoch and result on the test rows per program; ours is the
    /// first.
    pub programs: Vec<(String, f64, f64)>,
    /// Name of the result's metric.
    pub result: &'static str,
    /// Floating-point operations of an epoch's matrix products.
    pub flops: f64,
    /// Peak throughput of a large square matrix product, in 10⁹ operations per second.
    pub bound: f64,
    pub others_without: Vec<&'static str>,
    /// Peak memory in bytes, where the system reports it.
    pub peak_memory: Option<u64>,
    /// Size of the parameters in bytes.
    pub weights: usize,
}

impl Measured<'_> {
    /// Throughput of an epoch with this duration, in 10⁹ operations per second.
    fn rate(&self, seconds: f64) -> f64 {
        self.flops / seconds / 1e9
    }

    fn own_seconds(&self) -> f64 {
        self.programs.first().map_or(f64::NAN, |own| own.1)
    }

    pub fn json(&self) -> Value {
        let program = |(name, seconds, result): &(String, f64, f64)| {
            json!({
                "name": name,
                "epoch_seconds": seconds,
                "gflops": self.rate(*seconds),
                "share_of_bound": self.rate(*seconds) / self.bound,
                "times_as_long": seconds / self.own_seconds(),
                self.result: result,
            })
        };
        json!({
            "preset": self.preset,
            "network": self.network,
            "rows": self.rows,
            "batch_size": self.batch_size,
            "workers": self.workers,
            "threads": self.threads,
            "epochs": self.epochs,
            "programs": self.programs.iter().map(program).collect::<Vec<Value>>(),
            "gflop_an_epoch": self.flops / 1e9,
            "bound_gflops": self.bound,
            "others_without": self.others_without,
            "peak_memory_bytes": self.peak_memory,
            "weight_bytes": self.weights,
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "{}  {}, {} rows in batches of {}, {} of {} threads; best of {} epochs\n\n",
            paint(HEADING, self.preset),
            self.network,
            self.rows,
            self.batch_size,
            self.workers,
            self.threads,
            self.epochs,
        );
        let classes = self.result == "accuracy";
        let title = if classes { "test accuracy" } else { "test |error|" };
        let mut table =
            Table::new(["", "epoch", "GFLOP/s", "of the bound", "times as long", title]);
        for (name, seconds, result) in &self.programs {
            let rate = self.rate(*seconds);
            table.row(vec![
                name.into(),
                format!("{:.1} ms", seconds * 1e3).into(),
                format!("{rate:.1}").into(),
                format!("{:.0} %", 100.0 * rate / self.bound).into(),
                Cell::styled(format!("{:.2}", seconds / self.own_seconds()), STRONG),
                if classes { percent(*result) } else { format!("{result:.4}") }.into(),
            ]);
        }
        table.lines().into_iter().for_each(|line| text += &(line + "\n"));
        text += &format!(
            "\nGFLOP/s counts only the matrix products of training, {:.2} GFLOP per epoch.\n\
             The bound is the best product of large square matrices: {:.0} GFLOP/s.\n",
            self.flops / 1e9,
            self.bound
        );
        if self.programs.len() > 1 && !self.others_without.is_empty() {
            text += &format!("The others train without {}.\n", self.others_without.join(", "));
        }
        if let Some(bytes) = self.peak_memory {
            text += &format!(
                "Peak memory {:.1} MB, including the data as bytes; the weights take {:.1} MB.\n",
                bytes as f64 / 1e6,
                self.weights as f64 / 1e6
            );
        }
        text
    }
}
