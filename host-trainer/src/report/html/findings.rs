//! What a report is about, as plain numbers: the page is made of this and of nothing else.

use crate::evaluate::{Confusion, Ranking, Regression};
use crate::report::FeatureRange;

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Which rows results are of, `test` or `validation`.
    pub results: &'static str,
    /// The preset's name.
    pub name: String,
    /// The preset's line about itself.
    pub description: String,
    /// Widths of the network, such as `784-128-10`.
    pub network: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Where the data came from.
    pub origin: String,
    /// The seed.
    pub seed: u64,
    /// Whether training was ended early by the user.
    pub interrupted: bool,
    /// Epochs that were trained.
    pub epochs: usize,
    /// Mean seconds of an epoch.
    pub seconds_per_epoch: f64,
    /// Each part of the data with its number of rows.
    pub splits: Vec<(&'static str, usize)>,
    /// What was measured at each epoch.
    pub curves: Vec<Curve>,
    /// The epoch whose network was kept, where it is not the last one.
    pub kept_epoch: Option<usize>,
    /// Whether the loss is of scaled targets.
    pub scaled_targets: bool,
    /// What nobody should miss, in plain sentences.
    pub warnings: Vec<String>,
    /// How well the networks do.
    pub task: Task,
    /// Some training rows as pictures, by class.
    pub samples: Vec<Sample>,
    /// What the model needs.
    pub size: Size,
    /// What the quantized model's activations are called: `int8` or `int16`.
    pub data_type: &'static str,
    /// The ways to quantize that were tried.
    pub attempts: Vec<AttemptRow>,
    /// Where no way keeps the loss small: which layer and which features lose most.
    pub culprits: Option<String>,
    /// The range of each feature at the model's input; none for pixels.
    pub features: Vec<FeatureRange>,
    /// Each layer of the int8 model.
    pub layers: Vec<LayerFindings>,
    /// For two inputs: what is answered where.
    pub plane: Option<Plane>,
    /// Every setting, by its key.
    pub settings: Vec<(String, String)>,
    /// The preset as TOML.
    pub preset: String,
}

/// A way to quantize that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Its name.
    pub name: String,
    /// What it lost on the judged rows, in words.
    pub lost: String,
    /// Bytes of the model.
    pub bytes: u64,
    /// Instructions of an inference on a Cortex-M4F, estimated.
    pub instructions: u64,
    /// Whether it was taken.
    pub is_taken: bool,
}

/// A quantity over the epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it is, as history.csv calls it.
    pub name: String,
    /// Epoch and value on the training rows.
    pub train: Vec<(f64, f64)>,
    /// Epoch and value on the validation rows.
    pub validation: Vec<(f64, f64)>,
}

/// What the network answers, and how well.
#[derive(Clone, Debug)]
pub enum Task {
    /// A class.
    Classes(Box<Classes>),
    /// Numbers.
    Values(Box<Values>),
}

/// How well classes are told apart.
#[derive(Clone, Debug)]
pub struct Classes {
    /// Rows of each class: for each part of the data, a count a class.
    pub distribution: Vec<(&'static str, Vec<usize>)>,
    /// The float network on the test rows.
    pub float: Answers,
    /// The int8 model on the test rows.
    pub int8: Answers,
    /// Test rows that float and int8 answer differently.
    pub different: usize,
    /// The most confidently wrong test rows, the worst first.
    pub wrong: Vec<Wrong>,
    /// The threshold on the probability of the second of two classes.
    pub threshold: Option<f64>,
}

/// The answers of one network.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Which classes are taken for which.
    pub confusion: Confusion,
    /// The receiver operating characteristic of each class against all others.
    pub roc: Vec<Roc>,
    /// The precision-recall curve of the rarer of two classes.
    pub precision_recall: Option<PrecisionRecall>,
    /// How the probabilities rank the rows, where there are any.
    pub ranking: Option<Ranking>,
}

/// A precision-recall curve.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// The class that is looked for.
    pub class: String,
    /// Recall and precision as the threshold falls, each recall once with its best precision.
    pub points: Vec<(f64, f64)>,
    /// Average precision.
    pub area: f64,
    /// Share of the rows that are of the class: the precision of guessing.
    pub share: f64,
}

/// A receiver operating characteristic.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    /// False-positive and true-positive rates, from (0, 0) to (1, 1).
    pub points: Vec<(f64, f64)>,
    /// Area under it; NaN where the class, or every other, has no row.
    pub area: f64,
}

/// A test row that the int8 model is wrong about.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The row as a picture, where it is one.
    pub picture: Option<Picture>,
    /// Its place among the test rows.
    pub row: usize,
    /// Its class.
    pub truth: String,
    /// What int8 takes it for, with how much confidence.
    pub int8: (String, f64),
    /// What float takes it for, with how much confidence.
    pub float: (String, f64),
}

