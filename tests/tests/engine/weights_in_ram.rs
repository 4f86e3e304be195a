//! A board that copies its model to RAM gives the same answers, and runs a larger model from flash.

use std::time::Duration;

use model_format::Model;
use model_format::build::ModelSpec;
use thimble_tests::digits;
use thimble_tests::emulated::{board, default_model, firmware_with_weights_in_ram, serving};
use thimble_tests::parity::engine_outputs;
use thimble_tests::variant::variant;

/// Time limit for a board to start.
const START: Duration = Duration::from_secs(30);

/// Another model of digits with this name.
fn named(name: &str) -> Vec<u8> {
    let mut spec = ModelSpec::from(&Model::parse(&variant(1)).expect("a valid model"));
    spec.name = name.into();
    spec.to_bytes().expect("a valid model")
}

#[test]
fn a_model_in_ram_is_the_same_and_a_larger_one_stays_in_flash() {
    let digits = digits::all();
    let mut emulator = serving(&firmware_with_weights_in_ram(board()));
    let mut client = emulator.connect().expect("a connection");
    let info = client.info().expect("information");
    assert!(info.in_ram, "the model that is built in");
    let outputs = engine_outputs(&default_model(), [digits[7].as_slice()]);
    assert_eq!(client.infer(&digits[7]).expect("an answer"), outputs[0]);
    assert_eq!(client.read_model().expect("its model"), default_model());

    // As large as the one that is built in, then larger.
    for (model, in_ram) in [(named("digit2"), true), (named("digits in flash"), false)] {
        assert_eq!(model.len() <= default_model().len(), in_ram);
        client.update(&model, |_| ()).expect("an update");
        client.restart(None).expect("a restart");
        let now = client.wait_for_start(START).expect("a start");
        assert_eq!((now.in_ram, now.model_bytes as usize), (in_ram, model.len()));
        assert_eq!(client.read_model().expect("its model"), model);
        let input = vec![3; now.input_bytes];
        let outputs = engine_outputs(&model, [input.as_slice()]);
        assert_eq!(client.infer(&input).expect("an answer"), outputs[0]);
        let report = client.self_test().expect("a report");
        assert!(report.all_passed(), "{report:?}");
    }
}
