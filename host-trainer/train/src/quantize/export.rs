//! Post-training quantization: a float network becomes a model file.

use model_format::Model;
use model_format::build::SelfTestSpec;
use thimble_data::Subset;
use thimble_network::{Network, Objective};
use thimble_nn::Engine;
use thimble_numeric::threads::Threads;

use super::bias::correct_biases;
use super::clamp_ranges::clamp_ranges;
use super::prepare::{Prepared, prepared};
use super::refit::refit;
use super::spec::Export;
use super::trained_grids::trained_grids;
use super::widen_ranges::widen_ranges;
use super::{Calibration, DataTypes, QuantizeError, Settings, calibrate};
use crate::evaluate::{InputEncoder, Int8Error};

/// A model file, with its calibration ranges, data types and float network.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The model file.
    pub bytes: Vec<u8>,
    /// Calibration ranges of the input and of each layer.
    pub calibration: Calibration,
    /// Data types of the activations.
    pub data_types: DataTypes,
    /// The float network that was quantized, with its input stage.
    pub prepared: Prepared,
}

/// Options of quantization.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Calibration method, equalization, bias correction and refitting.
    pub settings: Settings,
    /// Data types of the activations.
    pub data_types: DataTypes,
    /// Decision threshold on the probability of the second of two classes.
    pub threshold: f64,
}

/// Quantizes a network: folds and equalizes it, calibrates it on the training rows, and writes the
/// model file.
///
/// A network with fake quantization has its levels of weights, ranges and data types already. Of the
/// recipe, it takes the threshold and the number of self-tests.
///
/// # Errors
/// [`QuantizeError`] with the format's reason, such as an accumulator that could overflow.
pub fn quantize(
    name: &str,
    network: &Network<f32>,
    objective: Objective,
    train: &Subset,
    recipe: &Recipe,
    threads: &Threads,
) -> Result<Quantized, QuantizeError> {
    let Recipe { settings, data_types, threshold } = recipe;
    let fake = network.fake_quantization();
    let trained = fake.map(|fake| DataTypes::all(fake.data_type(), network));
    let data_types = trained.as_ref().unwrap_or(data_types);
    let prepared = prepared(network, objective, train, *settings, data_types.input, threads)?;
    let rows = prepared.rows(train);
    let folded = &prepared.network;
    let mut calibration = calibrate(folded, &rows, settings.calibration, threads);
    match fake {
        Some(fake) => {
            let ranges = fake.model_ranges();
            calibration.layers.iter_mut().zip(ranges).for_each(|(range, given)| *range = given);
        }
        None => clamp_ranges(&mut calibration, folded, objective, &rows, data_types, threads),
    }
    let types = data_types.of_layers(folded, objective);
    widen_ranges(&mut calibration, folded, &types, data_types.input);
    let grids = trained_grids(network, folded);
    let export = Export {
        prepared: &prepared,
        calibration: &calibration,
        data_types,
        grids: grids.as_deref(),
        objective,
        threshold: *threshold,
    };
    let mut spec = export.spec(name, train)?;
    if fake.is_some() {
        // Rounding was part of the training.
    } else if settings.refit {
        refit(&mut spec, folded, &rows)?;
    } else if settings.bias_correction {
        correct_biases(&mut spec, folded, &rows)?;
    }
    spec.self_tests = self_tests(&spec.to_bytes()?, train, settings.self_tests)?;
    let bytes = spec.to_bytes()?;
    Ok(Quantized { bytes, calibration, data_types: data_types.clone(), prepared })
}

/// Returns self-tests: training rows at regular intervals, with the engine's outputs.
fn self_tests(
    bytes: &[u8],
    train: &Subset,
    count: usize,
) -> Result<Vec<SelfTestSpec>, QuantizeError> {
    let model = Model::parse(bytes)?;
    let encoder = InputEncoder::new(&model, train)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut input = vec![0; model.input_bytes()];
    let mut engine = Engine::new(model, &mut scratch).map_err(Int8Error::Engine)?;
    let count = count.min(train.len());
    let mut tests = Vec::with_capacity(count);
    for test in 0..count {
        encoder.encode(train, test * train.len() / count, &mut input);
        let output = engine.run_bytes(&input).map_err(Int8Error::Input)?.to_vec();
        tests.push(SelfTestSpec { input: input.clone(), output });
    }
    Ok(tests)
}
