//! Slots in a NOR flash.

use core::fmt;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use super::header::{HEADER_LEN, Header, PART_LEN, Record};

/// A NOR flash that the core reads as memory.
pub trait MappedFlash: NorFlash {
    /// The bytes at an offset, as they are now; `None` beyond the end.
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]>;
}

/// For boards whose flash holds no slots.
pub enum NoFlash {}

impl ErrorType for NoFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for NoFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        match *self {}
    }

    fn capacity(&self) -> usize {
        match *self {}
    }
}

impl NorFlash for NoFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, _: u32, _: u32) -> Result<(), NorFlashErrorKind> {
        match *self {}
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), NorFlashErrorKind> {
        match *self {}
    }
}

impl MappedFlash for NoFlash {
    fn mapped(&self, _: u32, _: u32) -> Option<&[u8]> {
        match *self {}
    }
}

/// Two slots of equal length at the start of a flash, or of the part of it that models may have.
pub struct Slots<F> {
    pub(super) flash: F,
    slot_len: u32,
    /// Number of times that each was erased.
    pub(super) erases: [u32; 2],
    /// The slot whose model runs.
    pub(super) running: Option<usize>,
    /// Slots that this start has refused, whether or not the flash could be told.
    pub(super) refused: [bool; 2],
    /// Feeds the watchdog.
    pub(super) feed: fn(),
}

/// Error of a flash that cannot hold slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotsError {
    /// Two slots of whole erase blocks, with room for a model each, do not fit.
    TooSmall,
    /// Records are written in units that the flash does not write.
    WriteSize,
}

impl core::error::Error for SlotsError {}

impl fmt::Display for SlotsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SlotsError::TooSmall => "the flash has no room for two slots",
            SlotsError::WriteSize => "the flash does not write 32 bytes at a time",
        })
    }
}

impl<F: MappedFlash> Slots<F> {
    /// The slots of a flash, each of half of its erase blocks.
    ///
    /// # Errors
    /// [`SlotsError`], which depends on the flash alone.
    pub fn new(flash: F) -> Result<Self, SlotsError> {
        if F::WRITE_SIZE == 0 || !PART_LEN.is_multiple_of(F::WRITE_SIZE) || F::ERASE_SIZE == 0 {
            return Err(SlotsError::WriteSize);
        }
        let blocks = flash.capacity().checked_div(F::ERASE_SIZE).unwrap_or(0) / 2;
        let slot_len = blocks.wrapping_mul(F::ERASE_SIZE);
        // The header lies in one block, so that no record outlasts the erase of its neighbors.
        if slot_len <= HEADER_LEN || F::ERASE_SIZE < HEADER_LEN {
            return Err(SlotsError::TooSmall);
        }
        let mut slots = Slots {
            flash,
            slot_len: slot_len as u32,
            erases: [0; 2],
            running: None,
            refused: [false; 2],
            feed: || (),
        };
        // A slot that lost its own count to a power cut is known to the other as of its erase.
        let [first, second] = [0, 1].map(|slot| slots.header(slot).and_then(|h| h.tally()));
        let known = |own: Option<[u32; 2]>, others: Option<[u32; 2]>| {
            own.map_or(0, |[own, _]| own).max(others.map_or(0, |[_, other]| other))
        };
        slots.erases = [known(first, second), known(second, first)];
        Ok(slots)
    }

    /// Has the watchdog fed between erase blocks.
    pub fn set_feed(&mut self, feed: fn()) {
        self.feed = feed;
    }

    /// Number of times that each slot has been erased. An erase that a power cut ends is not counted.
    pub fn erases(&self) -> [u32; 2] {
        self.erases
    }

    /// The slot that [`start`](Slots::start) has chosen.
    pub fn running(&self) -> Option<usize> {
        self.running
    }

    /// The highest version that the device has accepted: of a model in one of the slots, or in one
    /// that was erased since. 0 where nobody signs, and after both slots are gone.
    pub fn floor(&self) -> u32 {
        let floors = [0, 1].into_iter().filter_map(|slot| self.header(slot));
        floors.map(|header| header.floor(F::WRITE_SIZE)).max().unwrap_or(0)
    }

    /// Bytes that are written at once; chunks but the last are multiples of it.
    pub fn write_unit(&self) -> u32 {
        F::WRITE_SIZE as u32
    }

    pub(super) fn header(&self, slot: usize) -> Option<Header<'_>> {
        self.flash.mapped(self.start_of(slot), HEADER_LEN as u32)?.first_chunk().map(Header)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Bytes of the longest model.
    pub fn capacity(&self) -> u32 {
        self.slot_len.saturating_sub(HEADER_LEN as u32)
    }

    pub(super) fn start_of(&self, slot: usize) -> u32 {
        if slot == 0 { 0 } else { self.slot_len }
    }

    /// The record of a slot, 0 or 1; none if its model was never finished, was revoked, or was
    /// refused by this start.
    pub fn record(&self, slot: usize) -> Option<Record> {
        let refused = self.refused.get(slot).copied().unwrap_or(true);
        let record = self.header(slot)?.record()?;
        (record.len <= self.capacity() && !refused).then_some(record)
    }

    /// The bytes of a slot's model.
    pub fn model(&self, slot: usize) -> Option<&[u8]> {
        let record = self.record(slot)?;
        self.flash.mapped(self.start_of(slot).saturating_add(HEADER_LEN as u32), record.len)
    }

    /// The slots with a record, newest first: the first is the one that the next start runs.
    pub fn newest_first(&self) -> impl Iterator<Item = usize> + use<F> {
        let (first, second) = (self.record(0), self.record(1));
        let order = match (&first, &second) {
            (Some(first), Some(second)) if second.is_newer_than(first) => [1, 0],
            _ => [0, 1],
        };
        let exists = [first.is_some(), second.is_some()];
        order.into_iter().filter(move |slot| exists.get(*slot).copied().unwrap_or(false))
    }
}
