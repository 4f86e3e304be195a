//! Memory of the emulator that stands for a flash: it outlasts a reset, not the emulator.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use firmware::slots::Slots;
use thimble_board::flash::Partition;

/// Bytes of it.
const LEN: usize = 512 * 1024;

/// Memory that is erased and written as a NOR flash is.
pub struct Ram {
    address: usize,
}

/// Why the memory was not written.
#[derive(Debug)]
pub struct NotErased;

impl NorFlashError for NotErased {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// Two slots in the region `SLOTS` of memory.x, which is memory that outlasts a reset.
pub fn slots() -> Option<Slots<Partition<Ram>>> {
    let address = thimble_board::flash::slots_region().start;
    // SAFETY: the linker gives the region to nothing else, and this driver alone changes it.
    unsafe { Partition::of_linker_script(Ram { address }, address) }.slots()
}

impl Ram {
    fn byte(&self, offset: u32) -> *mut u8 {
        (self.address + offset as usize) as *mut u8
    }
}

impl ErrorType for Ram {
    type Error = NotErased;
}

impl ReadNorFlash for Ram {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NotErased> {
        for (k, byte) in (offset..).zip(bytes) {
            // SAFETY: it is memory that is ours, as long as the partition checks the range.
            *byte = unsafe { self.byte(k).read() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        LEN
    }
}

impl NorFlash for Ram {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NotErased> {
        for offset in from..to {
            // SAFETY: as in `read`.
            unsafe { self.byte(offset).write(0xff) };
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NotErased> {
        for (k, byte) in (offset..).zip(bytes) {
            // SAFETY: as in `read`.
            let old = unsafe { self.byte(k).read() };
            if old & byte != *byte {
                return Err(NotErased);
            }
            // SAFETY: as in `read`.
            unsafe { self.byte(k).write(*byte) };
        }
        Ok(())
    }
}
