//! The bytes of the file are a contract: these are FORMAT.md, spelled out.

use model_format::build::{DenseSpec, DetailsSpec, FeatureSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{
    Channel, Clamp, Encoding, Layer, Model, Multiplier, OutputKind, RealChannel, ValueScale,
    WeightLayout,
};
use serde::{Deserialize, Serialize};

use crate::common;

/// The payload of `common::example`, field by field.
const PAYLOAD: &[u8] = &[
    4, b't', b'i', b'n', b'y', // name
    2, 1, 3, // two dimensions: 1 and 3
    0, 0, 0, 0, 0x3f, 0xff, 1, // int8, scale 0.5, zero point −128 (zigzag 255)
    1, // unsigned bytes
    0, 2, 2, b'n', b'o', 3, b'y', b'e', b's', 0, // classes, two labels, threshold 0
    2, // two layers
    0, 3, 1, // dense, 3 inputs, 1 output
    0, 0, 0, 0x80, 0x3e, 0xc7, 1, // int8, scale 0.25, zero point −100 (zigzag 199)
    0xc7, 1, 0xfe, 1, // clamped to −100..=127
    0, // row-major
    // The padding's length stands at byte 58 of the file and that of the parameters behind it, so
    // these start at 60 without padding.
    0, 13, // 9 · 1 + 4 parameter bytes
    0xe8, 3, 0, 0, // bias 1000
    0, 0, 0, 0x60, // multiplier 3 · 2^29
    1, 0xfe, 127, 0,    // weights, filled up
    0xfa, // shift −6
    0, 1, 2, // dense, 1 input, 2 outputs
    0, 0, 0, 0x80, 0x3f, 10, // int8, scale 1, zero point 5 (zigzag 10)
    0xff, 1, 0xfe, 1, // clamped to −128..=127
    0, // row-major
    // The padding's length stands at 87, so the parameters start at 92 with three bytes of it.
    3, 0, 0, 0, 26, // 9 · 2 + 2 · 4 parameter bytes
    0xff, 0xff, 0xff, 0xff, 0x70, 0x11, 1, 0, // biases −1 and 70,000
    0, 0, 0, 0x40, 0, 0, 0, 0, // multipliers 2^30 and 0
    0xff, 0, 0, 0, 1, 0, 0, 0, // weights −1 and 1, filled up
    1, 0, // shifts 1 and 0
    1, 3, 0x80, 0, 0x7f, 2, 0x80, 5, // one self-test
    0, // no details
];

#[test]
fn the_writer_writes_these_bytes() {
    let file = common::example().to_bytes().unwrap();
    let mut header = *b"THMB\x02\0\0\0\0\0\0\0";
    header[8..].copy_from_slice(&(PAYLOAD.len() as u32).to_le_bytes());
    assert_eq!(file[..12], header);
    assert_eq!(file[16..], *PAYLOAD);
}

/// The same model with an input of three channels: encoding 2, 27 bytes of them.
const CHANNELS: &[u8] = &[
    2, 27, // encoding and length
    0x80, 0xff, 0x07, 0, 0, 0, 0, 0x60,
    0xf5, // offset 524,160, multiplier 3 · 2^29, shift −11
    0, 0, 0, 0xff, 0, 0, 0, 0xc0, 6, // offset −2^24, multiplier 2^30, falling, shift 6
    1, 0, 0, 0, 0, 0, 0, 0, 0, // offset 1, multiplier 0
];

#[test]
fn channels_of_counts_lie_behind_the_encoding() {
    let channel = |offset, mantissa, shift, is_falling| Channel {
        offset,
        multiplier: Multiplier { mantissa, shift },
        is_falling,
    };
    let channels = vec![
        channel(524_160, 3 << 29, -11, false),
        channel(-(1 << 24), 1 << 30, 6, true),
        channel(1, 0, 0, false),
    ];
    let mut spec = common::example();
    spec.input.encoding = Encoding::Counts(channels.clone());
    let file = spec.to_bytes().unwrap();
    // Header, name, dimensions, quantization.
    let start = 16 + 5 + 3 + 7;
    assert_eq!(file[start..][..CHANNELS.len()], *CHANNELS);
    let model = Model::parse(&file).unwrap();
    assert_eq!(model.channels().unwrap().iter().collect::<Vec<_>>(), channels);
    assert_eq!((model.input_bytes(), model.raw_input_bytes()), (3, 6));
}

/// The same model with an input of real numbers, one channel for all: encoding 3, 8 bytes.
const REALS: &[u8] = &[
    3, 8, // encoding and length
    0, 0xe6, 0xc5, 0x47, // offset 101,324
    0, 0, 0, 0x3f, // factor 0.5
];

#[test]
fn channels_of_real_numbers_lie_behind_the_encoding() {
    let channels = vec![RealChannel { offset: 101_324.0, factor: 0.5 }];
    let mut spec = common::example();
    spec.input.encoding = Encoding::Reals(channels.clone());
    let file = spec.to_bytes().unwrap();
    let start = 16 + 5 + 3 + 7;
    assert_eq!(file[start..][..REALS.len()], *REALS);
    let model = Model::parse(&file).unwrap();
    assert_eq!(model.real_channels().unwrap().iter().collect::<Vec<_>>(), channels);
    assert_eq!((model.input_bytes(), model.raw_input_bytes()), (3, 12));
    // The input takes a word of the memory for activations, as the outputs do.
    assert_eq!(
        model.scratch_len(),
        Model::parse(&common::example().to_bytes().unwrap()).unwrap().scratch_len()
    );
}

/// Scale and offset of two outputs: meaning 1, 16 bytes.
const VALUES: &[u8] = &[
    1, 16, // kind and length
    0, 0, 0x20, 0x40, 0, 0xe6, 0xc5, 0x47, // scale 2.5, offset 101,324
    0, 0, 0x80, 0x3f, 0, 0, 0, 0, // scale 1, offset 0
];

#[test]
fn values_have_a_scale_and_an_offset_each() {
    let scales =
        vec![ValueScale { scale: 2.5, offset: 101_324.0 }, ValueScale { scale: 1.0, offset: 0.0 }];
    let mut spec = common::example();
    spec.output = OutputSpec::Values(scales);
    let file = spec.to_bytes().unwrap();
    let start = 16 + 5 + 3 + 7 + 1;
    assert_eq!(file[start..][..VALUES.len()], *VALUES);
    assert_eq!(ModelSpec::from(&Model::parse(&file).unwrap()), spec);
    spec.output = OutputSpec::Values(vec![ValueScale { scale: 1.0, offset: 0.0 }]);
    let error = spec.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "output, outputs: 1 where 2 is needed");
}

