//! Bit-exactness of a trained MNIST network, for every test image: the emulated board, the host's
//! engine, and the reference.

use std::sync::OnceLock;
use std::thread;

use host_trainer::device::command::bulk;
use model_format::Model;
use thimble_tests::emulated::{LIMIT, board, firmware, serving};
use thimble_tests::mnist;
use thimble_tests::parity::{compare, engine_outputs};
use thimble_tests::reference::Network;
use thimble_tests::trained::{mnist_model, mnist_run};
use thimble_tests::workspace::read;

struct Setting {
    model: Vec<u8>,
    images: Vec<Vec<i8>>,
    labels: Vec<u8>,
    /// Outputs of the host's engine.
    host: Vec<Vec<i8>>,
}

fn setting() -> &'static Setting {
    static SETTING: OnceLock<Setting> = OnceLock::new();
    SETTING.get_or_init(|| {
        let model = mnist_model();
        let (images, labels) = mnist::test_set();
        let host = engine_outputs(&model, images.iter().map(Vec::as_slice));
        Setting { model, images, labels, host }
    })
}

/// Panics at the first image whose outputs differ.
#[track_caller]
fn assert_same<'a>(
    what: &str,
    expected: &[Vec<i8>],
    actual: impl ExactSizeIterator<Item = &'a [i8]>,
) {
    assert_eq!(expected.len(), actual.len(), "answers of {what}");
    for (image, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        if let Err(difference) = compare(1, expected, actual) {
            panic!("{what}, test image {image}, {difference}");
        }
    }
}

#[test]
fn the_network_is_the_one_of_the_headline() {
    let model = Model::parse(&setting().model).expect("what training wrote");
    let shapes: Vec<_> = model.layers().map(|layer| (layer.inputs(), layer.outputs())).collect();
    assert_eq!(shapes, [(784, 128), (128, 10)]);
    assert_eq!(model.input().quantization.scale, 1.0 / 255.0, "exact for pixels");
    assert_eq!(model.input().quantization.zero_point, -128);
}

#[test]
fn the_engine_on_this_machine_equals_the_reference() {
    let Setting { model, images, host, .. } = setting();
    let network = Network::new(&Model::parse(model).expect("what training wrote"));
    let half = images.len() / 2;
    thread::scope(|scope| {
        for (images, host) in [(&images[..half], &host[..half]), (&images[half..], &host[half..])] {
            let network = &network;
            scope.spawn(move || {
                let expected: Vec<_> = images.iter().map(|image| network.run(image)).collect();
                assert_same("the engine here", &expected, host.iter().map(Vec::as_slice));
            });
        }
    });
}

#[test]
fn all_test_images_in_bulk_give_the_same_bytes_on_the_board() {
    let Setting { model, images, labels, host } = setting();
    let outputs = bulk(board(), &firmware(model), &images.concat(), LIMIT)
        .unwrap_or_else(|error| panic!("{error}"));
    let outputs = outputs.chunks_exact(10);
    assert_same("the board", host, outputs.clone());

    let on_board = mnist::correct(outputs, labels);
    let here = mnist::correct(host.iter().map(Vec::as_slice), labels);
    assert_eq!(on_board, here, "test images that are classified correctly");
    let metrics: serde_json::Value =
        serde_json::from_slice(&read(mnist_run().join("metrics.json"))).expect("JSON");
    let reported = metrics["int8"]["test"]["accuracy"].as_f64().expect("a number");
    assert!((reported * 10_000.0 - on_board as f64).abs() < 1e-3, "{reported}, not {on_board}");
}

#[test]
fn two_hundred_test_images_over_the_uart_give_the_same_bytes() {
    let Setting { model, images, host, .. } = setting();
    let parsed = Model::parse(model).expect("what training wrote");
    let mut emulator = serving(&firmware(model));
    let mut client = emulator.connect().unwrap_or_else(|error| panic!("{error}"));

    let info = client.info().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(info.board, "qemu-mps2-an386");
    assert_eq!(info.model, parsed.name());
    assert_eq!(info.checksum, parsed.checksum());
    assert_eq!((info.input_bytes, info.output_bytes, info.layers), (784, 10, 2));
    assert_eq!(info.model_bytes as usize, model.len());
    assert_eq!(info.scratch_bytes as usize, 4 * parsed.scratch_len());

    let report = client.self_test().unwrap_or_else(|error| panic!("{error}"));
    assert!(report.vectors > 0 && report.all_passed(), "{report:?}");

    // Spread over the set, so that every class is among them.
    let chosen = (0..images.len()).step_by(images.len() / 200);
    assert_eq!(chosen.len(), 200);
    for image in chosen {
        let output = client.infer(&images[image]).unwrap_or_else(|error| panic!("{error}"));
        if let Err(difference) = compare(1, &host[image], &output) {
            panic!("the board by its UART, test image {image}, {difference}");
        }
    }
    let info = client.info().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(info.bad_frames, 0, "frames that the board could not read");
}
