//! Tables and softmax, as the only layer of a model and behind a dense one.

use model_format::build::{
    DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SoftmaxSpec, TableSpec,
};
use model_format::{Capabilities, Clamp, Encoding, Multiplier, OpSet, Quantization, WeightLayout};
use thimble_nn::{Engine, Model};

fn model(width: usize, values: Quantization, layers: Vec<LayerSpec>) -> Vec<u8> {
    ModelSpec {
        name: "operators".into(),
        input: InputSpec {
            shape: vec![width],
            quantization: values,
            encoding: Encoding::Quantized,
        },
        output: OutputSpec::Values(vec![]),
        layers,
        self_tests: vec![],
        details: Default::default(),
    }
    .to_bytes()
    .unwrap()
}

/// The same values, by a dense layer.
fn identity(width: usize, values: Quantization) -> LayerSpec {
    LayerSpec::Dense(DenseSpec {
        inputs: width,
        outputs: width,
        weights: (0..width * width).map(|at| i8::from(at % (width + 1) == 0)).collect(),
        biases: vec![0; width],
        multipliers: vec![Multiplier::from_real(1.0).unwrap(); width],
        output: values,
        clamp: Clamp::all(values.data_type),
        layout: WeightLayout::RowMajor,
    })
}

fn outputs(file: &[u8], input: &[u8]) -> Vec<u8> {
    let model = Model::parse(file).unwrap();
    let mut scratch = vec![0xdead_beef; model.scratch_len()];
    let mut engine = Engine::new(model, &mut scratch).unwrap();
    engine.run_bytes(input).unwrap().to_vec()
}

fn bytes(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn int8(values: &[i16]) -> Vec<u8> {
    values.iter().map(|value| *value as u8).collect()
}

#[test]
fn a_table_of_int8_is_looked_up() {
    let values = Quantization::int8(1.0, 0);
    // −1 − q / 2, rounded down.
    let entries = (-128..128).map(|q: i16| -1 - (q >> 1)).collect();
    let table = LayerSpec::Table(TableSpec { output: values, entries });
    let expected = int8(&[63, 0, -1, -1, -2, -64]);
    let input = int8(&[-128, -1, 0, 1, 2, 127]);
    let first = model(6, values, vec![table.clone()]);
    assert_eq!(outputs(&first, &input), expected);
    let second = model(6, values, vec![identity(6, values), table]);
    assert_eq!(outputs(&second, &input), expected);
}

#[test]
fn a_table_of_int16_is_interpolated() {
    let values = Quantization::int16(1.0);
    let entries = (0..=256).map(|k: i32| (32767 - 256 * k).max(-32768) as i16).collect();
    let table = LayerSpec::Table(TableSpec { output: values, entries });
    let input = bytes(&[-32768, -1, 0, 1, 300, 32767]);
    let expected = bytes(&[32767, 0, -1, -2, -301, -32767]);
    let first = model(6, values, vec![table.clone()]);
    assert_eq!(outputs(&first, &input), expected);
    let second = model(6, values, vec![identity(6, values), table]);
    assert_eq!(outputs(&second, &input), expected);
}

/// Outputs of TensorFlow Lite Micro's arithmetic, computed in integers of any size.
#[test]
fn softmax_is_that_of_gemmlowp() {
    let descending = [-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50];
    let probabilities = [-125, -125, -123, -122, -120, -117, -113, -107, -100, -91, -77, -60];
    for (scale, logits, expected) in [
        (0.1, &[-7][..], &[127][..]),
        (0.1, &[0, 0], &[0, 0]),
        (0.8, &[0, 1], &[-49, 49]),
        (0.5, &[127, -128], &[127, -128]),
        (0.1, &[5, 5, 5], &[-43, -43, -43]),
        (0.25, &[3, -2, 10, 10, -128], &[-108, -122, -13, -13, -128]),
        (0.1, &[20, 0, 0, 0, 0, 0, 0], &[13, -109, -109, -109, -109, -109, -109]),
        (0.03, &descending, &probabilities),
        // Less than half a step is left of each of more than 511 equal ones.
        (0.1, &[0; 511], &[-127; 511]),
        (0.1, &[0; 600], &[-128; 600]),
    ] {
        let exponential = |k: i32| (f64::from(-k) * scale).exp() * 2f64.powi(31);
        let exponentials = (0..256).map(|k| exponential(k).round().min(2147483647.0) as i32);
        let softmax = LayerSpec::Softmax(SoftmaxSpec { exponentials: exponentials.collect() });
        let values = Quantization::int8(scale as f32, 0);
        let file = model(logits.len(), values, vec![softmax.clone()]);
        assert_eq!(outputs(&file, &int8(logits)), int8(expected), "{scale}, {logits:?}");
        if logits.len() < 20 {
            let layers = vec![identity(logits.len(), values), softmax];
            let file = model(logits.len(), values, layers);
            assert_eq!(outputs(&file, &int8(logits)), int8(expected), "behind a dense layer");
        }
    }
}

/// Exponentials behind the last one count as 0.
#[test]
fn exponentials_may_end_early() {
    let exponentials = vec![i32::MAX, 1 << 30];
    let softmax = LayerSpec::Softmax(SoftmaxSpec { exponentials });
    let file = model(3, Quantization::int8(1.0, 0), vec![softmax]);
    // 1 and 1/2 of 3/2, and nothing.
    assert_eq!(outputs(&file, &int8(&[5, 4, 3])), int8(&[43, -43, -128]));
}

/// A build for one operator alone, beside dense layers.
#[test]
fn one_operator_runs_without_the_other() {
    struct Table;
    impl Capabilities for Table {
        const OPS: OpSet = OpSet { softmax: false, ..OpSet::ALL };
    }
    struct Softmax;
    impl Capabilities for Softmax {
        const OPS: OpSet = OpSet { table: false, ..OpSet::ALL };
    }
    fn output<C: Capabilities>(layer: LayerSpec) -> Option<Vec<u8>> {
        let file = model(2, Quantization::int8(1.0, 0), vec![layer]);
        let model = Model::<C>::parse_with_ops(&file).ok()?;
        let mut scratch = [0; 16];
        let mut engine = Engine::new(model, &mut scratch).unwrap();
        Some(engine.run(&[5, 4]).unwrap().bytes().to_vec())
    }
    let entries = (-128..128).collect();
    let table = LayerSpec::Table(TableSpec { output: Quantization::int8(1.0, 0), entries });
    let softmax = LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX] });
    assert_eq!(output::<Table>(table.clone()), Some(vec![5, 4]));
    assert_eq!(output::<Softmax>(softmax.clone()), Some(int8(&[127, -128])));
    assert_eq!((output::<Softmax>(table), output::<Table>(softmax)), (None, None));
}