#[test]
fn one_output_tells_two_classes_apart() {
    let mut spec = common::example();
    let labels = vec!["ok".to_string(), "fault".to_string()];
    spec.output = OutputSpec::Probability { labels: labels.clone(), threshold: -38 };
    let error = spec.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "output, outputs: 1 where 2 is needed");
    let LayerSpec::Dense(last) = &mut spec.layers[1] else { panic!("not dense") };
    (last.outputs, last.weights, last.biases) = (1, vec![1], vec![0]);
    last.multipliers.truncate(1);
    spec.self_tests.clear();
    let file = spec.to_bytes().unwrap();
    let start = 16 + 5 + 3 + 7 + 1;
    // OutputKind 2, two labels, threshold −38 (zigzag 75).
    assert_eq!(file[start..][..12], *b"\x02\x02\x02ok\x05fault\x4b");
    assert_eq!(ModelSpec::from(&Model::parse(&file).unwrap()), spec);
    spec.output = OutputSpec::Probability { labels: labels[..1].to_vec(), threshold: 0 };
    let error = spec.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "output, number of labels: 1 where 2 is needed");
    spec.output = OutputSpec::Classes { labels: vec!["a".into(); 3], threshold: 1 };
    let error = spec.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "output, threshold: 1 is out of range");
}

/// Details of the example: a description for each of three features, none of outputs, a text.
const DETAILS: &[u8] = &[
    43, // bytes
    3,  // features
    1, b't', 3, 0xc2, 0xb0, b'C', 0, 0, 0, 0x80, 0x3f, 0, 0, 0,
    0, // "t", "°C", none clipped, 1, 0
    0, 0, 0xe8, 7, 0, 0, 0, 0x3f, 0, 0, 0x80,
    0xbf, // no name, 1,000 ppm, slope 0.5, intercept −1
    0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, // no name, no unit
    0, // outputs
    2, b'a', b'b', // preparation
];

