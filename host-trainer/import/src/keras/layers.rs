//! Conversion of Keras layers to steps of the network.

use serde_json::Value;
use thimble_support::foreign_text::shown;

use super::SAVE_WHOLE;
use super::config::LayerConfig;
use super::hdf5::Weights;
use super::order::flatten;
use crate::error::{Error, Result};
use crate::float_network::{FloatNetwork, Function, Line};
use crate::tensor::{NumberType, Tensor};

/// Maximum number of weights of all layers: 1 GiB.
const MAX_NUMBERS: usize = 1 << 27;

/// Least standard deviation of Normalization: Keras's `backend.epsilon()`.
const LEAST_DEVIATION: f64 = 1e-7;

/// Converts a model.
pub(super) fn network(
    source: &'static str,
    config: &Value,
    version: Option<&str>,
    weights: &Weights,
) -> Result<FloatNetwork> {
    let class = config["class_name"].as_str().unwrap_or_default();
    let registered = config["registered_name"].as_str().unwrap_or(class);
    if !matches!(class, "Sequential" | "Functional" | "Model")
        || (registered != class && registered.contains('>'))
    {
        return Err(Error::format(
            format!(
                "a model of its own class `{}`: it has the weights, but not what the class computes",
                shown(registered)
            ),
            "Build the same layers as a `keras.Sequential`, copy the weights with `set_weights`, and \
             save that",
        ));
    }
    let mut chain = Vec::new();
    flatten(config, &[], &[], &mut chain)?;
    let shape = input_shape(config, &chain)?;
    let mut converter = Converter {
        network: FloatNetwork {
            source,
            shape: shape.clone(),
            steps: Vec::new(),
            classes: Vec::new(),
            notes: Vec::new(),
        },
        shape,
        weights,
        is_keras_2: version.is_some_and(|version| version.starts_with(['1', '2'])),
        left: MAX_NUMBERS,
    };
    for layer in &chain {
        converter.convert(layer)?;
    }
    let half = chain.iter().find(|layer| layer.policy().contains("float16"));
    if let Some(layer) = half {
        converter.note(format!(
            "Keras computes {} in {}. Here it is computed in float32, so that outputs differ by \
             about 0.2 %",
            layer.place(),
            layer.policy()
        ));
    }
    Ok(converter.network)
}

/// Returns the shape of the input without the batch.
fn input_shape(config: &Value, chain: &[LayerConfig<'_>]) -> Result<Vec<usize>> {
    let of = |shape: &Value| -> Option<Vec<usize>> {
        let sizes = shape.as_array()?.get(1..)?.iter();
        sizes.map(|size| usize::try_from(size.as_u64()?).ok()).collect()
    };
    let first = chain.first();
    let candidates = first.into_iter().flat_map(|layer| {
        [
            layer.setting("batch_shape"),
            layer.setting("batch_input_shape"),
            &layer.whole["build_config"]["input_shape"],
        ]
    });
    let model = [&config["config"]["build_input_shape"], &config["build_config"]["input_shape"]];
    let found = candidates.chain(model).find_map(of);
    found.filter(|shape| !shape.is_empty()).ok_or_else(|| {
        let place = first.map_or("the model".to_string(), LayerConfig::place);
        Error::place(
            place,
            "the shape of the input is not in the file, or one of its dimensions is open. Begin the \
             model with `keras.Input(shape)`, and save it again",
        )
    })
}

struct Converter<'w> {
    network: FloatNetwork,
    /// Current shape without the batch.
    shape: Vec<usize>,
    weights: &'w Weights,
    is_keras_2: bool,
    /// Numbers that further layers may have.
    left: usize,
}

