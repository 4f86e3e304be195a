//! Content of a report as plain data, the only input of the page.

use super::surface::Surface;
use crate::evaluate::{Confusion, Ranking, Regression};
use crate::page::PageContent;
use crate::report::{FeatureRange, LayerSummary};

/// Content of a report.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Split of the results: `test` or `validation`.
    pub results: &'static str,
    /// The preset's name.
    pub name: String,
    /// Description in the preset.
    pub description: String,
    /// Layer widths of the network, such as `784-128-10`.
    pub network: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Origin of the data.
    pub origin: String,
    /// Seed.
    pub seed: u64,
    /// True if the user stopped training early.
    pub interrupted: bool,
    /// Number of trained epochs.
    pub epochs: usize,
    /// Mean seconds per epoch.
    pub seconds_per_epoch: f64,
    /// Splits of the data with their numbers of rows.
    pub splits: Vec<(&'static str, usize)>,
    /// Curves over the epochs.
    pub curves: Vec<Curve>,
    /// Epoch whose network was kept, if it is not the last one.
    pub kept_epoch: Option<usize>,
    /// True if the loss is computed on scaled targets.
    pub scaled_targets: bool,
    /// Warnings in plain sentences.
    pub warnings: Vec<String>,
    /// Content of the section that runs the model, unless it is left out.
    pub playground: Option<PageContent>,
    /// Results of classification or regression.
    pub task: Task,
    /// Some training rows as pictures, by class.
    pub samples: Vec<Sample>,
    /// Some training images in the usual scalings of pixels.
    pub scalings: Vec<ScaledPictures>,
    /// Layers of the float network.
    pub architecture: Vec<LayerSummary>,
    /// Memory and work of the model.
    pub size: Size,
    /// Data type of the quantized model's activations: `int8` or `int16`.
    pub data_type: &'static str,
    /// Evaluated quantization candidates.
    pub attempts: Vec<AttemptRow>,
    /// Layer and features that lose most, if no candidate has a small loss.
    pub culprits: Option<String>,
    /// Range of each feature at the model's input; empty for pixels.
    pub features: Vec<FeatureRange>,
    /// Findings per layer of the int8 model.
    pub layers: Vec<LayerFindings>,
    /// Decision regions or surface, for two inputs.
    pub plane: Option<Plane>,
    /// Surface in three dimensions, a page of its own.
    pub surface: Option<Surface>,
    /// Every setting, by its key.
    pub settings: Vec<(String, String)>,
    /// Preset as TOML.
    pub preset: String,
}

/// An evaluated quantization candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Name.
    pub name: String,
    /// Loss on the evaluation rows, as text.
    pub lost: String,
    /// Size of the model in bytes.
    pub bytes: u64,
    /// Estimated instructions of an inference on a Cortex-M4F.
    pub instructions: u64,
    /// True if it was selected.
    pub is_taken: bool,
}

/// A quantity over the epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name of the column in history.csv.
    pub name: String,
    /// Epoch and value on the training rows.
    pub train: Vec<(f64, f64)>,
    /// Epoch and value on the validation rows.
    pub validation: Vec<(f64, f64)>,
}

/// Results of classification or regression.
#[derive(Clone, Debug)]
pub enum Task {
    /// Classification.
    Classes(Box<Classes>),
    /// Regression.
    Values(Box<Values>),
}

/// Results of classification.
#[derive(Clone, Debug)]
pub struct Classes {
    /// Rows of each class: for each split, a count per class.
    pub distribution: Vec<(&'static str, Vec<usize>)>,
    /// Predictions of the float network on the test rows.
    pub float: Answers,
    /// Predictions of the int8 model on the test rows.
    pub int8: Answers,
    /// Number of test rows whose predictions by float and int8 differ.
    pub different: usize,
    /// Some random test rows with their predictions.
    pub examples: Vec<Example>,
    /// Wrong predictions on test rows, the most confident first.
    pub wrong: Vec<Wrong>,
    /// Threshold on the probability of the second of two classes.
    pub threshold: Option<f64>,
}

/// A row with its predictions.
#[derive(Clone, Debug)]
pub struct Example {
    /// The row as a picture, if it is one.
    pub picture: Option<Picture>,
    /// Index of the row in the split.
    pub row: usize,
    /// True class.
    pub truth: usize,
    /// Prediction of the float network.
    pub float: ClassAnswer,
    /// Prediction of the quantized model.
    pub int8: ClassAnswer,
}

/// Prediction of one network for one row.
#[derive(Clone, Debug)]
pub struct ClassAnswer {
    /// The predicted class.
    pub class: usize,
    /// Probability of each class.
    pub probabilities: Vec<f64>,
}

impl ClassAnswer {
    /// Returns the probability of the predicted class.
    pub fn probability(&self) -> f64 {
        self.probabilities.get(self.class).copied().unwrap_or(f64::NAN)
    }
}

/// Images in one of the scalings that are in use for pixels.
#[derive(Clone, Debug)]
pub struct ScaledPictures {
    /// Name of the scaling.
    pub scaling: String,
    /// Smallest and largest number of these images.
    pub range: (f64, f64),
    /// The images, drawn from that smallest to that largest number.
    pub pictures: Vec<Picture>,
}

/// Predictions of one network.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Confusion matrix.
    pub confusion: Confusion,
    /// Receiver operating characteristic of each class against all others.
    pub roc: Vec<Roc>,
    /// Precision-recall curve of the rarer of two classes.
    pub precision_recall: Option<PrecisionRecall>,
    /// Ranking metrics of the probabilities, if there are any.
    pub ranking: Option<Ranking>,
}

