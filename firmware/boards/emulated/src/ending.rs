//! End of the firmware: QEMU exits with a code for the reason.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

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

/// Whether a fault restarts the machine, as it does a real board, and does not end the emulation.
static RESTARTS: AtomicBool = AtomicBool::new(false);

/// Has faults restart the machine from now on.
pub fn restart_after_faults() {
    RESTARTS.store(true, Ordering::Relaxed);
}

/// Ends the emulation with this code, or restarts the machine.
fn fault(code: i32) -> ! {
    thimble_board::attempts::fault();
    match RESTARTS.load(Ordering::Relaxed) {
        #[cfg(target_arch = "arm")]
        true => thimble_board::parts::reset(),
        #[cfg(target_arch = "riscv32")]
        true => crate::virt::restart(),
        false => process::exit(code),
    }
}

/// A fault of the processor: bad access, undefined instruction.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn thimble_fault(pc: u32, lr: u32) -> ! {
    defmt::error!("hard fault at pc {=u32:#010x}, lr {=u32:#010x}", pc, lr);
    fault(FAULTED)
}

/// The stack has left RAM.
#[unsafe(no_mangle)]
extern "C" fn thimble_overflow() -> ! {
    defmt::error!("stack overflow");
    fault(FAULTED)
}

/// Uses up the stack.
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it is for")]
pub fn overflow(depth: u32) -> u32 {
    let frame = core::hint::black_box([depth; 16]);
    // Not the last thing that it does, or it would be a loop.
    overflow(core::hint::black_box(depth.wrapping_add(1))).wrapping_add(frame[3])
}

/// An exception of the processor: bad access, illegal instruction.
#[cfg(target_arch = "riscv32")]
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_frame: &riscv_rt::TrapFrame) -> ! {
    use riscv::register::{mcause, mepc};
    let (cause, place) = (mcause::read().bits(), mepc::read());
    defmt::error!("exception {=usize} at pc {=usize:#010x}", cause, place);
    fault(FAULTED)
}
