//! Raw sensor counts, from a file and over the link: the encoded values and saturation counts of
//! the reference, on the host and on a board.

use std::path::{Path, PathBuf};

use model_format::{Encoding, Model};
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::{board, firmware, serving_on};
use thimble_tests::reference::{Network, raw};
use thimble_tests::values::bytes;
use thimble_tests::workspace::{empty_dir, read, root, write};

fn run(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, arguments))
}

fn committed(name: &str) -> String {
    root().join("firmware/models").join(name).display().to_string()
}

/// Rows of two counts of a 12-bit converter, two of which are out of its range; also as bytes.
fn rows() -> (Vec<[i16; 2]>, Vec<u8>) {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut rows: Vec<[i16; 2]> = (0..60).map(|_| [rng.i16(0..4096), rng.i16(0..4096)]).collect();
    rows.extend([[0, 4095], [i16::MIN, 7], [9, i16::MAX]]);
    let bytes = rows.iter().flatten().flat_map(|count| count.to_le_bytes()).collect();
    (rows, bytes)
}

/// Returns the reference's outputs for these rows, and the number of saturated readings.
fn expected(file: &[u8], rows: &[[i16; 2]]) -> (Vec<Vec<u8>>, u32) {
    let model = Model::parse(file).expect("a model that is committed");
    let (channels, network) = (model.channels().expect("counts"), Network::new(&model));
    let mut beyond = 0;
    let outputs = rows.iter().map(|row| {
        let (values, more) = raw::encode(row, channels, model.input_quantization());
        beyond += more;
        let output = network.run_layers_wide(&values).pop().expect("a layer");
        bytes(&output, model.output_data_type())
    });
    (outputs.collect(), beyond)
}

#[test]
fn a_file_of_counts_is_inferred_and_traced() {
    let folder = empty_dir("sensor_counts");
    let path = committed("eggcrate-adc.thimble");
    let (rows, bytes) = rows();
    let (outputs, beyond) = expected(&read(&path), &rows);
    assert!(beyond >= 2, "{beyond}");
    write(folder.join("counts.i16"), &bytes);
    let said = run(&folder, &["infer", &path, "--counts", "counts.i16", "-o", "out.i16"]).success();
    let words = format!("{beyond} readings saturated");
    assert!(said.stdout.contains(&words), "{}", said.stdout);
    assert_eq!(read(folder.join("out.i16")), outputs.concat());
    let row = 60;
    let value = i16::from_le_bytes([outputs[row][0], outputs[row][1]]);
    let said =
        run(&folder, &["trace", &path, "counts.i16", "--counts", "--row", "60"]).success().stdout;
    assert!(said.trim_end().ends_with(&format!("[{value}]")), "{value}: {said}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = empty_dir("sensor_counts_bad");
    write(folder.join("counts.i16"), [0; 6]);
    let infer = |model: &str| {
        run(&folder, &["infer", &committed(model), "--counts", "counts.i16", "-o", "out"])
    };
    infer("digits.thimble").refused(1, &["digits", "data.raw"]);
    infer("eggcrate-adc.thimble")
        .refused(1, &["counts.i16", "6 bytes", "2 counts per row, 4 bytes"]);
    let raw = |preset: &str, raw: &str| {
        run(&folder, &["train", preset, "--set", &format!("data.raw={raw}")])
    };
    let line = "{counts=[0,9],range=[0.0,1.0]}";
    raw("digits", &format!("[{line}]")).refused(1, &["digits", "data.raw"]);
    raw("u-eggcrate", &format!("[{line},{line},{line}]")).refused(1, &["3 entries", "2 features"]);
    raw("u-eggcrate", "[{counts=[9,0],range=[0.0,1.0]}]").refused(1, &["data.raw[0]", "9 and 0"]);
    run(&folder, &["evaluate", &committed("eggcrate-adc.thimble"), "u-eggcrate"])
        .refused(1, &["eggcrate-adc", "data.raw"]);
}

#[test]
fn a_board_makes_its_input_of_counts_and_tells_how_many_lay_beyond() {
    let file = read(committed("eggcrate-adc.thimble"));
    let (rows, _) = rows();
    let (outputs, beyond) = expected(&file, &rows);
    let mut emulator = serving_on(board(), &firmware(&file));
    let mut client = emulator.connect().expect("it answers");
    for (row, expected) in rows.iter().zip(&outputs) {
        assert_eq!(client.infer_counts(*row).expect("two counts"), *expected, "{row:?}");
    }
    assert_eq!(client.info().expect("it answers").saturated_inputs, beyond);
    let refused = client.infer_counts([1, 2, 3]).expect_err("one count too many").to_string();
    assert!(refused.contains('6') && refused.contains('4'), "{refused}");
    assert_eq!(client.info().expect("it goes on").saturated_inputs, beyond);
}

/// The committed models of the sensor applications match their presets: on the held-out rows they
/// have the documented accuracy.
#[test]
fn the_committed_models_are_sound() {
    let folder: PathBuf = empty_dir("committed_sensor_models");
    for name in ["motion", "eggcrate-adc"] {
        let path = committed(&format!("{name}.thimble"));
        let file = read(&path);
        let model = Model::parse(&file).expect("a model");
        assert!(matches!(model.input().encoding, Encoding::Counts(_)), "{name}");
        assert!(model.self_tests().len() > 0, "{name}");
        run(&folder, &["evaluate", &path, name]).success();
    }
    let motion = committed("motion.thimble");
    let said = run(&folder, &["evaluate", &motion, "motion", "--seed", "7"]).success().stdout;
    let accuracy = said.split("test accuracy").nth(1).and_then(|rest| {
        rest.split_whitespace().next().and_then(|percent| percent.parse::<f64>().ok())
    });
    assert!(accuracy.is_some_and(|percent| percent > 97.0), "on windows it has not seen: {said}");
}