#[test]
fn details_end_the_file_and_can_be_left_out() {
    let feature = |name: &str, unit: &str, clipped, line| FeatureSpec {
        name: name.into(),
        unit: unit.into(),
        clipped,
        line,
    };
    let mut spec = common::example();
    let stripped = spec.to_bytes().unwrap();
    spec.details = DetailsSpec {
        features: vec![
            feature("t", "°C", 0, [1.0, 0.0]),
            feature("", "", 1000, [0.5, -1.0]),
            feature("", "", 0, [1.0, 0.0]),
        ],
        outputs: vec![],
        preparation: "ab".into(),
    };
    let file = spec.to_bytes().unwrap();
    assert_eq!(file[stripped.len() - 1..], *DETAILS);
    let model = Model::parse(&file).unwrap();
    assert_eq!(ModelSpec::from(&model), spec);
    let details = model.details();
    assert_eq!((details.len(), details.preparation()), (DETAILS.len() - 1, "ab"));
    assert!(Model::parse(&stripped).unwrap().details().is_empty());
    spec.details.features.truncate(2);
    let error = spec.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "number of features: 2 where 3 is needed");
}

#[test]
fn the_reader_reads_them_back() {
    let spec = common::example();
    let file = spec.to_bytes().unwrap();
    let model = Model::parse(&file).unwrap();
    assert_eq!(ModelSpec::from(&model), spec);
    assert_eq!((model.input_len(), model.output_len()), (3, 2));
    assert_eq!((model.macs(), model.file_len()), (5, file.len()));
    let OutputKind::Classes { labels, threshold: 0 } = model.output().kind else {
        panic!("not classes")
    };
    assert_eq!((labels.get(1), labels.get(2)), (Some("yes"), None));
    let Some(Layer::Dense(first)) = model.layers().next() else { panic!("not dense") };
    let row = first.rows().next().unwrap();
    // (3/4 · 2^-6) · 0.25 / 0.5
    assert_eq!(first.weight_scale(&row), 0.005859375);
}

#[test]
fn parameters_lie_on_4_byte_boundaries_whatever_comes_before() {
    for length in 0..9 {
        let mut spec = common::example();
        spec.name = "n".repeat(length);
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        for layer in model.layers() {
            let Layer::Dense(dense) = layer else { panic!("not dense") };
            for start in [dense.weight_bytes().as_ptr(), dense.biases().as_ptr().cast()] {
                assert_eq!((start as usize - file.as_ptr() as usize) % 4, 0);
            }
        }
    }
}

/// A row of int2 weights, one of ternary weights, and one of int4 weights raised by 8, in the code of
/// their layout.
#[test]
fn weights_of_four_bits_and_less_share_bytes() {
    for (layout, code, weights, bytes) in [
        (WeightLayout::Int2, 10, [-3, -1, 1, 3, 3, -3, 1], &[0b11_10_01_00, 0b10_00_11][..]),
        // 2 · 81 + 27 + 3 · 2 + 1 = 196, and 2 · 27 + 2 · 81: times 256 / 243, rounded up.
        (WeightLayout::Ternary, 11, [1, 0, -1, 1, 0, 1, 1], &[207, 228]),
        (WeightLayout::Int4Columns4, 12, [-7, -1, 0, 1, 7, 3, -3], &[0x71, 0x98, 0xbf, 0x85]),
    ] {
        let mut spec = common::example();
        let LayerSpec::Dense(first) = &mut spec.layers[0] else { panic!("not dense") };
        (first.inputs, first.weights, first.layout) = (7, weights.to_vec(), layout);
        spec.input.shape = vec![7];
        spec.self_tests.clear();
        let file = spec.to_bytes().unwrap();
        let model = Model::parse(&file).unwrap();
        assert_eq!(ModelSpec::from(&model), spec);
        let Some(Layer::Dense(dense)) = model.layers().next() else { panic!("not dense") };
        assert_eq!(dense.weight_bytes(), bytes);
        let start = dense.weight_bytes().as_ptr() as usize - file.as_ptr() as usize;
        // The layout with compact rows, padding behind its length, the length of 4 bytes and the
        // weights, bias 1000, multiplier.
        let len = 4 + bytes.len() as u8;
        let ends = [&[0][..], &[1, 0], &[2, 0, 0], &[3, 0, 0, 0]]
            .map(|padding| [&[32 + code], padding, &[len, 0xe8, 3, 0, 0x34]].concat());
        let front = &file[..start];
        assert!(ends.iter().any(|end| front.ends_with(end)), "{front:?}");
    }
}

