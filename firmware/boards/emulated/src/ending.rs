//! How the firmware ends: QEMU exits with the code that says why.

use core::panic::PanicInfo;

use semihosting::process;

use crate::failure::Failure;

/// QEMU's exit code after a command that failed.
pub const FAILED: i32 = 1;
/// QEMU's exit code after a panic: what a Rust program has.
pub const PANICKED: i32 = 101;
/// QEMU's exit code after a processor fault.
pub const FAULTED: i32 = 102;

/// Ends the emulation after a command.
pub fn exit(result: Result<usize, Failure>) -> ! {
    match result {
        Ok(done) => {
            defmt::info!("done: {=usize}", done);
            process::exit(0)
        }
        Err(failure) => {
            defmt::error!("{}", failure);
            process::exit(FAILED)
        }
    }
}

/// Says where, and the message if it is a plain one: formatting it would pull in `core::fmt`.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let message = info.message().as_str().unwrap_or("(see the source)");
    match info.location() {
        Some(place) => {
            defmt::error!("panic at {=str}:{=u32}: {=str}", place.file(), place.line(), message)
        }
        None => defmt::error!("panic: {=str}", message),
    }
    process::exit(PANICKED)
}

/// A fault of the processor: bad access, undefined instruction, stack overflow.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
// SAFETY: it ends in the emulator's exit and returns to nothing that the fault has left half done.
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    defmt::error!("hard fault at pc {=u32:#010x}, lr {=u32:#010x}", frame.pc(), frame.lr());
    process::exit(FAULTED)
}

/// An exception of the processor: bad access, illegal instruction.
#[cfg(target_arch = "riscv32")]
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_frame: &riscv_rt::TrapFrame) -> ! {
    use riscv::register::{mcause, mepc};
    let (cause, place) = (mcause::read().bits(), mepc::read());
    defmt::error!("exception {=usize} at pc {=usize:#010x}", cause, place);
    process::exit(FAULTED)
}
