//! Writing a new model.

use core::fmt;

use super::flash::{MappedFlash, Slots};
use super::record::{HEADER_LEN, RECORD_LEN, Record};
use crate::app::Rejection;

/// An update in progress. Dropping it leaves the slot without a record: nothing has changed.
#[derive(Debug)]
pub struct Update {
    slot: usize,
    sequence: u32,
    len: u32,
    written: u32,
    erased_blocks: u32,
}

impl Update {
    /// Bytes of the model that have not been written.
    pub fn missing(&self) -> u32 {
        self.len.saturating_sub(self.written)
    }
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
    Refused(Rejection),
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
            UpdateError::Refused(reason) => {
                write!(f, "what was written is refused when it is read back: {reason}")
            }
            UpdateError::Flash(error) => write!(f, "the flash reports {error:?}"),
        }
    }
}

impl<F: MappedFlash> Slots<F> {
    /// Begins an update with a model of so many bytes: erases what it needs of the slot that is
    /// not `current`.
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
        let block = F::ERASE_SIZE as u32;
        let blocks = len.saturating_add(HEADER_LEN as u32).div_ceil(block);
        let start = self.start(slot);
        let end = start.saturating_add(blocks.saturating_mul(block));
        // The first block first: without its record the slot is no model, whatever else of it is
        // gone when power fails.
        if let Some(erases) = self.erases.get_mut(slot) {
            *erases = erases.saturating_add(1);
        }
        let first_end = start.saturating_add(block);
        self.flash.erase(start, first_end).map_err(UpdateError::Flash)?;
        if first_end < end {
            self.flash.erase(first_end, end).map_err(UpdateError::Flash)?;
        }
        Ok(Update { slot, sequence, len, written: 0, erased_blocks: blocks })
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
        let missing = update.missing();
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
        accept: impl FnOnce(&[u8]) -> Result<u32, Rejection>,
    ) -> Result<Written, UpdateError<F::Error>> {
        let missing = update.missing();
        let Update { slot, sequence, len, erased_blocks, .. } = update;
        let start = self.start(slot);
        let model = self.flash.mapped(start.saturating_add(HEADER_LEN as u32), len);
        let Some(model) = model.filter(|_| missing == 0) else {
            return Err(UpdateError::Incomplete { missing });
        };
        let checksum = accept(model).map_err(UpdateError::Refused)?;
        let erases = self.erases.get(slot).copied().unwrap_or(0);
        let record = Record { sequence, len, checksum, erases };
        self.flash.write(start, &record.to_bytes()).map_err(UpdateError::Flash)?;
        Ok(Written { slot, record, erased_blocks })
    }
}
