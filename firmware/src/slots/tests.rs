//! Updates that succeed, that are refused, and that power cuts end at every operation.

use model_format::build::*;
use model_format::{Clamp, Encoding, Multiplier, Quantization, WeightLayout};
use thimble_nn::{Engine, Model};

use super::simulated::{BLOCK, Failure, Flash};
use super::*;

/// A model that can be told from the others by its bias, and whose self-test may be wrong.
fn model(bias: i8, self_test_passes: bool) -> Vec<u8> {
    let one = Quantization::int8(1.0, 0);
    ModelSpec {
        name: format!("model {bias}"),
        input: InputSpec { shape: vec![5], quantization: one, encoding: Encoding::Quantized },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs: 5,
            outputs: 1,
            weights: vec![1; 5],
            biases: vec![bias.into()],
            multipliers: vec![Multiplier::from_real(1.0).unwrap()],
            output: one,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        })],
        self_tests: vec![SelfTestSpec {
            input: vec![0; 5],
            output: vec![if self_test_passes { bias } else { bias + 1 } as u8],
        }],
        details: Default::default(),
    }
    .to_bytes()
    .unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Untrusted,
    Unreadable,
    SelfTest,
}

/// The model file in what an update has brought, if its signature is good.
type Verify = fn(&[u8]) -> Option<&[u8]>;

/// Takes any model.
fn anybody(bytes: &[u8]) -> Option<&[u8]> {
    Some(bytes)
}

/// Returns whether a model parses and passes its self-tests.
fn accept(bytes: &[u8]) -> Result<Accepted, Reason> {
    accept_from(bytes, anybody)
}

fn accept_from(bytes: &[u8], verify: Verify) -> Result<Accepted, Reason> {
    let file = verify(bytes).ok_or(Reason::Untrusted)?;
    let model = Model::parse(file).map_err(|_| Reason::Unreadable)?;
    let checksum = model.checksum();
    let mut scratch = [0; 64];
    let mut engine = Engine::new(model.clone(), &mut scratch).unwrap();
    let passed = model.self_tests().all(|test| engine.run_bytes(test.input) == Ok(test.output));
    passed.then_some(Accepted { checksum, version: 0 }).ok_or(Reason::SelfTest)
}

/// Starts a device: the name of the model that it runs.
fn start(flash: &mut Flash) -> Option<String> {
    start_with(flash, anybody)
}

fn start_with(flash: &mut Flash, verify: Verify) -> Option<String> {
    flash.power = usize::MAX;
    let mut slots = Slots::new(flash.clone()).unwrap();
    let slot = slots.start(LastRun::Ended, |bytes| accept_from(bytes, verify).is_ok()).slot;
    let name = slot.map(|slot| {
        let file = verify(slots.model(slot).unwrap()).unwrap();
        Model::parse(file).unwrap().name().to_string()
    });
    *flash = slots.into_flash();
    name
}

/// Sends a model to a device in chunks, as far as its power lasts.
fn update(flash: &mut Flash, model: &[u8]) -> Result<Written, Failed> {
    update_with(flash, model, anybody)
}

/// The end of an update that did not succeed.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    Sending(UpdateError<Failure>),
    Finishing(FinishError<Failure, Reason>),
}

fn update_with(flash: &mut Flash, model: &[u8], verify: Verify) -> Result<Written, Failed> {
    let mut slots = Slots::new(flash.clone()).unwrap();
    slots.start(LastRun::Ended, |bytes| accept_from(bytes, verify).is_ok());
    let result = (|| {
        let mut update = slots.begin(model.len() as u32).map_err(Failed::Sending)?;
        for (k, chunk) in model.chunks(64).enumerate() {
            slots.write(&mut update, k as u32 * 64, chunk).map_err(Failed::Sending)?;
        }
        slots.finish(update, |bytes| accept_from(bytes, verify)).map_err(Failed::Finishing)
    })();
    *flash = slots.into_flash();
    result
}

/// A flash whose device runs `old`, after so many updates.
fn running(old: &[u8], updates: usize) -> Flash {
    updated(&vec![old; updates + 1], anybody)
}

/// A flash after these updates.
fn updated(models: &[&[u8]], verify: Verify) -> Flash {
    let mut flash = Flash::erased(8);
    for model in models {
        update_with(&mut flash, model, verify).unwrap();
    }
    flash
}

#[test]
fn an_update_makes_the_new_model_current_and_keeps_the_old() {
    let mut flash = Flash::erased(4);
    assert_eq!(start(&mut flash), None);
    let written = update(&mut flash, &model(1, true)).unwrap();
    assert_eq!((written.slot, written.record.sequence, written.erased_blocks), (0, 1, 2));
    assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    let written = update(&mut flash, &model(2, true)).unwrap();
    assert_eq!((written.slot, written.record.sequence), (1, 2));
    assert_eq!(start(&mut flash).as_deref(), Some("model 2"));
    let mut slots = Slots::new(flash).unwrap();
    assert_eq!(slots.erases(), [1, 1]);
    assert_eq!(slots.roll_back(), Ok(true));
    assert_eq!(slots.newest_first().collect::<Vec<_>>(), [0]);
    flash = slots.into_flash();
    assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    // The sequence goes on from what is there, and the revoked slot is the one to be written.
    assert_eq!(update(&mut flash, &model(3, true)).unwrap().slot, 1);
    assert_eq!(start(&mut flash).as_deref(), Some("model 3"));
}

