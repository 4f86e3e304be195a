//! Measurements per layer: histograms, clipping, quantization noise.

use model_format::{DataType, Layer, Model, Quantization};

use super::GatherError;
use crate::network::{self, Head, Network};
use crate::report::html::findings::{Histogram, LayerFindings};

/// Bins of a histogram of outputs over the whole range. The width of a bin is a whole number of
/// quantization steps, so that all bins contain equally many steps.
const BINS: usize = 64;

/// Maximum number of additional bins per side for float outputs outside the range.
const BEYOND: usize = 16;

/// Bins of a histogram of weights.
const WEIGHT_BINS: usize = 72;

/// A layer with weights, and the layers up to the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Index of the first layer in the model.
    pub first: usize,
    /// Index of the model's layer whose outputs are compared.
    pub compared: usize,
    /// Index of the same outputs on the float network's tape.
    pub on_tape: usize,
    /// Quantization of these outputs.
    pub output: Quantization,
}

/// Groups the layers of a model by its layers with weights. A final softmax or sigmoid of the model
/// that the float network lacks is not compared.
pub fn groups(model: &Model<'_>, folded: &Network<f32>) -> Result<Vec<Group>, GatherError> {
    let layers: Vec<Layer<'_>> = model.layers().collect();
    let dense: Vec<usize> = places(layers.iter().map(|layer| matches!(layer, Layer::Dense(_))));
    let of_network =
        places(folded.layers().map(|view| matches!(view.layer, network::Layer::Dense(_))));
    if dense.len() != of_network.len() {
        return Err(GatherError::Layers { model: dense.len(), network: of_network.len() });
    }
    let end =
        |places: &[usize], index: usize, all: usize| places.get(index + 1).copied().unwrap_or(all);
    let group = |(index, (&first, &place)): (usize, (&usize, &usize))| {
        let own = end(&dense, index, layers.len()) - first;
        let float = end(&of_network, index, folded.layers().len()) - place;
        // A model of another network may have fewer layers; only common layers are compared.
        let more = own.min(float).saturating_sub(1);
        let output = layers.get(first + more)?.output();
        Some(Group { first, compared: first + more, on_tape: place + more + 1, output })
    };
    Ok(dense.iter().zip(&of_network).enumerate().filter_map(group).collect())
}

/// Returns the indices of true values.
fn places(holds: impl Iterator<Item = bool>) -> Vec<usize> {
    holds.enumerate().filter(|(_, holds)| *holds).map(|(place, _)| place).collect()
}

/// Returns the title of each layer with weights: its index, its name if it has one, its widths and
/// its activation.
pub fn titles(network: &Network<f32>, folded: &Network<f32>) -> Vec<String> {
    let names: Vec<Option<&str>> = network
        .layers()
        .filter(|view| matches!(view.layer, network::Layer::Dense(_)))
        .map(|view| view.name)
        .collect();
    let mut titles: Vec<String> = Vec::new();
    for view in folded.layers() {
        match (view.layer, titles.last_mut()) {
            (network::Layer::Dense(dense), _) => {
                let index = titles.len();
                let name = names.get(index).copied().flatten().unwrap_or("dense");
                let (inputs, outputs) = (dense.inputs, dense.outputs);
                let function = dense.activation.name();
                titles.push(format!("{index} · {name} {inputs} → {outputs}, {function}"));
            }
            // A linear layer and its activation.
            (network::Layer::Activation { activation, .. }, Some(title)) => {
                let linear = title.strip_suffix("linear").map(str::len);
                title.truncate(linear.unwrap_or(title.len()));
                title.push_str(activation.name());
            }
            _ => {}
        }
    }
    titles
}

