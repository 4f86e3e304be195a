//! Random models with inputs, reproducible from a seed, that lean towards the extremes.
//!
//! Each choice (shape, weights, zero points, bias, multiplier, clamp, input) is drawn from the
//! plain case and from its ends, so that a few thousand models meet all of them together.

use fastrand::Rng;
use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};

/// The widest layer that is made.
pub const MAX_WIDTH: usize = 1200;

/// A model and inputs for it.
#[derive(Clone, Debug)]
pub struct RandomModel {
    /// The model; [`ModelSpec::to_bytes`] accepts it.
    pub spec: ModelSpec,
    /// Inputs of the model's length, both extremes among them.
    pub inputs: Vec<Vec<i8>>,
}

impl RandomModel {
    /// The model of this seed.
    pub fn new(seed: u64) -> RandomModel {
        RandomModel::within(seed, MAX_WIDTH)
    }

    /// The model of this seed with no layer wider than `max_width`.
    pub fn within(seed: u64, max_width: usize) -> RandomModel {
        // Neighboring seeds give unrelated sequences only after the first numbers.
        let mut rng = Rng::with_seed(seed);
        rng.u64(..);
        let rng = &mut rng;
        let input_len = width(rng, max_width);
        let input_zero_point = zero_point(rng);
        let mut spec = ModelSpec {
            name: format!("random {seed}"),
            input: InputSpec {
                shape: vec![input_len],
                quantization: quantization(input_zero_point),
                encoding: Encoding::Quantized,
            },
            output: OutputSpec::Values(vec![]),
            layers: Vec::new(),
            self_tests: Vec::new(),
            details: Default::default(),
        };
        let (mut inputs, mut zero_point, mut range) = (input_len, input_zero_point, Clamp::INT8);
        for _ in 0..rng.usize(1..=4) {
            let outputs = width(rng, max_width);
            let layer = dense(rng, inputs, outputs, zero_point, range);
            (inputs, zero_point, range) = (layer.outputs, layer.output.zero_point, layer.clamp);
            spec.layers.push(LayerSpec::Dense(layer));
        }
        let inputs = vec![
            (0..input_len).map(|_| rng.i8(..)).collect(),
            mostly(rng, input_len, input_zero_point as i8),
            vec![i8::MIN; input_len],
            vec![i8::MAX; input_len],
            (0..input_len).map(|_| if rng.bool() { i8::MIN } else { i8::MAX }).collect(),
        ];
        RandomModel { spec, inputs }
    }
}

/// Widths from 1 on, small and odd ones as often as large ones, with the neighbors of the
/// multiples of four and of the powers of two among them.
fn width(rng: &mut Rng, max: usize) -> usize {
    let width = match rng.u8(0..8) {
        0 => rng.usize(1..=8),
        1 | 2 => rng.usize(1..=40),
        3 => (4usize << rng.u32(0..8)) + rng.usize(0..3) - 1,
        4 => rng.usize(1..=max / 2) * 2 - 1,
        5 => rng.usize(1..=max),
        _ => rng.usize(1..=150),
    };
    width.clamp(1, max)
}

fn zero_point(rng: &mut Rng) -> i32 {
    match rng.u8(0..4) {
        0 => -128,
        1 => [127, 0, 0, -1][rng.usize(..4)],
        2 => rng.i32(-40..40),
        _ => rng.i8(..).into(),
    }
}

/// The scale has no part in the arithmetic: the multipliers hold it.
fn quantization(zero_point: i32) -> Quantization {
    Quantization::int8(1.0, zero_point)
}

/// Values that are mostly `usual`, as the inputs of a layer after relu are.
fn mostly(rng: &mut Rng, len: usize, usual: i8) -> Vec<i8> {
    (0..len).map(|_| if rng.u8(0..5) == 0 { rng.i8(..) } else { usual }).collect()
}

fn dense(
    rng: &mut Rng,
    inputs: usize,
    outputs: usize,
    input_zero_point: i32,
    range: Clamp,
) -> DenseSpec {
    let mut weights = vec![0i8; inputs * outputs];
    let (mut biases, mut multipliers) = (Vec::new(), Vec::new());
    let distance = |q: i16| (i64::from(q) - i64::from(input_zero_point)).abs();
    let reach = distance(range.low).max(distance(range.high));
    for row in weights.chunks_exact_mut(inputs) {
        match rng.u8(0..20) {
            0 => row.fill(127),
            1 => row.fill(-127),
            2 => row.fill_with(|| if rng.bool() { 127 } else { -127 }),
            3 => row.copy_from_slice(&mostly_weights(rng, inputs)),
            _ => row.fill_with(|| rng.i8(-127..=127)),
        }
        let sum = row.iter().map(|w| i64::from(*w).abs()).sum::<i64>() * reach;
        let (bias, multiplier) = bias_and_multiplier(rng, sum);
        biases.push(bias);
        multipliers.push(multiplier);
    }
    let output = quantization(zero_point(rng));
    let clamp = clamp(rng, output.zero_point as i16);
    let layout = WeightLayout::RowMajor;
    DenseSpec { inputs, outputs, weights, biases, multipliers, output, clamp, layout }
}

