//! Conversion of a prepared float network and its calibration ranges to a model specification.

use model_format::build::{
    DetailsSpec, FeatureSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, TableSpec,
};
use model_format::{Channel, DataType, Encoding, Quantization, RealChannel, Softmax, ValueScale};
use thimble_convert::tables;
use thimble_data::{Features, Raw, Subset, Targets};
use thimble_network::grid::WeightGrid;
use thimble_network::{Activation, Head, Layer, Objective};

use super::prepare::{Prepared, half_steps};
use super::stage::ChosenStage;
use super::{Calibration, DataTypes, QuantizeError, quantize_dense};

/// Inputs of the conversion of a float network to a model.
pub(super) struct Export<'a> {
    pub prepared: &'a Prepared,
    pub calibration: &'a Calibration,
    pub data_types: &'a DataTypes,
    /// Grid of each dense layer's weights, if quantization-aware training left them.
    pub grids: Option<&'a [WeightGrid]>,
    pub objective: Objective,
    /// Decision threshold on the probability of the second of two classes.
    pub threshold: f64,
}

/// Returns the quantization of values from −1 to 1.
fn unit_range(data_type: DataType) -> Quantization {
    let scale = (1.0 / half_steps(data_type)) as f32;
    match data_type {
        DataType::Int8 => Quantization::int8(scale, 0),
        DataType::Int16 => Quantization::int16(scale),
    }
}