#[test]
fn a_bad_model_never_becomes_current() {
    let mut flash = running(&model(1, true), 1);
    let failing = model(2, false);
    let mut damaged = model(2, true);
    damaged[40] ^= 1;
    for (bad, reason) in [
        (&failing, Reason::SelfTest),
        (&damaged, Reason::Unreadable),
        (&vec![0xff; 100], Reason::Unreadable),
    ] {
        let failed = Failed::Finishing(FinishError::Rejected(reason));
        assert_eq!(update(&mut flash, bad), Err(failed));
        assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    }
    let too_large = vec![0; 4 * BLOCK];
    let capacity = 4 * BLOCK as u32 - HEADER_LEN as u32;
    let failed = Failed::Sending(UpdateError::TooLarge { capacity });
    assert_eq!(update(&mut flash, &too_large), Err(failed));
    assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
}

#[test]
fn chunks_must_come_in_order_and_complete() {
    let mut slots = Slots::new(running(&model(1, true), 0)).unwrap();
    slots.start(LastRun::Ended, |_| true);
    let model = model(2, true);
    let mut update = slots.begin(model.len() as u32).unwrap();
    slots.write(&mut update, 0, &model[..64]).unwrap();
    for offset in [0, 32, 128] {
        let expected = Err(UpdateError::OutOfOrder { expected: 64 });
        assert_eq!(slots.write(&mut update, offset, &model[..4]), expected, "{offset}");
    }
    assert_eq!(
        slots.write(&mut update, 64, &model[64..67]),
        Err(UpdateError::ChunkSize { unit: 4 })
    );
    let missing = model.len() as u32 - 64;
    assert_eq!(slots.finish(update, accept), Err(FinishError::Incomplete { missing }));
    assert_eq!(start(&mut slots.into_flash()).as_deref(), Some("model 1"));
}

/// A model that passed when it was written and fails at a later start: the old one is the way back.
#[test]
fn a_model_that_fails_at_start_up_is_revoked_for_good() {
    let mut flash = running(&model(2, true), 0);
    update(&mut flash, &model(3, true)).unwrap();
    let mut slots = Slots::new(flash).unwrap();
    let mut tried = vec![];
    let started = slots.start(LastRun::Ended, |bytes| {
        tried.push(Model::parse(bytes).unwrap().name().to_string());
        tried.len() == 2
    });
    assert_eq!((started.slot, tried), (Some(0), vec!["model 3".into(), "model 2".into()]));
    assert_eq!(slots.newest_first().collect::<Vec<_>>(), [0]);
}

#[test]
fn power_may_fail_at_any_operation() {
    cut_power_everywhere(anybody, |number| model(number, true));
}

/// Cuts the power of a device that runs `make(1)` at every operation of an update to `make(2)`.
fn cut_power_everywhere(verify: Verify, make: impl Fn(i8) -> Vec<u8>) {
    let (old, new, next) = (make(1), make(2), make(3));
    // Miri is slow: one number of updates, some operations and ways of tearing.
    let (updates, step) = if cfg!(miri) { (1, 7) } else { (3, 1) };
    let tears: Vec<_> = (0..8).step_by(step).collect();
    for updates in 0..updates {
        let before = updated(&vec![old.as_slice(); updates + 1], verify);
        let mut whole = before.clone();
        whole.operations = 0;
        update_with(&mut whole, &new, verify).unwrap();
        let operations = whole.operations;
        assert!(operations > 20, "{operations}");
        let mut became_new = 0;
        for power in (1..=operations).rev().step_by(step) {
            for &tear in &tears {
                let mut flash = Flash { power, tear, ..before.clone() };
                let _ = update_with(&mut flash, &new, verify);
                let now = start_with(&mut flash, verify);
                // At the last operation the record may have been written all the same.
                match now.as_deref() {
                    Some("model 1") => {}
                    Some("model 2") if power == operations => became_new += 1,
                    other => panic!("cut at {power} of {operations}, tear {tear}: {other:?}"),
                }
                // And the device can be updated again.
                flash.power = usize::MAX;
                update_with(&mut flash, &next, verify).unwrap();
                assert_eq!(start_with(&mut flash, verify).as_deref(), Some("model 3"));
            }
        }
        assert!(became_new < tears.len(), "the tearing never tears");
    }
}

