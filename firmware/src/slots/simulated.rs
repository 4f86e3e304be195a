//! A NOR flash in memory whose power fails.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::MappedFlash;

pub(crate) const BLOCK: usize = 256;
const UNIT: usize = 4;

/// A flash of erase blocks whose writes turn ones into zeros.
#[derive(Clone, Debug)]
pub(crate) struct Flash {
    pub(crate) bytes: Vec<u8>,
    /// Units that may still be written and blocks that may still be erased before power fails.
    pub(crate) power: usize,
    /// Decides what of the last operation still happens.
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

impl Flash {
    pub(crate) fn erased(blocks: usize) -> Self {
        Flash { bytes: vec![0xff; blocks * BLOCK], power: usize::MAX, tear: 0, operations: 0 }
    }

    /// Whether this operation is the one in which power fails; after it nothing works.
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

    fn random(&mut self) -> u8 {
        self.tear = self.tear.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.tear >> 56) as u8
    }
}

impl ErrorType for Flash {
    type Error = Failure;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failure> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
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
                let left = if cut { self.bytes[byte] | self.random() } else { 0xff };
                self.bytes[byte] = left;
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
                let kept = if cut { self.random() } else { 0 };
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

impl MappedFlash for Flash {
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]> {
        self.bytes.get(offset as usize..)?.get(..len as usize)
    }
}
