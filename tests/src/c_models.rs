//! Models for the comparison of exported C with the engine: every operator, data type, weight layout
//! and encoding of the input, reproducible from a seed.

use fastrand::Rng;
use model_format::build::{
    DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SelfTestSpec, SoftmaxSpec, TableSpec,
};
use model_format::{
    Channel, Clamp, DataType, Encoding, Model, Multiplier, Quantization, RealChannel, ValueScale,
    WeightLayout,
};
use thimble_nn::Engine;

use crate::cases::held;

/// A valid model of this seed with no layer wider than `max_width`, with self-tests.
///
/// # Panics
/// When it is invalid, which is an error of this file.
pub fn mixed_model(seed: u64, max_width: usize) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    rng.u64(..);
    let rng = &mut rng;
    let input = tensor(rng);
    let inputs = rng.usize(1..=max_width);
    let mut spec = ModelSpec {
        name: format!("mixed {seed}"),
        input: InputSpec {
            shape: vec![inputs],
            quantization: input,
            encoding: encoding(rng, input, inputs),
        },
        output: OutputSpec::Values(vec![]),
        layers: Vec::new(),
        self_tests: Vec::new(),
        details: Default::default(),
    };
    let (mut width, mut from) = (inputs, input);
    if rng.u8(0..8) == 0 {
        spec.layers.push(table(rng, from));
    }
    for _ in 0..rng.usize(1..=3) {
        let to = tensor(rng);
        let outputs = rng.usize(1..=max_width);
        let layer = dense(rng, width, outputs, from, to);
        (width, from) = (layer.outputs, to);
        spec.layers.push(LayerSpec::Dense(layer));
        if rng.u8(0..3) == 0 {
            spec.layers.push(table(rng, from));
        }
    }
    if from.data_type == DataType::Int8 && rng.bool() {
        spec.layers.push(softmax(rng));
    }
    spec.output = output(rng, width);
    with_self_tests(spec, rng)
}