/// Accumulated statistics of a layer's outputs.
#[derive(Clone, Debug)]
pub struct LayerMeasure {
    data_type: DataType,
    /// Tolerance outside the range before a value counts as clipped: tanh of int8 ends a step below
    /// 1.
    step: f64,
    range: (f64, f64),
    float: Histogram,
    int8: Histogram,
    values: u64,
    zeros: u64,
    clipped: u64,
    signal: f64,
    noise: f64,
    /// True if signal and noise are measured on probabilities.
    logits: bool,
}

impl LayerMeasure {
    /// Creates empty statistics for outputs with this quantization.
    pub fn new(output: Quantization) -> Self {
        let scale = f64::from(output.scale);
        let (low, high) = match output.data_type {
            DataType::Int8 => (-128.0, 127.0),
            DataType::Int16 => (-32768.0, 32767.0),
        };
        let real = |q: f64| (q - f64::from(output.zero_point)) * scale;
        let width = (high - low + 1.0) / BINS as f64 * scale;
        // Bins beyond the range, on the sides that may have values: below zero only if the range
        // extends below zero.
        let below = if real(low) < 0.0 { BEYOND } else { 0 };
        let start = real(low - 0.5) - below as f64 * width;
        let bins = Histogram::new(start, width, BINS + below + BEYOND);
        LayerMeasure {
            data_type: output.data_type,
            step: scale,
            range: (real(low), real(high)),
            float: bins.clone(),
            int8: bins,
            values: 0,
            zeros: 0,
            clipped: 0,
            signal: 0.0,
            noise: 0.0,
            logits: false,
        }
    }

    /// Treats the outputs as logits. Their range clips irrelevant values, so that only their
    /// probabilities can be compared.
    pub fn of_logits(&mut self) {
        self.logits = true;
    }

    /// Adds a row of outputs in float and in int8.
    pub fn add(&mut self, float: &[f32], int8: &[f32]) {
        if self.logits {
            let probabilities = |logits: &[f32]| {
                let mut row: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
                Head::Softmax.apply(&mut row);
                row
            };
            self.compare(probabilities(float).into_iter().zip(probabilities(int8)));
        } else {
            self.compare(float.iter().zip(int8).map(|(&a, &b)| (a.into(), b.into())));
        }
        for (&float, &int8) in float.iter().zip(int8) {
            let (float, int8) = (f64::from(float), f64::from(int8));
            self.values += 1;
            self.zeros += u64::from(int8 == 0.0);
            self.clipped +=
                u64::from(float < self.range.0 - self.step || float > self.range.1 + self.step);
            if float != 0.0 {
                self.float.add(float);
            }
            if int8 != 0.0 {
                self.int8.add(int8);
            }
        }
    }

    fn compare(&mut self, pairs: impl Iterator<Item = (f64, f64)>) {
        for (float, int8) in pairs {
            self.signal += float * float;
            self.noise += (float - int8) * (float - int8);
        }
    }

    /// Adds the statistics of another part of the rows.
    pub fn merge(&mut self, other: &LayerMeasure) {
        self.float.merge(&other.float);
        self.int8.merge(&other.int8);
        self.values += other.values;
        self.zeros += other.zeros;
        self.clipped += other.clipped;
        self.signal += other.signal;
        self.noise += other.noise;
    }
}

/// Returns the findings of a report per layer.
pub fn findings(
    model: &Model<'_>,
    titles: &[String],
    measures: Vec<LayerMeasure>,
) -> Vec<LayerFindings> {
    let layers: Vec<Layer<'_>> = model.layers().collect();
    let dense = places(layers.iter().map(|layer| matches!(layer, Layer::Dense(_))));
    let finding = |(index, measure): (usize, LayerMeasure)| {
        let end = dense.get(index + 1).copied().unwrap_or(layers.len());
        let own = layers.get(*dense.get(index)?..end)?;
        let (weights, weight_range) = match own.first() {
            Some(Layer::Dense(dense)) => weights(dense),
            _ => (Histogram::default(), (0.0, 0.0)),
        };
        let (float, int8) = trimmed(measure.float, measure.int8);
        Some(LayerFindings {
            title: titles.get(index).cloned().unwrap_or_else(|| format!("{index}")),
            macs: own.iter().map(Layer::macs).sum(),
            flash: own.iter().map(|layer| layer.flash_len() as u64).sum(),
            data_type: measure.data_type.name(),
            weights,
            weight_range,
            float,
            int8,
            range: measure.range,
            clipped: measure.clipped as f64 / measure.values as f64,
            zeros: measure.zeros as f64 / measure.values as f64,
            logits: measure.logits,
            sqnr_db: 10.0 * (measure.signal / measure.noise).log10(),
        })
    };
    measures.into_iter().enumerate().filter_map(finding).collect()
}

