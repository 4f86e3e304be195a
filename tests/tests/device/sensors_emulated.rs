//! Sensor applications on every emulated core, with recorded sensors: each response byte, duty
//! cycle, light and error equals the reference's.

use host_trainer::data::{Motion, WindowFeature, Windows, activity_recording};
use host_trainer::device::command::Sensing;
use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{
    Channel, Clamp, DataType, Encoding, Model, Multiplier, Quantization, WeightLayout,
};
use thimble_features::{
    ACTIVITY, ACTIVITY_STEP, ACTIVITY_WINDOW, FEATURES, Sample, WINDOW, features,
};
use thimble_tests::cores::EmulatedCore;
use thimble_tests::reference::{Network, raw};
use thimble_tests::values::bytes;
use thimble_tests::workspace::{read, root};

fn model_file(name: &str) -> Vec<u8> {
    read(root().join("firmware/models").join(name))
}

/// Reference of a model with an input of raw counts.
struct Plain<'m> {
    model: Model<'m>,
    network: Network,
    saturated: u32,
}

impl<'m> Plain<'m> {
    fn new(file: &'m [u8]) -> Self {
        let model = Model::parse(file).expect("a model that is committed");
        Plain { network: Network::new(&model), model, saturated: 0 }
    }

    fn run(&mut self, counts: &[i16]) -> Vec<i64> {
        let channels = self.model.channels().expect("it takes counts");
        let (values, beyond) = raw::encode(counts, channels, self.model.input_quantization());
        self.saturated += beyond;
        self.network.run_layers_wide(&values).pop().expect("a layer")
    }

    fn bytes(&self, output: &[i64]) -> Vec<u8> {
        bytes(output, self.model.output_data_type())
    }
}

fn assert_same(core: EmulatedCore, expected: &[u8], found: &[u8]) {
    let differs = expected.iter().zip(found).position(|(a, b)| a != b);
    assert_eq!((differs, found.len()), (None, expected.len()), "{}", core.name());
}

/// Returns the duty cycle in thousandths for an output, to nearest: −32768 is none and 32767 all.
fn duty(value: i64) -> u16 {
    (((value + 32768) as f64) * 1000.0 / 65535.0).round() as u16
}

#[test]
fn two_analog_channels_move_a_duty() {
    let file = model_file("eggcrate-adc.thimble");
    let mut plain = Plain::new(&file);
    assert_eq!(plain.model.output_data_type(), DataType::Int16);
    let mut rng = fastrand::Rng::with_seed(12);
    let mut recording: Vec<i16> = (0..400).map(|_| rng.i16(0..4096)).collect();
    // The ends, and values outside the range of a 12-bit converter.
    recording.extend([0, 4095, 4095, 0, -1, 5000, i16::MIN, i16::MAX]);
    let mut expected = Vec::new();
    for pair in recording.chunks_exact(2) {
        let output = plain.run(pair);
        expected.extend(duty(output[0]).to_le_bytes());
        expected.extend(plain.bytes(&output));
    }
    assert!(plain.saturated >= 3, "{}", plain.saturated);
    expected.extend(plain.saturated.to_le_bytes());
    for core in EmulatedCore::ALL {
        assert_same(core, &expected, &core.sense(Sensing::Dial, &file, &recording));
    }
}

/// No device on the bus.
const LOST: Sample = [i16::MIN, 0, 0];
/// The sensor reports lost samples; the 32 that follow are those it kept.
const OVERRUN: Sample = [i16::MAX, 0, 0];

/// A window of each class in turn, and others with errors.
fn recording() -> Vec<Sample> {
    let motion = Motion { windows_per_class: 1, noise: 0.01 };
    let mut samples = motion.recording(&[0, 1, 2, 3, 4, 0, 2, 4, 1, 3], 21);
    let more = motion.recording(&[1, 2, 0], 22);
    samples.extend(&more[..40]);
    samples.push(LOST);
    samples.extend(&more[..WINDOW + 7]);
    samples.push(OVERRUN);
    samples.extend(&more[WINDOW..]);
    // Accelerations beyond the sensor's range.
    samples.extend((0..WINDOW).map(|n| if n % 9 == 4 { [2047, -2048, 2047] } else { [0, 0, 500] }));
    samples
}

