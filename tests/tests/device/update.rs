//! Updates of an emulated micro:bit, with its real flash controller and resets at any moment, and
//! of every emulated board with slots.
//!
//! `THIMBLE_UPDATE_RESETS=200` resets 200 updates in place of ten.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use firmware::link::{ModelRejected, RequestError};
use host_trainer::device::Error;
use host_trainer::device::board::Board;
use host_trainer::device::emulator::{Emulator, Options};
use model_format::build::{LayerSpec, ModelSpec};
use model_format::{Model, WeightLayout};
use thimble_tests::digits;
use thimble_tests::emulated::{default_model, on_every_board, own_model, serving_firmware};
use thimble_tests::parity::engine_outputs;
use thimble_tests::update::wide;
use thimble_tests::variant::variant;

/// Default number of resets.
const RESETS: usize = 10;
/// Environment variable for the number of resets.
const VARIABLE: &str = "THIMBLE_UPDATE_RESETS";
/// Time limit for a board to start.
const START: Duration = Duration::from_secs(30);

fn checksum(file: &[u8]) -> u32 {
    Model::parse(file).expect("a valid model").checksum()
}

fn microbit() -> &'static Board {
    Board::named("microbit").unwrap_or_else(|error| panic!("{error}"))
}

fn emulator(board: &'static Board) -> Emulator {
    let elf = serving_firmware(board, &own_model(board));
    Emulator::start(Options { resettable: true, ..Options::serve(board, &elf) })
        .unwrap_or_else(|error| panic!("{}: {error}", board.name))
}

