//! Trained networks that are quantized: what they lose, and which are refused.

use host_trainer::data::{Features, Locations, Subset};
use host_trainer::evaluate::{Evaluation, evaluate_float, evaluate_int8};
use host_trainer::experiment::Plan;
use host_trainer::network::{ACTIVATIONS, Activation, Network, Objective};
use host_trainer::preset::Preset;
use host_trainer::quantize::{
    CalibrationMethod, DataTypes, QuantizeError, Recipe, Settings, quantize,
};
use host_trainer::threads::Threads;
use host_trainer::train::{self, Training};
use model_format::build::{LayerSpec as ModelLayer, ModelSpec};
use model_format::{DataType, Model, OutputKind, Quantization};
use thimble_nn::Engine;

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
        let plan = Plan::new(Preset::read(text, "test").unwrap(), &Locations::default()).unwrap();
        let threads = Threads::new(std::num::NonZero::new(1)).unwrap();
        let stop = train::StopFlag::default();
        let training = Training {
            aware: None,
            splits: &plan.splits,
            settings: &plan.preset.training,
            seed: 1,
            threads: &threads,
            stop: &stop,
            resume: None,
            teachers: &[],
        };
        let network = train::train(plan.network.clone(), training, &mut ()).unwrap().network;
        let objective = plan.objective();
        let float = evaluate_float(&network, &plan.splits.test, objective, &threads);
        Trained { plan, network, objective, threads, float }
    }

    fn quantized(
        &self,
        settings: Settings,
        data_type: DataType,
    ) -> Result<(Vec<u8>, Evaluation), QuantizeError> {
        let train = &self.plan.splits.train;
        let data_types = DataTypes::all(data_type, &self.network);
        let recipe = Recipe { settings, data_types, threshold: 0.5 };
        let quantized =
            quantize("test", &self.network, self.objective, train, &recipe, &self.threads)?;
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
    for data_type in [DataType::Int8, DataType::Int16] {
        let (bytes, evaluation) = trained.quantized(settings, data_type).unwrap();
        let model = Model::parse(&bytes).unwrap();
        let (float, int8) = (trained.float.confusion.correct(), evaluation.confusion.correct());
        let lost = if data_type == DataType::Int8 { 4 } else { 1 };
        assert!(float > 320 && float.abs_diff(int8) <= lost, "{float}, {int8} of 359");
        assert_eq!((model.self_tests().count(), model.input_len()), (3, 64));
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
        for test in model.self_tests() {
            assert_eq!(engine.run_bytes(test.input), Ok(test.output));
        }
        let spec = ModelSpec::from(&model);
        let ModelLayer::Dense(first) = &spec.layers[0] else { panic!("not dense") };
        match data_type {
            DataType::Int8 => {
                assert_eq!(spec.input.quantization, Quantization::int8(0.0625, -128));
                assert_eq!((first.output.zero_point, first.clamp.low), (-128, -128));
            }
            DataType::Int16 => {
                assert_eq!(spec.input.quantization, Quantization::int16(0.0625 / 128.0));
                assert_eq!((first.output.zero_point, first.clamp.low), (0, 0));
            }
        }
    }
}

