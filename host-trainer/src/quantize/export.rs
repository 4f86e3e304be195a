//! The model file of a float network.

use firmware::Engine;
use model_format::build::{DenseSpec, LayerSpec, ModelSpec, SelfTestSpec};
use model_format::{Model, Precision};

use super::bias::correct_biases;
use super::narrow::narrow;
use super::refit::refit;
use super::spec::Export;
use super::{Calibration, Settings, calibrate, centre_logits, equalize, fold};
use crate::data::Subset;
use crate::evaluate::{InputEncoder, Int8Error};
use crate::network::{Head, Network, NetworkError, Objective};
use crate::train::Threads;

/// A model file, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The model file.
    pub bytes: Vec<u8>,
    /// The ranges that activations were given: of the input, and of each layer of `folded`.
    pub calibration: Calibration,
    /// How fine activations are.
    pub precision: Precision,
    /// The float network that was quantized: dense layers and functions alone, of raw features, or
    /// of scaled ones where the model's input makes these from counts.
    pub folded: Network<f32>,
}

/// Why a network cannot be quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The format refuses the model.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The network cannot be folded.
    #[error("the network cannot be quantized: {0}")]
    Network(#[from] NetworkError),
    /// The model could not be run.
    #[error("the quantized model cannot be run: {0}")]
    Run(#[from] Int8Error),
    /// What counts stand for is too far from what the network sees.
    #[error(
        "data.raw: feature {feature}: counts are too coarse or too far from 0 for the model's input: \
         give a narrower range, or scale features by data.scaling = \"standard\""
    )]
    Channel {
        /// The feature, counted from 0.
        feature: usize,
    },
    /// There is no softmax of 16 bits.
    #[error(
        "quantization.activations: there is no softmax for int16: make the last layer's activation \
         \"linear\", which changes no class, or use \"int8\""
    )]
    Softmax,
    /// There is no softmax of 16 bits within a network either.
    #[error(
        "quantization.activations: there is no softmax for int16, and one is not the last layer: \
         use \"int8\", or another activation in its place"
    )]
    HiddenSoftmax,
}

/// Quantizes a network to activations of this precision: folds it, calibrates it on the training
/// rows, and writes the model file.
///
/// # Errors
/// [`QuantizeError`] with the format's own reason, such as a row that could overflow.
pub fn quantize(
    name: &str,
    network: &Network<f32>,
    objective: Objective,
    train: &Subset,
    settings: Settings,
    precision: Precision,
    threads: &Threads,
) -> Result<Quantized, QuantizeError> {
    let folded = prepared(network, objective, train, settings, threads)?;
    let raw = train.folded();
    let mut calibration = calibrate(&folded, &raw, settings.calibration, threads);
    narrow(&mut calibration, &folded, objective, &raw, precision, threads);
    let export = Export { folded: &folded, calibration: &calibration, precision };
    let mut spec = export.spec(name, objective, &raw)?;
    if settings.refit {
        refit(&mut spec, &folded, &raw)?;
    } else if settings.bias_correction {
        correct_biases(&mut spec, &folded, &raw)?;
    }
    spec.self_tests = self_tests(&spec.to_bytes()?, &raw, settings.self_tests)?;
    Ok(Quantized { bytes: spec.to_bytes()?, calibration, precision, folded })
}

/// The float network that is quantized in place of this one: the same function of features as
/// [`Subset::folded`] has them, of dense layers and functions alone, equalised if the settings say so; logits that a softmax is
/// meant for have what they share taken off, which changes no probability.
///
/// # Errors
/// [`QuantizeError::Network`] for a network that cannot be folded.
pub fn prepared(
    network: &Network<f32>,
    objective: Objective,
    train: &Subset,
    settings: Settings,
    threads: &Threads,
) -> Result<Network<f32>, QuantizeError> {
    let mut folded = fold(network, train.scaling_to_fold())?;
    if objective.scoring_head() == Head::Softmax {
        folded = centre_logits(&folded);
    }
    Ok(match settings.equalization {
        true => equalize(&folded, &train.folded(), threads),
        false => folded,
    })
}

/// Rows spread over the training set, with the engine's own outputs.
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

