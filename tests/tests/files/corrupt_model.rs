//! Damaged model files: each is refused with an error that names the problem, or loads and runs
//! like any other model. No file causes a panic or a read out of bounds.

use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec, SelfTestSpec};
use model_format::{Clamp, Encoding, Model, Multiplier, Quantization, WeightLayout};
use thimble_nn::Engine;
use thimble_tests::parity::assert_engine_equals_reference;
use thimble_tests::sealed::{HEADER_LEN, sealed};

/// A model like the digits preset's, with everything that a file can have.
fn spec() -> ModelSpec {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut dense = |inputs: usize, outputs: usize, zero_point: i32, clamp: Clamp| {
        LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|_| rng.i8(-127..=127)).collect(),
            biases: (0..outputs).map(|_| rng.i32(-5000..5000)).collect(),
            multipliers: (0..outputs)
                .map(|_| Multiplier { mantissa: rng.i32(1 << 30..=i32::MAX), shift: -9 })
                .collect(),
            output: Quantization::int8(0.1, zero_point),
            clamp,
            layout: WeightLayout::RowMajor,
        })
    };
    let layers =
        vec![dense(63, 32, -128, Clamp { low: -128, high: 127 }), dense(32, 10, 3, Clamp::INT8)];
    ModelSpec {
        name: "digits".into(),
        input: InputSpec {
            shape: vec![9, 7],
            quantization: Quantization::int8(1.0 / 16.0, -128),
            encoding: Encoding::Unsigned8,
        },
        output: OutputSpec::classes((0..10).map(|digit| digit.to_string())),
        layers,
        self_tests: vec![SelfTestSpec { input: vec![7; 63], output: vec![0; 10] }],
        details: Default::default(),
    }
}

fn file() -> Vec<u8> {
    spec().to_bytes().unwrap_or_else(|error| panic!("{error}"))
}

/// Returns whether the bytes load; if they do, they must run with the outputs of the reference.
fn loads(what: &str, bytes: &[u8]) -> bool {
    match Model::parse(bytes) {
        Err(error) => {
            assert!(error.to_string().len() > 10, "{what}: '{error}' says too little");
            false
        }
        Ok(model) => {
            let len = model.input_len();
            let inputs = [vec![i8::MIN; len], vec![i8::MAX; len], vec![5; len]];
            assert_engine_equals_reference(what, bytes, inputs.iter().map(Vec::as_slice));
            let mut scratch = vec![0; model.scratch_len()];
            let mut engine = Engine::new(model, &mut scratch).expect("exactly what it asks for");
            assert!(engine.run(&vec![0; len + 1]).is_err(), "an input of the wrong length");
            true
        }
    }
}

fn refusal(bytes: &[u8]) -> String {
    Model::parse(bytes).err().map_or("it loads".into(), |error| error.to_string())
}

#[test]
fn the_file_itself_loads() {
    assert!(loads("the file", &file()));
    assert_eq!(sealed(file()), file(), "the checksum here is the format's");
}

#[test]
fn a_file_cut_at_any_length_is_refused() {
    let file = file();
    for len in 0..file.len() {
        let cut = &file[..len];
        assert!(!loads("a cut file", cut), "{len} of {} bytes", file.len());
        assert!(len == 0 || refusal(cut).contains("cut off"), "{len} bytes: {}", refusal(cut));
    }
}

#[test]
fn a_file_cut_at_any_length_and_sealed_again_is_refused() {
    let file = file();
    for len in HEADER_LEN..file.len() {
        let cut = sealed(file[..len].to_vec());
        assert!(!loads("a cut file", &cut), "{len} of {} bytes", file.len());
    }
}

#[test]
fn bytes_behind_the_file_are_refused() {
    let mut file = file();
    file.push(0);
    assert!(refusal(&file).contains("too long"), "{}", refusal(&file));
    assert!(refusal(&sealed(file.clone())).contains("1 more bytes"), "{}", refusal(&sealed(file)));
}

#[test]
fn any_flipped_bit_of_the_first_kilobyte_is_refused() {
    let file = file();
    assert!(file.len() > 1024);
    for bit in 0..1024 * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!loads("a flipped bit", &flipped), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn any_flipped_bit_behind_a_right_checksum_is_refused_or_runs() {
    let file = file();
    let mut loaded = 0;
    for bit in HEADER_LEN * 8..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let what = format!("bit {} of byte {}", bit % 8, bit / 8);
        loaded += usize::from(loads(&what, &sealed(flipped)));
    }
    // Most bytes are weights and biases, and other weights are still a model.
    assert!(loaded * 2 > file.len() * 8, "{loaded} loaded");
}

/// The fields before the first layer's parameters, and what stands behind the last one's.
#[test]
fn any_value_of_any_descriptive_byte_is_refused_or_runs() {
    let file = file();
    let descriptive = (HEADER_LEN..HEADER_LEN + 80).chain(file.len() - 80..file.len());
    for at in descriptive {
        for value in 0..=u8::MAX {
            let mut changed = file.clone();
            changed[at] = value;
            loads(&format!("byte {at} set to {value}"), &sealed(changed));
        }
    }
}

