//! The int8 model of a float network.

use firmware::Engine;
use model_format::build::{InputSpec, LayerSpec, MeaningSpec, ModelSpec, SelfTestSpec};
use model_format::{Encoding, Model, Quantization};

use super::{Calibration, Settings, calibrate, quantize_dense};
use crate::data::{Features, Subset};
use crate::evaluate::{InputEncoder, Int8Error};
use crate::network::Network;
use crate::train::Threads;

/// A model file, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The model file.
    pub bytes: Vec<u8>,
    /// The ranges that activations were given.
    pub calibration: Calibration,
}

/// Why a network cannot be quantized.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The format refuses the model.
    #[error("the quantized model is refused: {0}")]
    Format(#[from] model_format::Error),
    /// The self-tests could not be run.
    #[error("the self-tests of the quantized model cannot be run: {0}")]
    SelfTest(#[from] Int8Error),
}

/// Quantizes a network: calibrates it on the training rows, and writes the model file.
///
/// # Errors
/// [`QuantizeError`] with the format's own reason, such as a row that could overflow.
pub fn quantize(
    name: &str,
    network: &Network<f32>,
    train: &Subset,
    settings: Settings,
    threads: &Threads,
) -> Result<Quantized, QuantizeError> {
    let calibration = calibrate(network, train, settings.calibration, threads);
    let bytes = export(name, network, train, &calibration, settings.self_tests)?;
    Ok(Quantized { bytes, calibration })
}

/// Writes the model file of a network whose activations are given these ranges, with self-tests
/// from the training rows.
///
/// # Errors
/// [`QuantizeError`] with the format's own reason, such as a row that could overflow.
pub fn export(
    name: &str,
    network: &Network<f32>,
    train: &Subset,
    calibration: &Calibration,
    self_test_count: usize,
) -> Result<Vec<u8>, QuantizeError> {
    let dataset = train.dataset();
    let (input_quantization, encoding) = match dataset.features() {
        // q = byte − 128 at the byte's own scale: what the network saw, exactly.
        Features::Bytes { scale, .. } => (Quantization::int8(*scale, -128), Encoding::Unsigned8),
        Features::Reals(_) => (calibration.input.quantization(), Encoding::Quantized),
    };
    let mut layers = Vec::new();
    let mut quantization = input_quantization;
    for ((dense, parameters), range) in network.layers().zip(&calibration.layers) {
        let output = range.quantization();
        let quantized = quantize_dense(dense, parameters, quantization, output)?;
        layers.push(LayerSpec::Dense(quantized.spec));
        quantization = output;
    }
    let mut spec = ModelSpec {
        name: name.to_string(),
        input: InputSpec {
            shape: dataset.shape().to_vec(),
            quantization: input_quantization,
            encoding,
        },
        output: MeaningSpec::Classes(dataset.labels().names.clone()),
        layers,
        self_tests: Vec::new(),
    };
    spec.self_tests = self_tests(&spec.to_bytes()?, train, self_test_count)?;
    Ok(spec.to_bytes()?)
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
    let mut input = vec![0; model.input_len()];
    let mut engine = Engine::new(model, &mut scratch).map_err(Int8Error::Engine)?;
    let count = count.min(train.len());
    let mut tests = Vec::with_capacity(count);
    for test in 0..count {
        encoder.encode(train, test * train.len() / count, &mut input);
        let output = engine.run(&input).map_err(Int8Error::Input)?;
        let bytes = |values: &[i8]| values.iter().map(|&value| value as u8).collect();
        tests.push(SelfTestSpec { input: bytes(&input), output: bytes(output) });
    }
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Arc;

    use model_format::build::LayerSpec as ModelLayer;

    use super::*;
    use crate::data::{Amount, HoldOut, Locations, Source, Splits};
    use crate::evaluate::{evaluate_float, evaluate_int8};
    use crate::network::{Activation, DenseSpec, Initializer, LayerSpec, Loss};
    use crate::train::{self, StopFlag};

    struct Unseen;

    impl train::Observer<f32> for Unseen {}

    fn digits() -> (Splits, Network<f32>, Threads) {
        let loaded = Source::Digits.load(&Locations::default()).unwrap();
        let test = HoldOut::Stratified(Amount::Fraction(0.2));
        let splits = Splits::new(loaded, Some(test), None, 1).unwrap();
        let layer = |units, activation| {
            LayerSpec::Dense(DenseSpec { units, activation, weights: Initializer::XavierUniform })
        };
        let layers = [layer(16, Activation::Relu), layer(10, Activation::Linear)];
        let settings: train::Settings =
            toml::from_str("epochs = 10\nbatch_size = 32\n[optimizer.adam]\nlearning_rate = 0.01")
                .unwrap();
        let network = Network::new(64, &layers, 1).unwrap();
        let threads = Threads::new(NonZero::new(1)).unwrap();
        let stop = StopFlag::default();
        let outcome =
            train::train(network, &splits, &settings, 1, &threads, &stop, &mut Unseen).unwrap();
        (splits, outcome.network, threads)
    }

    #[test]
    fn a_trained_network_loses_little_and_its_self_tests_pass() {
        let (splits, network, threads) = digits();
        let settings = Settings { self_tests: 3, ..Settings::default() };
        let quantized = quantize("digits", &network, &splits.train, settings, &threads).unwrap();
        let model = Model::parse(&quantized.bytes).unwrap();
        let float =
            evaluate_float(&network, &splits.test, Loss::SparseCategoricalCrossEntropy, &threads);
        let int8 = evaluate_int8(&model, &splits.test, &threads).unwrap();
        let (float, int8) = (float.confusion.correct(), int8.confusion.correct());
        assert!(float > 320, "{float} of 359");
        assert!(float.abs_diff(int8) <= 4, "float {float}, int8 {int8} of 359");

        assert_eq!((model.self_tests().count(), model.input_len()), (3, 64));
        let mut scratch = vec![0; model.scratch_len()];
        let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
        for test in model.self_tests() {
            assert_eq!(engine.run_bytes(test.input), Ok(test.output));
        }
        let spec = ModelSpec::from(&model);
        assert_eq!(spec.input.quantization, Quantization::int8(0.0625, -128));
        let ModelLayer::Dense(first) = &spec.layers[0] else { panic!("not dense") };
        assert_eq!((first.output.zero_point, first.clamp.low), (-128, -128));
    }

    #[test]
    fn a_model_for_another_dataset_is_refused() {
        let (splits, network, threads) = digits();
        let settings = Settings::default();
        let quantized = quantize("digits", &network, &splits.train, settings, &threads).unwrap();
        let model = Model::parse(&quantized.bytes).unwrap();
        let dataset = crate::data::Dataset::new(
            "other",
            vec![2],
            Features::Reals(ndarray::Array2::zeros((1, 2))),
            crate::data::Labels { indices: vec![0], names: vec!["a".into()] },
        );
        let other = Subset::all(Arc::new(dataset.unwrap()));
        let message = evaluate_int8(&model, &other, &threads).unwrap_err().to_string();
        assert!(message.contains("takes 64 inputs, a row has 2"), "{message}");
    }
}