#[test]
fn every_board_with_slots_takes_an_update_and_goes_back() {
    let (new, digits) = (variant(1), digits::all());
    let expected = engine_outputs(&new, [digits[7].as_slice()]).remove(0);
    on_every_board(|board| {
        let name = board.name;
        let mut emulator = emulator(board);
        let mut client = emulator.connect().unwrap_or_else(|error| panic!("{name}: {error}"));
        let before = client.info().unwrap_or_else(|error| panic!("{name}: {error}"));
        if before.slots.is_none() {
            let error = client.update(&new, |_| ()).expect_err("it has no slots");
            assert!(matches!(error, Error::Refused(RequestError::NoSlots)), "{name}: {error}");
            return;
        }
        let updated = client.update(&new, |_| ()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((updated.slot, updated.sequence), (0, 1), "{name}");
        assert!(updated.erased_blocks > 0, "{name}");
        assert_eq!(client.info().expect("information").checksum, before.checksum, "not yet");
        client.restart(None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = client.wait_for_start(START).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((now.checksum, now.model.as_str()), (checksum(&new), "digits 1"), "{name}");
        let slots = now.slots.expect("it had some");
        assert_eq!((slots.running, slots.updates), (Some(0), 1), "{name}");
        assert_eq!(client.infer(&digits[7]).expect("an answer"), expected, "{name}");
        assert_eq!(client.read_model().expect("its model"), new, "{name}");
        client.roll_back(None).unwrap_or_else(|error| panic!("{name}: {error}"));
        client.restart(None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let now = client.wait_for_start(START).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(now.checksum, before.checksum, "{name} goes back");
        assert_eq!(now.slots.expect("it had some").running, None, "{name}");
    });
}

#[test]
fn bad_updates_are_refused_and_the_model_goes_on() {
    let mut emulator = emulator(microbit());
    let mut client = emulator.connect().unwrap_or_else(|error| panic!("{error}"));
    let before = client.info().unwrap_or_else(|error| panic!("{error}")).checksum;
    let good = default_model();
    let capacity = client.info().expect("information").slots.expect("slots").capacity;
    let spec = |change: &dyn Fn(&mut ModelSpec)| {
        let mut spec = ModelSpec::from(&Model::parse(&good).expect("a valid model"));
        change(&mut spec);
        spec.to_bytes().expect("a valid model")
    };
    let for_another_core = spec(&|spec| {
        let LayerSpec::Dense(dense) = &mut spec.layers[0] else { panic!("a dense layer") };
        dense.layout = WeightLayout::Pairs4;
    });
    let failing = spec(&|spec| spec.self_tests[0].output[0] ^= 1);
    let wide = wide(4000);
    let cut_off = good[..good.len() - 5].to_vec();
    let mut damaged = good.clone();
    damaged[1000] ^= 1;
    for (what, file, expected) in [
        ("too large", vec![0; capacity as usize + 1], RequestError::TooLarge { capacity }),
        ("cut off", cut_off, RequestError::Rejected(ModelRejected::Unreadable)),
        ("bad CRC", damaged, RequestError::Rejected(ModelRejected::Unreadable)),
        (
            "another core's layout",
            for_another_core,
            RequestError::Rejected(ModelRejected::Layout {
                layer: 0,
                layout: WeightLayout::Pairs4 as u8,
            }),
        ),
        (
            "wrong answers",
            failing,
            RequestError::Rejected(ModelRejected::SelfTest { vectors: 4, passed: 3 }),
        ),
    ] {
        let error = client.update(&file, |_| ()).expect_err(what);
        assert!(matches!(error, Error::Refused(given) if given == expected), "{what}: {error}");
        assert_eq!(client.info().expect("information").checksum, before, "{what}");
        assert!(client.self_test().expect("a report").all_passed(), "{what}");
    }
    let error = client.update(&wide, |_| ()).expect_err("too wide for its memory");
    assert!(
        matches!(error, Error::Refused(RequestError::Rejected(ModelRejected::Frame { .. }))),
        "too wide: {error}"
    );
    client.restart(None).expect("it starts anew");
    assert_eq!(client.wait_for_start(START).expect("it answers").checksum, before);
}

#[test]
fn updates_that_are_reset_at_any_moment_leave_a_good_model() {
    let resets = std::env::var(VARIABLE).map_or(RESETS, |text| {
        text.parse().unwrap_or_else(|error| panic!("{VARIABLE} is a number: {error}"))
    });
    let mut emulator = emulator(microbit());
    let mut client = emulator.connect().unwrap_or_else(|error| panic!("{error}"));
    let mut rng = fastrand::Rng::with_seed(51);
    let mut running = client.info().expect("information").checksum;
    let (mut old, mut new) = (0, 0);
    for number in 1..=resets {
        let file = variant(number);
        // The time of the reset: during the transfer, or in the milliseconds of the switch.
        let stop_at = rng.usize(..=file.len());
        let pause = Duration::from_micros(rng.u64(..3000));
        let finished = thread::scope(|scope| {
            let (send, sent) = mpsc::channel();
            let (client, file) = (&mut client, &file);
            client.set_timeout(Duration::from_millis(400));
            let update = scope.spawn(move || {
                client.update(file, |bytes| {
                    if bytes >= stop_at {
                        // The receiver may be gone.
                        let _ = send.send(());
                    }
                })
            });
            let Ok(()) = sent.recv() else { panic!("{number}: {:?}", update.join()) };
            drop(sent);
            thread::sleep(pause);
            emulator.reset().unwrap_or_else(|error| panic!("{error}"));
            update.join().expect("no panic")
        });
        client.set_timeout(Duration::from_secs(10));
        let now = client
            .wait_for_start(START)
            .unwrap_or_else(|error| panic!("after reset {number}: {error}"));
        let expected = checksum(&file);
        match (&finished, now.checksum) {
            (_, now) if now == expected => new += 1,
            (Err(_), now) if now == running => old += 1,
            (finished, now) => panic!("reset {number}: {finished:?}, and {now:08x} runs"),
        }
        running = now.checksum;
        let report = client.self_test().unwrap_or_else(|error| panic!("{number}: {error}"));
        assert!(report.all_passed(), "after reset {number}: {report:?}");
    }
    let slots = client.info().expect("information").slots.expect("slots");
    println!("{resets} resets: {old} times the old model, {new} times the new; {slots:?}");
    assert_eq!(old + new, resets);
}
