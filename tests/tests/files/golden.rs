//! Bit-exactness with TensorFlow Lite Micro's interpreter: of the reference, and of import and
//! engine, on the host and on every emulated core, in every layout.
//!
//! `tests/golden/README.md` gives the sources of models, inputs and outputs.

use host_trainer::device::command::Vector;
use host_trainer::import::{Options, OutputMeaning, import};
use host_trainer::pack::{Core, pack};
use model_format::Model;
use thimble_nn::{Answer, Engine};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::cores::EmulatedCore;
use thimble_tests::golden::{Golden, all, folder};
use thimble_tests::parity::{compare, engine_outputs, signed};
use thimble_tests::tflite::Golden as OpSet;
use thimble_tests::workspace::{empty_dir, read};

#[test]
fn the_engine_gives_every_byte_of_tflm_in_every_layout() {
    for golden in all() {
        let imported = golden.import();
        let model = Model::parse(&imported).expect("what was imported is valid");
        let rows = signed(&golden.inputs);
        for core in Core::ALL {
            let packed = pack(&model, core).unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            let outputs = engine_outputs(&packed, rows.chunks_exact(model.input_len()));
            golden.check(&format!("engine, packed for {core}"), &packed, &outputs.concat());
        }
    }
}

/// ARG_MAX is left out: the class of the imported model is what it gives.
#[test]
fn the_class_is_that_of_arg_max() {
    let file = |name: &str| read(folder().join("arg-max").join(name));
    let options = Options { name: "arg-max".into(), kind: OutputMeaning::Guess };
    let imported = import(&file("model.tflite"), &options).expect("it is imported");
    assert!(imported.notes.iter().any(|note| note.contains("ARG_MAX")), "{:?}", imported.notes);
    let model = Model::parse(&imported.bytes).expect("what was imported is valid");
    let (inputs, classes) = (signed(&file("input.i8")), file("class.u8"));
    let outputs = engine_outputs(&imported.bytes, inputs.chunks_exact(model.input_len()));
    assert_eq!(outputs.len(), classes.len());
    for (output, class) in outputs.iter().zip(classes) {
        let bytes: Vec<u8> = output.iter().map(|value| *value as u8).collect();
        let found = Answer::new(&model, &bytes).class().expect("classes").index();
        assert_eq!(found, usize::from(class));
    }
}

