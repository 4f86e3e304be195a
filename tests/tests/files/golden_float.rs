//! Outputs of the files of other frameworks, compared with what their own framework gives, and
//! refusals, which name what cannot be imported.
//!
//! `../shared/golden-float/given/README.md` describes the cases.

use std::path::{Path, PathBuf};

use host_trainer::network::Tape;
use model_format::{Layer, Model};
use serde_json::Value;
use thimble_convert::import::{self as int8, OutputMeaning, is_float};
use thimble_import::{Kind, Options, assemble, quantized, read, read_bytes, recognize};
use thimble_nn::Engine;
use thimble_tests::workspace::root;

/// Layers of the state dicts, which have only names.
const LAYERS: [(&str, &str); 4] = [
    ("onnx-torch-digits", "flatten, 1, relu, 4, relu, 6"),
    ("torch-batchnorm", "fc1, bn1, relu, fc2, bn2(0.001), tanh, head"),
    ("torch-deep", "relu"),
    ("torch-float16", "0, tanh, 2"),
];

/// Layers of a whole model, which also has only names here.
const WHOLE_MODEL: (&str, &str) = ("torch-whole-model", "0, relu, 2");

/// Words in the messages of cases that are refused, beside those that must be.
const REFUSED: [(&str, &[&str]); 23] = [
    ("keras-concatenate", &["Concatenate", "joins 2 branches"]),
    ("keras-conv2d", &["Conv2D", "convolution"]),
    ("keras-custom-activation", &["golden>wavy"]),
    ("keras-custom-layer", &["`twice`", "golden>Twice"]),
    ("keras-lambda", &["`double`", "Python code"]),
    ("keras-layernorm", &["LayerNormalization", "BatchNormalization"]),
    ("keras-quantized-int8", &["Dense", "float model"]),
    ("keras-savedmodel", &["SavedModel", "model.save"]),
    ("keras2-digits/saved_model", &["SavedModel", "model.save"]),
    ("keras-skip-add", &["`add`", "skip connection"]),
    ("keras-subclass", &["golden>Tiny", "Sequential"]),
    ("keras-two-inputs", &["2 inputs"]),
    ("keras-two-outputs", &["2 outputs"]),
    ("keras-weights-only", &["save_weights", "model.save"]),
    ("onnx-conv", &["(Conv)", "convolution"]),
    ("onnx-custom-domain", &["my.company.Gelu2"]),
    ("onnx-layernorm", &["`norm` (LayerNormalization)"]),
    ("onnx-quantized-dynamic", &["DynamicQuantizeLinear", "float model"]),
    ("onnx-skip", &["`skip` (Add)", "skip connection"]),
    ("onnx-two-outputs", &["2 outputs", "`y`", "`k`"]),
    ("tflite-float-skip", &["ADD", "skip connection"]),
    ("tflite-litert-static-wi4-ai8", &["int4"]),
    ("tflite-litert-static-wi4t-ai8", &["int4"]),
];

/// Dynamic range models: TensorFlow Lite rounds the activations of each of the three layers to 255
/// steps per row, here they stay float.
const DYNAMIC: [&str; 3] =
    ["tflite-dynamic-range", "tflite-litert-dynamic-int8", "tflite-litert-dynamic-wi4-afp32"];

