//! Slots in a NOR flash.

use core::fmt;

use embedded_storage::nor_flash::NorFlash;

use super::record::{HEADER_LEN, RECORD_LEN, Record};

/// A NOR flash that the core reads as memory.
pub trait MappedFlash: NorFlash {
    /// The bytes at an offset, as they are now; `None` beyond the end.
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]>;
}

/// Two slots of equal length at the start of a flash, or of the part of it that models may have.
pub struct Slots<F> {
    pub(super) flash: F,
    slot_len: u32,
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
            SlotsError::WriteSize => "the flash does not write 16 bytes at a time",
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
        Ok(Slots { flash, slot_len: slot_len as u32 })
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Bytes of the longest model.
    pub fn capacity(&self) -> u32 {
        self.slot_len.saturating_sub(HEADER_LEN as u32)
    }

    /// Erase blocks of a slot: what one update wears.
    pub fn blocks(&self) -> u32 {
        self.slot_len.checked_div(F::ERASE_SIZE as u32).unwrap_or(0)
    }

    pub(super) fn start(&self, slot: usize) -> u32 {
        if slot == 0 { 0 } else { self.slot_len }
    }

    pub(super) fn end(&self, slot: usize) -> u32 {
        self.start(slot).saturating_add(self.slot_len)
    }

    /// The record of a slot, 0 or 1; none if its model was never finished, or was revoked.
    pub fn record(&self, slot: usize) -> Option<Record> {
        let header = self.flash.mapped(self.start(slot), HEADER_LEN as u32)?;
        let record = Record::from_header(header.first_chunk()?)?;
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

    /// Revokes the newest slot, so that the other is current at the next start; `false` if there
    /// is no other.
    ///
    /// # Errors
    /// What writing the flash says.
    pub fn roll_back(&mut self) -> Result<bool, F::Error> {
        let mut slots = self.newest_first();
        match (slots.next(), slots.next()) {
            (Some(newest), Some(_)) => self.revoke(newest).map(|()| true),
            _ => Ok(false),
        }
    }

    fn revoke(&mut self, slot: usize) -> Result<(), F::Error> {
        let offset = self.start(slot).saturating_add(RECORD_LEN as u32);
        self.flash.write(offset, &[0; HEADER_LEN - RECORD_LEN])
    }
}
