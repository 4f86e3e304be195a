//! Invalid values of every field of a model file, byte by byte as in FORMAT.md, in an otherwise
//! valid file: the error names the place and the field.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{Clamp, Encoding, Model, Multiplier, Quantization, WeightLayout};
use thimble_tests::sealed::{sealed, with_header};

/// A field of the payload with its name in this test, and its bytes.
#[derive(Clone)]
enum Field {
    Plain(&'static str, Vec<u8>),
    /// A length and its bytes, aligned to four bytes after padding.
    Aligned(&'static str, Vec<u8>),
}

use Field::{Aligned, Plain};

fn float(value: f32) -> Vec<u8> {
    value.to_le_bytes().into()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn signed(value: i32) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 31)) as u32 as usize)
}

fn words(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Parameters of a dense layer: words of each row, weights, shifts.
fn parameters(arrays: &[&[i32]], weights: &[u8], shifts: &[i8]) -> Vec<u8> {
    let arrays: Vec<u8> = arrays.iter().flat_map(|array| words(array)).collect();
    let shifts = shifts.iter().map(|shift| *shift as u8);
    arrays.into_iter().chain(weights.iter().copied()).chain(shifts).collect()
}

/// 5 inputs, a dense layer of 2 rows in this layout, a table, a softmax; one self-test.
fn fields(layout: u8, layer: Vec<u8>) -> Vec<Field> {
    let mut fields = vec![
        Plain("name", vec![1, b'm']),
        Plain("dimensions", vec![1]),
        Plain("dimension", vec![5]),
        Plain("input data type", vec![0]),
        Plain("input scale", float(0.5)),
        Plain("input zero point", signed(3)),
        Plain("encoding", vec![0]),
        Plain("kind", vec![0]),
        Plain("labels", vec![2]),
        Plain("label 0", vec![1, b'a']),
        Plain("label 1", vec![1, b'b']),
        Plain("threshold", signed(0)),
        Plain("layers", vec![3]),
        Plain("operator", vec![0]),
        Plain("inputs", vec![5]),
        Plain("outputs", vec![2]),
        Plain("dense data type", vec![0]),
        Plain("dense scale", float(0.5)),
        Plain("dense zero point", signed(-1)),
        Plain("clamp low", signed(-128)),
        Plain("clamp high", signed(127)),
        Plain("layout", vec![layout]),
        Aligned("parameters", layer),
        Plain("table operator", vec![1]),
        Plain("table data type", vec![0]),
        Plain("table scale", float(0.25)),
        Plain("table zero point", signed(0)),
        Plain("table len", varint(256)),
        Plain("table", vec![7; 256]),
        Plain("softmax operator", vec![2]),
        Aligned("exponentials", words(&[i32::MAX, 5])),
        Plain("self-tests", vec![1]),
        Plain("test input", vec![5, 0, 0, 0, 0, 0]),
    ];
    // The logits are equal, and the output 128 of 256 is 0.
    fields.push(Plain("test output", vec![2, 0, 0]));
    // One unnamed feature would be too few for five inputs.
    fields.push(Plain("details", vec![0]));
    fields
}

const HALF: i32 = 1 << 30;

fn row_major() -> Vec<Field> {
    let weights = [1, 2, 3, 4, 5, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0];
    fields(0, parameters(&[&[10, 20], &[HALF, HALF]], &weights, &[-3, -3]))
}

fn int4() -> Vec<Field> {
    let weights = [0x21, 0x43, 0x05, 0, 0x77, 0x77, 0x09, 0];
    fields(6, parameters(&[&[10, 20], &[HALF, HALF]], &weights, &[-3, -3]))
}

fn int2() -> Vec<Field> {
    // -3, -1, 1, 3, 1; then 3, 3, 3, 3, -1.
    let weights = [0xe4, 0x02, 0xff, 0x01];
    fields(10, parameters(&[&[10, 20], &[HALF, HALF]], &weights, &[-3, -3]))
}

fn ternary() -> Vec<Field> {
    // 1, 0, -1, 0, 1; then -1, -1, -1, -1, -1: 194 and 0 in base 3, times 256 / 243, rounded up.
    let weights = [194 * 256 / 243 + 1, 0].map(|byte: u32| byte as u8);
    fields(11, parameters(&[&[10, 20], &[HALF, HALF]], &weights, &[-3, -3]))
}

/// Each row has one block: the first four columns, the last one.
fn sparse_with(starts: [i32; 3], numbers: [u8; 2], last: [u8; 4]) -> Vec<Field> {
    let mut weights = words(&starts);
    weights.extend([numbers[0], 0, numbers[1], 0, 1, 2, 3, 4]);
    weights.extend(last);
    fields(8, parameters(&[&[10, 20], &[HALF, HALF]], &weights, &[-3, -3]))
}

fn sparse() -> Vec<Field> {
    sparse_with([0, 1, 2], [0, 1], [5, 0, 0, 0])
}

/// Folded biases: bias − 3 · Σ w.
fn folded() -> Vec<Field> {
    let weights = [1, 2, 3, 4, 5, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0];
    fields(5, parameters(&[&[10, 20], &[10 - 45, 20 - 15], &[HALF, HALF]], &weights, &[-3, -3]))
}

/// Returns the file, with additional zeros of padding, and this padding byte.
fn file(fields: &[Field], more: usize, padding: u8) -> Vec<u8> {
    const HEADER: usize = 16;
    let mut payload = Vec::new();
    for field in fields {
        match field {
            Plain(_, bytes) => payload.extend(bytes),
            Aligned(_, bytes) => {
                let len = varint(bytes.len());
                let at = HEADER + payload.len() + 1 + len.len();
                let zeros = at.next_multiple_of(4) - at + more;
                payload.push(zeros as u8);
                payload.resize(payload.len() + zeros, padding);
                payload.extend(len);
                payload.extend(bytes);
            }
        }
    }
    with_header(&payload)
}

fn refusal(fields: &[Field]) -> String {
    Model::parse(&file(fields, 0, 0)).err().map_or("it loads".into(), |error| error.to_string())
}

/// The same fields with one of them changed.
fn with(mut fields: Vec<Field>, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Field> {
    let found = fields.iter_mut().find_map(|field| match field {
        Plain(n, bytes) | Aligned(n, bytes) if *n == name => Some(bytes),
        _ => None,
    });
    change(found.unwrap_or_else(|| panic!("there is no field {name}")));
    fields
}

#[track_caller]
fn names(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "'{error}' does not name '{word}'");
    }
}

