//! Motion with a sensor that is played on its bus, transaction by transaction.

use embedded_hal::i2c::NoAcknowledgeSource;
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Level};
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction};
use lis3dh::SlaveAddr;
use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{Channel, Clamp, Encoding, Model, Multiplier, Quantization, WeightLayout};

use thimble_features::{FEATURES, MOTION, WINDOW};

use super::*;
use crate::lis3dh::{Lis3dhFifo, Rate};

const ADDRESS: u8 = 0x18;
const LOST: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

fn read(register: u8, value: u8) -> Transaction {
    Transaction::write_read(ADDRESS, vec![register], vec![value])
}

fn modify(register: u8, from: u8, to: u8) -> [Transaction; 2] {
    [read(register, from), Transaction::write(ADDRESS, vec![register, to])]
}

/// Finding the sensor and setting it up.
fn start() -> Vec<Transaction> {
    let mut all = vec![read(0x0f, 0x33), Transaction::write(ADDRESS, vec![0x23, 0x80])];
    // High resolution, 100 samples a second, all axes.
    all.extend(modify(0x20, 0x07, 0x07));
    all.extend(modify(0x23, 0x80, 0x88));
    all.extend(modify(0x20, 0x07, 0x57));
    all.extend(modify(0x20, 0x57, 0x57));
    all.extend(modify(0x1f, 0x00, 0x80));
    // ±4 g.
    all.extend(modify(0x23, 0x88, 0x98));
    // The FIFO off, which empties it, and on.
    all.push(Transaction::write(ADDRESS, vec![0x2e, 0x00]));
    all.extend(modify(0x24, 0x00, 0x00));
    all.push(Transaction::write(ADDRESS, vec![0x2e, 0x9f]));
    all.extend(modify(0x24, 0x00, 0x40));
    all
}

/// The state of the FIFO.
fn status(bits: u8) -> Transaction {
    read(0x2f, bits)
}

const EMPTY: u8 = 0x20;
/// Full, and perhaps more was lost.
const OVERRUN: u8 = 0xdf;

fn sample(sample: Sample) -> Transaction {
    let bytes = sample.iter().flat_map(|count| (count << 4).to_le_bytes()).collect();
    Transaction::write_read(ADDRESS, vec![0xa8], bytes)
}

/// So many samples of standing still, in parts that the FIFO holds.
fn still(count: usize) -> Vec<Transaction> {
    in_parts(&vec![[0, 0, 500]; count])
}

fn in_parts(samples: &[Sample]) -> Vec<Transaction> {
    let part = |part: &[Sample]| {
        let begin = std::iter::once(status(part.len() as u8));
        begin.chain(part.iter().map(|s| sample(*s))).collect::<Vec<_>>()
    };
    samples.chunks(31).flat_map(part).collect()
}

/// Says 1 where the root mean square of the magnitude is above 2.5 counts.
fn model() -> Vec<u8> {
    let one = Quantization::int8(1.0, 0);
    let mut weights = vec![0; 2 * FEATURES];
    weights[FEATURES + 10] = 1;
    let channel = Channel::from_line(0.1, 0.0, 1.0).unwrap();
    ModelSpec {
        name: "motion".into(),
        input: InputSpec {
            shape: vec![FEATURES],
            quantization: one,
            encoding: Encoding::Counts(vec![channel]),
        },
        output: OutputSpec::classes(["still", "moving"]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs: FEATURES,
            outputs: 2,
            weights,
            biases: vec![1, 0],
            multipliers: vec![Multiplier::from_real(1.0).unwrap(); 2],
            output: one,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })],
        self_tests: vec![],
        details: Default::default(),
    }
    .to_bytes()
    .unwrap()
}