/// The dense layers of a model to be written, each with the index of its layer.
pub(super) fn dense_specs(spec: &mut ModelSpec) -> impl Iterator<Item = (usize, &mut DenseSpec)> {
    spec.layers.iter_mut().enumerate().filter_map(|(index, layer)| match layer {
        LayerSpec::Dense(dense) => Some((index, dense)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use model_format::Quantization;
    use model_format::build::LayerSpec as ModelLayer;

    use super::*;
    use crate::data::{Features, Locations};
    use crate::evaluate::{Evaluation, evaluate_float, evaluate_int8};
    use crate::experiment::Plan;
    use crate::preset::Preset;
    use crate::train::{self, Training};

    struct Unseen;

    impl train::Observer<f32> for Unseen {}

    /// A trained network, its float evaluation, and all that belongs to it.
    struct Trained {
        plan: Plan,
        network: Network<f32>,
        objective: Objective,
        threads: Threads,
        float: Evaluation,
    }

    impl Trained {
        fn new(text: &str) -> Self {
            let plan =
                Plan::new(Preset::read(text, "test").unwrap(), &Locations::default()).unwrap();
            let threads = Threads::new(std::num::NonZero::new(1)).unwrap();
            let stop = train::StopFlag::default();
            let training = Training {
                splits: &plan.splits,
                settings: &plan.preset.training,
                seed: 1,
                threads: &threads,
                stop: &stop,
                resume: None,
            };
            let network =
                train::train(plan.network.clone(), training, &mut Unseen).unwrap().network;
            let objective = plan.objective();
            let float = evaluate_float(&network, &plan.splits.test, objective, &threads);
            Trained { plan, network, objective, threads, float }
        }

        fn quantized(
            &self,
            settings: Settings,
            precision: Precision,
        ) -> Result<(Vec<u8>, Evaluation), QuantizeError> {
            let train = &self.plan.splits.train;
            let quantized = quantize(
                "test",
                &self.network,
                self.objective,
                train,
                settings,
                precision,
                &self.threads,
            )?;
            let model = Model::parse(&quantized.bytes)?;
            let evaluation = evaluate_int8(&model, &self.plan.splits.test, &self.threads)?;
            Ok((quantized.bytes, evaluation))
        }
    }

    const DIGITS: &str = r#"
        name = "test"
        [data]
        dataset = "digits"
        test = { stratified = { fraction = 0.2 } }
        [network]
        layers = [{ dense = { units = 16, activation = "relu" } }, { dense = { units = 10 } }]
        [training]
        epochs = 10
        batch_size = 32
        optimizer = { adam = { learning_rate = 0.01 } }
    "#;

    #[test]
    fn a_trained_network_loses_little_and_its_self_tests_pass() {
        let trained = Trained::new(DIGITS);
        let settings = Settings { self_tests: 3, ..Settings::default() };
        for precision in [Precision::Int8, Precision::Int16] {
            let (bytes, evaluation) = trained.quantized(settings, precision).unwrap();
            let model = Model::parse(&bytes).unwrap();
            let (float, int8) = (trained.float.confusion.correct(), evaluation.confusion.correct());
            let lost = if precision == Precision::Int8 { 4 } else { 1 };
            assert!(float > 320 && float.abs_diff(int8) <= lost, "{float}, {int8} of 359");
            assert_eq!((model.self_tests().count(), model.input_len()), (3, 64));
            let mut scratch = vec![0; model.scratch_len()];
            let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
            for test in model.self_tests() {
                assert_eq!(engine.run_bytes(test.input), Ok(test.output));
            }
            let spec = ModelSpec::from(&model);
            let ModelLayer::Dense(first) = &spec.layers[0] else { panic!("not dense") };
            match precision {
                Precision::Int8 => {
                    assert_eq!(spec.input.quantization, Quantization::int8(0.0625, -128));
                    assert_eq!((first.output.zero_point, first.clamp.low), (-128, -128));
                }
                Precision::Int16 => {
                    assert_eq!(spec.input.quantization, Quantization::int16(0.0625 / 128.0));
                    assert_eq!((first.output.zero_point, first.clamp.low), (0, 0));
                }
            }
        }
    }

    #[test]
    fn every_function_and_scaling_quantizes() {
        for (layers, scaling) in [
            (
                r#"{ dense = { units = 16, activation = "tanh" } }, { dense = { units = 10 } }"#,
                "none",
            ),
            (
                r#"{ dense = { units = 16 } }, { batch_normalization = {} }, { activation = "sigmoid" },
                   { dropout = { rate = 0.1 } }, { dense = { units = 10, activation = "softmax" } }"#,
                "standard",
            ),
            (
                r#"{ dense = { units = 16, activation = { leaky_relu = 0.1 } } },
                   { batch_normalization = {} }, { dense = { units = 10 } }"#,
                "min_max",
            ),
            (
                r#"{ dense = { units = 16, activation = "relu6" } }, { dense = { units = 10 } }"#,
                "none",
            ),
        ] {
            let start = DIGITS.find("layers = [").unwrap();
            let end = DIGITS.find("[training]").unwrap();
            let text = format!("{}layers = [{layers}]\n{}", &DIGITS[..start], &DIGITS[end..])
                .replace("[network]", &format!("scaling = \"{scaling}\"\n[network]"));
            let trained = Trained::new(&text);
            let settings = Settings {
                calibration: super::super::CalibrationMethod::Mse,
                equalization: true,
                bias_correction: true,
                ..Settings::default()
            };
            for precision in [Precision::Int8, Precision::Int16] {
                let quantized = trained.quantized(settings, precision);
                if layers.contains("softmax") && precision == Precision::Int16 {
                    let message = quantized.unwrap_err().to_string();
                    assert!(message.contains("make the last layer's activation \"linear\""));
                    continue;
                }
                let (_, evaluation) = quantized.unwrap();
                let (float, int8) =
                    (trained.float.confusion.correct(), evaluation.confusion.correct());
                assert!(float > 300, "{layers}: {float}");
                assert!(float.abs_diff(int8) <= 4, "{layers}: float {float}, int8 {int8} of 359");
            }
        }
    }

    const SURFACE: &str = r#"
        name = "test"
        [data]
        dataset = { surface = { function = "egg_crate", points = 2000, radius = 2.0 } }
        test = { random = { fraction = 0.2 } }
        [network]
        layers = [{ dense = { units = 24, activation = "tanh" } }, { dense = { units = 1 } }]
        [training]
        loss = "mean_squared_error"
        epochs = 40
        batch_size = 32
        optimizer = { adam = { learning_rate = 0.01 } }
    "#;

    #[test]
    fn a_regression_keeps_its_values() {
        let trained = Trained::new(SURFACE);
        let float = trained.float.regression.unwrap();
        assert!(float.r_squared > 0.98, "{float:?}");
        let settings = Settings { bias_correction: true, ..Settings::default() };
        // With 16 bits what is left is the rounding of the weights, which are few here.
        for (precision, most) in [(Precision::Int8, 2.0), (Precision::Int16, 1.2)] {
            let (bytes, evaluation) = trained.quantized(settings, precision).unwrap();
            let found = evaluation.regression.unwrap();
            let ratio = found.mean_squared_error / float.mean_squared_error;
            assert!(ratio < most, "{precision:?}: {found:?} after {float:?}");
            let model = Model::parse(&bytes).unwrap();
            assert!(matches!(model.output().meaning, model_format::Meaning::Values { .. }));
        }
    }

    #[test]
    fn one_output_tells_two_classes_apart() {
        let text = SURFACE
            .replace(
                r#"{ surface = { function = "egg_crate", points = 2000, radius = 2.0 } }"#,
                "{ spirals = { arms = 2, points_per_arm = 500, classes = 2, screw = 0.4 } }",
            )
            .replace("mean_squared_error", "binary_cross_entropy");
        for last in ["linear", "sigmoid"] {
            let last = format!("units = 1, activation = \"{last}\"");
            let trained = Trained::new(&text.replace("units = 1 ", &last));
            let float = trained.float.confusion.accuracy();
            assert!(float > 0.9, "{last}: {float}");
            for precision in [Precision::Int8, Precision::Int16] {
                let (bytes, evaluation) =
                    trained.quantized(Settings::default(), precision).unwrap();
                let found = evaluation.confusion.accuracy();
                assert!((found - float).abs() < 0.02, "{last} {precision:?}: {found} {float}");
                let outputs = &evaluation.outputs;
                assert!(outputs.iter().all(|p| (0.0..=1.0).contains(p)));
                assert_eq!(Model::parse(&bytes).unwrap().output_len(), 1);
            }
        }
    }

    #[test]
    fn a_model_for_another_dataset_is_refused() {
        let trained = Trained::new(DIGITS);
        let (bytes, _) = trained.quantized(Settings::default(), Precision::Int8).unwrap();
        let model = Model::parse(&bytes).unwrap();
        let dataset = crate::data::Dataset::new(
            "other",
            vec![2],
            Features::Reals(ndarray::Array2::zeros((1, 2))),
            crate::data::Labels { indices: vec![0], names: vec!["a".into()] },
        );
        let other = Subset::all(std::sync::Arc::new(dataset.unwrap()));
        let message = evaluate_int8(&model, &other, &trained.threads).unwrap_err().to_string();
        assert!(message.contains("takes 64 inputs, a row has 2"), "{message}");
    }
}
