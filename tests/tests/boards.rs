//! Every emulated board gives every byte that this machine gives: over its link, and in bulk.
//!
//! All 10,000 test images of MNIST on the Cortex-M4F are in `parity_mnist`.

use host_trainer::device::command::bulk;
use model_format::Model;
use tests::digits;
use tests::emulated::{
    LIMIT, default_model, firmware_for, on_every_board, serving_firmware, serving_on,
};
use tests::parity::{compare, engine_outputs};

/// Digits that a board answers over its UART.
const OVER_THE_LINK: usize = 100;
/// Digits that it answers by files.
const IN_BULK: usize = 1000;

#[test]
fn every_board_answers_digits_over_its_link() {
    let (model, digits) = (default_model(), digits::all());
    let parsed = Model::parse(&model).expect("a valid model");
    let layers = parsed.layers().len();
    // Spread over the set.
    let chosen: Vec<&[i8]> =
        digits.iter().step_by(digits.len() / OVER_THE_LINK).map(|d| &**d).collect();
    let expected = engine_outputs(&model, chosen.iter().copied());
    assert!(chosen.len() >= OVER_THE_LINK);
    on_every_board(|board| {
        let name = board.name;
        let mut emulator = serving_on(board, &serving_firmware(board, &model));
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
        let info = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((info.board.as_str(), info.checksum), (name, parsed.checksum()));
        let report = client.self_test().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.vectors > 0 && report.all_passed(), "{name}: {report:?}");
        for (number, (digit, expected)) in chosen.iter().zip(&expected).enumerate() {
            let output = client.infer(digit).unwrap_or_else(|error| panic!("{name}: {error}"));
            if let Err(difference) = compare(layers - 1, expected, &output) {
                panic!("{name} over its link, digit {number}, {difference}");
            }
        }
        let info = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(info.bad_frames, 0, "frames that {name} could not read");
    });
}

#[test]
fn every_board_answers_digits_in_bulk() {
    let (model, digits) = (default_model(), digits::all());
    let digits = &digits[..IN_BULK];
    let layers = Model::parse(&model).expect("a valid model").layers().len();
    let expected = engine_outputs(&model, digits.iter().map(Vec::as_slice));
    let inputs = digits.concat();
    on_every_board(|board| {
        let name = board.name;
        let outputs = bulk(board, &firmware_for(board, &model), &inputs, LIMIT)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let outputs = outputs.chunks_exact(expected[0].len());
        assert_eq!(outputs.len(), expected.len(), "answers of {name}");
        for (number, (expected, output)) in expected.iter().zip(outputs).enumerate() {
            if let Err(difference) = compare(layers - 1, expected, output) {
                panic!("{name} in bulk, digit {number}, {difference}");
            }
        }
    });
}
