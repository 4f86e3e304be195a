//! Updates: writing a new model.

use core::fmt;

use super::flash::{MappedFlash, Slots};
use super::header::{HEADER_LEN, PART_LEN, Part, Record, note, note_pitch, sealed};

/// An update in progress. Dropping it leaves the slot without a record: nothing has changed.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq, Eq, Hash))]
pub struct Update {
    slot: usize,
    sequence: u32,
    len: u32,
    written: u32,
    erased_blocks: u32,
}

impl Update {
    /// The slot that it writes.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Bytes of the model that have not been written.
    pub fn missing(&self) -> u32 {
        self.len.saturating_sub(self.written)
    }
}

/// Result of accepting a model: what its record keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The CRC-32 that the model states of itself.
    pub checksum: u32,
    /// The version that it was signed with; 0 where nobody signs.
    pub version: u32,
}

/// Result of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The slot that is current at the next start.
    pub slot: usize,
    /// Its record.
    pub record: Record,
    /// Erase blocks that were erased.
    pub erased_blocks: u32,
}

/// Error of beginning an update or writing a chunk. The model that was current still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The model does not fit into a slot.
    TooLarge {
        /// Bytes that fit.
        capacity: u32,
    },
    /// Both slots are needed: one runs, and the next start runs the other.
    RestartFirst,
    /// The chunk is not the next one.
    OutOfOrder {
        /// Offset of the next one.
        expected: u32,
    },
    /// A chunk that is not the last one is no multiple of the flash's write unit.
    ChunkSize {
        /// The write unit, in bytes.
        unit: u32,
    },
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
            UpdateError::RestartFirst => {
                f.write_str("one slot runs and the next start runs the other: restart, then update")
            }
            UpdateError::OutOfOrder { expected } => {
                write!(f, "the next chunk starts at byte {expected}")
            }
            UpdateError::ChunkSize { unit } => {
                write!(f, "chunks but the last one must be multiples of {unit} bytes")
            }
            UpdateError::Flash(error) => write!(f, "the flash reports {error:?}"),
        }
    }
}

/// Error of completing an update. The model that was current still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishError<E, R> {
    /// The model is not complete.
    Incomplete {
        /// Bytes that are still missing.
        missing: u32,
    },
    /// The model, read back, was not accepted.
    Rejected(R),
    /// The flash could not be written.
    Flash(E),
}

impl<E: fmt::Debug, R: fmt::Debug + fmt::Display> core::error::Error for FinishError<E, R> {}

impl<E: fmt::Debug, R: fmt::Display> fmt::Display for FinishError<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FinishError::Incomplete { missing } => {
                write!(f, "{missing} bytes of the model are missing")
            }
            FinishError::Rejected(reason) => {
                write!(f, "the model is refused when it is read back: {reason}")
            }
            FinishError::Flash(error) => write!(f, "the flash reports {error:?}"),
        }
    }
}

impl<F: MappedFlash> Slots<F> {
    /// Begins an update with a model of `len` bytes: erases as many blocks as it needs of a slot that
    /// neither runs nor is the one that the next start runs.
    ///
    /// # Errors
    /// [`UpdateError::TooLarge`] and [`UpdateError::RestartFirst`], before anything is erased;
    /// [`UpdateError::Flash`].
    pub fn begin(&mut self, len: u32) -> Result<Update, UpdateError<F::Error>> {
        let capacity = self.capacity();
        if len > capacity {
            return Err(UpdateError::TooLarge { capacity });
        }
        let slot = self.idle_slot().ok_or(UpdateError::RestartFirst)?;
        let other = 1usize.saturating_sub(slot);
        let [written, others] = [slot, other].map(|slot| self.header(slot)?.written());
        let newest = match (written, others) {
            (Some(written), Some(other)) if other.is_newer_than(&written) => Some(other),
            (written, other) => written.or(other),
        };
        // 0 is no number, so that a slot of zeros has no record.
        let sequence = newest.map_or(1, |record| record.sequence.wrapping_add(1).max(1));
        // Zeros: the slot is known from now on as one whose update has begun.
        self.write_part(slot, Part::Closed, &[0; PART_LEN]).map_err(UpdateError::Flash)?;
        let block = F::ERASE_SIZE as u32;
        let blocks = len.saturating_add(HEADER_LEN as u32).div_ceil(block);
        let start = self.start_of(slot);
        // The first block first: without its record the slot is no model, whatever else of it is
        // gone when power fails.
        self.erase_header(slot).map_err(UpdateError::Flash)?;
        for number in 1..blocks {
            let from = start.saturating_add(number.saturating_mul(block));
            (self.feed)();
            self.flash.erase(from, from.saturating_add(block)).map_err(UpdateError::Flash)?;
        }
        (self.feed)();
        Ok(Update { slot, sequence, len, written: 0, erased_blocks: blocks })
    }

