//! Start-up before `main`, the panic handler that must not be linked, and functions that the
//! compiler calls.

// SAFETY: there is no such function: the linker ends the build as soon as anything can panic.
#[cfg(not(debug_assertions))]
unsafe extern "C" {
    safe fn something_here_can_panic() -> !;
}

/// Never linked; and with debug assertions, which are panics, the end.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(not(debug_assertions))]
    something_here_can_panic();
    #[cfg(debug_assertions)]
    loop {
        core::hint::spin_loop();
    }
}

/// Copies bytes: the standard function, which is fast, has 0.4 to 0.9 KB, and all that is copied
/// here is a model's description, once.
///
/// Inlined: the compiler replaces a call of a function named `memcpy` by one of `__aeabi_memcpy`,
/// which would then call itself.
///
/// # Safety
/// As C's `memcpy`.
#[inline(always)]
unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    for offset in 0..len {
        // Volatile, or the compiler would see a copy, and call `memcpy`.
        // SAFETY: the caller has promised so many bytes at both places.
        unsafe { to.add(offset).write_volatile(from.add(offset).read()) }
    }
}

/// C's `memcpy`, which the compiler calls.
///
/// # Safety
/// As C's `memcpy`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { copy(to, from, len) };
    to
}

/// The function that the compiler calls on Arm in place of `memcpy`.
///
/// # Safety
/// As C's `memcpy`.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memcpy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { copy(to, from, len) };
}

/// As [`__aeabi_memcpy`], on words.
///
/// # Safety
/// As C's `memcpy`.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memcpy4(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { copy(to, from, len) };
}

// SAFETY: cortex-m-rt has it, of this type.
#[cfg(target_arch = "arm")]
unsafe extern "C" {
    fn DefaultHandler();
}

/// Handlers of interrupts, in the vector table: none is ever switched on, and cortex-m-rt asks for
/// one.
#[cfg(target_arch = "arm")]
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 1] = [DefaultHandler];

// The stack, RAM that begins as zero, a place for traps to end, and `main`.
#[cfg(target_arch = "riscv32")]
core::arch::global_asm!(
    r#"
    .section .init, "ax"
    .global _start
    _start:
    la sp, _stack_start
    la t0, 2f
    csrw mtvec, t0
    la t0, _bss_start
    la t1, _bss_end
    1:
    sw zero, 0(t0)
    addi t0, t0, 4
    bltu t0, t1, 1b
    call main
    .balign 4
    2:
    j 2b
"#
);
