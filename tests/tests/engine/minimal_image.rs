//! The minimal image: size, absence of panics, and correct outputs.

use host_trainer::pack::{Core, pack};
use model_format::Model;
use thimble_tests::emulated::default_model;
use thimble_tests::minimal::{MACHINES, Machine, Sizes, image, run, stack_and_statics, symbols};
use thimble_tests::sizes::notebook_model;

/// Upper bound of flash without the model in bytes: 7 KiB on the M0 and the M4, 8.5 KiB on
/// RV32.
const MOST_CODE: [u64; 3] = [7_168, 7_168, 8_704];
/// Upper bound of static RAM without the scratch memory, in bytes.
const MOST_STATIC: u64 = 256;
/// Upper bound of scratch memory for 784-128-10, in bytes.
const MOST_SCRATCH: usize = 2_600;
/// Upper bound of the stack for checking the model and running its self-tests, in bytes.
const MOST_STACK: usize = 1_024;

fn check(machine: &Machine, core: Core, max_code: u64) {
    let default = default_model();
    let digits = pack(&Model::parse(&default).expect("the model of all boards"), core);
    for model in [digits.expect("it can be packed"), notebook_model(core)] {
        let parsed = Model::parse(&model).expect("what was packed");
        let elf = image(machine.target, &model);
        let (name, Sizes { flash, ram }) = (parsed.name(), Sizes::of(&elf));
        let code = flash - model.len() as u64;
        let static_ram = ram - 4 * parsed.scratch_len() as u64;
        let ran = run(machine, &elf);
        let stack = ran.stack;
        println!("{core}, {name}: {code} bytes of code, {static_ram} static, {stack} of stack");
        assert_eq!(ran.status, 1, "{core}, {name}");
        assert!(code <= max_code, "{core}, {name}: {code} bytes of code, at most {max_code}");
        assert!(static_ram <= MOST_STATIC, "{core}, {name}: {static_ram} bytes beside the scratch");
        assert!(stack <= MOST_STACK, "{core}, {name}: {stack} bytes of stack");
        let (stack, statics) = stack_and_statics(&elf);
        assert!(stack <= statics, "{core}, {name}: the stack from {stack:#x} overwrites statics");
        // The linker refuses a panic; this checks that the refusal was active.
        let panics: Vec<String> = symbols(&elf)
            .into_iter()
            .filter(|name| name.contains("panic") || name.contains("rust_begin_unwind"))
            .collect();
        assert!(panics.is_empty(), "{core}, {name}: {panics:?}");
    }
}

#[test]
fn cortex_m0() {
    check(&MACHINES[0], Core::CortexM0, MOST_CODE[0]);
}

#[test]
fn cortex_m4() {
    check(&MACHINES[1], Core::CortexM4, MOST_CODE[1]);
}

#[test]
fn rv32() {
    check(&MACHINES[2], Core::Rv32, MOST_CODE[2]);
}

#[test]
fn the_notebook_network_needs_little_scratch_memory() {
    let model = notebook_model(Core::CortexM4);
    let scratch = Model::parse(&model).expect("what was packed").scratch_len() * 4;
    assert!(scratch <= MOST_SCRATCH, "{scratch} bytes");
}

#[test]
fn a_model_that_needs_what_was_left_out_is_refused_by_name() {
    struct Int8Pairs;
    impl model_format::Capabilities for Int8Pairs {
        const OPS: model_format::OpSet = model_format::OpSet {
            layouts: 1 << model_format::WeightLayout::Pairs4 as u8,
            compact: false,
            small: false,
            int16: false,
            table: false,
            softmax: false,
            counts: false,
            reals: false,
            details: false,
        };
    }
    let refused = |model: &[u8]| match Model::<Int8Pairs>::parse_with_ops(model) {
        Ok(_) => "accepted".to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(refused(&notebook_model(Core::CortexM4)), "accepted");
    assert_eq!(
        refused(&notebook_model(Core::CortexM0)),
        "layer 0, weight layout: code 4 was left out of this build"
    );
    for (model, error) in [
        (thimble_tests::sizes::Part::Table, "layer 1, operator: code 1 was left out of this build"),
        (
            thimble_tests::sizes::Part::Softmax,
            "layer 1, operator: code 2 was left out of this build",
        ),
        (thimble_tests::sizes::Part::Int16, "input, data type: code 1 was left out of this build"),
    ] {
        assert_eq!(refused(&model.model(Core::CortexM4)), error);
    }
}
