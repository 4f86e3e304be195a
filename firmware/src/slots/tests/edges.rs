//! Versions, capacities, the watchdog, and a flash that fails at a start.

use std::cell::Cell;

use super::*;

/// Writes a model of these bytes, signed as this version.
fn written(slots: &mut Slots<Flash>, bytes: &[u8], version: u32) -> Written {
    let mut update = slots.begin(bytes.len() as u32).unwrap();
    slots.write(&mut update, 0, bytes).unwrap();
    let (slot, accepted) = (update.slot(), Accepted { checksum: 7, version });
    let written = slots.finish(update, |_| Ok::<_, Reason>(accepted)).unwrap();
    assert_eq!(written.slot, slot);
    written
}

/// The slots after a restart that accepts everything.
fn restarted(slots: Slots<Flash>) -> Slots<Flash> {
    let mut slots = Slots::new(slots.into_flash()).unwrap();
    slots.start(LastRun::Ended, |_| true);
    slots
}

fn empty() -> Slots<Flash> {
    let mut slots = Slots::new(Flash::erased(4)).unwrap();
    slots.start(LastRun::Ended, |_| true);
    slots
}

#[test]
fn the_highest_version_outlasts_its_slot() {
    let mut slots = empty();
    assert_eq!((slots.floor(), slots.write_unit(), slots.running()), (0, 4, None));
    assert_eq!(written(&mut slots, &[1; 8], 5).record.floor, 5);
    slots = restarted(slots);
    assert_eq!(slots.running(), Some(0));
    assert_eq!(written(&mut slots, &[2; 8], 9).slot, 1);
    slots = restarted(slots);
    assert_eq!((slots.running(), slots.floor()), (Some(1), 9));
    // Back to the older one: the newer one is the next to be erased, and was the one that knew.
    assert_eq!(slots.roll_back(), Ok(true));
    slots = restarted(slots);
    assert_eq!((slots.running(), slots.floor()), (Some(0), 9));
    let update = slots.begin(8).unwrap();
    assert_eq!((update.slot(), slots.floor()), (1, 9));
    slots = restarted(slots);
    assert_eq!((slots.running(), slots.floor()), (Some(0), 9));
    // An older version does not lower it.
    let third = written(&mut slots, &[3; 8], 6);
    assert_eq!((third.record.version, third.record.floor), (6, 9));
    // Nothing is noted twice: the slot that stays knows it.
    let before = slots.flash.bytes[160..256].to_vec();
    slots = restarted(slots);
    slots.roll_back().unwrap();
    slots = restarted(slots);
    slots.begin(8).unwrap();
    assert_eq!(slots.flash.bytes[160..256], before);
}

#[test]
fn a_revoked_record_keeps_its_number() {
    let mut slots = empty();
    for sequence in [1, 2] {
        assert_eq!(written(&mut slots, &[1; 8], 0).record.sequence, sequence);
        slots = restarted(slots);
    }
    slots.roll_back().unwrap();
    slots = restarted(slots);
    let third = written(&mut slots, &[3; 8], 0);
    assert_eq!((third.slot, third.record.sequence), (1, 3));
    // Both revoked: the older one is overwritten.
    for _ in 0..2 {
        slots.roll_back().unwrap();
        slots = restarted(slots);
    }
    assert_eq!((slots.running(), slots.roll_back()), (None, Ok(false)));
    let fourth = written(&mut slots, &[4; 8], 0);
    assert_eq!((fourth.slot, fourth.record.sequence), (0, 4));
}

/// Of a slot that was revoked and one that never was written, the latter is taken.
#[test]
fn the_slot_that_knows_less_is_taken() {
    let mut slots = empty();
    written(&mut slots, &[1; 8], 0);
    slots.roll_back().unwrap();
    slots = restarted(slots);
    let next = written(&mut slots, &[2; 8], 0);
    assert_eq!((next.slot, next.record.sequence), (1, 2));
    // Both revoked, and the first is the newer one.
    slots = restarted(slots);
    assert_eq!(written(&mut slots, &[3; 8], 0).slot, 0);
    for _ in 0..2 {
        slots.roll_back().unwrap();
        slots = restarted(slots);
    }
    assert_eq!(written(&mut slots, &[4; 8], 0).slot, 1);
}