/// Runs so many steps of this play; gives what each said: a class, nothing, or an error; and how
/// many counts lay beyond.
fn play(
    transactions: &[Transaction],
    levels: &[Level],
    steps: usize,
) -> (Vec<Result<Option<usize>, MotionError>>, u32) {
    let file = model();
    let model = Model::parse(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let engine = Engine::new(model, &mut scratch).unwrap();
    let (mut bus, mut pin) = (I2c::new(transactions), Pin::new(levels));
    let sensor = Lis3dhFifo::start(bus.clone(), SlaveAddr::Default, Rate::Hz100).unwrap();
    let windows = Windows::<WINDOW> { features: MOTION, step: WINDOW };
    let mut motion = Motion::new(engine, windows, sensor, pin.clone());
    let said = (0..steps).map(|_| Ok(motion.step()?.map(|answer| answer.class))).collect();
    let saturated = motion.saturated_inputs();
    bus.done();
    pin.done();
    (said, saturated)
}

fn low() -> Level {
    Level::set(State::Low)
}

fn high() -> Level {
    Level::set(State::High)
}

#[test]
fn windows_are_answered_and_the_light_follows() {
    let moving: Vec<Sample> = (0..WINDOW).map(|n| [0, 0, 500 + 20 * (n as i16 % 2)]).collect();
    let mut wire = start();
    wire.extend(still(WINDOW));
    wire.push(status(EMPTY));
    wire.extend(in_parts(&moving));
    let (said, saturated) = play(&wire, &[low(), high()], 3);
    assert_eq!(said, [Ok(Some(0)), Ok(None), Ok(Some(1))]);
    // 500 counts a g are 2000 of the features, 200 values, of which the input can say 127: z and
    // the magnitude, in both windows.
    assert_eq!(saturated, 4);
}

#[test]
fn samples_at_the_sensors_ends_are_counted() {
    let mut wire = start();
    wire.extend(in_parts(&[[-2048, 2047, 0], [2046, -2047, 0]]));
    wire.push(status(EMPTY));
    assert_eq!(play(&wire, &[], 1), (vec![Ok(None)], 2));
}

#[test]
fn an_overrun_is_told_once_and_begins_a_new_window() {
    let mut wire = start();
    wire.extend(still(WINDOW - 1));
    wire.push(status(OVERRUN));
    // What the FIFO has kept, without asking again, and the rest of a window.
    wire.extend((0..32).map(|_| sample([0, 0, 500])));
    wire.extend(still(WINDOW - 32));
    let (said, _) = play(&wire, &[low()], 2);
    assert_eq!(said, [Err(MotionError::Sensor(SensorError::Overrun)), Ok(Some(0))]);
}

#[test]
fn a_bus_that_fails_is_told_and_the_sensor_set_up_anew() {
    let fails = |transaction: Transaction, kind| transaction.with_error(kind);
    let mut wire = start();
    wire.extend(still(40));
    wire.push(fails(status(3), LOST));
    // Unplugged still; then a device that is another; then it is back, with an empty memory.
    wire.push(fails(read(0x0f, 0), ErrorKind::Bus));
    wire.push(read(0x0f, 0xe5));
    wire.extend(start());
    wire.extend(in_parts(&[[1, 2, 3]; 5])[..3].to_vec());
    wire.push(fails(sample([0; 3]), ErrorKind::ArbitrationLoss));
    wire.extend(start());
    wire.extend(still(WINDOW));
    let (said, _) = play(&wire, &[low()], 5);
    let error = |error| Err(MotionError::Sensor(error));
    assert_eq!(
        said,
        [
            error(SensorError::Bus(LOST)),
            error(SensorError::Bus(ErrorKind::Bus)),
            error(SensorError::WrongDevice),
            error(SensorError::Bus(ErrorKind::ArbitrationLoss)),
            Ok(Some(0)),
        ]
    );
    let words = MotionError::Sensor(SensorError::Bus(LOST)).to_string();
    assert!(words.contains("no accelerometer answers"), "{words}");
}

#[test]
fn a_sensor_that_is_not_there_leaves_the_bus() {
    let transactions =
        [read(0x0f, 0).with_error(LOST), read(0x0f, 0x44), read(0x0f, 0x33).with_error(LOST)];
    let mut bus = I2c::new(&transactions);
    let mut found = || Lis3dhFifo::start(&mut bus, SlaveAddr::Default, Rate::Hz100).err();
    assert_eq!(found(), Some(SensorError::Bus(LOST)));
    assert_eq!(found(), Some(SensorError::WrongDevice));
    assert_eq!(found(), Some(SensorError::Bus(LOST)));
    bus.done();
}

#[test]
fn features_of_frequencies_need_a_spectrum() {
    const KINDS: [thimble_features::Feature; 1] = [thimble_features::Feature::DominantFrequency];
    let features = Features { axes: 3, each: &[], magnitude: &KINDS, total: &[] };
    let file = model();
    let model = Model::parse(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let engine = Engine::new(model, &mut scratch).unwrap();
    let mut wire = start();
    wire.extend(still(WINDOW));
    let mut bus = I2c::new(&wire);
    let mut pin = Pin::new(&[]);
    let sensor = Lis3dhFifo::start(bus.clone(), SlaveAddr::Default, Rate::Hz100).unwrap();
    let windows = Windows::<WINDOW> { features, step: WINDOW };
    let said = Motion::new(engine, windows, sensor, pin.clone()).step().map(|_| ());
    assert_eq!(said, Err(MotionError::Features(FeaturesMismatch)));
    bus.done();
    pin.done();
}

#[test]
fn a_light_that_fails_is_told() {
    let mut wire = start();
    wire.extend(still(WINDOW));
    let broken = low().with_error(embedded_hal_mock::eh1::MockError::Io(std::io::ErrorKind::Other));
    let (said, _) = play(&wire, &[broken], 1);
    assert!(matches!(said[0], Err(MotionError::Light(_))), "{said:?}");
}