/// Returns the dequantized weights, and the largest representable weight of the finest and the
/// coarsest row.
fn weights(dense: &model_format::Dense<'_>) -> (Histogram, (f64, f64)) {
    let most = |scale: f64| scale * 127.0;
    let (mut fine, mut coarse) = (f64::INFINITY, 0.0_f64);
    for row in dense.rows().filter(|row| row.weights().any(|weight| weight != 0)) {
        let scale = dense.weight_scale(&row);
        (fine, coarse) = (fine.min(scale), coarse.max(scale));
    }
    if coarse == 0.0 {
        return (Histogram::new(-1.0, 2.0 / WEIGHT_BINS as f64, WEIGHT_BINS), (0.0, 0.0));
    }
    let limit = most(coarse) * 1.05;
    let width = 2.0 * limit / WEIGHT_BINS as f64;
    let mut histogram = Histogram::new(-limit, width, WEIGHT_BINS);
    for row in dense.rows() {
        let scale = dense.weight_scale(&row);
        row.weights().for_each(|weight| histogram.add(f64::from(weight) * scale));
    }
    (histogram, (most(fine), most(coarse)))
}

/// Removes the outer bins that are empty in both, but keeps the whole range.
fn trimmed(float: Histogram, int8: Histogram) -> (Histogram, Histogram) {
    let both = || float.counts.iter().zip(&int8.counts).map(|(a, b)| a + b);
    let extra = float.counts.len() - BINS;
    let below = extra.saturating_sub(BEYOND);
    let empty_low = both().take(below).take_while(|&count| count == 0).count();
    let above = both().collect::<Vec<_>>();
    let empty_high = above.iter().rev().take(BEYOND).take_while(|&&count| count == 0).count();
    let cut = |histogram: &Histogram| Histogram {
        start: histogram.start + empty_low as f64 * histogram.width,
        width: histogram.width,
        counts: histogram.counts[empty_low..histogram.counts.len() - empty_high].to_vec(),
    };
    (cut(&float), cut(&int8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_what_int8_deviates() {
        let mut measure = LayerMeasure::new(Quantization::int8(0.1, -128));
        measure.add(&[1.0, 0.0, 30.0], &[1.1, 0.0, 25.5]);
        let (float, int8) = trimmed(measure.float.clone(), measure.int8.clone());
        assert_eq!((float.counts.iter().sum::<u64>(), int8.counts.iter().sum::<u64>()), (2, 2));
        assert_eq!((measure.values, measure.zeros, measure.clipped), (3, 1, 1));
        assert!((measure.signal - 901.0).abs() < 1e-3 && (measure.noise - 20.26).abs() < 1e-3);
        // For logits that a range clips, probabilities may lose nothing.
        let mut logits = LayerMeasure::new(Quantization::int8(0.1, 27));
        logits.of_logits();
        logits.add(&[10.0, -90.0, -90.0], &[10.0, -15.5, -15.5]);
        assert!(logits.noise < 1e-9 && (logits.signal - 1.0).abs() < 1e-9 && logits.clipped == 2);
        // The whole range, and beyond it up to 30.
        assert!(float.end() > 30.0 && float.start <= 0.0 && float.start > -0.5);
    }
}
