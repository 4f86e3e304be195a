//! 16-bit activations: egg-crate, trained by the program, is as accurate as in float, and bit-exact
//! on every emulated core.

use host_trainer::device::command::Vector;
use host_trainer::pack::pack;
use model_format::{DataType, Model};
use thimble_tests::cores::EmulatedCore;
use thimble_tests::parity::{signed, unsigned};
use thimble_tests::trained::eggcrate_int16_run;
use thimble_tests::workspace::read;

/// Number of evaluated points of the plane.
const POINTS: usize = 500;

#[test]
fn the_egg_crate_is_within_five_percent_of_the_float_error() {
    let metrics = read(eggcrate_int16_run().join("metrics.json"));
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).expect("JSON");
    let error = |kind: &str| {
        let error = &metrics[kind]["validation"]["mean_squared_error"];
        error.as_f64().unwrap_or_else(|| panic!("no error of {kind} in {metrics:#}"))
    };
    let (float, int16) = (error("float"), error("int16"));
    assert!(int16 < 1.05 * float, "{int16} with 16 bits, {float} in float");
}

#[test]
fn every_core_gives_the_bytes_of_this_machine() {
    let file = read(eggcrate_int16_run().join("model.thimble"));
    let model = Model::parse(&file).expect("a model that was trained");
    assert_eq!(model.input().quantization.data_type, DataType::Int16);
    let mut rng = fastrand::Rng::with_seed(16);
    let rows: Vec<u8> = (0..POINTS * model.input_bytes()).map(|_| rng.u8(..)).collect();
    let mut scratch = vec![0; model.scratch_len()];
    let mut engine = thimble_nn::Engine::new(model.clone(), &mut scratch).expect("a valid model");
    let expected: Vec<u8> = rows
        .chunks_exact(model.input_bytes())
        .flat_map(|row| engine.run_bytes(row).expect("the right length").to_vec())
        .collect();
    for core in EmulatedCore::ALL {
        let packed = pack(&model, core.packed_for()).expect("it can be packed");
        let inputs = signed(&rows);
        let answers = core.run(&[
            Vector { model: &packed, inputs: &inputs },
            Vector { model: &file, inputs: &inputs },
        ]);
        for (answer, what) in answers.into_iter().zip(["packed for it", "as it was written"]) {
            let answer = unsigned(&answer.expect("the core refuses a valid model"));
            let differs = expected.iter().zip(&answer).position(|(a, b)| a != b);
            assert_eq!((differs, answer.len()), (None, expected.len()), "{}, {what}", core.name());
        }
    }
}
