//! Model, float network and preprocessing of images that a page gets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_format::{Encoding, Model, WeightType};
use serde_json::{Map, Value, json};

use crate::chips::{ChipError, Costs, Measured};
use crate::data::{Scaling, Source};
use crate::experiment::{Plan, SavedRun};
use crate::network::{Activation, Head, Layer, LayerView, Network, Objective};
use crate::predict::{AskedPreparation, ChosenPreparation, PredictError, preparation};
use crate::threads::Threads;

/// Everything that a page has beside the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct PageContent {
    /// Name of the model.
    pub name: String,
    /// The data of the scripts.
    pub data: Value,
}

/// Reason why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The model file is damaged.
    #[error(transparent)]
    Model(#[from] model_format::Error),
    /// The preprocessing of images in the model file is unknown.
    #[error(transparent)]
    Preparation(#[from] PredictError),
    /// The measurements of cores that are built into the program are damaged.
    #[error(transparent)]
    Costs(#[from] ChipError),
}

/// Returns the content for a model alone.
///
/// # Errors
/// [`PageError`] for a damaged model, and for words of preprocessing that are unknown.
pub fn of_model(file: &[u8], dataset: Option<&Source>) -> Result<PageContent, PageError> {
    let model = Model::parse(file)?;
    content(file, &model, dataset, Value::Null, "")
}

/// Returns the content for the model of a run, with its float network. `plan` is the reason where
/// the data are missing, which the scaling of the inputs was fitted to.
///
/// # Errors
/// Those of [`of_model`].
pub fn of_run(
    run: &SavedRun,
    file: &[u8],
    plan: Result<&Plan, String>,
    threads: &Threads,
) -> Result<PageContent, PageError> {
    match plan {
        Ok(plan) => {
            let train = &plan.splits.train;
            let objective = plan.objective_of(&run.network, threads);
            let scalings = [train.scaling(), train.target_scaling()];
            of_networks(file, &run.preset.data.dataset, &run.network, objective, scalings)
        }
        Err(reason) => {
            let missing = format!("No float network: its scaling needs the data. {reason}");
            let dataset = Some(&run.preset.data.dataset);
            content(file, &Model::parse(file)?, dataset, Value::Null, &missing)
        }
    }
}

/// Returns the content with a float network, and the scalings of its inputs and targets.
///
/// # Errors
/// Those of [`of_model`].
pub(crate) fn of_networks(
    file: &[u8],
    dataset: &Source,
    network: &Network<f32>,
    objective: Objective,
    scalings: [Option<&Scaling>; 2],
) -> Result<PageContent, PageError> {
    let model = Model::parse(file)?;
    let classes = model.output().kind.labels().map_or(0, |labels| labels.len());
    if network.fake_quantization().is_some() {
        let missing = "No float network: quantization-aware training rounds its activations, which \
                       this page does not";
        return content(file, &model, Some(dataset), Value::Null, missing);
    }
    let float = float_network(network, objective, scalings, classes);
    content(file, &model, Some(dataset), float, "")
}

fn content(
    file: &[u8],
    model: &Model<'_>,
    dataset: Option<&Source>,
    float: Value,
    float_missing: &str,
) -> Result<PageContent, PageError> {
    let images = images(model, dataset)?.map(|chosen| {
        json!({ "words": chosen.preparation.to_string(), "origin": chosen.origin.to_string() })
    });
    let Measured { mut cycles, instructions, small, .. } = Measured::read()?;
    let cycles = cycles.remove(WeightType::Int8.name()).unwrap_or_default();
    let by_core = |costs: BTreeMap<String, Costs>| -> Map<String, Value> {
        costs.into_iter().map(|(core, Costs(parts))| (core, json!(parts))).collect()
    };
    let costs = json!({
        "cycles": by_core(cycles),
        "instructions": by_core(instructions),
        "small_cycles": by_core(small.cycles),
        "small_instructions": by_core(small.instructions),
    });
    let data = json!({
        "model": STANDARD.encode(file),
        "costs": costs,
        "preparation": images,
        "float": float,
        "float_missing": float_missing,
    });
    Ok(PageContent { name: model.name().to_string(), data })
}

/// Returns the preprocessing of images, of a model that takes some.
fn images(
    model: &Model<'_>,
    dataset: Option<&Source>,
) -> Result<Option<ChosenPreparation>, PageError> {
    let is_known = !model.details().preparation().is_empty()
        || matches!(dataset, Some(Source::Images(_)))
        || dataset.is_some_and(|source| source.preparation().is_some())
        || matches!(model.input().encoding, Encoding::Unsigned8);
    match preparation(model, &AskedPreparation::default(), dataset) {
        Ok(chosen) => Ok(Some(chosen)),
        // Bytes in a row, or features in their own units.
        Err(PredictError::Shape { .. }) => Ok(None),
        Err(error) if is_known => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Describes a float network for the script that runs it.
fn float_network(
    network: &Network<f32>,
    objective: Objective,
    [inputs, targets]: [Option<&Scaling>; 2],
    classes: usize,
) -> Value {
    let scaling = |scaling: Option<&Scaling>| {
        scaling.map(|each| json!({ "offsets": each.offsets, "factors": each.factors }))
    };
    let head = match objective.scoring_head() {
        Head::None => "none",
        Head::Sigmoid => "sigmoid",
        Head::Softmax => "softmax",
    };
    json!({
        "inputs": scaling(inputs),
        "targets": scaling(targets),
        "layers": network.layers().filter_map(layer).collect::<Vec<_>>(),
        "head": head,
        "classes": classes,
    })
}

fn layer(view: LayerView<'_, f32>) -> Option<Value> {
    Some(match view.layer {
        Layer::Dense(dense) => json!({
            "kind": "dense",
            "inputs": dense.inputs,
            "outputs": dense.outputs,
            "activation": activation(dense.activation),
            "parameters": floats(view.parameters.iter().copied()),
        }),
        Layer::Activation { activation: function, .. } => {
            json!({ "kind": "activation", "activation": activation(*function) })
        }
        Layer::Dropout { .. } => return None,
        Layer::BatchNormalization(layer) => {
            let affine = layer.as_affine(view.parameters, view.state);
            let affine = affine.into_iter().flat_map(|(factor, offset)| [factor, offset]);
            json!({ "kind": "affine", "parameters": floats(affine.map(|value| value as f32)) })
        }
    })
}

fn activation(activation: Activation) -> Value {
    let parameter = match activation {
        Activation::LeakyRelu(value) | Activation::Elu(value) | Activation::HardSigmoid(value) => {
            Some(value)
        }
        _ => None,
    };
    json!({ "name": activation.name(), "parameter": parameter })
}

fn floats(values: impl Iterator<Item = f32>) -> String {
    STANDARD.encode(values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_from_features() {
        let digits = include_bytes!("../../../firmware/models/digits.thimble");
        let content = of_model(digits, None).unwrap();
        assert_eq!(content.name, "digits");
        let words = content.data["preparation"]["words"].as_str().unwrap();
        assert!(words.starts_with("8x8 grayscale"), "{words}");
        let wine = include_bytes!("../../../firmware/models/wine.thimble");
        assert_eq!(of_model(wine, None).unwrap().data["preparation"], Value::Null);
        assert!(of_model(&digits[1..], None).is_err());
    }
}