#[test]
fn the_files_themselves_load() {
    for (what, fields) in [
        ("row-major", row_major()),
        ("int4", int4()),
        ("int2", int2()),
        ("ternary", ternary()),
        ("sparse", sparse()),
        ("folded", folded()),
    ] {
        assert_eq!(refusal(&fields), "it loads", "{what}");
    }
}

/// Codes, counts, lengths, numbers: each field with invalid values.
#[test]
fn each_field_that_stands_alone_is_checked() {
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("name", [vec![65], vec![b'x'; 65]].concat(), &["name", "65", "64"]),
        ("name", vec![1, 0xff], &["name"]),
        ("dimensions", vec![0], &["input", "number of dimensions", "0"]),
        ("dimensions", vec![5], &["input", "number of dimensions", "5", "4"]),
        ("dimension", vec![0], &["input", "dimension", "0"]),
        ("dimension", varint(8193), &["input", "dimension", "8193", "8192"]),
        ("dimension", vec![6], &["layer 0", "inputs", "5", "6"]),
        ("input data type", vec![2], &["input", "data type", "code 2"]),
        ("input scale", float(f32::INFINITY), &["input", "scale", "inf"]),
        ("input scale", float(1e-40), &["input", "scale"]),
        ("input scale", float(-0.5), &["input", "scale", "-5e-1"]),
        ("input zero point", signed(-129), &["input", "zero point", "-129"]),
        ("encoding", vec![4], &["input", "encoding", "code 4"]),
        ("encoding", vec![3, 7, 0, 0, 0, 0, 0, 0, 0], &["input", "channels", "7", "8"]),
        (
            "encoding",
            [vec![3, 8], float(f32::NAN), float(1.0)].concat(),
            &["input channel 0", "offset", "7fc00000"],
        ),
        (
            "encoding",
            [vec![3, 8], float(1.0), float(f32::NEG_INFINITY)].concat(),
            &["input channel 0", "factor", "ff800000"],
        ),
        (
            "encoding",
            [vec![3, 16], words(&[0; 4])].concat(),
            &["input", "channels", "2 is out of range"],
        ),
        ("kind", vec![3], &["output", "kind", "code 3"]),
        ("kind", vec![2], &["output", "outputs", "1"]),
        ("threshold", signed(65_537), &["output", "threshold", "65537"]),
        ("labels", vec![0], &["output", "number of labels", "0"]),
        ("labels", varint(257), &["output", "number of labels", "257", "256"]),
        ("label 1", [vec![65], vec![b'x'; 65]].concat(), &["label 1", "text", "65", "64"]),
        ("label 1", vec![2, 0xc3, 0x28], &["label 1", "text"]),
        ("layers", vec![0], &["number of layers", "0"]),
        ("layers", vec![33], &["number of layers", "33", "32"]),
        ("operator", vec![3], &["layer 0", "operator", "code 3"]),
        ("inputs", vec![0], &["layer 0", "inputs", "0"]),
        ("inputs", varint(8193), &["layer 0", "inputs", "8193", "8192"]),
        ("inputs", vec![6], &["layer 0", "inputs", "6", "5"]),
        ("outputs", vec![0], &["layer 0", "outputs", "0"]),
        ("outputs", varint(8193), &["layer 0", "outputs", "8193", "8192"]),
        ("outputs", vec![3], &["layer 0", "parameters"]),
        ("dense data type", vec![9], &["layer 0", "data type", "code 9"]),
        ("dense scale", float(0.0), &["layer 0", "scale", "0"]),
        ("dense zero point", signed(128), &["layer 0", "zero point", "128"]),
        ("clamp low", signed(-129), &["layer 0", "lower clamp bound", "-129"]),
        ("clamp high", signed(128), &["layer 0", "upper clamp bound", "128"]),
        ("clamp high", signed(-129), &["layer 0", "upper clamp bound", "-129"]),
        ("layout", vec![15], &["layer 0", "weight layout", "code 15"]),
        // Rows of 8 bits are not compact.
        ("layout", vec![32], &["layer 0", "weight layout", "code 32"]),
        ("table operator", vec![7], &["layer 1", "operator", "code 7"]),
        ("table data type", vec![1], &["layer 1", "data type"]),
        ("table scale", float(f32::NAN), &["layer 1", "scale", "NaN"]),
        ("table zero point", signed(500), &["layer 1", "zero point", "500"]),
        ("table len", varint(255), &["layer 1", "table", "255", "256"]),
        ("exponentials", vec![], &["layer 2", "exponentials", "0"]),
        ("exponentials", vec![0; 7], &["layer 2", "exponentials", "7"]),
        ("exponentials", words(&[i32::MAX; 257]), &["layer 2", "exponentials", "1028"]),
        ("exponentials", words(&[i32::MAX - 1]), &["layer 2", "exponentials"]),
        ("exponentials", words(&[i32::MAX, -1]), &["layer 2", "exponentials", "-1"]),
        ("self-tests", vec![17], &["number of self-tests", "17", "16"]),
        ("self-tests", vec![0], &["more bytes follow"]),
        ("self-tests", vec![2], &["self-test 1"]),
        ("test input", vec![4, 0, 0, 0, 0], &["self-test 0", "input vector", "4", "5"]),
        ("test output", vec![1, 0], &["self-test 0", "expected output", "1", "2"]),
        ("details", vec![2, 0, 0], &["preparation"]),
        ("details", vec![3, 4, 0, 0], &["number of features", "4", "5"]),
        ("details", vec![3, 0, 1, 0], &["number of outputs", "1", "2"]),
        ("details", vec![4, 0, 0, 0, 0], &["1 more bytes follow"]),
        ("details", vec![4, 0, 0, 1, 0xff], &["preparation"]),
    ];
    for (field, bytes, named) in cases {
        let what = format!("{field} set to {bytes:?}");
        let error = refusal(&with(row_major(), field, |old| *old = bytes));
        for word in named {
            assert!(error.contains(word), "{what}: '{error}' does not name '{word}'");
        }
    }
}