fn given() -> PathBuf {
    root().join("../shared/golden-float/given")
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn floats(path: &Path) -> Vec<f32> {
    bytes(path).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Returns the outputs of the imported network, computed in f32 by the trainer's own forward pass.
fn outputs(path: &Path, options: &Options, inputs: &[f32]) -> Result<Vec<f32>, String> {
    let file = read(path, options).map_err(|error| error.to_string())?;
    let assembled = assemble(&file).map_err(|error| error.to_string())?;
    let network = &assembled.network;
    let width = network.inputs();
    let rows = inputs.len() / width;
    let mut tape = Tape::forward_only(network, rows);
    for (row, out) in inputs.chunks_exact(width).zip(tape.input_mut(rows).chunks_exact_mut(width)) {
        for (at, (x, y)) in row.iter().zip(out).enumerate() {
            *y = match &assembled.scaling {
                Some(scaling) => (x - scaling.offsets[at]) * scaling.factors[at],
                None => *x,
            };
        }
    }
    tape.forward(network, rows);
    let mut outputs = tape.outputs(rows).to_vec();
    for row in outputs.chunks_exact_mut(network.outputs()) {
        network.head().apply(row);
    }
    Ok(outputs)
}

/// Compares the integer outputs of a quantized model with those of TensorFlow Lite Micro.
fn check_integers(folder: &Path, case: &Value, file: &[u8]) -> Result<(), String> {
    let options = int8::Options { name: "golden".into(), kind: OutputMeaning::Guess };
    let imported = int8::import(file, &options).map_err(|error| error.to_string())?;
    let model = Model::parse(&imported.bytes).map_err(|error| error.to_string())?;
    let name = |key: &str| case[key].as_str().expect("the name of a file");
    let expected = case["tflite_micro_output"].as_str().unwrap_or_else(|| name("raw_output"));
    // uint8 at the ends has the same steps from 0 to 255.
    let signed = |name: &str| -> Vec<u8> {
        let flip = if name.ends_with(".u8") { 0x80 } else { 0 };
        bytes(&folder.join(name)).iter().map(|byte| byte ^ flip).collect()
    };
    let (inputs, expected) = (signed(name("raw_input")), signed(expected));
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("a valid model");
    let mut outputs = Vec::new();
    for input in inputs.chunks_exact(model.input_bytes()) {
        outputs.extend_from_slice(engine.run_bytes(input).expect("a whole row"));
    }
    match outputs == expected {
        true => Ok(()),
        false => panic!("{}: the bytes differ from TensorFlow Lite Micro's", folder.display()),
    }
}

/// Steps by which outputs of int16 models may differ from TensorFlow Lite Micro's, which rescales sums
/// of 64 bits by 16-bit multipliers in one rounding, not two: one step for each value of each layer.
/// Where a table is interpolated between points h = 256 steps of 1/4096 apart, tanh is off by h²/8 ·
/// 0.77 at most, 12 steps of its output of 1/32768; what follows adds few.
const INT16_STEPS: [(&str, i32); 2] = [("tflite-int16x8-digits", 2), ("tflite-int16x8-sine", 16)];

/// Compares the outputs of a model of 16-bit activations, in steps, with those of TensorFlow Lite
/// Micro; of one with floats at the ends, the classes.
fn check_int16(folder: &Path, case: &Value, file: &[u8], inputs: &[f32]) -> Result<(), String> {
    let options = int8::Options { name: "golden".into(), kind: OutputMeaning::Guess };
    let imported = int8::import(file, &options).map_err(|error| error.to_string())?;
    let model = Model::parse(&imported.bytes).map_err(|error| error.to_string())?;
    let words = |name: &str| -> Vec<i16> {
        bytes(&folder.join(name)).as_chunks().0.iter().map(|b| i16::from_le_bytes(*b)).collect()
    };
    let from = model.input().quantization;
    let rows: Vec<i16> = match case["raw_input"].as_str() {
        Some(name) => words(name),
        None => inputs.iter().map(|x| (x / from.scale).round() as i16).collect(),
    };
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("a valid model");
    let mut outputs = Vec::new();
    for row in rows.chunks_exact(model.input_len()) {
        let row: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        let output = engine.run_bytes(&row).expect("a whole row").as_chunks().0;
        outputs.extend(output.iter().map(|bytes| i16::from_le_bytes(*bytes)));
    }
    let name = case["tflite_micro_output"].as_str().expect("the name of a file");
    if name.ends_with(".f32") {
        let found: Vec<f32> = outputs.iter().map(|value| f32::from(*value)).collect();
        let width = model.output_len();
        let expected = classes(&floats(&folder.join(name)), width);
        return match classes(&found, width) == expected {
            true => Ok(()),
            false => Err("the classes differ".into()),
        };
    }
    let expected = words(name);
    let apart = |(a, b): (&i16, &i16)| (i32::from(*a) - i32::from(*b)).abs();
    let most = outputs.iter().zip(&expected).map(apart).max().expect("outputs");
    let off = outputs.iter().zip(&expected).filter(|(a, b)| a != b).count();
    println!("{}: {off} of {} differ, by at most {most}", folder.display(), expected.len());
    let allowed = INT16_STEPS.iter().find(|(case, _)| folder.ends_with(case)).expect("a bound").1;
    match outputs.len() == expected.len() && most <= allowed {
        true => Ok(()),
        false => Err(format!("{off} outputs differ, by at most {most}")),
    }
}

/// Compares the outputs of a quantized ONNX model, in steps, with those of ONNX Runtime, which rescales
/// each accumulator in float32 and rounds ties to even: a value may be one step off where a product lies
/// between two steps, which is rare. Where it rounds a product before the bias is added, a value of
/// each layer may be one step off, and those of the last layer a step more.
fn check_quantized(path: &Path, inputs: &[f32], expected: &[f32]) -> Result<(), String> {
    let is_rounded_twice =
        path.components().any(|c| c.as_os_str() == "onnx-quantized-qlinearmatmul");
    let (allowed, share) = if is_rounded_twice { (2, 1) } else { (1, 100) };
    let file = read(path, &Options::default()).map_err(|error| error.to_string())?;
    let chain = quantized(&file).map_err(|error| error.to_string())?;
    let outputs = chain.outputs;
    let options = int8::Options { name: "golden".into(), kind: OutputMeaning::Guess };
    let imported = int8::finish(chain, &options).map_err(|error| error.to_string())?;
    let model = Model::parse(&imported.bytes).map_err(|error| error.to_string())?;
    let to = match model.layers().last() {
        Some(Layer::Dense(dense)) => dense.output,
        other => panic!("a dense layer ends the model, not {other:?}"),
    };
    let from = model.input().quantization;
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("a valid model");
    let (mut most, mut off, mut count) = (0, 0, 0);
    for (row, expected) in
        inputs.chunks_exact(model.input_len()).zip(expected.chunks_exact(outputs))
    {
        let input = row.iter().map(|x| {
            let q = (x / from.scale).round_ties_even() + from.zero_point as f32;
            q.clamp(-128.0, 127.0) as i8 as u8
        });
        let input: Vec<u8> = input.collect();
        let found = engine.run_bytes(&input).expect("a whole row");
        for (q, y) in found.iter().zip(expected) {
            let steps = (y / to.scale).round() as i32 + to.zero_point;
            let apart = (i32::from(*q as i8) - steps).abs();
            most = most.max(apart);
            off += usize::from(apart > 0);
            count += 1;
        }
    }
    println!("{}: {off} of {count} outputs differ, by at most {most}", path.display());
    match most <= allowed && off * share <= count {
        true => Ok(()),
        false => Err(format!("{off} of {count} outputs differ, by at most {most}")),
    }
}

/// Returns the class of each row: the largest output.
fn classes(outputs: &[f32], width: usize) -> Vec<usize> {
    let largest = |row: &[f32]| (0..width).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
    outputs.chunks_exact(width).map(largest).collect()
}

#[test]
fn every_case_is_taken_as_its_framework_computes_it_or_refused_by_name() {
    let index = std::fs::read_dir(given()).expect("the golden set is in ../shared/golden-float");
    let mut names: Vec<String> =
        index.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let (mut failures, mut count) = (Vec::new(), 0);
    for name in names {
        let folder = given().join(&name);
        let Ok(text) = std::fs::read_to_string(folder.join("case.json")) else { continue };
        let case: Value = serde_json::from_str(&text).expect("JSON");
        for model in case["models"].as_array().expect("a list of files") {
            count += 1;
            let model = model.as_str().expect("a name");
            if let Err(problem) = check(&name, &folder, &case, model) {
                failures.push(format!("{name}/{model}: {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count >= 110, "{count} files");
}

fn check(name: &str, folder: &Path, case: &Value, model: &str) -> Result<(), String> {
    let path = match model.strip_prefix("shared/") {
        Some(rest) => given().join("../..").join(rest),
        None => folder.join(model),
    };
    let is_state_dict = model.ends_with(".pt") || model.ends_with(".safetensors");
    let layers = LAYERS.iter().chain([&WHOLE_MODEL]).find(|(case, _)| *case == name);
    let layers = layers.filter(|_| is_state_dict).map(|(_, layers)| layers.to_string());
    let words = REFUSED
        .iter()
        .find(|(case, _)| *case == name || *case == format!("{name}/{model}"))
        .map(|(_, words)| *words);
    let file = if path.is_file() { bytes(&path) } else { Vec::new() };
    let is_integer = recognize(&file) == Some(Kind::Tflite) && !is_float(&file);
    let inputs =
        case["input"].as_str().map(|input| floats(&folder.join(input))).unwrap_or_default();
    let graph = &case["graphs"][model];
    if words.is_none() && name.starts_with("onnx-quantized") && model != "float.onnx" {
        let output = graph["output"].as_str().expect("outputs");
        return check_quantized(&path, &inputs, &floats(&folder.join(output)));
    }
    if words.is_none() && name.starts_with("tflite-int16x8") {
        return check_int16(folder, case, &file, &inputs);
    }
    let found = match is_integer {
        true => check_integers(folder, case, &file).map(|()| Vec::new()),
        false => outputs(&path, &Options { layers }, &inputs),
    };
    match (words, found) {
        (Some(words), Err(message)) => match words.iter().find(|word| !message.contains(**word)) {
            Some(word) => Err(format!("`{word}` is not in: {message}")),
            None => Ok(()),
        },
        (Some(_), Ok(_)) => Err("it is taken".into()),
        (None, Err(message)) => Err(message),
        (None, Ok(_)) if is_integer => Ok(()),
        (None, Ok(found)) => {
            let output = case["graphs"][model]["output"].as_str().or(case["output"].as_str());
            let mut expected = floats(&folder.join(output.expect("outputs")));
            if name == "onnx-torch-logsoftmax" {
                expected.iter_mut().for_each(|logarithm| *logarithm = logarithm.exp());
            }
            let width = case["outputs"].as_u64().unwrap_or(1) as usize;
            let largest = expected.iter().fold(1.0_f32, |most, y| most.max(y.abs()));
            let tolerance = match DYNAMIC.contains(&name) {
                true => 3.0 / 127.0 * f64::from(largest),
                // A sum of 800 products in float32 is off by some 1e-6 of its largest part; the set's
                // own notes have tolerances for half precision.
                false => case["tolerance"].as_f64().unwrap_or(1e-5 * f64::from(largest)),
            };
            if found.len() != expected.len() {
                return Err(format!("{} outputs, not {}", found.len(), expected.len()));
            }
            let differences = found.iter().zip(&expected).map(|(a, b)| f64::from((a - b).abs()));
            let most = differences.fold(0.0, f64::max);
            if most > tolerance || most.is_nan() {
                return Err(format!("a difference of {most}, more than {tolerance}"));
            }
            if width > 1 && classes(&found, width) != classes(&expected, width) {
                return Err("the classes differ".into());
            }
            Ok(())
        }
    }
}

/// Files cut at any length and damaged ones are refused or taken, in bounded time, without a panic.
#[test]
fn damaged_files_never_panic() {
    let mut random = fastrand::Rng::with_seed(1);
    for (file, layers) in [
        ("keras-sine-tanh/model.keras", None),
        ("keras-sine-tanh/model.h5", None),
        ("keras2-digits/model.h5", None),
        ("onnx-act-gelu-erf/model.onnx", None),
        ("onnx-quantized-digits/qdq-per-channel.onnx", None),
        ("onnx-quantized-qlinearmatmul/qoperator.onnx", None),
        ("sklearn-wine-classifier/model-zipmap.onnx", None),
        ("torch-deep/state_dict.pt", Some("relu")),
        ("torch-deep/state_dict.safetensors", Some("relu")),
        ("tflite-float-layers/model.tflite", None),
    ] {
        let whole = bytes(&given().join(file));
        let options = Options { layers: layers.map(str::to_string) };
        let visit = |file: &[u8]| {
            if let Ok(network) = read_bytes(file, None, &options) {
                let _ = assemble(&network);
                let _ = quantized(&network);
            }
        };
        assert!(read_bytes(&whole, None, &options).is_ok(), "{file}");
        // All lengths of the beginning and of the end, some between.
        let some = (0..whole.len()).step_by(whole.len().div_ceil(200));
        for length in
            (0..whole.len().min(64)).chain(some).chain(whole.len().saturating_sub(64)..whole.len())
        {
            visit(&whole[..length]);
        }
        for _ in 0..400 {
            let mut damaged = whole.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..whole.len());
                damaged[at] = [random.u8(..), 0, 0xff, 0x80][random.usize(..4)];
            }
            visit(&damaged);
        }
    }
}

#[test]
fn pickles_and_unknown_files_are_refused_with_the_remedy() {
    let refused = |file: &[u8]| {
        read_bytes(file, None, &Options::default()).expect_err("it is no network").to_string()
    };
    let joblib = bytes(&given().join("sklearn-wine-classifier/model.joblib"));
    assert!(refused(&joblib).contains("skl2onnx"));
    assert!(refused(b"<html>404</html>").contains(".onnx"));
    assert!(refused(b"").contains(".keras"));
}
