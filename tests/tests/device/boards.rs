//! Bit-exactness on every emulated board, over its link and in bulk, with the board's default
//! model.
//!
//! All 10,000 test images of MNIST on the Cortex-M4F are in `parity_mnist`.

use host_trainer::device::board::Board;
use host_trainer::device::command::bulk;
use model_format::Model;
use thimble_tests::emulated::{
    LIMIT, firmware_for, on_every_board, own_model, serving_firmware, serving_on,
};
use thimble_tests::parity::{compare, engine_outputs};
use thimble_tests::{digits, mnist};

/// Number of images over the UART.
const OVER_THE_LINK: usize = 100;
/// Number of images through files.
const IN_BULK: usize = 1000;

/// Returns the model of a board, and `count` images of its dataset, evenly spread.
fn model_and_images(board: &Board, count: usize) -> (Vec<u8>, Vec<Vec<i8>>) {
    let model = own_model(board);
    let images = match Model::parse(&model).expect("a valid model").input_len() {
        digits::PIXELS => digits::all(),
        mnist::PIXELS => mnist::test_set().0,
        other => panic!("no images of {other} pixels"),
    };
    let step = images.len() / count;
    (model, images.into_iter().step_by(step).take(count).collect())
}

#[test]
fn every_board_answers_images_over_its_link() {
    on_every_board(|board| {
        let name = board.name;
        let (model, images) = model_and_images(board, OVER_THE_LINK);
        let parsed = Model::parse(&model).expect("a valid model");
        let layers = parsed.layers().len();
        let expected = engine_outputs(&model, images.iter().map(Vec::as_slice));
        let mut emulator = serving_on(board, &serving_firmware(board, &model));
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
        let info = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((info.board.as_str(), info.checksum), (name, parsed.checksum()));
        let report = client.self_test().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.vectors > 0 && report.all_passed(), "{name}: {report:?}");
        assert_eq!(images.len(), OVER_THE_LINK);
        for (number, (image, expected)) in images.iter().zip(&expected).enumerate() {
            let output = client.infer(image).unwrap_or_else(|error| panic!("{name}: {error}"));
            if let Err(difference) = compare(layers - 1, expected, &output) {
                panic!("{name} over its link, image {number}, {difference}");
            }
        }
        let info = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(info.bad_frames, 0, "frames that {name} could not read");
    });
}

#[test]
fn every_board_answers_images_in_bulk() {
    on_every_board(|board| {
        let name = board.name;
        let (model, images) = model_and_images(board, IN_BULK);
        let layers = Model::parse(&model).expect("a valid model").layers().len();
        let expected = engine_outputs(&model, images.iter().map(Vec::as_slice));
        let outputs = bulk(board, &firmware_for(board, &model), &images.concat(), LIMIT)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let outputs = outputs.chunks_exact(expected[0].len());
        assert_eq!((images.len(), outputs.len()), (IN_BULK, IN_BULK), "answers of {name}");
        for (number, (expected, output)) in expected.iter().zip(outputs).enumerate() {
            if let Err(difference) = compare(layers - 1, expected, output) {
                panic!("{name} in bulk, image {number}, {difference}");
            }
        }
    });
}