impl Converter<'_> {
    fn note(&mut self, note: String) {
        self.network.notes.push(note);
    }

    fn width(&self) -> usize {
        crate::tensor::size(&self.shape)
    }

    fn convert(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        let policy = layer.policy();
        if !layer.is_builtin() {
            let registered = layer.whole["registered_name"].as_str().unwrap_or(layer.class);
            return Err(layer.refuse(format!(
                "the layer is of the class `{}`, which is not one of Keras's, and the file does not \
                 contain what it computes. Replace it by layers of Keras",
                shown(registered)
            )));
        }
        if policy.contains("int8") || policy.contains("float8") || policy.contains("int4") {
            return Err(layer.refuse(format!(
                "its type is {}: the model was quantized with `model.quantize`. Import the float \
                 model, which is quantized here",
                shown(policy)
            )));
        }
        if let Some(pieces) = layer.activation_layer(self.is_keras_2)? {
            self.network.push_pieces(layer.name, &pieces, crate::tensor::size(&self.shape));
            return Ok(());
        }
        match layer.class {
            "InputLayer" => Ok(()),
            "Dropout"
            | "GaussianNoise"
            | "GaussianDropout"
            | "AlphaDropout"
            | "SpatialDropout1D"
            | "ActivityRegularization"
            | "Identity"
            | "Masking" => Ok(()),
            "Dense" => self.dense(layer),
            "BatchNormalization" => self.batch_normalization(layer),
            "Normalization" => self.normalization(layer),
            "Rescaling" => self.rescaling(layer),
            "PReLU" => self.prelu(layer),
            "Flatten" => {
                let is_first = layer.setting("data_format").as_str() == Some("channels_first");
                if is_first && self.shape.len() > 1 && self.shape[0] != 1 {
                    return Err(layer.refuse(
                        "a Flatten of channels_first permutes its inputs. Use channels_last",
                    ));
                }
                self.shape = vec![self.width()];
                Ok(())
            }
            "Reshape" => {
                let target = layer.numbers("target_shape")?.unwrap_or_default();
                let known: f64 = target.iter().filter(|size| **size > 0.0).product();
                let width = self.width();
                let fill = (width as f64 / known.max(1.0)) as usize;
                let sizes = target.iter().map(|s| if *s < 0.0 { fill } else { *s as usize });
                let shape: Vec<usize> = sizes.collect();
                let count = shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
                if count != Some(width) {
                    return Err(layer.refuse(format!("{width} values have no shape {target:?}")));
                }
                self.shape = shape;
                Ok(())
            }
            "Lambda" => Err(layer.refuse(
                "a Lambda is Python code, which is not run. Replace it by layers of Keras, such as \
                 Rescaling or Activation",
            )),
            "LayerNormalization" | "UnitNormalization" | "GroupNormalization"
            | "RMSNormalization" => Err(layer.refuse(
                "it normalizes each row by its own values, so that it cannot be folded into dense \
                 layers. Use BatchNormalization",
            )),
            class => {
                let what = match class {
                    c if c.contains("Conv") => "convolution",
                    "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "Bidirectional" => "recurrence",
                    "Add" | "Concatenate" | "Multiply" | "Average" | "Maximum" | "Subtract" => {
                        "a skip connection"
                    }
                    _ => "this layer",
                };
                Err(layer.refuse(format!(
                    "{what} is not supported. Thimble runs chains of Dense layers with activations, \
                     BatchNormalization, Normalization, Rescaling, Flatten and Dropout"
                )))
            }
        }
    }

    fn variables(&mut self, layer: &LayerConfig<'_>, names: &[&str]) -> Result<Vec<Tensor>> {
        // The paths of both naming schemes have the same length.
        let path = [&layer.path, &layer.names];
        let tensors = self.weights.variables(path, names)?;
        // Many groups of HDF5 may be the same tensor.
        let count = tensors.iter().map(|tensor| tensor.values.len()).sum();
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            layer.refuse(format!("the layers have more than {MAX_NUMBERS} numbers, the maximum"))
        })?;
        let types: Vec<NumberType> = tensors.iter().map(|tensor| tensor.kind).collect();
        if let Some(name) = types.iter().find_map(|kind| kind.converted()) {
            self.note(format!("{}: {name} weights are converted to float32", layer.place()));
        }
        Ok(tensors)
    }

    fn dense(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        if self.shape.len() != 1 {
            return Err(layer.refuse(format!(
                "a Dense of shape {:?} is applied to the last dimension alone. Put a Flatten before \
                 it",
                self.shape
            )));
        }
        if !layer.setting("quantization_config").is_null() || !layer.setting("lora_rank").is_null()
        {
            return Err(layer.refuse(
                "a quantized Dense or one with LoRA is not supported. Import the float model",
            ));
        }
        let (inputs, units) = (self.width(), layer.units()?);
        let has_bias = layer.flag("use_bias", true);
        let names: &[&str] = if has_bias { &["kernel", "bias"] } else { &["kernel"] };
        let tensors = self.variables(layer, names)?;
        let kernel = &tensors[0];
        if kernel.shape != [inputs, units] {
            return Err(layer.refuse(format!(
                "its kernel has shape {:?}, but {inputs} inputs and {units} units need \
                 [{inputs}, {units}]",
                kernel.shape
            )));
        }
        let weights = kernel.transposed(&layer.place())?.values;
        let biases = tensors.get(1).map_or_else(|| vec![0.0; units], |bias| bias.values.clone());
        if biases.len() != units {
            return Err(layer.refuse(format!("{} biases for {units} units", biases.len())));
        }
        self.network.push(layer.name, Function::Dense { weights, biases, scales: Vec::new() });
        self.shape = vec![units];
        let activation = layer.activation(self.is_keras_2)?;
        self.network.push_pieces(layer.name, &activation, units);
        Ok(())
    }

    /// Returns values per channel for all inputs of the layer.
    fn per_input(&self, layer: &LayerConfig<'_>, values: &[f64]) -> Result<Vec<f64>> {
        let channels = self.shape.last().copied().unwrap_or(0);
        let width = self.width();
        match values.len() {
            1 => Ok(vec![values[0]; width]),
            count if count == width => Ok(values.to_vec()),
            count if count == channels => Ok(values.iter().copied().cycle().take(width).collect()),
            count => Err(layer.refuse(format!("{count} values for shape {:?}", self.shape))),
        }
    }

    /// Checks that the axis is the last one.
    fn check_axis(&self, layer: &LayerConfig<'_>) -> Result<()> {
        let last = self.shape.len() as f64;
        match layer.numbers("axis")?.as_deref() {
            None | Some([]) => Ok(()),
            Some([axis]) if *axis == -1.0 || *axis == last => Ok(()),
            // All dimensions have their own values.
            Some(axes) if axes.len() == self.shape.len() => Ok(()),
            Some(axes) => Err(layer.refuse(format!(
                "axis {axes:?} is not supported, only the last one. Put a Flatten before the layer"
            ))),
        }
    }

    fn batch_normalization(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        self.check_axis(layer)?;
        let (scales, centers) = (layer.flag("scale", true), layer.flag("center", true));
        let names: Vec<&str> = [
            scales.then_some("gamma"),
            centers.then_some("beta"),
            Some("moving_mean"),
            Some("moving_variance"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let tensors = self.variables(layer, &names)?;
        let of = |name: &str| {
            let at = names.iter().position(|own| *own == name)?;
            tensors.get(at).map(|tensor| tensor.values.as_slice())
        };
        let epsilon = layer.number("epsilon", 1e-3)?;
        let gamma = self.per_input(layer, of("gamma").unwrap_or(&[1.0]))?;
        let beta = self.per_input(layer, of("beta").unwrap_or(&[0.0]))?;
        let mean = self.per_input(layer, of("moving_mean").unwrap_or_default())?;
        let variance = self.per_input(layer, of("moving_variance").unwrap_or_default())?;
        let line = |at: usize| Line {
            offset: mean[at],
            factor: gamma[at] / (variance[at] + epsilon).sqrt(),
            shift: beta[at],
        };
        let lines = (0..self.width()).map(line).collect();
        self.network.push(layer.name, Function::Affine(lines));
        Ok(())
    }

    fn normalization(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        self.check_axis(layer)?;
        if layer.flag("invert", false) {
            return Err(layer.refuse("`invert` is not supported"));
        }
        let (mean, variance) = match (layer.numbers("mean")?, layer.numbers("variance")?) {
            (Some(mean), Some(variance)) => (mean, variance),
            _ => {
                let tensors = self.variables(layer, &["mean", "variance", "count"])?;
                (tensors[0].values.clone(), tensors[1].values.clone())
            }
        };
        let (mean, variance) = (self.per_input(layer, &mean)?, self.per_input(layer, &variance)?);
        let line = |(mean, variance): (f64, f64)| Line {
            offset: mean,
            factor: 1.0 / variance.sqrt().max(LEAST_DEVIATION),
            shift: 0.0,
        };
        let lines = mean.into_iter().zip(variance).map(line).collect();
        self.network.push(layer.name, Function::Affine(lines));
        Ok(())
    }

    fn rescaling(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        let scale = layer.numbers("scale")?.unwrap_or_else(|| vec![1.0]);
        let offset = layer.numbers("offset")?.unwrap_or_else(|| vec![0.0]);
        let (scale, offset) = (self.per_input(layer, &scale)?, self.per_input(layer, &offset)?);
        let lines = scale.into_iter().zip(offset).map(|(scale, offset)| Line::new(scale, offset));
        self.network.push(layer.name, Function::Affine(lines.collect()));
        Ok(())
    }

    fn prelu(&mut self, layer: &LayerConfig<'_>) -> Result<()> {
        let slopes = self.variables(layer, &["alpha"])?;
        // `shared_axes` have one slope.
        let slopes = slopes[0].broadcast(&layer.place(), &self.shape)?;
        self.network.push_slopes(layer.name, slopes);
        Ok(())
    }
}

/// Returns the error for a SavedModel folder.
pub(crate) fn saved_model() -> Error {
    Error::format("the folder of a TensorFlow SavedModel, which contains a graph", SAVE_WHOLE)
}