/// The encoding with its channels: offset, multiplier, shift of each.
fn counts(channels: &[(i32, i32, i8)]) -> Vec<u8> {
    let mut bytes = vec![2];
    bytes.extend(varint(9 * channels.len()));
    for (offset, multiplier, shift) in channels {
        bytes.extend(words(&[*offset, *multiplier]));
        bytes.push(*shift as u8);
    }
    bytes
}

#[test]
fn each_parameter_of_a_channel_is_checked() {
    let good = (1 << 24, HALF, 6);
    let error = |channels: &[(i32, i32, i8)]| {
        refusal(&with(row_major(), "encoding", |old| *old = counts(channels)))
    };
    for channels in [&[good][..], &[(-(1 << 24), i32::MAX, -31); 5], &[(0, 0, 0)]] {
        assert_eq!(error(channels), "it loads", "{channels:?}");
    }
    names(&error(&[]), &["input", "channels", "0", "9"]);
    names(&error(&[good; 2]), &["input", "channels", "2"]);
    names(&error(&[good; 10]), &["input", "channels", "10"]);
    let second = |channel| error(&[good, channel, good, good, good]);
    names(&second(((1 << 24) + 1, HALF, 0)), &["input channel 1", "offset", "16777217"]);
    names(&second((-(1 << 24) - 1, HALF, 0)), &["input channel 1", "offset", "-16777217"]);
    names(&second((0, HALF - 1, 0)), &["input channel 1", "multiplier", "1073741823"]);
    // A negative one falls, and has the same bounds.
    assert_eq!(second((0, -HALF, 0)), "it loads");
    names(&second((0, 1 - HALF, 0)), &["input channel 1", "multiplier", "1073741823"]);
    names(&second((0, i32::MIN, 0)), &["input channel 1", "multiplier", "-2147483648"]);
    names(&second((0, 0, 1)), &["input channel 1", "multiplier", "0"]);
    names(&second((0, HALF, 7)), &["input channel 1", "shift", "7"]);
    names(&second((0, HALF, -32)), &["input channel 1", "shift", "-32"]);
    let cut = with(row_major(), "encoding", |old| *old = vec![2, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    names(&refusal(&cut), &["input", "channels", "8", "9"]);
}

#[test]
fn each_parameter_of_a_layer_is_checked() {
    // Two biases, two multipliers, two rows of eight weights, two shifts.
    let change = |at: usize, bytes: &[u8]| {
        refusal(&with(row_major(), "parameters", |old| {
            old[at..at + bytes.len()].copy_from_slice(bytes);
        }))
    };
    names(&change(4, &i32::MAX.to_le_bytes()), &["layer 0, row 1", "accumulator"]);
    names(&change(8, &[0, 0, 0, 0]), &["layer 0, row 0", "multiplier", "0"]);
    names(&change(12, &[1, 0, 0, 0]), &["layer 0, row 1", "multiplier", "1"]);
    names(&change(12, &[0, 0, 0, 0x80]), &["layer 0, row 1", "multiplier", "-2147483648"]);
    names(&change(16, &[0x80]), &["layer 0, row 0", "weight", "-128"]);
    names(&change(29, &[1]), &["layer 0, row 1", "weight padding", "zero"]);
    names(&change(32, &[31]), &["layer 0, row 0", "shift", "31"]);
    names(&change(33, &[0xe0]), &["layer 0, row 1", "shift", "-32"]);
    let len = |change: fn(&mut Vec<u8>)| refusal(&with(row_major(), "parameters", change));
    names(&len(|bytes| bytes.push(0)), &["layer 0", "parameters", "35", "34"]);
    names(&len(|bytes| bytes.truncate(33)), &["layer 0", "parameters", "33", "34"]);
}

#[test]
fn what_other_layouts_have_is_checked() {
    let bias = with(folded(), "parameters", |bytes| bytes[8] ^= 1);
    names(&refusal(&bias), &["layer 0, row 0", "folded bias"]);
    // Two per byte: -8 in the low half, after the last column.
    let weight = with(int4(), "parameters", |bytes| bytes[17] = 0x48);
    names(&refusal(&weight), &["layer 0, row 0", "weight", "-8"]);
    let padding = with(int4(), "parameters", |bytes| bytes[18] = 0x15);
    names(&refusal(&padding), &["layer 0, row 0", "weight padding", "zero"]);

    // A sixth weight of -1, of which there are five.
    let padding = with(int2(), "parameters", |bytes| bytes[19] = 0x05);
    names(&refusal(&padding), &["layer 0, row 1", "weight padding", "zero"]);
    // Bytes that no five digits make.
    for byte in [1, 20, 40] {
        let weight = with(ternary(), "parameters", |bytes| bytes[17] = byte);
        names(&refusal(&weight), &["layer 0, row 1", "weight", &byte.to_string()]);
    }
    let len = with(ternary(), "parameters", |bytes| bytes.push(0));
    names(&refusal(&len), &["layer 0", "parameters", "21", "20"]);

    let last = [5, 0, 0, 0];
    // The second row's blocks begin behind those of the row after it: they overlap.
    names(&refusal(&sparse_with([0, 2, 1], [0, 1], last)), &["layer 0", "start of the blocks"]);
    names(&refusal(&sparse_with([1, 1, 2], [0, 1], last)), &["layer 0, row 0", "start of the"]);
    names(&refusal(&sparse_with([0, 1, 3], [0, 1], last)), &["layer 0", "parameters"]);
    names(&refusal(&sparse_with([0, 1, -1], [0, 1], last)), &["layer 0", "start of the blocks"]);
    // One row with the same block twice, with blocks that descend, with one that is not there.
    let number = |starts, numbers| refusal(&sparse_with(starts, numbers, [5, 0, 0, 0]));
    names(&number([0, 2, 2], [1, 1]), &["layer 0, row 0", "weight padding"]);
    names(&number([0, 2, 2], [0, 0]), &["layer 0, row 0", "block number", "0"]);
    names(&number([0, 1, 2], [0, 2]), &["layer 0, row 1", "block number", "2"]);
    let beyond = sparse_with([0, 1, 2], [0, 1], [5, 1, 0, 0]);
    names(&refusal(&beyond), &["layer 0, row 1", "weight padding"]);
    // What folds biases needs an int8 input: with int16 and z = 0 the rest would be right.
    let int16 = with(folded(), "input data type", |bytes| *bytes = vec![1]);
    let int16 = with(int16, "input zero point", |bytes| *bytes = signed(0));
    names(&refusal(&int16), &["layer 0", "weight layout", "int8"]);
    let zero_point = with(row_major(), "input data type", |bytes| *bytes = vec![1]);
    names(&refusal(&zero_point), &["input", "zero point", "3"]);
}

/// The meaning of a second row's code depends on the row before it.
#[test]
fn weights_in_pairs_of_rows_are_checked_as_what_they_stand_for() {
    let quantization = Quantization::int8(1.0, 0);
    let spec = ModelSpec {
        name: "pairs".into(),
        input: InputSpec { shape: vec![1], quantization, encoding: Encoding::Quantized },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs: 1,
            outputs: 4,
            weights: vec![-1, 127, 5, -127],
            biases: vec![0; 4],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: -8 }; 4],
            output: quantization,
            clamp: Clamp::INT8,
            layout: WeightLayout::Pairs4,
        })],
        self_tests: vec![],
        details: Default::default(),
    };
    let file = spec.to_bytes().unwrap();
    let tile = [0xff, 126, 0, 0, 0, 0, 0, 0, 5, 0x81, 0, 0, 0, 0, 0, 0];
    let start = file.windows(16).position(|bytes| bytes == tile).expect("the tile of weights");
    let changed = |at: usize, byte: u8| {
        let mut file = file.clone();
        file[start + at] = byte;
        Model::parse(&sealed(file)).err().map_or("it loads".into(), |error| error.to_string())
    };
    // 128, as 127 above a negative weight; -128 above one that is not; then -128 in a first row.
    names(&changed(1, 127), &["layer 0, row 1", "weight", "-128"]);
    names(&changed(9, 0x80), &["layer 0, row 3", "weight", "-128"]);
    names(&changed(8, 0x80), &["layer 0, row 2", "weight", "-128"]);
    // A column that is not there, of a first and of a second row.
    names(&changed(2, 1), &["layer 0, row 0", "weight padding", "zero"]);
    names(&changed(15, 1), &["layer 0, row 3", "weight padding", "zero"]);
}

#[test]
fn padding_is_as_much_as_there_must_be_and_zero() {
    let error =
        |more, padding| Model::parse(&file(&row_major(), more, padding)).unwrap_err().to_string();
    names(&error(1, 0), &["layer 0", "parameters", "4-byte boundary"]);
    names(&error(4, 0), &["layer 0", "parameters", "4-byte boundary"]);
    // Only where there is some.
    let padded = (0..4).map(|len| {
        with(row_major(), "name", |bytes| {
            *bytes = [vec![len], vec![b'm'; len.into()]].concat();
        })
    });
    let refused = padded.filter_map(|fields| Model::parse(&file(&fields, 0, 9)).err()).count();
    assert!(refused >= 3, "only where no padding is needed can there be none that is wrong");
}
