//! Slots in a NOR flash.

use core::fmt;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use super::record::{HEADER_LEN, RECORD_LEN, Record};

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
    /// How often each was erased, as far as anybody knows.
    pub(super) erases: [u32; 2],
}

/// Why a flash cannot hold slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        if F::WRITE_SIZE == 0 || !RECORD_LEN.is_multiple_of(F::WRITE_SIZE) || F::ERASE_SIZE == 0 {
            return Err(SlotsError::WriteSize);
        }
        let blocks = flash.capacity().checked_div(F::ERASE_SIZE).unwrap_or(0) / 2;
        let slot_len = blocks.wrapping_mul(F::ERASE_SIZE);
        if slot_len <= HEADER_LEN {
            return Err(SlotsError::TooSmall);
        }
        let mut slots = Slots { flash, slot_len: slot_len as u32, erases: [0; 2] };
        let recorded = [0, 1].map(|slot| Record::erases(slots.header(slot)?.first_chunk()?));
        // An update that was cut off has taken its slot's count with it. Slots take turns, so that
        // the other's is right, or too high by one, unless updates were cut off again and again.
        slots.erases = match recorded {
            [Some(first), Some(second)] => [first, second],
            [first, second] => [first.or(second).unwrap_or(0); 2],
        };
        Ok(slots)
    }

    /// How often each slot has been erased, of updates that power cuts ended at most the last.
    pub fn erases(&self) -> [u32; 2] {
        self.erases
    }

    /// Bytes that are written at once; chunks but the last are multiples of it.
    pub fn write_unit(&self) -> u32 {
        F::WRITE_SIZE as u32
    }

    fn header(&self, slot: usize) -> Option<&[u8]> {
        self.flash.mapped(self.start(slot), HEADER_LEN as u32)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Bytes of the longest model.
    pub fn capacity(&self) -> u32 {
        self.slot_len.saturating_sub(HEADER_LEN as u32)
    }

    pub(super) fn start(&self, slot: usize) -> u32 {
        if slot == 0 { 0 } else { self.slot_len }
    }

    /// The record of a slot, 0 or 1; none if its model was never finished, or was revoked.
    pub fn record(&self, slot: usize) -> Option<Record> {
        let record = Record::from_header(self.header(slot)?.first_chunk()?)?;
        (record.len <= self.capacity()).then_some(record)
    }

    /// The bytes of a slot's model.
    pub fn model(&self, slot: usize) -> Option<&[u8]> {
        let record = self.record(slot)?;
        self.flash.mapped(self.start(slot).saturating_add(HEADER_LEN as u32), record.len)
    }

    /// The slots with a record, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = usize> + use<F> {
        let sequence = |slot| self.record(slot).map(|record: Record| record.sequence);
        let (first, second) = (sequence(0), sequence(1));
        let order = if second > first { [1, 0] } else { [0, 1] };
        let exists = [first.is_some(), second.is_some()];
        order.into_iter().filter(move |slot| exists.get(*slot).copied().unwrap_or(false))
    }

    /// The slot to start with: the newest whose model `accept`s, having parsed and tested it. A
    /// newer one that is refused is revoked, so that the next start does not try it again.
    ///
    /// # Errors
    /// What writing the flash says.
    pub fn choose(
        &mut self,
        mut accept: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<usize>, F::Error> {
        for slot in self.newest_first() {
            if self.model(slot).is_some_and(&mut accept) {
                return Ok(Some(slot));
            }
            self.revoke(slot)?;
        }
        Ok(None)
    }

    /// Revokes the newest slot, so that the other, or else the model that is built in, is current
    /// at the next start; `false` if there is no slot to revoke.
    ///
    /// # Errors
    /// What writing the flash says.
    pub fn roll_back(&mut self) -> Result<bool, F::Error> {
        match self.newest_first().next() {
            Some(newest) => self.revoke(newest).map(|()| true),
            None => Ok(false),
        }
    }

    fn revoke(&mut self, slot: usize) -> Result<(), F::Error> {
        let offset = self.start(slot).saturating_add(RECORD_LEN as u32);
        self.flash.write(offset, &[0; HEADER_LEN - RECORD_LEN])
    }
}
