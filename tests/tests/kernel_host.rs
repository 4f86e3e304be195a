//! The engine on this machine against the reference, layer by layer and byte by byte, over random
//! models that lean towards the extremes.

use std::thread;

use model_format::build::{DenseSpec, InputSpec, LayerSpec, MeaningSpec, ModelSpec};
use model_format::{Clamp, Encoding, Multiplier, Quantization};
use tests::parity::assert_engine_equals_reference;
use tests::random_model::RandomModel;

/// Checks the models of these seeds; a failure names the seed, which repeats it alone.
fn check(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let RandomModel { spec, inputs } = RandomModel::new(seed);
        let model = spec
            .to_bytes()
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let widths: Vec<usize> = spec
            .layers
            .iter()
            .map(|LayerSpec::Dense(dense)| dense.outputs)
            .collect();
        let what = format!(
            "random model of seed {seed} ({} inputs, {widths:?})",
            inputs[0].len()
        );
        assert_engine_equals_reference(&what, &model, inputs.iter().map(Vec::as_slice));
    }
}

#[test]
fn random_models_of_all_shapes() {
    const MODELS: u64 = 2500;
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || check((first..MODELS).step_by(threads as usize)));
        }
    });
}

/// A model of one dense layer without bias.
fn dense(
    inputs: usize,
    outputs: usize,
    input_zero_point: i32,
    multiplier: Multiplier,
    mut weight: impl FnMut() -> i8,
) -> ModelSpec {
    let quantization = |zero_point| Quantization {
        scale: 1.0,
        zero_point,
    };
    ModelSpec {
        name: "dense".into(),
        input: InputSpec {
            shape: vec![inputs],
            quantization: quantization(input_zero_point),
            encoding: Encoding::Quantized,
        },
        output: MeaningSpec::Values {
            unit: String::new(),
        },
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|_| weight()).collect(),
            biases: vec![0; outputs],
            multipliers: vec![multiplier; outputs],
            output: quantization(0),
            clamp: Clamp::INT8,
        })],
        self_tests: vec![],
    }
}

/// Whatever a kernel unrolls by, some of these shapes leave every remainder.
#[test]
fn every_small_shape() {
    let mut rng = fastrand::Rng::with_seed(1);
    for inputs in 1..=70 {
        for outputs in 1..=9 {
            let multiplier = Multiplier {
                mantissa: 1_500_000_000,
                shift: -9,
            };
            let zero_point = rng.i8(..).into();
            let spec = dense(inputs, outputs, zero_point, multiplier, || {
                rng.i8(-127..=127)
            });
            let model = spec.to_bytes().unwrap_or_else(|error| panic!("{error}"));
            let input: Vec<i8> = (0..inputs).map(|_| rng.i8(..)).collect();
            let what = format!("{inputs} × {outputs}");
            assert_engine_equals_reference(&what, &model, [input.as_slice()]);
        }
    }
}

/// One weight of 1 and one input: the accumulator is −255..=255, which every shift moves from
/// "all is lost" to "all saturates", and both roundings see ties on the way.
#[test]
fn every_shift_on_every_input() {
    let inputs: Vec<[i8; 1]> = (i8::MIN..=i8::MAX).map(|q| [q]).collect();
    for shift in Multiplier::SHIFTS {
        for mantissa in [1 << 30, (1 << 30) + 1, 3 << 29, i32::MAX - 1, i32::MAX] {
            for zero_point in [-128, 0, 127] {
                let multiplier = Multiplier { mantissa, shift };
                let spec = dense(1, 1, zero_point, multiplier, || 1);
                // Where the shift would carry 255 out of 32 bits the format refuses the model.
                let Ok(model) = spec.to_bytes() else {
                    let reach = i64::from((127 - zero_point).max(zero_point + 128));
                    assert!(reach << shift >= 1 << 31, "shift {shift} is refused");
                    continue;
                };
                let what = format!("{multiplier:?}, zero point {zero_point}");
                let inputs = inputs.iter().map(|input| input.as_slice());
                assert_engine_equals_reference(&what, &model, inputs);
            }
        }
    }
}

/// Biases up to the last value that the overflow bound allows, with each output zero point: the
/// rescaled accumulator comes as close to both ends of 32 bits as any can.
#[test]
fn accumulators_at_both_ends_of_32_bits() {
    for bias in [
        i32::MAX,
        i32::MAX - 1,
        1 << 30,
        -(1 << 30),
        1 - i32::MAX,
        -i32::MAX,
    ] {
        for mantissa in [1 << 30, i32::MAX] {
            for shift in [-31, -30, -24, -23, -1, 0] {
                for zero_point in [-128, -1, 0, 1, 127] {
                    let multiplier = Multiplier { mantissa, shift };
                    let mut spec = dense(3, 2, 0, multiplier, || 0);
                    let LayerSpec::Dense(layer) = &mut spec.layers[0];
                    layer.biases = vec![bias, -bias];
                    layer.output.zero_point = zero_point;
                    let model = spec.to_bytes().unwrap_or_else(|error| panic!("{error}"));
                    let what = format!("bias {bias}, {multiplier:?}, zero point {zero_point}");
                    assert_engine_equals_reference(&what, &model, [[1i8, 2, 3].as_slice()]);
                }
            }
        }
    }
}