#[test]
fn each_field_of_the_header_is_checked() {
    let change = |at: usize, value: u8| {
        let mut file = file();
        file[at] = value;
        refusal(&file)
    };
    assert!(change(0, b'X').contains("not a Thimble model"), "{}", change(0, b'X'));
    assert!(change(4, 1).contains("format version 1"), "{}", change(4, 1));
    assert!(change(4, 3).contains("format version 3"), "{}", change(4, 3));
    assert!(change(11, 0xff).contains("cut off"), "{}", change(11, 0xff));
    assert!(change(12, file()[12] ^ 1).contains("damaged"), "{}", change(12, file()[12] ^ 1));
    assert_eq!(refusal(b"GIF89a"), refusal(b"something else, longer than a header"));
}

/// Invalid values of each field in an otherwise valid file: the error names the place and the
/// field.
#[test]
fn each_field_of_the_model_is_checked() {
    fn first(spec: &mut ModelSpec) -> &mut DenseSpec {
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { panic!("not dense") };
        dense
    }
    type Change = fn(&mut ModelSpec);
    let changes: [(Change, &[&str]); 20] = [
        (|s| s.name = "x".repeat(65), &["name", "65", "64"]),
        (|s| s.input.shape = vec![], &["input", "dimensions"]),
        (|s| s.input.shape = vec![9, 0], &["input", "dimension"]),
        (|s| s.input.shape = vec![9, 8], &["layer 0", "inputs", "63", "72"]),
        (|s| s.input.shape = vec![1, 1, 1, 9, 7], &["input", "dimensions", "5", "4"]),
        (|s| s.input.shape = vec![8192, 8192], &["input", "dimensions", "8192"]),
        (|s| s.input.quantization.scale = f32::NAN, &["input", "scale", "NaN"]),
        (|s| s.input.quantization.scale = 0.0, &["input", "scale"]),
        (|s| s.input.quantization.scale = -1.0, &["input", "scale", "-1"]),
        (|s| s.input.quantization.zero_point = 128, &["input", "zero point", "128"]),
        (
            |s| s.output = OutputSpec::classes(vec!["a"; 9]),
            &["output", "number of labels", "9", "10"],
        ),
        (|s| s.layers.clear(), &["number of layers"]),
        (|s| first(s).weights[70] = -128, &["layer 0", "row 1", "weight", "-128"]),
        (|s| first(s).multipliers[2].shift = -32, &["layer 0", "row 2", "shift", "-32"]),
        (|s| first(s).multipliers[2].shift = 31, &["layer 0", "row 2", "shift", "31"]),
        (|s| first(s).multipliers[3].mantissa = 1, &["layer 0", "row 3", "multiplier", "1"]),
        (|s| first(s).multipliers[3].mantissa = -1, &["layer 0", "row 3", "multiplier", "-1"]),
        (|s| first(s).biases[4] = i32::MAX, &["layer 0", "row 4", "2147483648"]),
        (|s| first(s).clamp = Clamp { low: 3, high: 2 }, &["layer 0", "upper clamp bound"]),
        (|s| s.self_tests[0].output.push(0), &["self-test 0", "expected output", "11", "10"]),
    ];
    for (change, named) in changes {
        let mut spec = spec();
        change(&mut spec);
        let error = spec.to_bytes().expect_err("a field is wrong").to_string();
        for word in named {
            assert!(error.contains(word), "'{error}' does not name '{word}'");
        }
    }
}

/// (|bias| + Σ|w| · max|x − z|) · 2^(left shift) must stay below 2³¹.
#[test]
fn the_overflow_bound_is_exact() {
    for (shift, largest) in [(0, i32::MAX), (-31, i32::MAX), (1, (1 << 30) - 1), (30, 1)] {
        let of_bias = |bias: i32| {
            let mut spec = spec();
            let LayerSpec::Dense(dense) = &mut spec.layers[0] else { panic!("not dense") };
            dense.multipliers[7].shift = shift;
            let row = &mut dense.weights[7 * 63..8 * 63];
            row.fill(0);
            dense.biases[7] = bias;
            // Where there is room for it, a weight takes part: −3 · 255.
            if largest > 1 {
                row[5] = -3;
                dense.biases[7] -= bias.signum() * 3 * 255;
            }
            spec.to_bytes()
        };
        assert!(of_bias(largest).is_ok(), "{largest} << {shift}");
        assert!(of_bias(-largest).is_ok(), "-{largest} << {shift}");
        let beyond = |bias: i64| (bias.abs() << shift.max(0)) >= 1 << 31;
        if let Some(bias) = largest.checked_add(1) {
            assert!(beyond(bias.into()));
            let error = of_bias(bias).expect_err("one too many").to_string();
            let limit = (1u64 << 31 >> shift.max(0)).to_string();
            assert!(error.contains("layer 0, row 7") && error.contains(&limit), "{error}");
            assert!(of_bias(-bias).is_err());
        }
    }
    let bytes = file();
    assert!(loads("the file with room", &bytes));
}