fn mostly_weights(rng: &mut Rng, len: usize) -> Vec<i8> {
    mostly(rng, len, 0).into_iter().map(|w| w.max(-127)).collect()
}

/// A bias and a multiplier that the overflow bound allows for a row whose products sum up to at
/// most `sum`: (|bias| + sum) · 2^(left shift) < 2³¹.
fn bias_and_multiplier(rng: &mut Rng, sum: i64) -> (i32, Multiplier) {
    const LIMIT: i64 = (1 << 31) - 1;
    let largest_left = (0..=30).rev().find(|shift| sum << shift <= LIMIT).unwrap_or(0);
    let mantissa = match rng.u8(0..6) {
        0 => 1 << 30,
        1 => i32::MAX,
        2 => (1 << 30) + 1,
        _ => rng.i32(1 << 30..=i32::MAX),
    };
    // What brings the sum of random products into the range of int8, most of all; then all
    // shifts, then both of their ends.
    let spread = 64 - (sum.max(1) / 16).leading_zeros() as i32;
    let shift = match rng.u8(0..20) {
        0 => rng.i32(-31..=largest_left),
        1 => largest_left,
        2 => -31,
        _ => (6 - spread + rng.i32(-2..=2)).clamp(-31, largest_left),
    };
    let room = (LIMIT >> shift.max(0)) - sum;
    let magnitude = match rng.u8(0..8) {
        0 => room,
        1 => 0,
        2 => rng.i64(0..=room),
        _ => rng.i64(0..=room.min(1 + sum / 32)),
    };
    let bias = if rng.bool() { magnitude } else { -magnitude } as i32;
    match rng.u8(0..50) {
        0 => (bias, Multiplier { mantissa: 0, shift: 0 }),
        _ => (bias, Multiplier { mantissa, shift: shift as i8 }),
    }
}

fn clamp(rng: &mut Rng, zero_point: i16) -> Clamp {
    match rng.u8(0..8) {
        0..=2 => Clamp::INT8,
        3..=5 => Clamp { low: zero_point, high: 127 },
        6 => {
            let (a, b) = (rng.i16(-128..128), rng.i16(-128..128));
            Clamp { low: a.min(b), high: a.max(b) }
        }
        _ => Clamp { low: zero_point, high: zero_point.max(rng.i16(-128..128)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_gives_a_valid_model_and_always_the_same() {
        for seed in 0..200 {
            let random = RandomModel::within(seed, 200);
            let bytes =
                random.spec.to_bytes().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(RandomModel::within(seed, 200).spec.to_bytes().as_ref(), Ok(&bytes));
            let model = model_format::Model::parse(&bytes).expect("what to_bytes has checked");
            assert!(random.inputs.iter().all(|input| input.len() == model.input_len()));
        }
    }

    #[test]
    fn the_extremes_are_met() {
        let layers: Vec<DenseSpec> = (0..300)
            .flat_map(|seed| RandomModel::within(seed, 200).spec.layers)
            .filter_map(|layer| match layer {
                LayerSpec::Dense(dense) => Some(dense),
                _ => None,
            })
            .collect();
        let shifts = || layers.iter().flat_map(|layer| &layer.multipliers).map(|m| m.shift);
        assert_eq!((shifts().min(), shifts().max()), (Some(-31), Some(30)));
        assert!(layers.iter().any(|layer| layer.biases.contains(&i32::MAX)));
        assert!(layers.iter().any(|layer| layer.output.zero_point == -128));
        assert!(layers.iter().any(|layer| layer.output.zero_point == 127));
        assert!(layers.iter().any(|layer| layer.inputs == 1 && layer.outputs > 1));
    }

    /// A wrong kernel would go unseen if every output saturated; half of the outputs of a relu do.
    #[test]
    fn many_outputs_lie_within_their_bounds() {
        let (mut within, mut all) = (0, 0);
        for seed in 0..200 {
            let RandomModel { spec, inputs } = RandomModel::within(seed, 200);
            let bytes = spec.to_bytes().expect("a valid model");
            let model = model_format::Model::parse(&bytes).expect("a valid model");
            let outputs = crate::reference::Network::new(&model).run_layers(&inputs[0]);
            for (layer, output) in model.layers().zip(&outputs) {
                let Clamp { low, high } = layer.range();
                within +=
                    output.iter().filter(|q| (low + 1..high).contains(&i16::from(**q))).count();
                all += output.len();
            }
        }
        assert!(within * 4 > all, "{within} of {all}");
    }
}
