//! The marks between which the plugin of `tests/cycles` counts: instructions that do nothing.

use core::arch::asm;

/// Begins a region.
#[inline(always)]
pub fn begin() {
    #[cfg(target_arch = "arm")]
    // SAFETY: it changes nothing.
    unsafe {
        asm!("mov r10, r10", options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "riscv32")]
    // SAFETY: it changes nothing.
    unsafe {
        asm!("slti x0, x0, 1", options(nostack, preserves_flags));
    }
}

/// Ends a region.
#[inline(always)]
pub fn end() {
    #[cfg(target_arch = "arm")]
    // SAFETY: it changes nothing.
    unsafe {
        asm!("mov r11, r11", options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "riscv32")]
    // SAFETY: it changes nothing.
    unsafe {
        asm!("slti x0, x0, 2", options(nostack, preserves_flags));
    }
}
