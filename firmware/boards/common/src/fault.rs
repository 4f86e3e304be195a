//! Faults of the processor, a stack that has left its memory among them.
//!
//! The stack lies below everything else in RAM (see `thimble_board_build::memory`). One that grows too deep
//! leaves RAM, which is a fault; the handler then has no stack, and takes all of it anew.
//!
//! Each board defines its own reaction: `thimble_fault(pc, lr)` and `thimble_overflow()`, which do
//! not return.

/// The handler of all faults: it runs on a stack of its own, from the top again.
#[cfg(target_arch = "arm")]
mod arm {
    /// Distinguishes a stack that has left RAM from other faults, whose place is in the frame.
    ///
    /// # Safety
    /// Called by the processor alone.
    #[unsafe(naked)]
    #[unsafe(export_name = "HardFault")]
    #[unsafe(link_section = ".HardFault.user")]
    unsafe extern "C" fn hard_fault() -> ! {
        core::arch::naked_asm!(
            "mrs r3, msp",
            "ldr r1, 4f",
            "ldr r2, 5f",
            "cmp r3, r1",
            "blo 3f",
            "ldr r0, [r3, #24]",
            "ldr r1, [r3, #20]",
            "msr msp, r2",
            "ldr r3, 6f",
            "bx r3",
            "3:",
            "msr msp, r2",
            "ldr r3, 7f",
            "bx r3",
            ".balign 4",
            "4: .word _stack_end",
            "5: .word _stack_start",
            "6: .word {fault}",
            "7: .word {overflow}",
            fault = sym fault,
            overflow = sym super::thimble_overflow,
        )
    }

    /// A fault other than a stack pointer outside RAM.
    extern "C" fn fault(pc: u32, lr: u32) -> ! {
        /// Armv8-M has found the stack pointer below its limit (UsageFault Status Register, STKOF).
        #[cfg(not(armv6m))]
        const STACK_OVERFLOW: u32 = 1 << 20;
        // SAFETY: the register can be read at any time.
        #[cfg(not(armv6m))]
        if unsafe { (*cortex_m::peripheral::SCB::PTR).cfsr.read() } & STACK_OVERFLOW != 0 {
            // SAFETY: the board's handler takes no argument.
            unsafe { super::thimble_overflow() }
        }
        // SAFETY: the board's handler takes any two words.
        unsafe { super::thimble_fault(pc, lr) }
    }
}

// SAFETY: the crates `real` and `emulated` define both as they stand here.
#[cfg(target_arch = "arm")]
unsafe extern "C" {
    fn thimble_fault(pc: u32, lr: u32) -> !;
    fn thimble_overflow() -> !;
}

/// Defines the trap handler of a board with riscv-rt: it takes the whole stack anew where the
/// stack pointer has left RAM, and calls `thimble_overflow()` of the board; all other traps are
/// those of riscv-rt.
#[cfg(target_arch = "riscv32")]
#[macro_export]
macro_rules! stack_guard {
    () => {
        core::arch::global_asm!(
            ".section .trap.start.guard, \"ax\"",
            ".balign 4",
            ".global _start_trap",
            "_start_trap:",
            "csrw mscratch, t0",
            "la t0, _stack_end",
            "bltu sp, t0, 1f",
            "csrr t0, mscratch",
            "j _default_start_trap",
            "1:",
            "la sp, _stack_start",
            "j thimble_overflow",
        );
    };
}
