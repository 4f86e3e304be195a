//! Raw sensor counts: the engine's encoded values, saturation counts and outputs equal the
//! reference's, and packing changes none of them.

use host_trainer::pack::{Core, pack};
use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Channel, Clamp, Encoding, Model, Multiplier, Quantization, RealChannel};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use thimble_nn::{Engine, encode_counts, encode_reals};
use thimble_tests::random_model::RandomModel;
use thimble_tests::reference::{Network, raw};
use thimble_tests::values::bytes;

fn channel() -> impl Strategy<Value = Channel> {
    let ends = [*Channel::OFFSETS.start(), *Channel::OFFSETS.end(), 0];
    let offset = prop_oneof![Channel::OFFSETS, -40_000..40_000i32, select(ends.to_vec())];
    let multiplier = (1 << 30..=i32::MAX, *Multiplier::SHIFTS.start()..=Channel::MAX_SHIFT)
        .prop_map(|(mantissa, shift)| Multiplier { mantissa, shift });
    // Typical of sensors: some counts per step, or some steps per count.
    let usual = (1 << 30..=i32::MAX, -14..=1i8)
        .prop_map(|(mantissa, shift)| Multiplier { mantissa, shift });
    let zero = Just(Multiplier { mantissa: 0, shift: 0 });
    let multiplier = prop_oneof![4 => usual, 2 => multiplier, 1 => zero];
    (offset, multiplier, any::<bool>()).prop_map(|(offset, multiplier, falls)| Channel {
        offset,
        multiplier,
        // A multiplier of 0 has no sign in the file.
        is_falling: falls && multiplier.mantissa != 0,
    })
}

/// Channels of real numbers, of any magnitude, and numbers near to and far from them.
fn real_channel() -> impl Strategy<Value = RealChannel> {
    let offset = prop_oneof![-1e6f32..1e6, -1.0..1.0f32, Just(0.0), Just(101_325.0f32)];
    let factor = prop_oneof![-100.0..100.0f32, 1e-6..1e-3f32, 1e6..1e12f32, Just(0.0f32)];
    (offset, factor).prop_map(|(offset, factor)| RealChannel { offset, factor })
}

/// A seed for a model, channels of which as many are used as divide its inputs, rows of counts.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    channels: Vec<Channel>,
    int16: bool,
    rows: Vec<Vec<i16>>,
}

fn case() -> impl Strategy<Value = Case> {
    let count = prop_oneof![any::<i16>(), 0..4096i16, select(vec![i16::MIN, -1, 0, i16::MAX])];
    let rows = vec(vec(count, 64), 1..4);
    (any::<u64>(), vec(channel(), 64), any::<bool>(), rows)
        .prop_map(|(seed, channels, int16, rows)| Case { seed, channels, int16, rows })
}

/// Returns the random model of the case's seed with an input of raw counts.
fn spec(case: &Case) -> ModelSpec {
    let mut spec = RandomModel::within(case.seed, 64).spec;
    let inputs = spec.input.shape[0];
    let wanted = 1 + (case.seed % inputs as u64) as usize;
    let channels = (1..=wanted).rev().find(|count| inputs.is_multiple_of(*count)).unwrap_or(1);
    spec.input.encoding = Encoding::Counts(case.channels[..channels].to_vec());
    if case.int16 {
        // One layer of small sums, so that nothing can overflow.
        spec.input.quantization = Quantization::int16(1.0);
        spec.layers.truncate(1);
        for layer in &mut spec.layers {
            if let LayerSpec::Dense(dense) = layer {
                dense.biases.fill(7);
                dense.multipliers.fill(Multiplier { mantissa: 3 << 29, shift: -9 });
                dense.output = Quantization::int16(1.0);
                dense.clamp = Clamp::INT16;
            }
        }
    }
    spec
}

