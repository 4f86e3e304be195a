//! A flash that C reads, erases and writes.

use core::ffi::{c_int, c_void};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use firmware::slots::MappedFlash;

/// Bytes that an erase takes at least: those of `THIMBLE_ERASE_SIZE` when the library is built.
pub const ERASE_SIZE: usize = erase_size();

/// A part of the flash for slots, with functions that change it: `thimble_flash_t`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Flash {
    /// The first argument of both functions.
    context: *mut c_void,
    /// Where the part lies in memory.
    base: *const u8,
    /// Its bytes.
    bytes: usize,
    /// Erases from an offset to another, both multiples of the erase size; 0 for success.
    erase: Option<unsafe extern "C" fn(*mut c_void, u32, u32) -> c_int>,
    /// Writes multiples of 32 bytes to an offset that is one; 0 for success.
    write: Option<unsafe extern "C" fn(*mut c_void, u32, *const u8, usize) -> c_int>,
}

impl Flash {
    /// Returns whether it can be used.
    pub fn is_complete(&self) -> bool {
        !self.base.is_null() && self.erase.is_some() && self.write.is_some()
    }

    fn end(&self, offset: u32, len: usize) -> Option<usize> {
        (offset as usize).checked_add(len).filter(|end| *end <= self.bytes)
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let from = self.mapped(offset, bytes.len() as u32).ok_or(NorFlashErrorKind::OutOfBounds)?;
        crate::memory::copy(from, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 32;
    const ERASE_SIZE: usize = ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let erase = self.erase.ok_or(NorFlashErrorKind::Other)?;
        self.end(to, 0).ok_or(NorFlashErrorKind::OutOfBounds)?;
        // SAFETY: the function is C's own, with its own context, and the offsets lie in the flash.
        match unsafe { erase(self.context, from, to) } {
            0 => Ok(()),
            _ => Err(NorFlashErrorKind::Other),
        }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let write = self.write.ok_or(NorFlashErrorKind::Other)?;
        self.end(offset, bytes.len()).ok_or(NorFlashErrorKind::OutOfBounds)?;
        // SAFETY: the function is C's own, with its own context, and the bytes are readable.
        match unsafe { write(self.context, offset, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(()),
            _ => Err(NorFlashErrorKind::Other),
        }
    }
}

impl MappedFlash for Flash {
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]> {
        self.end(offset, len as usize)?;
        // SAFETY: the caller of `thimble_slots_init` promises that so many bytes are mapped there. They
        // change by `erase` and `write` alone, which borrow the flash.
        Some(unsafe {
            core::slice::from_raw_parts(self.base.wrapping_add(offset as usize), len as usize)
        })
    }
}

/// Reads the erase size that the library is built for.
const fn erase_size() -> usize {
    let Some(text) = option_env!("THIMBLE_ERASE_SIZE") else { return 4096 };
    match usize::from_str_radix(text, 10) {
        Ok(size) if size >= 256 && size.is_power_of_two() => size,
        _ => panic!("THIMBLE_ERASE_SIZE must be a power of two, at least 256"),
    }
}
