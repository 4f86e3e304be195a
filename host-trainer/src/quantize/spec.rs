//! The layers of a model, from those of a float network and the ranges of its activations.

use model_format::build::{InputSpec, LayerSpec, MeaningSpec, ModelSpec, TableSpec};
use model_format::{Channel, Encoding, Precision, Quantization, Softmax};

use super::{Calibration, QuantizeError, quantize_dense, tables};
use crate::data::{Features, Raw, Scaling, Subset, Targets};
use crate::evaluate::{LOGIT, PROBABILITY};
use crate::network::{Activation, Head, Layer, Loss, Network, Objective};

/// A float network that becomes a model's layers.
pub(super) struct Export<'a> {
    pub folded: &'a Network<f32>,
    pub calibration: &'a Calibration,
    pub precision: Precision,
}

impl Export<'_> {
    /// The model without self-tests.
    ///
    /// # Errors
    /// [`QuantizeError`] for what no integers can stand for.
    pub fn spec(
        &self,
        name: &str,
        objective: Objective,
        train: &Subset,
    ) -> Result<ModelSpec, QuantizeError> {
        let dataset = train.dataset();
        let (input, encoding) = match (dataset.features(), self.precision) {
            // q = byte − 128 at the byte's own scale: what the network saw, exactly.
            (Features::Bytes { scale, .. }, Precision::Int8) => {
                (Quantization::int8(*scale, -128), Encoding::Unsigned8)
            }
            // q = 128 · byte, as exactly.
            (Features::Bytes { scale, .. }, Precision::Int16) => {
                (Quantization::int16(*scale / 128.0), Encoding::Quantized)
            }
            (Features::Counts { raw, .. }, precision) => {
                let input = self.calibration.input.quantization_as(precision);
                (input, Encoding::Raw(channels(raw, train.scaling(), input)?))
            }
            (Features::Reals(_), precision) => {
                (self.calibration.input.quantization_as(precision), Encoding::Quantized)
            }
        };
        let (layers, last) = self.layers(input)?;
        let mut spec = ModelSpec {
            name: name.to_string(),
            input: InputSpec { shape: dataset.shape().to_vec(), quantization: input, encoding },
            output: meaning(objective, train, self.folded.outputs()),
            layers,
            self_tests: Vec::new(),
            details: Default::default(),
        };
        match (objective.head, self.precision) {
            (Head::None, _) => {}
            (Head::Sigmoid, _) => spec.layers.push(LayerSpec::Table(sigmoid(last))),
            (Head::Softmax, Precision::Int8) => {
                spec.layers.push(LayerSpec::Softmax(tables::softmax(last, 1.0)));
            }
            (Head::Softmax, Precision::Int16) => return Err(QuantizeError::Softmax),
        }
        Ok(spec)
    }

    /// The layers, with the quantization of the last one's outputs.
    fn layers(&self, input: Quantization) -> Result<(Vec<LayerSpec>, Quantization), QuantizeError> {
        let mut layers = Vec::new();
        let mut quantization = input;
        for (view, range) in self.folded.layers().zip(&self.calibration.layers) {
            match view.layer {
                Layer::Dense(dense) => {
                    let output = range.quantization_as(self.precision);
                    let quantized = quantize_dense(dense, view.parameters, quantization, output)?;
                    layers.push(LayerSpec::Dense(quantized.spec));
                    quantization = output;
                }
                Layer::Activation { activation: Activation::Softmax, .. } => {
                    if self.precision == Precision::Int16 {
                        return Err(QuantizeError::HiddenSoftmax);
                    }
                    layers.push(LayerSpec::Softmax(tables::softmax(quantization, 1.0)));
                    quantization = Softmax::OUTPUT;
                }
                Layer::Activation { activation, .. } => {
                    let table = match activation {
                        Activation::Tanh => tanh(quantization),
                        Activation::Sigmoid => sigmoid(quantization),
                        other => tables::of_function(
                            quantization,
                            range.quantization_as(self.precision),
                            |x| other.value(x),
                        ),
                    };
                    quantization = table.output;
                    layers.push(LayerSpec::Table(table));
                }
                // Folded away.
                Layer::Dropout { .. } | Layer::BatchNormalization(_) => {}
            }
        }
        Ok((layers, quantization))
    }
}

/// What makes values of the input from counts; one channel where all features are alike.
fn channels(
    raw: &[Raw],
    scaling: Option<&Scaling>,
    input: Quantization,
) -> Result<Vec<Channel>, QuantizeError> {
    let channel = |(feature, raw): (usize, &Raw)| {
        let (offset, factor) = scaling.map_or((0.0, 1.0), |scaling| {
            (f64::from(scaling.offsets[feature]), f64::from(scaling.factors[feature]))
        });
        let (slope, intercept) = (raw.slope() * factor, (raw.intercept() - offset) * factor);
        Channel::from_line(slope, intercept, input.scale.into())
            .ok_or(QuantizeError::Channel { feature })
    };
    let mut channels =
        raw.iter().enumerate().map(channel).collect::<Result<Vec<Channel>, QuantizeError>>()?;
    if channels.windows(2).all(|pair| pair[0] == pair[1]) {
        channels.truncate(1);
    }
    Ok(channels)
}

fn tanh(input: Quantization) -> TableSpec {
    match input.precision {
        Precision::Int8 => tables::tanh_int8(input),
        Precision::Int16 => {
            tables::of_function(input, Quantization::int16(1.0 / 32768.0), f64::tanh)
        }
    }
}

fn sigmoid(input: Quantization) -> TableSpec {
    match input.precision {
        Precision::Int8 => tables::logistic_int8(input),
        Precision::Int16 => {
            let output = Quantization::int16(1.0 / 32768.0);
            tables::of_function(input, output, |x| 1.0 / (1.0 + (-x).exp()))
        }
    }
}

/// What the outputs say.
fn meaning(objective: Objective, train: &Subset, outputs: usize) -> MeaningSpec {
    let unit = |unit: &str| MeaningSpec::Values { unit: unit.to_string() };
    match (train.dataset().targets(), objective.head, objective.loss) {
        (Targets::Values(values), ..) => unit(values.units.first().map_or("", String::as_str)),
        (Targets::Classes(labels), ..) if outputs > 1 => MeaningSpec::Classes(labels.names.clone()),
        (Targets::Classes(_), Head::Sigmoid, _) => unit(PROBABILITY),
        (Targets::Classes(_), _, Loss::BinaryCrossEntropy) => unit(LOGIT),
        (Targets::Classes(_), ..) => unit(PROBABILITY),
    }
}
