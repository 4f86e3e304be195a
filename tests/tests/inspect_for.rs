//! `inspect --for CHIP`: predictions are within 5 % of built images.

use host_trainer::chips::Chip;
use host_trainer::pack::{Core, pack};
use model_format::Model;
use model_format::build::{LayerSpec, ModelSpec, SoftmaxSpec};
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::default_model;
use thimble_tests::minimal::{Sizes, image};
use thimble_tests::sizes::notebook_model;
use thimble_tests::workspace::{empty_dir, read, root, write};

/// Chips that are emulated, or whose core is.
const CHIPS: [&str; 3] = ["nRF51822", "nRF52840", "FE310"];

fn chip(name: &str) -> &'static Chip {
    Chip::named(name).unwrap_or_else(|error| panic!("{error}"))
}

fn predict(test: &str, model: &[u8], chip: &str) -> Value {
    let folder = empty_dir(&format!("inspect-for-{test}-{chip}"));
    write(folder.join("model.thimble"), model);
    let arguments = ["inspect", "model.thimble", "--for", chip, "--json"];
    let said = Finished::of(&mut host_trainer(&folder, arguments)).success().stdout;
    serde_json::from_str(&said).expect("JSON")
}

fn check(test: &str, name: &str, model: &[u8]) {
    let said = predict(test, model, name);
    let predicted = |what: &str| said["predicted"][what].as_u64().expect("a number of bytes");
    let built = Sizes::of(&image(chip(name).target, model));
    for (what, predicted, built) in [
        ("flash", predicted("flash_bytes"), built.flash),
        // The code alone, so that a large model does not hide an error.
        ("code", predicted("code_bytes"), built.flash - model.len() as u64),
        ("static RAM", predicted("scratch_bytes") + predicted("static_bytes"), built.ram),
    ] {
        println!("{test}, {name}: {what} {predicted}, built {built}");
        assert!(
            predicted.abs_diff(built) * 20 <= built,
            "{test}, {name}: {what} is predicted as {predicted} bytes and built as {built}: \
             `cargo run -p thimble-tests --bin sizes` measures anew",
        );
    }
}

#[test]
fn the_digits_and_the_notebook_network() {
    let default = default_model();
    for name in CHIPS {
        let core = chip(name).core;
        let digits = pack(&Model::parse(&default).expect("the model of all boards"), core);
        check("digits", name, &digits.expect("it can be packed"));
        check("784-128-10", name, &notebook_model(core));
    }
}

#[test]
fn a_network_with_a_softmax_that_is_not_packed() {
    let default = default_model();
    let mut spec = ModelSpec::from(&Model::parse(&default).expect("the model of all boards"));
    spec.layers.push(LayerSpec::Softmax(SoftmaxSpec { exponentials: vec![i32::MAX, 1] }));
    spec.self_tests.clear();
    let model = spec.to_bytes().expect("a model with a softmax");
    for name in CHIPS {
        check("softmax", name, &model);
    }
}

#[test]
fn a_network_of_what_sensors_count() {
    let motion = read(root().join("firmware/models/motion.thimble"));
    for name in CHIPS {
        let packed = pack(&Model::parse(&motion).expect("it is committed"), chip(name).core);
        check("motion", name, &packed.expect("it can be packed"));
    }
}

#[test]
fn what_cannot_be_predicted_is_named() {
    let folder = empty_dir("inspect-for-names");
    write(folder.join("m4.thimble"), notebook_model(Core::CortexM4));
    let inspect = |chip: &str| {
        Finished::of(&mut host_trainer(&folder, ["inspect", "m4.thimble", "--for", chip]))
    };
    inspect("Z80").refused(1, &["Z80", "nRF51822", "ESP32-C3"]);
    inspect("FE310").refused(1, &["m4.thimble", "layer 0", "FE310", "pack", "--for rv32"]);
    let fits = inspect("nrf52840").success().stdout;
    assert!(fits.contains("nRF52840") && fits.contains("fits"), "{fits}");
    // Signatures take more stack than the micro:bit's chip has left beside a model of 2,900 inputs.
    write(folder.join("wide.thimble"), thimble_tests::update::wide(2900));
    let inspect_wide = ["inspect", "wide.thimble", "--for", "nRF51822"];
    let wide = Finished::of(&mut host_trainer(&folder, inspect_wide)).success().stdout;
    let verdict = |line: &str| {
        let line = wide.lines().find(|l| l.contains(line)).unwrap_or_else(|| panic!("{wide}"));
        line.rsplit(": ").next().expect("a verdict").to_string()
    };
    assert_eq!(verdict("accepts any model"), "fits");
    assert_eq!(verdict("accepts signed models only"), "does not fit");
    let list = inspect("list").success().stdout;
    assert!(list.contains("packed for another core") && list.contains("STM32H743"), "{list}");
}