impl Export<'_> {
    /// Returns the model without self-tests.
    ///
    /// # Errors
    /// [`QuantizeError`] for a multiplier or an input channel that the format cannot represent.
    pub fn spec(&self, name: &str, train: &Subset) -> Result<ModelSpec, QuantizeError> {
        let dataset = train.dataset();
        let data_type = self.data_types.input;
        let (input, encoding) = match (&self.prepared.stage, dataset.features(), data_type) {
            // q = byte − 128 with the byte's own scale is exact.
            (None, Features::Bytes { scale, .. }, DataType::Int8) => {
                (Quantization::int8(*scale, -128), Encoding::Unsigned8)
            }
            // q = 128 · byte is exact, too.
            (None, Features::Bytes { scale, .. }, DataType::Int16) => {
                (Quantization::int16(*scale / 128.0), Encoding::Quantized)
            }
            (None, ..) => (self.calibration.input.quantization_as(data_type), Encoding::Quantized),
            (Some(stage), Features::Reals(_), _) => {
                let channels = real_channels(stage, data_type);
                (unit_range(data_type), Encoding::Reals(channels))
            }
            (Some(stage), Features::Counts { raw, .. }, _) => {
                let line = |feature: usize| (raw[feature].slope(), raw[feature].intercept());
                (unit_range(data_type), Encoding::Counts(count_channels(stage, line, data_type)?))
            }
            (Some(stage), Features::Bytes { scale, .. }, _) => {
                let line = |_| (f64::from(*scale), 0.0);
                (unit_range(data_type), Encoding::Counts(count_channels(stage, line, data_type)?))
            }
        };
        let (mut layers, last) = self.layers(input)?;
        let mut scores = last;
        match self.objective.scoring_head() {
            Head::Sigmoid => {
                let table = sigmoid(last);
                scores = table.output;
                layers.push(LayerSpec::Table(table));
            }
            Head::Softmax if self.objective.head == Head::Softmax => {
                scores = Softmax::OUTPUT;
                layers.push(LayerSpec::Softmax(tables::softmax(last, 1.0)));
            }
            Head::None | Head::Softmax => {}
        }
        Ok(ModelSpec {
            name: name.to_string(),
            input: InputSpec { shape: dataset.shape().to_vec(), quantization: input, encoding },
            output: self.kind(train, scores),
            layers,
            self_tests: Vec::new(),
            details: self.details(train),
        })
    }

    /// Returns the layers and the quantization of the last layer's outputs.
    fn layers(&self, input: Quantization) -> Result<(Vec<LayerSpec>, Quantization), QuantizeError> {
        let network = &self.prepared.network;
        let data_types = self.data_types.of_layers(network, self.objective);
        let last = network.layers().len().saturating_sub(1);
        let mut layers = Vec::new();
        let mut quantization = input;
        let mut grids = self.grids.unwrap_or_default().iter();
        let views = network.layers().zip(&self.calibration.layers).zip(data_types).enumerate();
        for (index, ((view, range), data_type)) in views {
            match view.layer {
                Layer::Dense(dense) => {
                    let output = match self.prepared.outputs {
                        Some(_) if index == last => unit_range(data_type),
                        _ => range.quantization_as(data_type),
                    };
                    let (parameters, grid) = (view.parameters, grids.next());
                    let quantized = quantize_dense(dense, parameters, quantization, output, grid)?;
                    layers.push(LayerSpec::Dense(quantized.spec));
                    quantization = output;
                }
                Layer::Activation { activation: Activation::Softmax, .. } => {
                    layers.push(LayerSpec::Softmax(tables::softmax(quantization, 1.0)));
                    quantization = Softmax::OUTPUT;
                }
                Layer::Activation { activation, .. } => {
                    let table = match activation {
                        Activation::Tanh => tanh(quantization),
                        Activation::Sigmoid => sigmoid(quantization),
                        other => tables::of_function(
                            quantization,
                            range.quantization_as(data_type),
                            |x| other.value(x),
                        ),
                    };
                    quantization = table.output;
                    layers.push(LayerSpec::Table(table));
                }
                // Removed by folding.
                Layer::Dropout { .. } | Layer::BatchNormalization(_) => {}
            }
        }
        Ok((layers, quantization))
    }

    /// Returns the output specification. `scores` is the quantization of the model's outputs.
    fn kind(&self, train: &Subset, scores: Quantization) -> OutputSpec {
        let labels = match train.dataset().targets() {
            Targets::Classes(labels) => labels.names.clone(),
            Targets::Values(_) => return OutputSpec::Values(self.value_scales(train, scores)),
        };
        // The largest step that is not above a number.
        let steps = |real: f64| (real / f64::from(scores.scale) + 1e-9).floor() as i32;
        let threshold = self.threshold;
        match (self.prepared.network.outputs(), self.objective.scoring_head()) {
            (1, _) => {
                OutputSpec::Probability { labels, threshold: steps(threshold) + scores.zero_point }
            }
            // Difference p₁ − p₀ of probabilities.
            (2, Head::Softmax) if self.objective.head == Head::Softmax => {
                OutputSpec::Classes { labels, threshold: steps(2.0 * threshold - 1.0) }
            }
            // Difference of logits.
            (2, Head::Softmax) => {
                let limit = (threshold / (1.0 - threshold)).ln();
                OutputSpec::Classes { labels, threshold: steps(limit) }
            }
            _ => OutputSpec::Classes { labels, threshold: 0 },
        }
    }

    /// Returns scale and offset of each regression output, in the unit of its target.
    fn value_scales(&self, train: &Subset, tensor: Quantization) -> Vec<ValueScale> {
        if let Some(ranges) = &self.prepared.outputs {
            let step = f64::from(tensor.scale);
            let scale = |half: f64| ((half * step) as f32).max(f32::MIN_POSITIVE);
            return ranges
                .iter()
                .map(|range| ValueScale { scale: scale(range.half), offset: range.middle as f32 })
                .collect();
        }
        match train.target_scaling() {
            Some(scaling) => {
                let both = scaling.offsets.iter().zip(&scaling.factors);
                both.map(|(&offset, &factor)| ValueScale { scale: tensor.scale / factor, offset })
                    .collect()
            }
            None => Vec::new(),
        }
    }

    /// Returns names and units, clipping rates of features, and the preparation of images.
    fn details(&self, train: &Subset) -> DetailsSpec {
        let dataset = train.dataset();
        let labels = dataset.feature_labels();
        let raw = match dataset.features() {
            Features::Counts { raw, .. } => Some(raw),
            Features::Bytes { .. } | Features::Reals(_) => None,
        };
        let clipped = self.prepared.stage.as_ref().map(|stage| stage.clipped.as_slice());
        let clipped = clipped.unwrap_or_default();
        let is_known = !labels.is_empty() || raw.is_some() || clipped.iter().any(|ppm| *ppm > 0);
        let is_image = matches!(dataset.features(), Features::Bytes { .. });
        let described = if is_known && !is_image { dataset.width() } else { 0 };
        let feature = |feature: usize| {
            let label = labels.get(feature).cloned().unwrap_or_default();
            let line = raw.map_or([1.0, 0.0], |raw: &Vec<Raw>| {
                [raw[feature].slope() as f32, raw[feature].intercept() as f32]
            });
            let clipped = clipped.get(feature).copied().unwrap_or(0);
            FeatureSpec { name: label.name, unit: label.unit, clipped, line }
        };
        let outputs = match dataset.targets() {
            Targets::Classes(_) => Vec::new(),
            Targets::Values(values) => {
                let units = values.units.iter().cloned().chain(std::iter::repeat(String::new()));
                values.names.iter().cloned().zip(units).collect()
            }
        };
        DetailsSpec {
            features: (0..described).map(feature).collect(),
            outputs,
            preparation: dataset.preparation().map(|p| p.to_string()).unwrap_or_default(),
        }
    }
}

