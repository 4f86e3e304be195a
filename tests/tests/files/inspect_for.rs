//! `inspect --for CHIP`: predictions of memory are within 5 % of built images, those of cycles within
//! 3 % of emulated ones, 8 % with int2 and ternary weights, 10 % where all layers are narrow.

use host_trainer::chips::{CHIPS as ALL_CHIPS, Chip};
use host_trainer::pack::{Core, pack};
use model_format::build::{LayerSpec, ModelSpec, SoftmaxSpec};
use model_format::{Model, WeightType};
use serde_json::Value;
use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::counts::{CORES, Network};
use thimble_tests::cycles::{AD01, TINY};
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

const fn with(weight_type: WeightType, widths: &'static [usize]) -> Network {
    Network { weight_type, ..Network::of(widths) }
}

/// Networks that no constant was fitted to, and the permille by which a prediction may differ: the
/// promise of the documentation.
const TIMED: [(Network, u64); 17] = [
    (Network::NARROW[0], 30),
    (Network::NARROW[1], 30),
    (Network::NARROW[2], 30),
    (with(WeightType::Int4, &[64, 64, 10]), 30),
    (with(WeightType::Int2, &[64, 64, 10]), 80),
    (with(WeightType::Ternary, &[64, 64, 10]), 80),
    (with(WeightType::Int4, &[12, 16, 16, 5]), 100),
    (with(WeightType::Int2, &[12, 16, 16, 5]), 100),
    (with(WeightType::Ternary, &[12, 16, 16, 5]), 100),
    (Network::MLP, 30),
    (AD01, 30),
    (Network::of(&[700, 500]), 30),
    (Network::of(&[64, 64, 10]), 30),
    (Network::of(&[64, 32, 10]), 100),
    (Network::of(&[12, 16, 16, 5]), 100),
    (Network::of(&[32, 16, 4]), 100),
    (TINY, 100),
];

#[test]
fn cycles_are_those_of_the_emulated_core() {
    let networks = TIMED.map(|(network, _)| network);
    for core in CORES.iter().filter(|core| !core.core.timings().is_empty()) {
        let counts = core.cycles_without_zeros(&networks);
        for (index, timing) in core.core.timings().iter().enumerate() {
            // Hazard3 is a core of the RP2350, whose firmware here is the other core's.
            let Some(chip) = ALL_CHIPS.iter().find(|chip| chip.timing == Some(timing.name()))
            else {
                continue;
            };
            for ((network, permille), counts) in TIMED.iter().zip(&counts) {
                let model = pack(&Model::parse(&network.model()).expect("a model"), chip.core);
                let model = model.expect("it can be packed");
                let said = predict("cycles", &model, chip.name);
                let predicted =
                    said["predicted"]["time"]["min_cycles"].as_u64().expect("a number of cycles");
                let counted = counts[index].cycles;
                let weights = network.weight_type.name();
                println!(
                    "{}, {:?} {weights}: {predicted}, counted {counted}",
                    chip.name, network.widths
                );
                assert!(
                    predicted.abs_diff(counted) * 1000 <= permille * counted,
                    "{}, {:?} {weights}: predicted {predicted}, counted {counted}: `cargo run -p thimble-tests \
                     --bin sizes cycles` fits anew",
                    chip.name,
                    network.widths,
                );
            }
        }
    }
}