fn with_self_tests(mut spec: ModelSpec, rng: &mut Rng) -> Vec<u8> {
    let name = spec.name.clone();
    let bytes = spec.to_bytes().unwrap_or_else(|error| panic!("{name}: {error}"));
    let model = Model::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("enough scratch memory");
    for _ in 0..rng.usize(0..3) {
        let input: Vec<u8> = (0..model.input_bytes()).map(|_| rng.u8(..)).collect();
        let output = engine.run_bytes(&input).expect("the right length").to_vec();
        spec.self_tests.push(SelfTestSpec { input, output });
    }
    spec.to_bytes().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn tensor(rng: &mut Rng) -> Quantization {
    match rng.u8(0..3) {
        0 => Quantization::int16(0.01),
        _ => Quantization::int8(0.05, rng.i8(..).into()),
    }
}

fn encoding(
    rng: &mut Rng,
    input: Quantization,
    inputs: usize,
) -> Encoding<Vec<Channel>, Vec<RealChannel>> {
    let channels = if inputs.is_multiple_of(3) { 3 } else { 1 };
    match rng.u8(0..4) {
        0 if input.data_type == DataType::Int8 => Encoding::Unsigned8,
        1 => {
            let channel = |_| {
                let slope = (rng.f64() - 0.5) * 0.1;
                Channel::from_line(slope, slope * rng.f64() * 900.0, input.scale.into())
                    .unwrap_or(Channel::IGNORED)
            };
            Encoding::Counts((0..channels).map(channel).collect())
        }
        2 => {
            let channel = |_| RealChannel {
                offset: rng.f32() * 100.0,
                factor: [0.0, 0.4, -3.0, 1e-3][rng.usize(0..4)],
            };
            Encoding::Reals((0..channels).map(channel).collect())
        }
        _ => Encoding::Quantized,
    }
}

fn output(rng: &mut Rng, width: usize) -> OutputSpec {
    let labels = |count: usize| (0..count).map(|k| format!("class {k} \"?\u{e9}\"")).collect();
    match (rng.u8(0..3), width) {
        (0, _) => {
            let scale = |_| ValueScale { scale: rng.f32() + 0.1, offset: rng.f32() };
            OutputSpec::Values((0..width).map(scale).collect())
        }
        (1, 1) => OutputSpec::Probability { labels: labels(2), threshold: rng.i32(-128..128) },
        (1, 2) => OutputSpec::Classes { labels: labels(2), threshold: rng.i32(-100..100) },
        (1, 3..=256) => OutputSpec::Classes { labels: labels(width), threshold: 0 },
        _ => OutputSpec::Values(vec![]),
    }
}

fn dense(
    rng: &mut Rng,
    inputs: usize,
    outputs: usize,
    from: Quantization,
    to: Quantization,
) -> DenseSpec {
    let layout = match rng.u8(0..6) {
        0 => WeightLayout::Int4,
        1 => WeightLayout::Sparse,
        2 => WeightLayout::Int2,
        3 => WeightLayout::Ternary,
        _ => WeightLayout::RowMajor,
    };
    let most = layout.weight_type().max_weight() as i8;
    let weight = |_| held(layout.weight_type(), rng.i8(-127..=127));
    let mut weights: Vec<i8> = (0..inputs * outputs).map(weight).collect();
    if layout == WeightLayout::Sparse {
        for row in weights.chunks_mut(inputs) {
            row.chunks_mut(4).filter(|_| rng.u8(0..3) > 0).for_each(|block| block.fill(0));
        }
    }
    // The spread of a sum of random products, to be a third of the range of the output; int16 sums
    // of more than 512 products would overflow.
    let range = |tensor: Quantization| match tensor.data_type {
        DataType::Int8 => 128.0,
        DataType::Int16 => 32_768.0,
    };
    let spread = (inputs as f64).sqrt() * f64::from(most) * range(from) / 3.0;
    let real = range(to) / 3.0 / spread;
    let multiplier = |_| Multiplier::from_real(real * (0.5 + rng.f64())).expect("in range");
    let multipliers = (0..outputs).map(multiplier).collect();
    let biases = (0..outputs).map(|_| rng.i32(-1000..1000)).collect();
    let clamp = match rng.bool() {
        true => Clamp::all(to.data_type),
        false => Clamp { low: to.zero_point as i16, ..Clamp::all(to.data_type) },
    };
    DenseSpec { inputs, outputs, weights, biases, multipliers, output: to, clamp, layout }
}

fn table(rng: &mut Rng, tensor: Quantization) -> LayerSpec {
    let entries = match tensor.data_type {
        DataType::Int8 => (0..256).map(|_| rng.i8(..).into()).collect(),
        DataType::Int16 => (0..257).map(|_| rng.i16(..)).collect(),
    };
    LayerSpec::Table(TableSpec { output: tensor, entries })
}

fn softmax(rng: &mut Rng) -> LayerSpec {
    let decay = rng.f64() * 0.2;
    let value = |k: u32| (f64::from(i32::MAX) * (-decay * f64::from(k)).exp()) as i32;
    LayerSpec::Softmax(SoftmaxSpec { exponentials: (0..rng.u32(1..=256)).map(value).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_and_encoding_is_among_a_few_seeds() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let bytes = mixed_model(seed, 24);
            let model = Model::parse(&bytes).expect("a valid model");
            let encoding = match model.input().encoding {
                Encoding::Quantized => "quantized",
                Encoding::Unsigned8 => "unsigned",
                Encoding::Counts(_) => "counts",
                Encoding::Reals(_) => "reals",
            };
            seen.insert(format!("{encoding} {:?}", model.input_quantization().data_type));
            for layer in model.layers() {
                let types = (layer.input().data_type, layer.output().data_type);
                let layout = match layer {
                    model_format::Layer::Dense(dense) => dense.layout.name(),
                    _ => "",
                };
                seen.insert(format!("{} {layout} {types:?}", layer.name()));
            }
        }
        // Five layouts of dense layers for four pairs of types, two tables, softmax; three
        // encodings for both types, pixels for int8.
        assert_eq!(seen.len(), 20 + 2 + 1 + 7, "{seen:?}");
    }
}