#[test]
fn every_function_and_scaling_quantizes() {
    for (layers, scaling) in [
        (r#"{ dense = { units = 16, activation = "tanh" } }, { dense = { units = 10 } }"#, "none"),
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
        (r#"{ dense = { units = 16, activation = "relu6" } }, { dense = { units = 10 } }"#, "none"),
    ] {
        let start = DIGITS.find("layers = [").unwrap();
        let end = DIGITS.find("[training]").unwrap();
        let text = format!("{}layers = [{layers}]\n{}", &DIGITS[..start], &DIGITS[end..])
            .replace("[network]", &format!("scaling = \"{scaling}\"\n[network]"));
        let trained = Trained::new(&text);
        let settings = Settings {
            calibration: CalibrationMethod::Mse,
            equalization: true,
            bias_correction: true,
            ..Settings::default()
        };
        for data_type in [DataType::Int8, DataType::Int16] {
            let (_, evaluation) = trained.quantized(settings, data_type).unwrap();
            let (float, int8) = (trained.float.confusion.correct(), evaluation.confusion.correct());
            assert!(float > 300, "{layers}: {float}");
            assert!(float.abs_diff(int8) <= 4, "{layers}: float {float}, int8 {int8} of 359");
        }
    }
}

#[test]
fn every_activation_function_runs_by_its_table() {
    for activation in ACTIVATIONS.map(Activation::name) {
        let text = DIGITS.replace("relu", activation).replace("epochs = 10", "epochs = 25");
        let trained = Trained::new(&text);
        for data_type in [DataType::Int8, DataType::Int16] {
            let (bytes, evaluation) = trained.quantized(Settings::default(), data_type).unwrap();
            let layers = Model::parse(&bytes).unwrap().layers().map(|layer| layer.name());
            // ReLUs are the clamp of the layer before, and softmax has a kernel of its own.
            let expected = match activation {
                "linear" | "relu" | "relu6" => 2,
                _ => 3,
            };
            assert_eq!(layers.count(), expected, "{activation}");
            let (float, found) =
                (trained.float.confusion.correct(), evaluation.confusion.correct());
            assert!(float > 300, "{activation}: {float}");
            let lost = if data_type == DataType::Int8 { 5 } else { 3 };
            assert!(
                float.abs_diff(found) <= lost,
                "{activation} {data_type:?}: {float}, {found} of 359"
            );
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
    for (data_type, most) in [(DataType::Int8, 2.0), (DataType::Int16, 1.2)] {
        let (bytes, evaluation) = trained.quantized(settings, data_type).unwrap();
        let found = evaluation.regression.unwrap();
        let ratio = found.mean_squared_error / float.mean_squared_error;
        assert!(ratio < most, "{data_type:?}: {found:?} after {float:?}");
        let model = Model::parse(&bytes).unwrap();
        assert!(matches!(model.output().kind, OutputKind::Values(scales) if scales.len() == 1));
    }
}

#[test]
fn one_output_tells_two_classes_apart() {
    let text = SURFACE
        .replace(
            r#"{ surface = { function = "egg_crate", points = 2000, radius = 2.0 } }"#,
            "{ spirals = { arms = 2, points_per_arm = 500, classes = 2, screw = 0.004 } }",
        )
        .replace("mean_squared_error", "binary_cross_entropy");
    for last in ["linear", "sigmoid"] {
        let last = format!("units = 1, activation = \"{last}\"");
        let trained = Trained::new(&text.replace("units = 1 ", &last));
        let float = trained.float.confusion.accuracy();
        assert!(float > 0.9, "{last}: {float}");
        for data_type in [DataType::Int8, DataType::Int16] {
            let (bytes, evaluation) = trained.quantized(Settings::default(), data_type).unwrap();
            let found = evaluation.confusion.accuracy();
            assert!((found - float).abs() < 0.02, "{last} {data_type:?}: {found} {float}");
            let outputs = &evaluation.outputs;
            assert!(outputs.iter().all(|p| (0.0..=1.0).contains(p)));
            let model = Model::parse(&bytes).unwrap();
            assert_eq!(model.output_len(), 1);
            let OutputKind::Probability { labels, threshold } = model.output().kind else {
                panic!("no probability")
            };
            assert_eq!(labels.iter().collect::<Vec<_>>(), ["0", "1"]);
            // The last step that is not above one half.
            let half = if data_type == DataType::Int8 { 0 } else { 1 << 14 };
            assert_eq!(threshold, half);
        }
    }
}

#[test]
fn a_model_for_another_dataset_is_refused() {
    let trained = Trained::new(DIGITS);
    let (bytes, _) = trained.quantized(Settings::default(), DataType::Int8).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let dataset = host_trainer::data::Dataset::new(
        "other",
        vec![2],
        Features::Reals(ndarray::Array2::zeros((1, 2))),
        host_trainer::data::Labels { indices: vec![0], names: vec!["a".into()] },
    );
    let other = Subset::all(std::sync::Arc::new(dataset.unwrap()));
    let message = evaluate_int8(&model, &other, &trained.threads).unwrap_err().to_string();
    assert!(message.contains("takes 64 inputs, a row has 2"), "{message}");
}
