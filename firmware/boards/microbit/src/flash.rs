//! The nRF51's flash, by its controller (nRF51 Series Reference Manual, chapter 6).

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use nrf51_hal::pac::NVMC;

/// Bytes of the flash.
const LEN: usize = 256 * 1024;
/// Bytes of a page, which is erased at once.
const PAGE: usize = 1024;

/// The controller of the flash.
pub struct Nvmc(NVMC);

impl Nvmc {
    /// Takes the controller.
    pub fn new(controller: NVMC) -> Self {
        Nvmc(controller)
    }

    fn wait(&self) {
        while self.0.ready.read().ready().is_busy() {}
    }

    /// Does `work` while the flash may be erased or written, and protects it again.
    fn enabled(&self, bits: u32, work: impl FnOnce(&NVMC)) {
        // SAFETY: the register takes 1, writing, and 2, erasing.
        self.0.config.write(|w| unsafe { w.bits(bits) });
        self.wait();
        work(&self.0);
        self.wait();
        // SAFETY: 0 is reading only.
        self.0.config.write(|w| unsafe { w.bits(0) });
        self.wait();
    }
}

const WRITE: u32 = 1;
const ERASE: u32 = 2;

impl ErrorType for Nvmc {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Nvmc {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        for (k, byte) in (offset as usize..).zip(bytes) {
            // SAFETY: the flash lies at address 0, and the range has been checked.
            *byte = unsafe { (k as *const u8).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        LEN
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        for page in (from..to).step_by(PAGE) {
            // SAFETY: the register takes the address of a page, which the range has been checked
            // to consist of; the partition's owner has said that no program lies there.
            self.enabled(ERASE, |nvmc| nvmc.erasepage().write(|w| unsafe { w.bits(page) }));
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        self.enabled(WRITE, |_| {
            for (place, word) in (offset as usize..).step_by(4).zip(bytes.as_chunks::<4>().0) {
                // SAFETY: the flash lies at address 0, the range has been checked, and writing is
                // enabled; as for erasing, no program lies there.
                unsafe { (place as *mut u32).write_volatile(u32::from_le_bytes(*word)) };
                self.wait();
            }
        });
        Ok(())
    }
}