/// A precision-recall curve.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// The positive class.
    pub class: String,
    /// Recall and precision for falling thresholds; each recall once with its best precision.
    pub points: Vec<(f64, f64)>,
    /// Average precision.
    pub area: f64,
    /// Share of rows of the class, which is the precision of random guessing.
    pub share: f64,
}

/// A receiver operating characteristic.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    /// False-positive and true-positive rates, from (0, 0) to (1, 1).
    pub points: Vec<(f64, f64)>,
    /// Area under the curve; NaN if the class, or every other class, has no rows.
    pub area: f64,
}

/// A wrong prediction of the int8 model on a test row.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The row as a picture, if it is one.
    pub picture: Option<Picture>,
    /// Index of the row in the test split.
    pub row: usize,
    /// True class.
    pub truth: String,
    /// Class predicted by int8, with its probability.
    pub int8: (String, f64),
    /// Class predicted by float, with its probability.
    pub float: (String, f64),
}

/// Results of regression.
#[derive(Clone, Debug)]
pub struct Values {
    /// Errors of the float network on the test rows, over all outputs.
    pub float: Regression,
    /// Errors of the int8 model on the test rows, over all outputs.
    pub int8: Regression,
    /// Results per output.
    pub outputs: Vec<OutputAnswers>,
}

/// Results of one output.
#[derive(Clone, Debug)]
pub struct OutputAnswers {
    /// Name of the output.
    pub name: String,
    /// Unit; may be empty.
    pub unit: String,
    /// Predictions of the float network on the test rows.
    pub float: ValueAnswers,
    /// Predictions of the int8 model on the test rows.
    pub int8: ValueAnswers,
}

/// Predictions of one network for one output.
#[derive(Clone, Debug)]
pub struct ValueAnswers {
    /// Errors.
    pub errors: Regression,
    /// Target and prediction of some rows.
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

/// Memory and work of the model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Size of the model file in bytes.
    pub flash: u64,
    /// Scratch memory in bytes.
    pub scratch: u64,
    /// Multiply-accumulates per inference.
    pub macs: u64,
    /// Size of the float parameters in bytes.
    pub float: u64,
}

/// A layer of the int8 model with the layers up to the next one with weights.
#[derive(Clone, Debug)]
pub struct LayerFindings {
    /// Title, such as `dense 784 → 128`.
    pub title: String,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Size in the model file in bytes.
    pub flash: u64,
    /// Data type of its outputs: `int8` or `int16`.
    pub data_type: &'static str,
    /// Dequantized weights.
    pub weights: Histogram,
    /// Largest representable weight in the rows with the smallest and the largest scale.
    pub weight_range: (f64, f64),
    /// Nonzero outputs of float.
    pub float: Histogram,
    /// Nonzero outputs of int8.
    pub int8: Histogram,
    /// Range of the quantized outputs.
    pub range: (f64, f64),
    /// Share of the float outputs outside the range.
    pub clipped: f64,
    /// Share of the int8 outputs that are exactly 0.
    pub zeros: f64,
    /// True if the outputs are logits, whose range clips improbable classes.
    pub logits: bool,
    /// Signal-to-quantization-noise ratio of the int8 outputs in dB; for logits, of their
    /// probabilities.
    pub sqnr_db: f64,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Histogram {
    /// Start of the first bin.
    pub start: f64,
    /// Width of a bin.
    pub width: f64,
    /// Counts per bin; the first and the last bin include values beyond.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Creates empty bins.
    pub fn new(start: f64, width: f64, bins: usize) -> Self {
        Histogram { start, width, counts: vec![0; bins] }
    }

    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        // Saturates at both ends; NaN, from bins of zero width, falls into the first.
        let bin = ((value - self.start) / self.width).floor() as usize;
        if let Some(last) = self.counts.len().checked_sub(1) {
            self.counts[bin.min(last)] += 1;
        }
    }

    /// Adds the counts of another histogram with the same bins.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// Returns the end of the last bin.
    pub fn end(&self) -> f64 {
        self.start + self.width * self.counts.len() as f64
    }
}

/// Decision regions or surface over a plane of two inputs.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Range of the first input.
    pub x: (f64, f64),
    /// Range of the second input.
    pub y: (f64, f64),
    /// Targets of the data, as a picture.
    pub truth: Option<Picture>,
    /// Predictions of the float network, as a picture.
    pub float: Picture,
    /// Predictions of the int8 model, as a picture.
    pub int8: Picture,
    /// Test rows: first input, second input, class.
    pub points: Vec<(f64, f64, usize)>,
    /// Legend of the colors.
    pub legend: Legend,
    /// Rows of all splits: first input, second input, CSS color.
    pub scatter: Vec<(f64, f64, String)>,
}

/// Legend of the colors of a plane.
#[derive(Clone, Debug)]
pub enum Legend {
    /// Name and color per class.
    Classes(Vec<(String, [u8; 3])>),
    /// Range of a color scale.
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