#[test]
fn an_accelerometer_switches_a_light() {
    let file = model_file("motion.thimble");
    let mut plain = Plain::new(&file);
    assert_eq!(plain.model.input_len(), FEATURES);
    let (mut expected, mut window, mut beyond, mut classes) = (vec![], vec![], 0u32, vec![]);
    for sample in recording() {
        if sample == LOST || sample == OVERRUN {
            expected.extend([1, if sample == LOST { b'b' } else { b'o' }]);
            window.clear();
            continue;
        }
        beyond += sample.iter().filter(|count| !(-2047..=2046).contains(*count)).count() as u32;
        window.push(sample);
        if window.len() == WINDOW {
            let output = plain.run(&features(&window));
            window.clear();
            let most = output.iter().max().expect("an output");
            let class = output.iter().position(|value| value == most).expect("one of them") as u8;
            classes.push(class);
            expected.extend([0, class, u8::from(class != 0)]);
            expected.extend(plain.bytes(&output));
        }
    }
    assert_eq!(classes[..10], [0, 1, 2, 3, 4, 0, 2, 4, 1, 3], "what moves is recognized");
    assert!(beyond > 30 && plain.saturated > 0, "{beyond} {}", plain.saturated);
    expected.extend((beyond + plain.saturated).to_le_bytes());
    let counts: Vec<i16> = recording().into_iter().flatten().collect();
    for core in EmulatedCore::ALL {
        assert_same(core, &expected, &core.sense(Sensing::Motion, &file, &counts));
    }
}

/// Recordings of people, of each class, one after the other, and the first again after a fault.
fn activities() -> Vec<Sample> {
    let recording = |name: &str| {
        let counts = activity_recording(name).unwrap_or_else(|| panic!("no recording {name}"));
        counts.as_chunks().0.to_vec()
    };
    let mut samples: Vec<Sample> = Vec::new();
    for name in ["stationary_01", "walking_01", "running_01"] {
        samples.extend(&recording(name)[..200]);
        // Each begins with a new window.
        samples.push(OVERRUN);
    }
    samples.extend(&recording("walking_02")[..70]);
    samples.push(LOST);
    samples.extend(&recording("walking_02")[..90]);
    samples
}

#[test]
fn overlapping_windows_of_people_are_classified() {
    let file = model_file("activity.thimble");
    let mut plain = Plain::new(&file);
    let labels = ["stationary", "walking", "running"];
    assert!(plain.model.output().kind.labels().is_some_and(|own| own.iter().eq(labels)));
    // The features of the preset, in the order of the device.
    let names: Vec<String> =
        plain.model.details().features().map(|feature| feature.name.to_string()).collect();
    assert_eq!(names.len(), ACTIVITY.count());
    assert_eq!(
        (names[0].as_str(), names[5].as_str()),
        ("magnitude_log_deviation", "magnitude_crossings")
    );
    assert_eq!(
        (names[6].as_str(), names[7].as_str()),
        ("total_log_deviation", "total_log_rms_difference")
    );
    let (mut expected, mut classes) = (vec![], vec![]);
    for part in activities().split(|sample| *sample == LOST || *sample == OVERRUN) {
        for window in part.windows(ACTIVITY_WINDOW).step_by(ACTIVITY_STEP) {
            let mut features = [0; 8];
            ACTIVITY.compute(window.as_flattened(), &mut features).expect("whole samples");
            let output = plain.run(&features);
            let most = output.iter().max().expect("an output");
            let class = output.iter().position(|value| value == most).expect("one of them") as u8;
            classes.push(class);
            expected.extend([0, class, u8::from(class != 0)]);
            expected.extend(plain.bytes(&output));
        }
        // Three recordings have six windows each; the bus fails in the fourth.
        expected.extend([1, if classes.len() <= 18 { b'o' } else { b'b' }]);
    }
    // After the last part there is no event.
    expected.truncate(expected.len() - 2);
    let per_recording = (200 - ACTIVITY_WINDOW) / ACTIVITY_STEP + 1;
    let runs: Vec<u8> = [0, 1, 2].iter().flat_map(|class| vec![*class; per_recording]).collect();
    assert_eq!(classes[..runs.len()], runs, "what people do is recognized");
    let beyond: u32 = activities()
        .iter()
        .filter(|sample| **sample != LOST && **sample != OVERRUN)
        .flatten()
        .filter(|count| !(-2047..=2046).contains(*count))
        .count() as u32;
    expected.extend((beyond + plain.saturated).to_le_bytes());
    let counts: Vec<i16> = activities().into_iter().flatten().collect();
    for core in EmulatedCore::ALL {
        assert_same(core, &expected, &core.sense(Sensing::Activity, &file, &counts));
    }
}