#[test]
fn sequence_numbers_go_on_at_their_end_and_after_both_slots_are_gone() {
    let [old, new] = [1, 2].map(|number| model(number, true));
    let mut flash = running(&old, 0);
    let mut header =
        Record { sequence: u32::MAX, ..Slots::new(flash.clone()).unwrap().record(0).unwrap() };
    flash.bytes[32..64].copy_from_slice(&header.to_bytes());
    assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    assert_eq!(update(&mut flash, &new).unwrap().record.sequence, 1);
    assert_eq!(start(&mut flash).as_deref(), Some("model 2"));
    assert_eq!(update(&mut flash, &old).unwrap().record.sequence, 2);
    assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    // A programmer has erased both.
    header = update(&mut Flash::erased(8), &new).unwrap().record;
    assert_eq!(header.sequence, 1);
}

/// Counts of erases are those of each slot, right after a restart and after updates that failed.
#[test]
fn erases_are_counted_for_each_slot() {
    let mut flash = running(&model(1, true), 0);
    let of = |flash: &Flash| Slots::new(flash.clone()).unwrap().erases();
    assert_eq!(of(&flash), [1, 0]);
    for failed in 1..=3 {
        update(&mut flash, &model(2, false)).unwrap_err();
        start(&mut flash);
        assert_eq!(of(&flash), [1, failed]);
    }
    update(&mut flash, &model(2, true)).unwrap();
    assert_eq!(of(&flash), [1, 4]);
    update(&mut flash, &model(3, true)).unwrap();
    assert_eq!(of(&flash), [2, 4]);
    start(&mut flash);
    assert_eq!(of(&flash), [2, 4]);
}

/// A flash that cannot be written any more does not keep the older model from running.
#[test]
fn a_start_goes_on_when_the_flash_cannot_be_written() {
    let mut flash = running(&model(1, true), 0);
    update(&mut flash, &model(2, true)).unwrap();
    flash.power = 0;
    let mut slots = Slots::new(flash).unwrap();
    let mut tried = 0;
    let started = slots.start(LastRun::Ended, |_| {
        tried += 1;
        tried == 2
    });
    assert_eq!((started.slot, started.flash_works), (Some(0), false));
    // What it has refused is what an update would erase.
    let mut flash = slots.flash.clone();
    flash.power = usize::MAX;
    slots.flash = flash;
    assert_eq!(slots.begin(100).map(|update| update.slot()), Ok(1));
}

/// Before the first update a slot may hold another program, or nothing.
#[test]
fn slots_may_hold_anything_at_first() {
    for garbage in [0u8, 0x5a, 0xa5] {
        let mut flash = Flash::erased(8);
        flash.bytes.fill(garbage);
        assert_eq!(start(&mut flash), None);
        update(&mut flash, &model(1, true)).unwrap();
        assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
    }
}

#[test]
fn power_may_fail_while_rolling_back() {
    let mut before = running(&model(1, true), 0);
    update(&mut before, &model(2, true)).unwrap();
    for power in 1..=4 {
        for tear in (0..8).step_by(if cfg!(miri) { 7 } else { 1 }) {
            let mut slots = Slots::new(Flash { power, tear, ..before.clone() }).unwrap();
            slots.start(LastRun::Ended, |_| true);
            let _ = slots.roll_back();
            let now = start(&mut slots.into_flash());
            assert!(matches!(now.as_deref(), Some("model 1" | "model 2")), "{now:?}");
        }
    }
}

mod edges;

/// As [`power_may_fail_at_any_operation`], on a device that asks for signatures.
#[cfg(feature = "signed")]
mod signed {
    use ed25519_compact::{KeyPair, Seed};

    use super::*;
    use crate::signature::{SignaturePolicy, VERSION_MAGIC};

    fn key() -> KeyPair {
        KeyPair::from_seed(Seed::new([7; 32]))
    }

    fn signed(mut model: Vec<u8>) -> Vec<u8> {
        model.extend_from_slice(&VERSION_MAGIC);
        model.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
        let signature = key().sk.sign(&model, None);
        model.extend_from_slice(&*signature);
        model
    }

    fn by_the_key(bytes: &[u8]) -> Option<&[u8]> {
        Some(SignaturePolicy::Required(*key().pk).check(bytes).ok()?.file)
    }

    #[test]
    fn power_may_fail_at_any_operation() {
        cut_power_everywhere(by_the_key, |number| signed(model(number, true)));
    }

    /// Slots that were written by firmware that took any model.
    #[test]
    fn what_is_not_signed_is_not_started() {
        let mut flash = running(&model(1, true), 1);
        assert_eq!(start(&mut flash).as_deref(), Some("model 1"));
        assert_eq!(start_with(&mut flash, by_the_key), None, "the one that is built in");
        update_with(&mut flash, &signed(model(2, true)), by_the_key).unwrap();
        assert_eq!(start_with(&mut flash, by_the_key).as_deref(), Some("model 2"));
    }

    /// Whatever byte of model or signature changes in the flash afterwards.
    #[test]
    fn what_is_changed_in_the_flash_is_not_started() {
        let new = signed(model(2, true));
        let flash = updated(&[&new], by_the_key);
        for at in (0..new.len()).step_by(7).chain(new.len() - 64..new.len()) {
            let mut changed = flash.clone();
            changed.bytes[HEADER_LEN + at] ^= 0x10;
            assert_eq!(start_with(&mut changed, by_the_key), None, "byte {at}");
        }
    }
}