/// Two rows with biases and multipliers of 16 bits.
#[test]
fn compact_rows_take_four_bytes() {
    let mut spec = common::example();
    let LayerSpec::Dense(last) = &mut spec.layers[1] else { panic!("not dense") };
    last.layout = WeightLayout::Ternary;
    last.biases = vec![-2, 32_767];
    last.multipliers =
        vec![Multiplier { mantissa: 3 << 29, shift: -6 }, Multiplier { mantissa: 0, shift: 0 }];
    spec.self_tests.clear();
    let file = spec.to_bytes().unwrap();
    let end = [
        0xfe, 0xff, 0xff, 0x7f, // biases
        0, 0x34, 0, 0, // half of 2^11 above 2^11, with a shift of 6; 0
        0, 171, // weights −1 and 1: digits 0 and 2
        0, 0, // no self-tests, no details
    ];
    assert!(file.ends_with(&end), "{:?}", &file[file.len() - 20..]);
    // Layout 11 with compact rows, padding, ten bytes.
    let front = &file[..file.len() - end.len()];
    assert!(front.ends_with(&[43, 0, 10]) || front.ends_with(&[43, 3, 0, 0, 0, 10]), "{front:?}");
    assert_eq!(ModelSpec::from(&Model::parse(&file).unwrap()), spec);
}

/// The parts of zoo-mnist-13k, 256-64-64-64-10 with int4 weights, that FORMAT.md counts.
#[test]
fn bytes_beside_the_weights() {
    let dense = |inputs: usize, outputs: usize| {
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: vec![1; inputs * outputs],
            biases: vec![-1; outputs],
            multipliers: vec![Multiplier { mantissa: 3 << 29, shift: -6 }; outputs],
            output: model_format::Quantization::int8(0.25, -128),
            clamp: Clamp::INT8,
            layout: WeightLayout::Int4,
        })
    };
    let mut spec = common::example();
    spec.name = "zoo-mnist-13k".into();
    spec.input.shape = vec![16, 16];
    spec.output = OutputSpec::classes(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    spec.layers = vec![dense(256, 64), dense(64, 64), dense(64, 64), dense(64, 10)];
    spec.details.preparation = "28x28/16x16 fit=mnist invert=auto".into();
    spec.self_tests.clear();
    let file = spec.to_bytes().unwrap();
    // A self-test with its input from the file: no bytes, an offset below 128, ten outputs.
    let file_len = file.len() + 1 + 1 + 1 + 10;
    let model = Model::parse(&file).unwrap();
    let layers = model.layers().filter_map(|layer| match layer {
        Layer::Dense(dense) => Some(dense),
        _ => None,
    });
    let weights: usize = layers.clone().map(|dense| dense.weight_bytes().len()).sum();
    let rows = layers.map(|dense| dense.flash_len()).sum::<usize>() - weights;
    let headers = file_len - weights - rows - (16 + 14 + 11 + 23 + 14 + 37);
    assert_eq!((file_len, weights, rows, headers), (13_611, 12_608, 808, 80));
}

// The payload as one serde value: what another postcard implementation would declare.

#[derive(Serialize, Deserialize)]
struct File<'a> {
    name: &'a str,
    shape: Vec<u32>,
    input: Quantization,
    encoding: u32,
    #[serde(borrow)]
    kind: Meaning_<'a>,
    layers: Vec<Layer_<'a>>,
    self_tests: Vec<(&'a [u8], &'a [u8])>,
    details: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Quantization {
    data_type: u32,
    scale: f32,
    zero_point: i32,
}

#[derive(Serialize, Deserialize)]
enum Meaning_<'a> {
    Classes(#[serde(borrow)] Vec<&'a str>, i32),
    Values(&'a [u8]),
    Probability(#[serde(borrow)] Vec<&'a str>, i32),
}

#[derive(Serialize, Deserialize)]
enum Layer_<'a> {
    Dense {
        inputs: u32,
        outputs: u32,
        output: Quantization,
        clamp: (i32, i32),
        layout: u32,
        padding: &'a [u8],
        parameters: &'a [u8],
    },
}

#[test]
fn the_payload_is_one_postcard_value() {
    let (file, rest) = postcard::take_from_bytes::<File<'_>>(PAYLOAD).unwrap();
    assert_eq!(rest, []);
    assert_eq!(file.layers.len(), 2);
    assert_eq!(postcard::to_stdvec(&file).unwrap(), PAYLOAD);
}