/// How well numbers are met.
#[derive(Clone, Debug)]
pub struct Values {
    /// The float network on the test rows, all outputs together.
    pub float: Regression,
    /// The int8 model on the test rows, all outputs together.
    pub int8: Regression,
    /// Each output by itself.
    pub outputs: Vec<OutputAnswers>,
}

/// How well the numbers of one output are met.
#[derive(Clone, Debug)]
pub struct OutputAnswers {
    /// What the output is called.
    pub name: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// The float network on the test rows.
    pub float: ValueAnswers,
    /// The int8 model on the test rows.
    pub int8: ValueAnswers,
}

/// The answers of one network.
#[derive(Clone, Debug)]
pub struct ValueAnswers {
    /// Their errors.
    pub errors: Regression,
    /// Target and answer of some rows.
    pub points: Vec<(f64, f64)>,
}

/// Some rows of a class.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The class.
    pub class: String,
    /// The rows.
    pub pictures: Vec<Picture>,
}

/// A picture as a PNG file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub png: Vec<u8>,
    /// Width and height in pixels.
    pub size: (u32, u32),
}

/// What the model needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Bytes of the model file.
    pub flash: u64,
    /// Bytes of scratch memory.
    pub scratch: u64,
    /// Multiply-accumulates of an inference.
    pub macs: u64,
    /// Bytes of the float parameters.
    pub float: u64,
}

/// A layer of the int8 model with what follows it up to the next.
#[derive(Clone, Debug)]
pub struct LayerFindings {
    /// What it is, such as `dense 784 → 128`.
    pub title: String,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes in the model file.
    pub flash: u64,
    /// `int8` or `int16`, of its outputs.
    pub data_type: &'static str,
    /// The weights, as the model has them.
    pub weights: Histogram,
    /// The largest weight that the row of the finest and that of the coarsest scale can hold.
    pub weight_range: (f64, f64),
    /// Outputs in float, those that are exactly 0 left out.
    pub float: Histogram,
    /// Outputs in int8, those that are exactly 0 left out.
    pub int8: Histogram,
    /// The range that outputs were given.
    pub range: (f64, f64),
    /// Share of the float outputs outside that range.
    pub clipped: f64,
    /// Share of the int8 outputs that are exactly 0.
    pub zeros: f64,
    /// Whether outputs are logits, of which the range clips what is improbable in any case.
    pub logits: bool,
    /// Power of the float outputs over power of int8's deviation from them, in dB; for logits, of
    /// the probabilities that they stand for.
    pub sqnr_db: f64,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Histogram {
    /// Where the first bin begins.
    pub start: f64,
    /// Width of a bin.
    pub width: f64,
    /// Values in each bin; the first and the last also have what lies beyond.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty bins.
    pub fn new(start: f64, width: f64, bins: usize) -> Self {
        Histogram { start, width, counts: vec![0; bins] }
    }

    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        // Saturates at both ends; NaN, from bins without width, falls into the first.
        let bin = ((value - self.start) / self.width).floor() as usize;
        if let Some(last) = self.counts.len().checked_sub(1) {
            self.counts[bin.min(last)] += 1;
        }
    }

    /// Adds the counts of another with the same bins.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// Where the last bin ends.
    pub fn end(&self) -> f64 {
        self.start + self.width * self.counts.len() as f64
    }
}

/// What is answered at each point of a plane of two inputs.
#[derive(Clone, Debug)]
pub struct Plane {
    /// From the least to the greatest first input.
    pub x: (f64, f64),
    /// From the least to the greatest second input.
    pub y: (f64, f64),
    /// What the data says, as a picture.
    pub truth: Option<Picture>,
    /// What the float network answers, as a picture.
    pub float: Picture,
    /// What the int8 model answers, as a picture.
    pub int8: Picture,
    /// Test rows: first input, second input, class.
    pub points: Vec<(f64, f64, usize)>,
    /// What the colors mean.
    pub legend: Legend,
}

/// What the colors of a plane mean.
#[derive(Clone, Debug)]
pub enum Legend {
    /// A class each: its name and color.
    Classes(Vec<(String, [u8; 3])>),
    /// A scale from the least to the greatest value.
    Values(f64, f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_what_lies_beyond_at_its_ends() {
        let mut histogram = Histogram::new(-1.0, 0.5, 4);
        for value in [-9.0, -1.0, -0.5, 0.0, 0.9, 1.0, 7.0] {
            histogram.add(value);
        }
        assert_eq!(histogram.counts, [2, 1, 1, 3]);
        assert_eq!(histogram.end(), 1.0);
        Histogram::default().add(1.0);
    }
}