/// A model whose outputs are its inputs: counts of 16 bits.
fn same_as_inputs(width: usize) -> Vec<u8> {
    let (one, channel) = (Quantization::int16(1.0), Channel::from_line(1.0, 0.0, 1.0));
    let mut weights = vec![0; width * width];
    weights.iter_mut().step_by(width + 1).for_each(|weight| *weight = 1);
    let dense = DenseSpec {
        inputs: width,
        outputs: width,
        weights,
        biases: vec![0; width],
        multipliers: vec![Multiplier::from_real(1.0).expect("one"); width],
        output: one,
        clamp: Clamp::all(DataType::Int16),
        layout: WeightLayout::RowMajor,
    };
    let spec = ModelSpec {
        name: "same".into(),
        input: InputSpec {
            shape: vec![width],
            quantization: one,
            encoding: Encoding::Counts(vec![channel.expect("a count for a value")]),
        },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(dense)],
        self_tests: vec![],
        details: Default::default(),
    };
    spec.to_bytes().expect("a valid model")
}

/// The features of `firmware/boards/emulated/src/sensors.rs` as a preset names them.
fn frequencies() -> Windows {
    let named = |names: &[&str]| {
        let features = names.iter().map(|name| WindowFeature::try_from(name.to_string()));
        features.collect::<Result<Vec<_>, _>>().expect("names of features")
    };
    Windows {
        length: ACTIVITY_WINDOW,
        step: ACTIVITY_STEP,
        each: named(&["dominant_frequency"]),
        magnitude: named(&["dominant_frequency", "log_band_rms", "log_deviation"]),
        total: named(&["dominant_frequency", "band_rms"]),
        bands: Some(4),
    }
}

#[test]
fn frequencies_are_those_of_the_trainer_on_every_core() {
    let trained = frequencies().features(3);
    let mut samples = activities();
    samples.retain(|sample| *sample != LOST && *sample != OVERRUN);
    // Ends of the sensor's range, in turn: the largest numbers of a spectrum. Then nothing, for a spectrum of zeros.
    samples
        .extend((0..2 * ACTIVITY_WINDOW).map(|n| if n % 2 == 0 { [2047; 3] } else { [-2048; 3] }));
    samples.extend([[0; 3]; 2 * ACTIVITY_WINDOW]);
    let (mut expected, mut frequencies) = (vec![], vec![]);
    for window in samples.windows(ACTIVITY_WINDOW).step_by(ACTIVITY_STEP) {
        let features = trained.compute(window.as_flattened()).expect("whole samples");
        frequencies.push(features[3]);
        // A regression has no class: the first, for which the light is off.
        expected.extend([0, 0, 0]);
        expected.extend(features.iter().flat_map(|feature| feature.to_le_bytes()));
    }
    assert!(frequencies.contains(&5000) && frequencies.contains(&0), "{frequencies:?}");
    let ends =
        samples.iter().flatten().filter(|count| !(-2047..=2046).contains(*count)).count() as u32;
    expected.extend(ends.to_le_bytes());
    let counts: Vec<i16> = samples.into_iter().flatten().collect();
    let file = same_as_inputs(trained.count());
    for core in EmulatedCore::ALL {
        assert_same(core, &expected, &core.sense(Sensing::Spectrum, &file, &counts));
    }
}
