//! Flash that holds models.

use core::ops::Range;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use firmware::slots::{MappedFlash, Slots};

/// A part of a chip's flash, which the core reads as memory.
pub struct Partition<F> {
    flash: F,
    offset: u32,
    len: u32,
    address: usize,
}

unsafe extern "C" {
    /// The first byte of the region `SLOTS` of memory.x.
    static _slots_start: u8;
    /// The first byte behind it.
    static _slots_end: u8;
}

/// The addresses of the region `SLOTS` of memory.x.
pub fn slots_region() -> Range<usize> {
    &raw const _slots_start as usize..&raw const _slots_end as usize
}

impl<F: NorFlash> Partition<F> {
    /// The region `SLOTS` of the board's memory.x, in a flash whose first byte the core reads at
    /// `base`.
    ///
    /// # Safety
    /// Nobody but `flash` changes this region.
    pub unsafe fn of_linker_script(flash: F, base: usize) -> Self {
        let Range { start, end } = slots_region();
        // SAFETY: the linker gives the region to nothing else; the caller promises the rest.
        unsafe { Self::new(flash, (start - base) as u32, (end - start) as u32, start) }
    }

    /// The `len` bytes from `offset` of the flash on, of which the core reads the first at
    /// `address`.
    ///
    /// # Safety
    /// These bytes lie there as long as the program runs, nothing else is kept in them, and nobody
    /// but `flash` changes them.
    pub const unsafe fn new(flash: F, offset: u32, len: u32, address: usize) -> Self {
        Partition { flash, offset, len, address }
    }

    /// Two slots in this part, unless it is too small for them.
    pub fn slots(self) -> Option<Slots<Self>> {
        match Slots::new(self) {
            Ok(slots) => Some(slots),
            Err(problem) => {
                defmt::error!("no slots for models: {}", defmt::Display2Format(&problem));
                None
            }
        }
    }
}

impl<F: NorFlash> ErrorType for Partition<F> {
    type Error = F::Error;
}

impl<F: NorFlash> ReadNorFlash for Partition<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(self.offset + offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.len as usize
    }
}

impl<F: NorFlash> NorFlash for Partition<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.flash.erase(self.offset + from, self.offset + to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(self.offset + offset, bytes)
    }
}

impl<F: NorFlash> MappedFlash for Partition<F> {
    fn mapped(&self, offset: u32, len: u32) -> Option<&[u8]> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: `new`'s caller has promised that this part lies there, and the check above that
        // these bytes are of it. They change only through `&mut self`.
        Some(unsafe {
            core::slice::from_raw_parts((self.address + offset as usize) as *const u8, len as usize)
        })
    }
}

/// The file of a slot's model, for as long as the program runs.
///
/// # Safety
/// The slot is the one that runs: neither erased nor written but for what revokes it, which lies
/// before the model.
pub unsafe fn running_model<F: MappedFlash>(
    slots: &Slots<F>,
    slot: usize,
) -> Option<&'static [u8]> {
    let model = slots.model(slot)?;
    // SAFETY: the flash lies there for ever, and the caller promises that nobody changes it.
    Some(unsafe { core::slice::from_raw_parts(model.as_ptr(), model.len()) })
}
