//! A NOR flash in memory whose power fails.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::MappedFlash;

pub(crate) const BLOCK: usize = 256;

/// A flash that writes words.
pub(crate) type Flash = Simulated<4>;

/// A flash of erase blocks whose writes turn ones into zeros, in units of so many bytes.
#[derive(Clone, Debug)]
pub(crate) struct Simulated<const UNIT: usize> {
    pub(crate) bytes: Vec<u8>,
    /// Units that may still be written and blocks that may still be erased before power fails.
    pub(crate) power: usize,
    /// Decides what of the last operation still happens: one of the constants, or a seed.
    pub(crate) tear: u64,
    pub(crate) operations: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    PowerCut,
    NotErased,
    Unaligned,
}

impl NorFlashError for Failure {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// Nothing of the last operation happens.
pub(crate) const NOTHING: u64 = u64::MAX;
/// Its first half, or its second.
pub(crate) const FIRST_HALF: u64 = u64::MAX - 1;
pub(crate) const SECOND_HALF: u64 = u64::MAX - 2;

impl<const UNIT: usize> Simulated<UNIT> {
    pub(crate) fn erased(blocks: usize) -> Self {
        Simulated { bytes: vec![0xff; blocks * BLOCK], power: usize::MAX, tear: 0, operations: 0 }
    }

    /// Returns whether this operation is the one in which power fails; after it nothing works.
    fn cut(&mut self) -> Result<bool, Failure> {
        self.operations += 1;
        match self.power {
            0 => Err(Failure::PowerCut),
            usize::MAX => Ok(false),
            _ => {
                self.power -= 1;
                Ok(self.power == 0)
            }
        }
    }

    /// The bits of a byte that do not change in the last operation.
    fn kept(&mut self, index: usize, len: usize) -> u8 {
        match self.tear {
            NOTHING => 0xff,
            FIRST_HALF if index < len / 2 => 0,
            SECOND_HALF if index >= len / 2 => 0,
            FIRST_HALF | SECOND_HALF => 0xff,
            _ => {
                let next = self.tear.wrapping_mul(6364136223846793005);
                self.tear = next.wrapping_add(1442695040888963407) % (SECOND_HALF - 1);
                (self.tear >> 56) as u8
            }
        }
    }
}

impl<const UNIT: usize> ErrorType for Simulated<UNIT> {
    type Error = Failure;
}

impl<const UNIT: usize> ReadNorFlash for Simulated<UNIT> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failure> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const UNIT: usize> NorFlash for Simulated<UNIT> {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Failure> {
        let (from, to) = (from as usize, to as usize);
        if from % BLOCK != 0 || to % BLOCK != 0 {
            return Err(Failure::Unaligned);
        }
        for block in (from..to).step_by(BLOCK) {
            let cut = self.cut()?;
            for byte in block..block + BLOCK {
                // A block that is half erased may have any of its zeros left.
                let kept = if cut { self.kept(byte - block, BLOCK) } else { 0 };
                self.bytes[byte] |= !kept;
            }
            if cut {
                return Err(Failure::PowerCut);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failure> {
        let offset = offset as usize;
        if !offset.is_multiple_of(UNIT) || !bytes.len().is_multiple_of(UNIT) {
            return Err(Failure::Unaligned);
        }
        for (k, unit) in bytes.chunks(UNIT).enumerate() {
            let cut = self.cut()?;
            for (j, byte) in unit.iter().enumerate() {
                let place = offset + k * UNIT + j;
                // Some of the bits that should become zero may not have.
                let kept = if cut { self.kept(j, UNIT) } else { 0 };
                let wanted = byte | kept;
                if self.bytes[place] & byte != *byte {
                    return Err(Failure::NotErased);
                }
                self.bytes[place] &= wanted;
            }
            if cut {
                return Err(Failure::PowerCut);
            }
        }
        Ok(())
    }
}

impl<const UNIT: usize> MappedFlash for Simulated<UNIT> {
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]> {
        self.bytes.get(offset as usize..)?.get(..len as usize)
    }
}