/// LOG_SOFTMAX is taken as SOFTMAX: the largest output is the same.
#[test]
fn the_class_is_that_of_log_softmax() {
    let file = |name: &str| read(folder().join("log-softmax").join(name));
    let options = Options { name: "log-softmax".into(), kind: OutputMeaning::Guess };
    let imported = import(&file("model.tflite"), &options).expect("it is imported");
    assert!(imported.notes.iter().any(|note| note.contains("logarithms")), "{:?}", imported.notes);
    let model = Model::parse(&imported.bytes).expect("what was imported is valid");
    let (inputs, expected) = (signed(&file("input.i8")), signed(&file("output.i8")));
    let outputs = engine_outputs(&imported.bytes, inputs.chunks_exact(model.input_len()));
    let mut compared = 0;
    for (found, expected) in outputs.iter().zip(expected.chunks_exact(model.output_len())) {
        let largest = expected.iter().max().expect("outputs");
        let classes: Vec<usize> =
            (0..expected.len()).filter(|class| expected[*class] == *largest).collect();
        // Logarithms near 0 are rounded to the same step.
        let [class] = classes[..] else { continue };
        assert_eq!(found.iter().max(), found.get(class), "{found:?} {expected:?}");
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}

/// Shapes that are computed when the model runs change nothing.
#[test]
fn a_free_batch_gives_the_same_model() {
    let options = Options { name: "leading-dimension".into(), kind: OutputMeaning::Guess };
    let free = read(folder().join("free-batch/model.tflite"));
    let free = import(&free, &options).expect("it is imported").bytes;
    let golden = Golden::read("leading-dimension".into());
    let rows = signed(&golden.inputs);
    let outputs = engine_outputs(&free, rows.chunks_exact(6));
    golden.check("engine, free batch", &free, &outputs.concat());
}

/// A normalization in front is done on real values: nearer to the float network than where features
/// of different range are rounded to one scale first.
#[test]
fn a_normalization_in_front_is_taken_into_the_input_stage() {
    let file = |name: &str| read(folder().join("normalization").join(name));
    let floats = |name: &str| -> Vec<f32> {
        file(name).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let options = Options { name: "normalization".into(), kind: OutputMeaning::Guess };
    let imported = import(&file("model.tflite"), &options).expect("it is imported");
    for operator in ["SUB", "MUL"] {
        let is_named = |note: &String| note.contains(operator) && note.contains("--calibrate");
        assert!(imported.notes.iter().any(is_named), "{:?}", imported.notes);
    }
    let model = Model::parse(&imported.bytes).expect("what was imported is valid");
    let (inputs, exact) = (floats("input.f32"), floats("output.f32"));
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = Engine::new(model.clone(), &mut scratch).expect("a valid model");
    let mut found = Vec::new();
    for row in inputs.chunks_exact(6) {
        found.extend(engine.run_reals(row).expect("real numbers").reals());
    }
    let to = model.layers().last().expect("a layer").output();
    let tflm = signed(&file("output.i8"));
    let tflm: Vec<f32> = tflm.iter().map(|q| to.dequantize((*q).into())).collect();
    assert_eq!((found.len(), tflm.len()), (exact.len(), exact.len()));
    let error = |outputs: &[f32]| {
        let squares = outputs.iter().zip(&exact).map(|(y, exact)| f64::from(y - exact).powi(2));
        squares.sum::<f64>() / exact.len() as f64
    };
    let (ours, theirs) = (error(&found), error(&tflm));
    assert!(ours < theirs, "{ours} {theirs}");
}

/// Runs the models on a core, as they are and packed for it.
fn on(core: EmulatedCore) {
    let all = all();
    let (mut models, mut inputs) = (Vec::new(), Vec::new());
    for golden in &all {
        let imported = golden.import();
        let model = Model::parse(&imported).expect("what was imported is valid");
        models.push(pack(&model, core.packed_for()).expect("it can be packed"));
        models.push(imported);
        inputs.extend([signed(&golden.inputs), signed(&golden.inputs)]);
    }
    let records: Vec<Vector<'_>> =
        models.iter().zip(&inputs).map(|(model, inputs)| Vector { model, inputs }).collect();
    for (index, (answer, model)) in core.run(&records).iter().zip(&models).enumerate() {
        let golden = &all[index / 2];
        let answer = answer.as_ref().unwrap_or_else(|| panic!("{} is refused", golden.name));
        golden.check(core.name(), model, answer);
    }
}

#[test]
fn cortex_m0_gives_every_byte_of_tflm() {
    on(EmulatedCore::M0);
}

#[test]
fn cortex_m3_gives_every_byte_of_tflm() {
    on(EmulatedCore::M3);
}

#[test]
fn cortex_m4f_gives_every_byte_of_tflm() {
    on(EmulatedCore::M4F);
}

#[test]
fn cortex_m7_gives_every_byte_of_tflm() {
    on(EmulatedCore::M7);
}

#[test]
fn cortex_m33_gives_every_byte_of_tflm() {
    on(EmulatedCore::M33);
}

#[test]
fn cortex_m55_gives_every_byte_of_tflm() {
    on(EmulatedCore::M55);
}

#[test]
fn rv32imac_gives_every_byte_of_tflm() {
    on(EmulatedCore::Rv32);
}

/// The commands as a user types them.
#[test]
fn the_commands_give_every_byte_of_tflm() {
    let folder = empty_dir("golden_commands");
    let golden = Golden::read("mnist-32-relu-softmax-per-tensor".into());
    let path = |extension: &str| {
        let path = self::folder().join(format!("{}.{extension}", golden.name));
        path.display().to_string()
    };
    let run = |arguments: &[&str]| Finished::of(&mut host_trainer(&folder, arguments)).success();
    let said = run(&["import", &path("tflite"), "-o", "model.thimble"]).stdout;
    assert!(said.contains("784") && said.contains("10 classes"), "{said}");
    let inputs = path("input.i8");
    run(&["infer", "model.thimble", "--raw-i8", &inputs, "--output", "out.i8"]);
    assert!(read(folder.join("out.i8")) == golden.outputs, "the outputs differ");
    run(&["pack", "model.thimble", "--for", "cortex-m4", "-o", "m4.thimble"]);
    run(&["infer", "m4.thimble", "--raw-i8", &inputs, "--output", "m4.i8"]);
    assert!(read(folder.join("m4.i8")) == golden.outputs, "the outputs of the packed one differ");
    // The outputs of each layer are equal, too.
    let trace = |model: &str| run(&["trace", model, &inputs, "--row", "3"]).stdout;
    assert_eq!(trace("model.thimble"), trace("m4.thimble"));
    assert_eq!(trace("m4.thimble").lines().count(), 1 + 1 + 3, "name, input, layers");
}

/// The reference covers the operators of trained models: an engine that equals the reference is
/// exact for them.
#[test]
fn the_reference_gives_every_byte_of_tflm() {
    let trained = all().into_iter();
    let trained = trained.filter(|g| folder().join(format!("{}.json", g.name)).is_file());
    let mut count = 0;
    for golden in trained {
        let about = read(folder().join(format!("{}.json", golden.name)));
        let about: serde_json::Value = serde_json::from_slice(&about).expect("JSON");
        let (inputs, outputs) = (signed(&golden.inputs), signed(&golden.outputs));
        let len = |key: &str| about[key].as_u64().expect("a count") as usize;
        assert_eq!(inputs.len(), len("samples") * len("inputs"));
        assert_eq!(outputs.len(), len("samples") * len("outputs"));
        let reference = OpSet::read(&golden.tflite);
        let samples = inputs.chunks(len("inputs")).zip(outputs.chunks(len("outputs")));
        for (sample, (input, expected)) in samples.enumerate() {
            let actual = reference.run(input);
            if let Err(difference) = compare(reference.len() - 1, expected, &actual) {
                panic!("{}, sample {sample}, {difference}", golden.name);
            }
        }
        count += 1;
    }
    assert_eq!(count, 4);
}
