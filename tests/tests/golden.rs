//! Bit-exactness with TensorFlow Lite Micro's interpreter: of the reference, and of import and
//! engine, on the host and on every emulated core, in every layout.
//!
//! `tests/golden/README.md` gives the sources of models, inputs and outputs.

use host_trainer::device::command::Vector;
use host_trainer::import::{Options, OutputMeaning, import};
use host_trainer::pack::{Core, pack};
use model_format::Model;
use thimble_nn::Answer;
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