    /// The slot that an update may overwrite.
    fn idle_slot(&self) -> Option<usize> {
        match (self.running, self.newest_first().next()) {
            (Some(running), Some(next)) if running != next => None,
            (Some(used), _) | (None, Some(used)) => Some(1usize.saturating_sub(used)),
            // The one that knows less of the device's past.
            (None, None) => {
                let [first, second] = [0, 1].map(|slot| self.header(slot)?.written());
                match (first, second) {
                    (Some(_), None) => Some(1),
                    (Some(first), Some(second)) if first.is_newer_than(&second) => Some(1),
                    _ => Some(0),
                }
            }
        }
    }

    /// Notes the highest version in the slot that stays, if it is the other that knows it.
    fn keep_floor(&mut self, stays: usize) -> Result<(), F::Error> {
        let floor = self.floor();
        let Some(header) = self.header(stays) else { return Ok(()) };
        if header.written().is_none() || header.floor(F::WRITE_SIZE) >= floor {
            return Ok(());
        }
        let Some(offset) = header.free_note(F::WRITE_SIZE) else { return Ok(()) };
        let mut bytes = [0xff; PART_LEN];
        for (place, byte) in bytes.iter_mut().zip(note(floor)) {
            *place = byte;
        }
        let bytes = bytes.get(..note_pitch(F::WRITE_SIZE)).unwrap_or_default();
        let offset = self.start_of(stays).saturating_add(offset);
        self.flash.write(offset, bytes)
    }

    /// Erases the block of a slot that its header lies in, and counts.
    pub(super) fn erase_header(&mut self, slot: usize) -> Result<(), F::Error> {
        self.keep_floor(1usize.saturating_sub(slot))?;
        let start = self.start_of(slot);
        (self.feed)();
        // An erase that is cut off must not bring a revoked record back.
        self.write_part(slot, Part::Record, &[0; PART_LEN])?;
        let end = start.saturating_add(F::ERASE_SIZE as u32);
        self.flash.erase(start, end)?;
        if let Some(erases) = self.erases.get_mut(slot) {
            *erases = erases.saturating_add(1);
        }
        if let Some(refused) = self.refused.get_mut(slot) {
            *refused = false;
        }
        let [first, second] = self.erases;
        let tally = if slot == 0 { [first, second] } else { [second, first] };
        self.write_part(slot, Part::Tally, &sealed(&tally))
    }

    pub(super) fn write_part(
        &mut self,
        slot: usize,
        part: Part,
        bytes: &[u8; PART_LEN],
    ) -> Result<(), F::Error> {
        let offset = self.start_of(slot).saturating_add(part as u32);
        self.flash.write(offset, bytes)
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
            .start_of(update.slot)
            .saturating_add(HEADER_LEN as u32)
            .saturating_add(update.written);
        self.flash.write(at, whole).map_err(UpdateError::Flash)?;
        if !rest.is_empty() {
            // The unit that the end of the model lies in; what follows it stays erased.
            let mut last = [0xff; PART_LEN];
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

    /// Completes an update: reads the model back, has `accept` parse and test it, and makes it
    /// current from the next start on. `R` is the reason with which `accept` rejects a model.
    ///
    /// # Errors
    /// [`FinishError`].
    pub fn finish<R>(
        &mut self,
        update: Update,
        accept: impl FnOnce(&[u8]) -> Result<Accepted, R>,
    ) -> Result<Written, FinishError<F::Error, R>> {
        let missing = update.missing();
        let Update { slot, sequence, len, erased_blocks, .. } = update;
        let start = self.start_of(slot).saturating_add(HEADER_LEN as u32);
        let model = self.flash.mapped(start, len);
        let Some(model) = model.filter(|_| missing == 0) else {
            return Err(FinishError::Incomplete { missing });
        };
        let Accepted { checksum, version } = accept(model).map_err(FinishError::Rejected)?;
        let floor = self.floor().max(version);
        let record = Record { sequence, len, checksum, version, floor };
        self.write_part(slot, Part::Record, &record.to_bytes()).map_err(FinishError::Flash)?;
        Ok(Written { slot, record, erased_blocks })
    }
}