#[test]
fn a_model_may_fill_its_slot() {
    let mut slots = empty();
    let capacity = 2 * BLOCK as u32 - HEADER_LEN as u32;
    assert_eq!(slots.capacity(), capacity);
    assert_eq!(slots.begin(capacity + 1), Err(UpdateError::TooLarge { capacity }));
    let full = written(&mut slots, &vec![1; capacity as usize], 0);
    assert_eq!((full.erased_blocks, slots.model(0).map(<[u8]>::len)), (2, Some(256)));
    // A record of a longer one, as damage might make it, is none.
    let longer = Record { len: capacity + 1, ..full.record };
    let mut flash = slots.into_flash();
    flash.bytes[32..64].copy_from_slice(&longer.to_bytes());
    let slots = Slots::new(flash).unwrap();
    assert_eq!((slots.record(0), slots.newest_first().next()), (None, None));
    // Nor is one without a number.
    let mut flash = slots.into_flash();
    let unnumbered = Record { sequence: 0, ..full.record };
    flash.bytes[32..64].copy_from_slice(&unnumbered.to_bytes());
    assert_eq!(Slots::new(flash).unwrap().record(0), None);
}

#[test]
fn a_chunk_may_not_go_beyond_the_end() {
    let mut slots = empty();
    let mut update = slots.begin(10).unwrap();
    assert_eq!(slots.write(&mut update, 0, &[1; 12]), Err(UpdateError::TooLarge { capacity: 10 }));
    assert_eq!((slots.write(&mut update, 0, &[1; 4]), update.missing()), (Ok(()), 6));
    assert_eq!(slots.write(&mut update, 4, &[2; 6]), Ok(()));
    assert_eq!(
        (update.missing(), &slots.flash.bytes[256..269]),
        (0, &b"\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\xff\xff\xff"[..])
    );
}

#[test]
fn the_watchdog_is_fed_between_blocks() {
    thread_local!(static FED: Cell<usize> = const { Cell::new(0) });
    let mut slots = empty();
    slots.set_feed(|| FED.set(FED.get() + 1));
    slots.begin(BLOCK as u32).unwrap();
    // In front of each of two blocks, and behind the last.
    assert_eq!(FED.get(), 3);
}

#[test]
fn a_start_tells_that_the_flash_cannot_be_written() {
    let broken = |settled: bool, last, accept: fn(usize) -> bool| {
        let mut flash = running(&model(1, true), 0);
        update(&mut flash, &model(2, true)).unwrap();
        if settled {
            start(&mut flash);
        }
        flash.power = 0;
        let mut slots = Slots::new(flash).unwrap();
        let mut tried = 0;
        slots.start(last, |_| {
            tried += 1;
            accept(tried)
        })
    };
    let of = |started: Started| (started.slot, started.blamed, started.flash_works);
    // Nothing to write; a mark that it was seen; one that it was refused; one that it was blamed.
    assert_eq!(of(broken(true, LastRun::Ended, |_| true)), (Some(1), None, true));
    assert_eq!(of(broken(false, LastRun::Ended, |_| true)), (Some(1), None, false));
    assert_eq!(of(broken(true, LastRun::Ended, |tried| tried == 2)), (Some(0), None, false));
    assert_eq!(of(broken(true, LastRun::Hung, |_| true)), (Some(0), Some(1), false));
    let unsettled = broken(false, LastRun::Hung, |_| true);
    assert_eq!((of(unsettled), unsettled.update_was_on), ((Some(1), None, false), true));
    let faults = broken(false, LastRun::NeverServed, |_| true);
    assert_eq!((of(faults), faults.update_was_on), ((Some(0), Some(1), false), false));
}

#[test]
fn errors_say_what_to_do() {
    let full = UpdateError::<Failure>::TooLarge { capacity: 9 };
    assert_eq!(full.to_string(), "the model is larger than the 9 bytes of a slot");
    let flash = FinishError::<_, &str>::Flash(Failure::PowerCut);
    assert_eq!(flash.to_string(), "the flash reports PowerCut");
    let refused = FinishError::<Failure, _>::Rejected("it is no model");
    let expected = "the model is refused when it is read back: it is no model";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(SlotsError::TooSmall.to_string(), "the flash has no room for two slots");
    assert_eq!(Slots::new(Flash::erased(2)).err(), Some(SlotsError::TooSmall));
    assert_eq!(Slots::new(Flash::erased(3)).err(), Some(SlotsError::TooSmall));
}
