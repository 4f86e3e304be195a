//! Property tests of quantize → encode → parse → run, compared with the reference in every layout,
//! for int8 and int16 activations. Packing for any core changes no output.
//!
//! proptest shrinks failures to the smallest network that differs.

use host_trainer::pack::{Core, pack};
use model_format::build::{
    DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SoftmaxSpec, TableSpec,
};
use model_format::{
    Clamp, DataType, Encoding, Error, Model, Multiplier, Quantization, WeightLayout, WeightType,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use thimble_nn::Engine;
use thimble_tests::cores::PORTABLE_LAYOUTS;
use thimble_tests::reference::Network;
use thimble_tests::values::values;

/// A dense layer of a float network.
#[derive(Clone, Debug)]
struct FloatDense {
    /// One row per output.
    weights: Vec<Vec<f32>>,
    biases: Vec<f32>,
    relu: bool,
    /// Range of the outputs.
    output: (f32, i32),
}

/// Layer after a dense layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Nothing,
    Tanh,
    Logistic,
    Softmax,
}

/// A float network with inputs.
#[derive(Clone, Debug)]
struct FloatNetwork {
    input: (f32, i32),
    layers: Vec<(FloatDense, Then)>,
    /// For int8, the low byte of each.
    rows: Vec<Vec<i16>>,
}

fn float_dense(inputs: usize, outputs: usize) -> impl Strategy<Value = FloatDense> {
    // Zeros come in runs, so that sparse layers have something to leave out.
    let weight = prop_oneof![3 => -1.0f32..1.0, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(-1.0)];
    let run = (weight, 1..9usize).prop_map(|(weight, times)| std::iter::repeat_n(weight, times));
    let row = vec(run, inputs).prop_map(move |runs| runs.into_iter().flatten().take(inputs));
    (
        vec(row.prop_map(Iterator::collect), outputs),
        vec(-2.0f32..2.0, outputs),
        any::<bool>(),
        (0.001f32..0.5, zero_point()),
    )
        .prop_map(|(weights, biases, relu, output)| FloatDense {
            weights,
            biases,
            relu,
            output,
        })
}

fn zero_point() -> impl Strategy<Value = i32> {
    prop_oneof![Just(-128), Just(0), Just(127), -128..128]
}

fn network() -> impl Strategy<Value = FloatNetwork> {
    let width = || prop_oneof![4 => 1..24usize, 1 => 24..80usize];
    let then = prop_oneof![
        3 => Just(Then::Nothing), 1 => Just(Then::Tanh), 1 => Just(Then::Logistic)
    ];
    (vec(width(), 2..5), (0.001f32..0.5, zero_point())).prop_flat_map(move |(widths, input)| {
        let layers: Vec<_> =
            widths.windows(2).map(|pair| (float_dense(pair[0], pair[1]), then.clone())).collect();
        let rows = vec(vec(any::<i16>(), widths[0]), 1..4);
        (layers, any::<bool>(), rows).prop_map(move |(mut layers, softmax, rows)| {
            if let (true, Some((_, then))) = (softmax, layers.last_mut()) {
                *then = Then::Softmax;
            }
            FloatNetwork { input, layers, rows }
        })
    })
}

impl FloatDense {
    /// Quantizes to symmetric weights with per-row scales, as the trainer does.
    fn quantize(&self, x: Quantization, y: Quantization, layout: WeightLayout) -> DenseSpec {
        let weight_type = layout.weight_type();
        let most = f32::from(weight_type.max_weight());
        let scales: Vec<f32> = self
            .weights
            .iter()
            .map(|row| row.iter().fold(0.0f32, |most, weight| most.max(weight.abs())))
            .map(|largest| if largest > 0.0 { largest / most } else { 1.0 })
            .collect();
        let rows = || self.weights.iter().zip(&scales);
        let real = |scale: f32| f64::from(x.scale) * f64::from(scale);
        let multiplier = |scale: &f32| Multiplier::from_real(real(*scale) / f64::from(y.scale));
        let all = Clamp::all(y.data_type);
        DenseSpec {
            inputs: self.weights[0].len(),
            outputs: self.weights.len(),
            weights: rows()
                .flat_map(|(row, scale)| {
                    row.iter().map(move |w| match weight_type {
                        WeightType::Int2 => 2 * ((w / scale - 1.0) / 2.0).round() as i8 + 1,
                        _ => (w / scale).round() as i8,
                    })
                })
                .collect(),
            biases: self
                .biases
                .iter()
                .zip(&scales)
                .map(|(bias, scale)| (f64::from(*bias) / real(*scale)).round() as i32)
                .collect(),
            multipliers: scales.iter().map(|s| multiplier(s).expect("scales are near 1")).collect(),
            output: y,
            clamp: if self.relu { Clamp { low: y.zero_point as i16, ..all } } else { all },
            layout,
        }
    }
}

