//! RISC-V's platform-level interrupt controller, as far as it takes to be woken by one interrupt.

use volatile_register::RW;

/// Where the parts of the controller lie, from its beginning (RISC-V PLIC specification 1.0.0).
const ENABLE: usize = 0x2000;
const THRESHOLD: usize = 0x20_0000;
const CLAIM: usize = 0x20_0004;

/// The controller with one interrupt enabled, for the machine mode of the first hart.
pub struct Plic {
    base: usize,
}

impl Plic {
    /// Lets one interrupt wake the core; all interrupts stay masked, so that none is taken.
    ///
    /// # Safety
    /// `base` is the address of a controller, for ever, whose inputs include `interrupt`, which is
    /// at least 1.
    pub unsafe fn start(base: usize, interrupt: usize) -> Self {
        let plic = Plic { base };
        // SAFETY: the caller promises that the controller lies there; these are its registers.
        unsafe {
            plic.register(4 * interrupt).write(1);
            plic.register(THRESHOLD).write(0);
            plic.register(ENABLE + interrupt / 32 * 4).write(1 << (interrupt % 32));
            riscv::register::mie::set_mext();
        }
        plic
    }

    /// Makes the interrupt no longer pending, until the device asks again.
    pub fn acknowledge(&self) {
        // SAFETY: `start`'s caller has promised that the controller lies there; claiming and
        // completing is how an interrupt is acknowledged.
        unsafe {
            let claim = self.register(CLAIM);
            let interrupt = claim.read();
            if interrupt != 0 {
                claim.write(interrupt);
            }
        }
    }

    /// The register so many bytes from the beginning.
    ///
    /// # Safety
    /// The controller must have one there.
    unsafe fn register(&self, offset: usize) -> &'static RW<u32> {
        // SAFETY: the caller promises that there is one; it is volatile.
        unsafe { &*((self.base + offset) as *const RW<u32>) }
    }
}