fn holds(case: &Case) -> Result<(), TestCaseError> {
    let spec = spec(case);
    let file = spec.to_bytes().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let model = Model::parse(&file).expect("what was written");
    prop_assert_eq!(&ModelSpec::from(&model), &spec);
    let channels = model.channels().expect("the model takes counts");
    let network = Network::new(&model);
    let tensor = model.input_quantization();
    let output = model.output().quantization.data_type;
    let packed: Vec<Vec<u8>> = Core::ALL
        .iter()
        .map(|core| pack(&model, *core).expect("every model can be packed"))
        .collect();
    for row in &case.rows {
        let counts = &row[..model.input_len()];
        let (values, beyond) = raw::encode(counts, channels, tensor);
        let expected = network.run_layers_wide(&values).pop().expect("a model has a layer");
        let mut input = vec![0x5a; model.input_bytes()];
        prop_assert_eq!(encode_counts(&model, counts.iter().copied(), &mut input), Ok(beyond));
        prop_assert_eq!(&input, &bytes(&values, tensor.data_type));
        for file in packed.iter().chain([&file]) {
            let model = Model::parse(file).expect("what was packed");
            let mut scratch = vec![u32::MAX; model.scratch_len()];
            let mut engine = Engine::new(model, &mut scratch).expect("the host reads all");
            let answer = engine.run_counts(counts).expect("as many as it takes");
            let expected = bytes(&expected, output);
            prop_assert_eq!((answer.bytes(), answer.saturated()), (&expected[..], beyond));
        }
    }
    Ok(())
}

/// Checks the random model of a seed with an input of real numbers.
fn real_holds(
    seed: u64,
    channels: &[RealChannel],
    steps: &[f32],
    int16: bool,
) -> Result<(), TestCaseError> {
    let mut spec = spec(&Case { seed, channels: vec![Channel::IGNORED; 64], int16, rows: vec![] });
    let inputs = spec.input.shape[0];
    spec.input.encoding = Encoding::Reals(channels[..inputs].to_vec());
    let file = spec.to_bytes().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let model = Model::parse(&file).expect("what was written");
    prop_assert_eq!(&ModelSpec::from(&model), &spec);
    // So many steps from the offset, more or less.
    let reals: Vec<f32> = channels[..inputs]
        .iter()
        .zip(steps)
        .map(|(channel, steps)| match channel.factor {
            0.0 => *steps,
            factor => channel.offset + steps / factor,
        })
        .collect();
    let tensor = model.input_quantization();
    let (values, beyond) = raw::encode_reals(&reals, &channels[..inputs], tensor);
    let expected = Network::new(&model).run_layers_wide(&values).pop().expect("a layer");
    let mut input = vec![0x5a; model.input_bytes()];
    prop_assert_eq!(encode_reals(&model, reals.iter().copied(), &mut input), Ok(beyond));
    prop_assert_eq!(&input, &bytes(&values, tensor.data_type));
    for core in Core::ALL {
        let file = pack(&model, core).expect("every model can be packed");
        let model = Model::parse(&file).expect("what was packed");
        let output = model.output().quantization.data_type;
        let mut scratch = vec![u32::MAX; model.scratch_len()];
        let mut engine = Engine::new(model, &mut scratch).expect("the host reads all");
        let answer = engine.run_reals(&reals).expect("as many as it takes");
        let expected = bytes(&expected, output);
        prop_assert_eq!((answer.bytes(), answer.saturated()), (&expected[..], beyond));
    }
    Ok(())
}

#[test]
fn real_numbers_give_what_the_plain_implementation_gives() {
    let config = ProptestConfig {
        cases: 512,
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let half = (-200i16..200).prop_map(|steps| f32::from(steps) + 0.5);
    let steps = prop_oneof![-200.0..200.0f32, half, -1e5..1e5f32, Just(f32::INFINITY)];
    let case = (any::<u64>(), vec(real_channel(), 64), vec(steps, 64), any::<bool>());
    proptest!(config, |((seed, channels, steps, int16) in case)| {
        real_holds(seed, &channels, &steps, int16)?
    });
}

#[test]
fn counts_give_what_the_plain_implementation_gives() {
    let config = ProptestConfig {
        cases: 512,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(case in case())| holds(&case)?);
}