impl FloatNetwork {
    /// Quantizes the model to a data type and a layout.
    fn quantize(&self, data_type: DataType, layout: WeightLayout) -> ModelSpec {
        let quantization = |(scale, zero_point): (f32, i32)| match data_type {
            DataType::Int8 => Quantization::int8(scale, zero_point),
            DataType::Int16 => Quantization::int16(scale / 256.0),
        };
        let input = quantization(self.input);
        let (mut x, mut layers) = (input, Vec::new());
        for (dense, then) in &self.layers {
            let y = quantization(dense.output);
            layers.push(LayerSpec::Dense(dense.quantize(x, y, layout)));
            x = y;
            if let Some(layer) = then.layer(y) {
                x = layer.1;
                layers.push(layer.0);
            }
        }
        ModelSpec {
            name: "property".into(),
            input: InputSpec {
                shape: vec![self.rows[0].len()],
                quantization: input,
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers,
            self_tests: vec![],
            details: Default::default(),
        }
    }

    /// Returns the rows of inputs in a data type, as numbers and as bytes.
    fn inputs(&self, data_type: DataType) -> Vec<(Vec<i64>, Vec<u8>)> {
        let row = |row: &Vec<i16>| match data_type {
            DataType::Int8 => (
                row.iter().map(|x| i64::from(*x as i8)).collect(),
                row.iter().map(|x| *x as u8).collect(),
            ),
            DataType::Int16 => (
                row.iter().map(|x| i64::from(*x)).collect(),
                row.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ),
        };
        self.rows.iter().map(row).collect()
    }
}

impl Then {
    /// The layer, with its output.
    fn layer(self, x: Quantization) -> Option<(LayerSpec, Quantization)> {
        use thimble_convert::tables;
        let table = |table: TableSpec| Some((table.output, LayerSpec::Table(table)));
        let made = match (self, x.data_type) {
            (Then::Nothing, _) => None,
            (Then::Tanh, DataType::Int8) => table(tables::tanh_int8(x)),
            (Then::Logistic, DataType::Int8) => table(tables::logistic_int8(x)),
            (Then::Softmax, DataType::Int8) => {
                let softmax: SoftmaxSpec = tables::softmax(x, 1.0);
                Some((model_format::Softmax::OUTPUT, LayerSpec::Softmax(softmax)))
            }
            (Then::Tanh | Then::Logistic, DataType::Int16) => {
                table(tables::of_function(x, Quantization::int16(1.0 / 32768.0), f64::tanh))
            }
            // A softmax is one of int8 logits.
            (Then::Softmax, DataType::Int16) => None,
        };
        made.map(|(output, layer)| (layer, output))
    }
}

/// Returns the outputs of all rows by the engine.
fn run(model: &[u8], inputs: &[(Vec<i64>, Vec<u8>)]) -> Vec<Vec<u8>> {
    let model = Model::parse(model).expect("what to_bytes has checked");
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model, &mut scratch).expect("this machine reads every layout");
    let run = |(_, bytes): &(_, Vec<u8>)| engine.run_bytes(bytes).expect("the length").to_vec();
    inputs.iter().map(run).collect()
}

proptest! {
    // Each case is up to eighteen models, the same ones in every run. Failing ones are kept nowhere:
    // they become tests.
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(200),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_layout_equals_the_plain_implementation(network in network()) {
        for data_type in [DataType::Int8, DataType::Int16] {
            let inputs = network.inputs(data_type);
            // Layouts of the same weights must agree with each other, too.
            let mut outputs_of_int8_weights: Option<Vec<Vec<u8>>> = None;
            for layout in WeightLayout::ALL {
                let spec = network.quantize(data_type, layout);
                let bytes = match spec.to_bytes() {
                    Ok(bytes) => bytes,
                    // A bias far above its weights can need more than 32 bits, and is refused.
                    // Folding is for int8.
                    Err(Error::Overflow { .. }) => continue,
                    Err(_) if layout.needs_int8() && data_type == DataType::Int16 => continue,
                    Err(error) => return Err(TestCaseError::fail(format!("{layout:?}: {error}"))),
                };
                let model = Model::parse(&bytes).expect("what to_bytes has checked");
                prop_assert_eq!(&ModelSpec::from(&model), &spec, "{:?} is read as written", layout);
                let outputs = run(&bytes, &inputs);
                let reference = Network::new(&model);
                for ((input, _), output) in inputs.iter().zip(&outputs) {
                    let expected = reference.run_layers_wide(input);
                    prop_assert_eq!(
                        expected.last(), Some(&values(output, data_type)), "{:?}", layout
                    );
                }
                if layout.weight_type() == WeightType::Int8 {
                    let first = outputs_of_int8_weights.get_or_insert_with(|| outputs.clone());
                    prop_assert_eq!(&*first, &outputs, "{:?}", layout);
                }
            }
        }
    }

    #[test]
    fn packing_changes_no_output(network in network()) {
        for data_type in [DataType::Int8, DataType::Int16] {
            for layout in PORTABLE_LAYOUTS {
                let bytes = match network.quantize(data_type, layout).to_bytes() {
                    Ok(bytes) => bytes,
                    Err(Error::Overflow { .. }) => continue,
                    Err(error) => return Err(TestCaseError::fail(format!("{layout:?}: {error}"))),
                };
                let inputs = network.inputs(data_type);
                let expected = run(&bytes, &inputs);
                for core in Core::ALL {
                    let model = Model::parse(&bytes).expect("what to_bytes has checked");
                    let packed = pack(&model, core).expect("every model can be packed");
                    prop_assert_eq!(&run(&packed, &inputs), &expected, "{}", core);
                }
            }
        }
    }
}
