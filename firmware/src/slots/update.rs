//! Writing a new model.

use core::fmt;

use super::flash::{MappedFlash, Slots};
use super::record::{HEADER_LEN, RECORD_LEN, Record};

/// An update in progress. Dropping it leaves the slot without a record: nothing has changed.
#[derive(Debug)]
pub struct Update {
    slot: usize,
    sequence: u32,
    len: u32,
    written: u32,
}

/// What an update has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The slot that is current at the next start.
    pub slot: usize,
    /// Its record.
    pub record: Record,
    /// Erase blocks that were erased.
    pub erased_blocks: u32,
}

/// Why an update does not go on. The model that was current still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateError<E> {
    /// The model does not fit into a slot.
    TooLarge {
        /// Bytes that fit.
        capacity: u32,
    },
    /// The chunk is not the next one.
    OutOfOrder {
        /// Offset of the next one.
        expected: u32,
    },
    /// A chunk that is not the last one is no multiple of the flash's unit of writing.
    ChunkSize {
        /// That unit, in bytes.
        unit: u32,
    },
    /// The model is not complete.
    Incomplete {
        /// Bytes that are still missing.
        missing: u32,
    },
    /// What was written, read back, is refused.
    Refused,
    /// The flash could not be written or erased.
    Flash(E),
}

impl<E: fmt::Debug> core::error::Error for UpdateError<E> {}

impl<E: fmt::Debug> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpdateError::TooLarge { capacity } => {
                write!(f, "the model is larger than the {capacity} bytes of a slot")
            }
            UpdateError::OutOfOrder { expected } => {
                write!(f, "the next chunk starts at byte {expected}")
            }
            UpdateError::ChunkSize { unit } => {
                write!(f, "chunks but the last one must be multiples of {unit} bytes")
            }
            UpdateError::Incomplete { missing } => {
                write!(f, "{missing} bytes of the model are missing")
            }
            UpdateError::Refused => f.write_str("what was written is refused when it is read back"),
            UpdateError::Flash(error) => write!(f, "the flash reports {error:?}"),
        }
    }
}

impl<F: MappedFlash> Slots<F> {
    /// Begins an update with a model of so many bytes: erases the slot that is not `current`.
    ///
    /// # Errors
    /// [`UpdateError::TooLarge`], before anything is erased; [`UpdateError::Flash`].
    pub fn begin(
        &mut self,
        current: Option<usize>,
        len: u32,
    ) -> Result<Update, UpdateError<F::Error>> {
        let capacity = self.capacity();
        if len > capacity {
            return Err(UpdateError::TooLarge { capacity });
        }
        let newest = [0, 1].into_iter().filter_map(|slot| self.record(slot)).map(|r| r.sequence);
        let sequence = newest.max().unwrap_or(0).saturating_add(1);
        let slot = if current == Some(0) { 1 } else { 0 };
        let (start, end) = (self.start(slot), self.end(slot));
        // The first block first: without its record the slot is no model, whatever else of it is
        // gone when power fails.
        let block = F::ERASE_SIZE as u32;
        let first_end = start.saturating_add(block);
        self.flash.erase(start, first_end).map_err(UpdateError::Flash)?;
        if first_end < end {
            self.flash.erase(first_end, end).map_err(UpdateError::Flash)?;
        }
        Ok(Update { slot, sequence, len, written: 0 })
    }

    /// Writes the next chunk of the model. All but the last are multiples of the flash's
    /// `WRITE_SIZE`.
    ///
    /// # Errors
    /// [`UpdateError::OutOfOrder`]; [`UpdateError::ChunkSize`]; [`UpdateError::TooLarge`] for bytes
    /// beyond the length that the update began with; [`UpdateError::Flash`].
    pub fn write(
        &mut self,
        update: &mut Update,
        offset: u32,
        chunk: &[u8],
    ) -> Result<(), UpdateError<F::Error>> {
        if offset != update.written {
            return Err(UpdateError::OutOfOrder { expected: update.written });
        }
        let missing = update.len.saturating_sub(update.written);
        let len = chunk.len() as u32;
        if len > missing {
            return Err(UpdateError::TooLarge { capacity: missing });
        }
        let unit = F::WRITE_SIZE;
        let whole = chunk.len().checked_div(unit).unwrap_or(0).saturating_mul(unit);
        let (whole, rest) = chunk.split_at_checked(whole).unwrap_or_default();
        if !rest.is_empty() && len != missing {
            return Err(UpdateError::ChunkSize { unit: unit as u32 });
        }
        let at = self
            .start(update.slot)
            .saturating_add(HEADER_LEN as u32)
            .saturating_add(update.written);
        self.flash.write(at, whole).map_err(UpdateError::Flash)?;
        if !rest.is_empty() {
            // The unit that the end of the model lies in; what follows it stays erased.
            let mut last = [0xff; RECORD_LEN];
            for (place, byte) in last.iter_mut().zip(rest) {
                *place = *byte;
            }
            let last = last.get(..unit).unwrap_or_default();
            let at = at.saturating_add(whole.len() as u32);
            self.flash.write(at, last).map_err(UpdateError::Flash)?;
        }
        update.written = update.written.saturating_add(len);
        Ok(())
    }

    /// Ends an update: reads the model back, has `accept` parse and test it, and makes it current
    /// from the next start on. `accept` gives the CRC-32 that the model states of itself.
    ///
    /// # Errors
    /// [`UpdateError::Incomplete`], [`UpdateError::Refused`], [`UpdateError::Flash`].
    pub fn finish(
        &mut self,
        update: Update,
        accept: impl FnOnce(&[u8]) -> Option<u32>,
    ) -> Result<Written, UpdateError<F::Error>> {
        let missing = update.len.saturating_sub(update.written);
        if missing > 0 {
            return Err(UpdateError::Incomplete { missing });
        }
        let start = self.start(update.slot);
        let model = self.flash.mapped(start.saturating_add(HEADER_LEN as u32), update.len);
        let checksum = model.and_then(accept).ok_or(UpdateError::Refused)?;
        let record = Record { sequence: update.sequence, len: update.len, checksum };
        self.flash.write(start, &record.to_bytes()).map_err(UpdateError::Flash)?;
        Ok(Written { slot: update.slot, record, erased_blocks: self.blocks() })
    }
}