/// Returns the channels that quantize real numbers. One channel if all are equal.
fn real_channels(chosen: &ChosenStage, data_type: DataType) -> Vec<RealChannel> {
    let ends = chosen.stage.offsets.iter().zip(&chosen.stage.factors);
    let channel = |(&offset, &factor): (&f32, &f32)| RealChannel {
        offset,
        factor: (f64::from(factor) * half_steps(data_type)) as f32,
    };
    alike(ends.map(channel).collect())
}

/// Returns the channels that quantize raw ADC counts. A count represents slope · count + intercept.
fn count_channels(
    chosen: &ChosenStage,
    line: impl Fn(usize) -> (f64, f64),
    data_type: DataType,
) -> Result<Vec<Channel>, QuantizeError> {
    let scale = f64::from(unit_range(data_type).scale);
    let ends = chosen.stage.offsets.iter().zip(&chosen.stage.factors).enumerate();
    let channel = |(feature, (&offset, &factor)): (usize, (&f32, &f32))| {
        if factor == 0.0 {
            return Ok(Channel::IGNORED);
        }
        let (slope, intercept) = line(feature);
        let (offset, factor) = (f64::from(offset), f64::from(factor));
        Channel::from_line(slope * factor, (intercept - offset) * factor, scale)
            .ok_or(QuantizeError::Channel { feature })
    };
    Ok(alike(ends.map(channel).collect::<Result<Vec<Channel>, QuantizeError>>()?))
}

/// Returns one channel if all are equal.
fn alike<C: PartialEq>(mut channels: Vec<C>) -> Vec<C> {
    if channels.windows(2).all(|pair| pair[0] == pair[1]) {
        channels.truncate(1);
    }
    channels
}

fn tanh(input: Quantization) -> TableSpec {
    match input.data_type {
        DataType::Int8 => tables::tanh_int8(input),
        DataType::Int16 => {
            tables::of_function(input, Quantization::int16(1.0 / 32768.0), f64::tanh)
        }
    }
}

fn sigmoid(input: Quantization) -> TableSpec {
    match input.data_type {
        DataType::Int8 => tables::logistic_int8(input),
        DataType::Int16 => {
            let output = Quantization::int16(1.0 / 32768.0);
            tables::of_function(input, output, |x| 1.0 / (1.0 + (-x).exp()))
        }
    }
}
