//! Starts: the choice of the model, and going back to the one before.

use super::flash::{MappedFlash, Slots};
use super::header::{MARK, Part};

/// End of the run before a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastRun {
    /// By a restart that was asked for, a power cut, or a fault while it served.
    #[default]
    Ended,
    /// By the watchdog.
    Hung,
    /// By faults, several times in a row, before it served anybody.
    NeverServed,
}

/// Result of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The slot whose model runs; none for the one that is built in.
    pub slot: Option<usize>,
    /// The slot that was revoked for how the run before ended.
    pub blamed: Option<usize>,
    /// Whether an update, or going back, was under way when the watchdog ended the run before:
    /// nothing was revoked for it.
    pub update_was_on: bool,
    /// Whether the flash could be written.
    pub flash_works: bool,
}

impl<F: MappedFlash> Slots<F> {
    /// Chooses the slot to start with: the newest whose model `accept`s, having parsed and tested
    /// it. One that is refused is revoked, so that the next start does not try it again.
    ///
    /// After a hang the newest slot is revoked before, unless something was about to change since
    /// the last start: an update had begun or ended, or the device was to go back. After starts
    /// that ended before the device served, it is revoked in any case.
    pub fn start(&mut self, last: LastRun, mut accept: impl FnMut(&[u8]) -> bool) -> Started {
        self.running = None;
        self.refused = [false; 2];
        let settled =
            [0, 1].map(|slot| self.header(slot).is_some_and(|header| header.is_settled()));
        let update_was_on = last == LastRun::Hung && settled != [true; 2];
        let mut flash_works = true;
        let mut blamed = None;
        if last != LastRun::Ended && !update_was_on {
            blamed = self.newest_first().next();
        }
        if let Some(slot) = blamed {
            flash_works &= self.refuse(slot);
        }
        // Before the model runs: the next hang is its own.
        for slot in [0, 1] {
            flash_works &= self.settle(slot).is_ok();
        }
        for slot in self.newest_first() {
            (self.feed)();
            if self.model(slot).is_some_and(&mut accept) {
                self.running = Some(slot);
                break;
            }
            flash_works &= self.refuse(slot) && self.settle(slot).is_ok();
        }
        Started { slot: self.running, blamed, update_was_on, flash_works }
    }

    /// Revokes the slot that the next start would run, so that the other, or else the model that
    /// is built in, is current then; `false` if there is no slot to revoke.
    ///
    /// # Errors
    /// Errors of the flash.
    pub fn roll_back(&mut self) -> Result<bool, F::Error> {
        match self.newest_first().next() {
            Some(newest) => self.write_part(newest, Part::Revoked, &MARK).map(|()| true),
            None => Ok(false),
        }
    }

    /// Revokes a slot at the start. Returns whether the flash could be written.
    fn refuse(&mut self, slot: usize) -> bool {
        if let Some(refused) = self.refused.get_mut(slot) {
            *refused = true;
        }
        self.write_part(slot, Part::Revoked, &MARK).is_ok()
    }

    /// Marks a slot as one that a start has found as it is.
    fn settle(&mut self, slot: usize) -> Result<(), F::Error> {
        let Some(header) = self.header(slot).filter(|header| !header.is_settled()) else {
            return Ok(());
        };
        if header.record().is_some() {
            return self.write_part(slot, Part::Seen, &MARK);
        }
        // What an erase that was cut off, or another program, has left.
        if !header.takes_mark(Part::Closed) {
            self.erase_header(slot)?;
        }
        self.write_part(slot, Part::Closed, &MARK)
    }
}
